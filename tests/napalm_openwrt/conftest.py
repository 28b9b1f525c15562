"""A fleet of pretend access points for the driver to talk to."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from napalm_openwrt import OpenWrtDriver
from simulator.fleet import Fleet, FleetDevice

PASSWORD = "pretend-lamp-post"
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
    # An address block of this process's own, so that runs side by side do not meet.
    block = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
    with (folder / "access-points.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["id", "management_address", "ssh_port", "snmp_port", "mac", "serial", "bssid"]
        )
        for number, name in enumerate(NAMES, 1):
            mac = f"02:00:00:00:{number:02x}"
            writer.writerow(
                [name, f"{block}.{number}", 2222, 1161, f"{mac}:00", f"S-{name}",
                 f"{mac}:01;{mac}:02"]
            )  # fmt: skip
    with Fleet(folder, faults=FAULTS, password=PASSWORD) as running:
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
