"""Fleets of pretend access points for tests, side by side with those of other runs."""

from __future__ import annotations

import contextlib
import csv
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.control import Strings, alone
from simulator.device import Settings
from simulator.fleet import Fleet
from simulator.ssh_server import public_key
from simulator.stock_config import Identity

PASSWORD = "pretend-lamp-post"
CLAIM_PORT = 2221


@contextlib.contextmanager
def free_block() -> Iterator[str]:
    """The first three numbers of an address block, `127.x.y`, that is ours for the time.

    A socket bound on its last address is the claim: whoever runs at the same time goes on to the
    next block, and a claim ends with the process that made it.
    """
    for number in range(100 * 250):
        block = f"127.{100 + number // 250}.{number % 250}"
        with socket.socket() as claim:
            try:
                claim.bind((f"{block}.254", CLAIM_PORT))
            except OSError:
                continue
            yield block
            return
    raise RuntimeError("no free block in 127.100.0.0 to 127.199.249.0")


@contextlib.contextmanager
def running_fleet(folder: Path, names: Sequence[str], faults: dict[str, str]) -> Iterator[Fleet]:
    """A fleet with a device a name, MACs `02:00:00:00:NN:…`, serial numbers `S-NAME`."""
    with free_block() as block:
        with (folder / "access-points.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(
                ["id", "management_address", "ssh_port", "snmp_port", "mac", "serial", "bssid"]
            )
            for number, name in enumerate(names, 1):
                mac = f"02:00:00:00:{number:02x}"
                writer.writerow(
                    [name, f"{block}.{number}", 2222, 1161, f"{mac}:00", f"S-{name}",
                     f"{mac}:01;{mac}:02"]
                )  # fmt: skip
        with Fleet(folder, faults=faults, password=PASSWORD) as running:
            yield running


@dataclass(frozen=True)
class Lone:
    """One pretend access point in this process, where to reach it, and its strings."""

    strings: Strings
    address: str
    port: int
    known_hosts: Path
    root: Path
    """The folder of this machine that the device sees as its `/`."""


@contextlib.contextmanager
def lone_point(folder: Path, name: str = "lone", **settings: Any) -> Iterator[Lone]:
    """A single access point in a thread: up in 0.1 s, for tests that need many lives of one.

    `settings` are those of simulator.device.Settings; it boots without a pause unless told so.
    """
    with free_block() as block:
        who = Identity(name, "02:00:00:00:01:00", f"S-{name}", "02:00:00:00:01:01",
                       "02:00:00:00:01:02")  # fmt: skip
        address, port, seed = f"{block}.1", 2222, f"lone {name}"
        own = Settings(who, address, port, 1161, folder / name, seed, PASSWORD,
                       **{"boot_seconds": 0.0, **settings})  # fmt: skip
        known = folder / f"{name}.known_hosts"
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(f"[{address}]:{port} {public_key(seed)}\n", encoding="utf-8")
        with alone(own) as strings:
            yield Lone(strings, address, port, known, own.folder / "root")
