"""NAPALM's own suite for the configuration of third-party drivers, diffs written by hand."""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

import pytest
from napalm.base.test.base import TestConfigNetworkDriver as Suite


@pytest.fixture(scope="module")
def suite(fleet: Any, monkeypatch_module: pytest.MonkeyPatch) -> Any:
    from napalm_openwrt import OpenWrtDriver

    monkeypatch_module.chdir(Path(__file__).parent)
    device = fleet.device("suite")
    driver = OpenWrtDriver(
        device.address, "root", "pretend-lamp-post",
        optional_args={"port": device.ssh_port, "host_key": device.host_key},
    )  # fmt: skip
    driver.open()

    class Bound(Suite, unittest.TestCase):  # type: ignore[misc]
        vendor = "napalm_suite"

    Bound.device = driver
    driver.load_replace_candidate(filename="napalm_suite/initial.conf")
    driver.commit_config()
    yield Bound()
    driver.close()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("name", [name for name in dir(Suite) if name.startswith("test_")])
def test_napalms_own(name: str, suite: Any) -> None:
    getattr(suite, name)()
