"""A fleet of pretend access points for the driver to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from napalm_openwrt import OpenWrtDriver
from simulator.fleet import Fleet, FleetDevice
from tests.fleets import PASSWORD, running_fleet

FAULTS = {"full": "flash-full"}
NAMES = ("good", "full", "suite")
Connect = Callable[..., OpenWrtDriver]


@dataclass(frozen=True)
class Point:
    """A pretend access point, seen from outside and from under its hood."""

    device: FleetDevice

    def config(self, package: str) -> str:
        """Text of a file of /etc/config, read on the device's own disk."""
        return (self.device.root / "etc" / "config" / package).read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        """All files of /etc, hidden ones too."""
        etc = self.device.root / "etc"
        return {str(p.relative_to(etc)): p.read_bytes() for p in etc.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with running_fleet(folder, NAMES, FAULTS) as running:
        yield running


@pytest.fixture
def connect(fleet: Fleet) -> Iterator[Connect]:
    """`connect("good")` returns an open driver; all are closed at the end."""
    opened: list[OpenWrtDriver] = []

    def open_driver(name: str, password: str = PASSWORD, **arguments: object) -> OpenWrtDriver:
        device = fleet.device(name)
        driver = OpenWrtDriver(
            device.address, "root", password, timeout=30,
            optional_args={
                "port": device.ssh_port, "known_hosts": str(fleet.folder / "known_hosts"),
                **arguments,
            },
        )  # fmt: skip
        driver.open()
        opened.append(driver)
        return driver

    yield open_driver
    for driver in opened:
        driver.close()


@pytest.fixture
def good(fleet: Fleet) -> Point:
    return Point(fleet.device("good"))


@pytest.fixture
def full(fleet: Fleet) -> Point:
    return Point(fleet.device("full"))
