"""What NAPALM's suite of getters asks of a driver: recorded output in place of a session."""

from __future__ import annotations

import re
from typing import Any

import pytest
from napalm.base.test import conftest as napalms
from napalm.base.test.double import BaseTestDouble

from napalm_openwrt import OpenWrtDriver
from napalm_openwrt.session import Output


class RecordedSession(BaseTestDouble):  # type: ignore[misc]  # napalm publishes no types
    """Answers each getter with the file of its name in the test case's folder.

    `@@` in a file stands for the mark that the command chose.
    """

    alive = True

    def run(self, command: str, stdin: str = "", timeout: float | None = None) -> Output:
        del stdin, timeout
        named = re.match(r"# (\w+)\n", command)
        text = self.read_txt_file(self.find_file(f"{named[1] if named else 'config'}.txt"))
        mark = re.search(r"@@[0-9a-f]{16,}", command)
        assert mark, command
        return Output(0, re.sub(r"^@@", mark[0], text, flags=re.MULTILINE), "")

    def close(self) -> None:
        pass


class RecordedDriver(OpenWrtDriver):
    """Our driver over recorded output."""

    patched_attrs = ("_session",)

    def open(self) -> None:
        self._session: Any = RecordedSession()


@pytest.fixture(scope="class")
def set_device_parameters(request: pytest.FixtureRequest) -> None:
    cls: Any = request.cls
    cls.driver, cls.patched_driver, cls.vendor = OpenWrtDriver, RecordedDriver, "openwrt"
    napalms.set_device_parameters(request)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    napalms.pytest_generate_tests(metafunc, __file__)
