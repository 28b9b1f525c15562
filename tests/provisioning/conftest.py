"""A home whose devices are pretend access points that really run."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from simulator.fleet import Fleet

Run = Callable[..., "CompletedProcess[str]"]
PASSWORD = "pretend-lamp-post"
SSID = "L'internet de todos 😀"
COMMUNITY = "city's-own"
NAMES = ("ap1", "ap2", "ap3", "full")


@dataclass(frozen=True)
class City:
    """A home with four devices, one with a full flash."""

    fleet: Fleet
    run: Run
    folder: Path

    def config(self, device: str, package: str) -> str:
        """A file of /etc/config, read on the device's own disk."""
        root = self.fleet.device(device).root
        return (root / "etc" / "config" / package).read_text(encoding="utf-8")

    def edit(self, device: str, package: str, old: str, new: str) -> None:
        """Change a file on the device's own disk, as somebody signed in there would."""
        path = self.fleet.device(device).root / "etc" / "config" / package
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def known_hosts(self) -> Path:
        return self.fleet.folder / "known_hosts"


@pytest.fixture
def city(tmp_path: Path, run: Run) -> Iterator[City]:
    folder = tmp_path / "fleet"
    folder.mkdir()
    block = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
    with (folder / "access-points.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["id", "name", "lat", "lon", "management_address", "ssh_port", "snmp_port", "mac",
             "serial", "platform", "credential", "bssid"]
        )  # fmt: skip
        for number, name in enumerate(NAMES, 1):
            mac = f"02:00:00:00:{number:02x}"
            writer.writerow(
                [name, f"Plaza {number}", 19.4 + number / 1000, -99.1, f"{block}.{100 + number}",
                 2222, 1161, f"{mac}:00", f"S-{name}", "openwrt", "ap", f"{mac}:01;{mac}:02"]
            )  # fmt: skip
    run("init", "--name", "Prueba", "--timezone", "America/Mexico_City", "--ssid", SSID,
        "--country", "MX")  # fmt: skip
    run("device", "credential", "ap", "--username", "root", input=PASSWORD)
    run("device", "credential", "ap", "--field", "snmp_community", input=COMMUNITY)
    run("import", "access-points", folder / "access-points.csv", "--id", "id", "--lat", "lat",
        "--lon", "lon", "--name", "name", "--management-address", "management_address",
        "--ssh-port", "ssh_port", "--snmp-port", "snmp_port", "--mac", "mac", "--serial",
        "serial", "--platform", "platform", "--credential", "credential")  # fmt: skip
    with Fleet(folder, faults={"full": "flash-full"}, password=PASSWORD) as fleet:
        yield City(fleet, run, folder)


@pytest.fixture
def adopted(city: City) -> City:
    """The same, its devices adopted."""
    city.run("device", "adopt", "--all", "--known-hosts", city.known_hosts)
    return city
