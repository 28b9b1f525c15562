"""Stores accepted rows: inserts what is new, updates what differs, leaves the rest alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from inventory.importers.builds import Build
from inventory.importers.devices import DeviceRow
from inventory.importers.names import counted
from inventory.importers.points import Point
from inventory.importers.polygons import Area
from inventory.importers.radios import RADIO, store_radios
from inventory.importers.report import Report
from inventory.models import Base, Bssid, Device, Neighbourhood, Placement, Radio, Site, utcnow


@dataclass(frozen=True)
class Stored:
    """How many rows were new, changed and unchanged."""

    created: int
    updated: int
    unchanged: int


def upsert(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    compare: Collection[str],
) -> Stored:
    """Insert the `rows` (with an `id`) that are new; of known ones update the columns `compare`."""
    table = model.__table__
    names = ["id", *compare]
    known = {row[0]: row[1:] for row in session.execute(select(*(table.c[name] for name in names)))}
    new = [dict(row) for row in rows if row["id"] not in known]
    changed = [
        {name: row[name] for name in names}
        for row in rows
        if row["id"] in known and known[row["id"]] != tuple(row[name] for name in compare)
    ]
    if new:
        session.execute(insert(model), new)
    if changed:
        session.execute(update(model), changed)
    return Stored(len(new), len(changed), len(rows) - len(new) - len(changed))


def store_areas(
    session: Session, areas: Sequence[Area], chosen: Mapping[str, str], report: Report,
    *, high_is_worse: bool = True, replace: bool = False,
) -> Stored:  # fmt: skip
    """Store neighbourhoods. Columns not chosen keep what an earlier import said. Those that are no
    longer in the file are kept and told, or with `replace` removed and told (unless polygons of
    the file were rejected).
    """
    fields = ["geometry"] + [
        name
        for name in ("name", "borough", "population", "deprivation", "grade", "no_internet")
        if chosen.get(name)
    ]
    if "deprivation" in fields:
        fields.append("high_is_worse")
    rows = [
        {
            "id": area.id, "name": area.name, "borough": area.borough,
            "geometry": shapely.to_wkb(area.geometry), "population": area.population,
            "deprivation": area.deprivation, "high_is_worse": high_is_worse, "grade": area.grade,
            "no_internet": area.no_internet,
        }
        for area in areas
    ]  # fmt: skip
    stored = upsert(session, Neighbourhood, rows, fields)
    here = {area.id for area in areas}
    known = set(session.scalars(select(Neighbourhood.id)))
    spared = sorted(known & report.rejected_ids - here)
    gone = sorted(known - here - set(spared))
    broken = report.rejected_ids or any(not fault.foreign for fault in report.rejected)
    if replace and broken:
        replace = False  # a polygon that was rejected today must not take its old self with it
        report.notes.append("polygons were rejected, so --replace removed nothing: mend them first")
    report.extra["removed" if replace else "kept"] = gone if replace else sorted(gone + spared)
    if spared:
        whose = "row was" if len(spared) == 1 else "rows were"
        report.notes.append(
            f"{counted(len(spared), 'neighbourhood')} whose {whose} rejected stayed as before "
            f"({_few(spared)})"
        )
    if gone and replace:
        for start in range(0, len(gone), 500):
            part = gone[start : start + 500]
            session.execute(delete(Neighbourhood).where(Neighbourhood.id.in_(part)))
        are = "was" if len(gone) == 1 else "were"
        report.notes.append(f"{counted(len(gone), 'neighbourhood')} not in this file {are} removed")
    elif gone:
        one = len(gone) == 1
        report.notes.append(
            f"{counted(len(gone), 'neighbourhood')} of earlier imports {'is' if one else 'are'} "
            f"not in this file and {'was' if one else 'were'} kept ({_few(gone)}); "
            f"--replace removes {'it' if one else 'them'}"
        )
    return stored


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (" …" if len(ids) > 3 else "")


def store_sites(
    session: Session, points: Sequence[Point], chosen: Mapping[str, str], report: Report,
    *, status: str, source: str = "imported", builds: Mapping[str, Build] | None = None,
) -> Stored:  # fmt: skip
    """Store sites of `status` (`live` or `candidate`). A site that has moved on to another status
    is left as it is, and told.
    """
    statuses = dict(session.execute(select(Site.id, Site.status)).all())
    rows = []
    for point in points:
        now = statuses.get(point.id, status)
        if now != status and not (status == "live" and now == "candidate"):
            report.warn(
                point.row, "id", point.id,
                f"this site is {now} by now and is left as it is",
            )  # fmt: skip
            continue
        rows.append(
            {
                "id": point.id,
                "name": point.name or point.id,
                "lat": point.lat,
                "lon": point.lon,
                "status": status,
                "programme": point.programme,
                "borough": point.borough,
                "cost": point.cost,
                "source": source,
                "kind": "fixed",
                "height_m": point.height_m,
                "indoor": bool(point.indoor),
            }
            | (builds[point.id].columns(chosen) if builds else {})
        )
    fields = ["lat", "lon", "status"] + [
        name for name in ("name", "programme", "borough", "cost", "indoor") if chosen.get(name)
    ]
    if chosen.get("height"):
        fields.append("height_m")
    if builds and rows:
        fields += [name for name in ("cost_parts", "kind", "timetable") if name in rows[0]]
    stored = upsert(session, Site, rows, fields)
    left = len(points) - len(rows)
    return Stored(stored.created, stored.updated, stored.unchanged + left)


def store_devices(
    session: Session, devices: Sequence[DeviceRow], chosen: Mapping[str, str], report: Report,
    *, source: str = "imported", now: datetime | None = None,
) -> Stored:  # fmt: skip
    """Store access points and where they stand. A device that moved gets a new placement and the
    old one is closed; host key and status are never touched, and an empty cell says nothing.
    """
    now = now or utcnow()
    names = {
        "name": "name", "management_address": "management_address", "ssh_port": "ssh_port",
        "snmp_port": "snmp_port", "mac": "mac", "serial": "serial", "platform": "platform",
        "credential": "credential_name",
    }  # fmt: skip
    fields = [names[name] for name in names if chosen.get(name)]
    known = {
        row[0]: row[1:]
        for row in session.execute(select(Device.id, *(getattr(Device, name) for name in fields)))
    }
    rows = []
    for device in devices:
        cells = device.cells
        row = {
            "name": device.name, "management_address": cells.management_address,
            "ssh_port": cells.ssh_port, "snmp_port": cells.snmp_port, "mac": cells.mac,
            "serial": cells.serial, "platform": cells.platform,
            "credential_name": cells.credential,
        }  # fmt: skip
        before = known.get(device.id)
        if before is None:
            row |= {"ssh_port": cells.ssh_port or 22, "snmp_port": cells.snmp_port or 161}
        else:
            kept = dict(zip(fields, before, strict=True))
            row |= {name: kept[name] for name in fields if row[name] is None}
        rows.append(
            row | {"id": device.id, "role": device.role, "status": device.status, "source": source}
        )
    stored = upsert(session, Device, rows, fields)
    moved = _place(session, devices, now)
    if moved:
        report.notes.append(
            f"{counted(moved, 'device')} moved to another site; where they were is kept"
        )
    report.extra["moved"] = moved
    report.extra["radios"] = store_radios(
        session, {device.id: device.cells.radios for device in devices if device.cells.radios}
    )
    _store_bssids(session, devices, report)
    return stored


def _place(session: Session, devices: Sequence[DeviceRow], now: datetime) -> int:
    """Open a placement for devices that have none or moved; returns how many moved."""
    open_now = {
        device: (number, site)
        for number, device, site in session.execute(
            select(Placement.id, Placement.device_id, Placement.site_id).where(
                Placement.valid_to.is_(None)
            )
        )
    }
    closed, opened = [], []
    for device in devices:
        number, site = open_now.get(device.id, (None, None))
        if device.site_id is None or site == device.site_id:
            continue
        if number is not None:
            closed.append({"id": number, "valid_to": now})
        opened.append({"device_id": device.id, "site_id": device.site_id, "valid_from": now})
    if closed:
        session.execute(update(Placement), closed)
    if opened:
        session.execute(insert(Placement), opened)
    return len(closed)


def _store_bssids(session: Session, devices: Sequence[DeviceRow], report: Report) -> None:
    """Store the BSSIDs of devices that list some; those such a device no longer lists are removed,
    but for what other radios than RADIO hold, which did not come from a list.
    """
    lists = {device.id: device for device in devices if device.cells.bssids is not None}
    if not lists:
        return
    wanted = {bssid: d for d in lists.values() for bssid in d.cells.bssids or ()}
    owners = {
        bssid: (device, radio)
        for bssid, device, radio in session.execute(
            select(Bssid.bssid, Radio.device_id, Radio.id).join(Radio)
        )
    }
    radios = dict(
        session.execute(select(Radio.device_id, Radio.id).where(Radio.name == RADIO)).all()
    )
    ours = {(number, device) for device, number in radios.items()}
    gone = [
        bssid
        for bssid, (device, radio) in owners.items()
        if (radio, device) in ours and device in lists and bssid not in wanted
    ]
    for start in range(0, len(gone), 500):
        session.execute(delete(Bssid).where(Bssid.bssid.in_(gone[start : start + 500])))
    if gone:
        report.notes.append(f"{len(gone)} BSSIDs that their devices no longer list were removed")
    for bssid, device in wanted.items():
        owner = owners.get(bssid, (None, None))[0]
        if owner == device.id:
            continue
        if device.id not in radios:
            radio = Radio(device_id=device.id, name=RADIO)
            session.add(radio)
            session.flush()
            radios[device.id] = radio.id
        if owner is not None:
            report.warn(
                device.row, "bssid", bssid, f"belonged to {owner} until now",
                "belonged to another device until now",
            )  # fmt: skip
        session.merge(Bssid(bssid=bssid, radio_id=radios[device.id]))
