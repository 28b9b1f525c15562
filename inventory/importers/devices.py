"""Turns rows into access points: a device each, one site for each distinct coordinate."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from inventory.importers.contents import Row
from inventory.importers.points import Point
from inventory.importers.radios import RadioCells, read_radios
from inventory.importers.report import BadCellError, Report
from inventory.importers.rows import Reader
from inventory.importers.values import read_host, read_mac, read_port


@dataclass(frozen=True)
class DeviceCells:
    """What a row says of a device beside its place; None is not said."""

    management_address: str | None = None
    ssh_port: int | None = None
    snmp_port: int | None = None
    mac: str | None = None
    serial: str | None = None
    platform: str | None = None
    credential: str | None = None
    bssids: tuple[str, ...] | None = None
    radios: tuple[RadioCells, ...] = ()


@dataclass(frozen=True)
class DeviceRow:
    """An accepted device and the site it stands at (None where that is not known)."""

    row: int
    id: str
    name: str
    site_id: str | None
    cells: DeviceCells
    role: str = "access-point"
    status: str = "live"


def read_device(reader: Reader, row: Row) -> DeviceCells:
    """A row's device; BadCellError if an address, port, MAC, BSSID or radio cannot be one."""
    bssids = []
    for part in re.split(r"[;,\s]+", reader.text(row, "bssid") or ""):
        if part:
            try:
                bssids.append(read_mac(part)[0])
            except ValueError as error:
                raise BadCellError(reader.column("bssid"), part, str(error)) from None
    return DeviceCells(
        reader.parsed(row, "management_address", lambda text: (read_host(text), "")),
        reader.parsed(row, "ssh_port", lambda text: (read_port(text), "")),
        reader.parsed(row, "snmp_port", lambda text: (read_port(text), "")),
        reader.parsed(row, "mac", read_mac),
        reader.text(row, "serial"),
        reader.text(row, "platform"),
        reader.text(row, "credential"),
        tuple(dict.fromkeys(bssids)) or None,
        read_radios(reader, row),
    )


def site_id(lat: float, lon: float) -> str:
    """A site's id made from its coordinate (RFC 5870), to a tenth of a metre."""
    return f"geo:{lat + 0.0:.6f},{lon + 0.0:.6f}"


def sites_of(points: Sequence[Point], reader_column: str, report: Report) -> list[Point]:
    """One site for each distinct coordinate, named after what its devices' names share."""
    groups: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        groups[site_id(point.lat, point.lon)].append(point)
    found = []
    for identity, members in groups.items():
        first = members[0]
        for other in members[1:]:
            if other.programme and first.programme and other.programme != first.programme:
                report.warn(
                    other.row, reader_column, other.programme,
                    f"its site is of {first.programme!r} already (row {first.row}), which is kept",
                    "its site is of another programme already, which is kept",
                )  # fmt: skip
        found.append(
            replace(
                first, id=identity, name=_shared_name([m.name or m.id for m in members]),
                height_m=next((m.height_m for m in members if m.height_m is not None), None),
                indoor=next((m.indoor for m in members if m.indoor is not None), None),
            )
        )  # fmt: skip
    return found


def _shared_name(names: list[str]) -> str:
    shared = os.path.commonprefix(names)  # noqa: RUF071 - names, not paths
    if len(set(names)) > 1:
        shared = re.sub(r"[\s_\-.#/]*\d*$", "", shared)
    return shared if len(shared) >= 4 else names[0]


def device_rows(points: Sequence[Point]) -> list[DeviceRow]:
    """The devices that `points` (read with `read_device`) stand for, each at its coordinate."""
    return [DeviceRow(p.row, p.id, p.name or p.id, site_id(p.lat, p.lon), p.more) for p in points]


def check_devices(
    rows: Sequence[DeviceRow],
    columns: Mapping[str, str],
    credentials: Collection[str],
    report: Report,
) -> list[DeviceRow]:
    """Tell of shared addresses, MACs and serials and of unknown credentials; returns the rows
    without BSSIDs that an earlier row holds and credentials that do not exist.
    """
    seen: dict[tuple[str, object], int] = {}
    done = []
    for point in rows:
        device = point.cells
        for field, value in (
            ("mac", device.mac),
            ("serial", device.serial),
            ("management_address", device.management_address
             and (device.management_address, device.ssh_port, device.snmp_port)),
        ):  # fmt: skip
            if value is None:
                continue
            first = seen.setdefault((field, value), point.row)
            if first != point.row:
                word = {"mac": "MAC address", "serial": "serial number"}.get(field, "address")
                text = value[0] if isinstance(value, tuple) else value
                report.warn(
                    point.row, columns.get(field, field), text,
                    f"row {first} has the same {word}", f"another row has the same {word}",
                )  # fmt: skip
        bssids = []
        for bssid in device.bssids or ():
            first = seen.setdefault(("bssid", bssid), point.row)
            if first == point.row:
                bssids.append(bssid)
            else:
                report.warn(
                    point.row, columns.get("bssid", "bssid"), bssid,
                    f"row {first} holds this BSSID already, which is kept",
                    "another row holds this BSSID already, which is kept",
                )  # fmt: skip
        if device.bssids is not None and len(bssids) < len(device.bssids):
            device = replace(device, bssids=tuple(bssids))
        if device.credential and device.credential not in credentials:
            name = device.credential
            report.warn(
                point.row, columns.get("credential", "credential"), name,
                f"no credential {name!r}: the device is imported without it; store it with "
                f"`farola device credential {name}` and import again",
            )  # fmt: skip
            device = replace(device, credential=None)
        done.append(point if device is point.cells else replace(point, cells=device))
    return done
