"""Reads access-points.csv into the settings of each pretend device."""

from __future__ import annotations

import csv
import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from farola.errors import FarolaError
from simulator.device import FAULTS, Settings
from simulator.stock_config import Identity

_COLUMNS = ("id", "management_address", "ssh_port", "snmp_port", "mac", "serial", "bssid")


@dataclass(frozen=True)
class _Given:
    """What all devices of a fleet have in common."""

    folder: Path
    seed: int
    sinks: tuple[tuple[str, int], ...]
    boot_seconds: float
    time_rate: float
    radar_factor: float
    password: str = field(repr=False)


class RosterError(FarolaError):
    """access-points.csv or a fault cannot be used as given."""


def read_roster(
    folder: Path,
    *,
    seed: int,
    faults: Sequence[str],
    trap_to: str | None,
    boot_seconds: float,
    only: int | None,
    password: str,
    time_rate: float = 1.0,
    radar_factor: float = 1.0,
) -> list[Settings]:
    """Settings of the devices in `folder`/access-points.csv, in its order.

    Only loopback addresses are taken: a pretend device must not be reached from elsewhere.
    """
    path = folder / "access-points.csv"
    try:
        with path.open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RosterError(f"{path}: cannot be read: {error}") from None
    rows = rows[:only]
    missing = [column for column in _COLUMNS if rows and column not in rows[0]]
    if missing or not rows:
        what = f"no column {missing[0]!r}" if missing else "no access point"
        raise RosterError(f"{path}: {what}; write it with simulator.city_files.write_city")
    wanted = parse_faults(faults)
    unknown = set(wanted) - {row["id"] for row in rows}
    if not 0 < time_rate < 1e6:
        raise RosterError(f"--time-rate {time_rate}: above 0, and below a million")
    if unknown:
        raise RosterError(f"--fault {sorted(unknown)[0]}: no such access point in {path}")
    sinks = (_host_port(trap_to),) if trap_to else ()
    given = _Given(folder, seed, sinks, boot_seconds, time_rate, radar_factor, password)
    settings = [
        _settings(row, f"{path}, row {number}", given) for number, row in enumerate(rows, 2)
    ]
    return [
        replace(one, faults=one.faults | wanted.get(one.identity.id, frozenset()))
        for one in settings
    ]


def parse_faults(given: Sequence[str]) -> dict[str, frozenset[str]]:
    """`["ap-0001=dead", …]` as faults by device."""
    found: dict[str, frozenset[str]] = {}
    for text in given:
        device, _, names = text.partition("=")
        found[device] = found.get(device, frozenset()) | _faults(names, f"--fault {text}")
    return found


def _faults(text: str, where: str) -> frozenset[str]:
    names = frozenset(re.split(r"[,; ]+", text.strip())) - {""}
    wrong = sorted(names - set(FAULTS))
    if wrong:
        raise RosterError(f"{where}: no fault {wrong[0]!r}; there are {', '.join(FAULTS)}")
    return names


def _settings(row: dict[str, str], where: str, given: _Given) -> Settings:
    identifier = row["id"].strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", identifier):
        raise RosterError(f"{where}: id {identifier!r} must be letters, digits, dot, dash or _")
    try:
        address = ipaddress.ip_address(row["management_address"].strip())
        ports = int(row["ssh_port"]), int(row["snmp_port"])
        mean = float(row.get("mean_clients") or 2.0)
    except ValueError as error:
        raise RosterError(f"{where}: {error}") from None
    if not address.is_loopback or address.version != 4:
        raise RosterError(f"{where}: {address} is no loopback address; use 127.x.y.z")
    bssids = [*re.split(r"[;\s]+", row["bssid"].strip()), row["mac"], row["mac"]]
    key = f"{given.seed}|{identifier}"
    dice = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    identity = Identity(
        id=identifier,
        mac=row["mac"].lower(),
        serial=row["serial"],
        bssid_2g=bssids[0].lower(),
        bssid_5g=bssids[1].lower(),
        channel_2g=(1, 6, 11)[dice % 3],
        channel_5g=(36, 40, 44, 48)[dice // 3 % 4],
    )
    return Settings(
        identity=identity,
        address=str(address),
        ssh_port=ports[0],
        snmp_port=ports[1],
        folder=(given.folder / "devices" / identifier).absolute(),
        seed=key,
        password=given.password,
        mean_clients=mean,
        faults=_faults(row.get("fault") or "", f"{where}: fault"),
        trap_to=given.sinks,
        boot_seconds=given.boot_seconds,
        time_rate=given.time_rate,
        radar_factor=given.radar_factor,
        up_before_s=3600.0 * (2 + dice // 12 % 1400),
    )


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host.startswith("127.") or not port.isdigit():
        raise RosterError(f"--trap-to {text}: use a loopback address and a port: 127.0.0.1:1162")
    return host, int(port)
