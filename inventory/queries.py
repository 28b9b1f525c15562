"""What other rooms ask the inventory: every answer is a list of frozen records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from farola.errors import InventoryError
from farola.keys import Keyring
from inventory.models import (
    Bssid,
    Credential,
    Device,
    Event,
    Fact,
    Neighbourhood,
    Placement,
    PlanRecord,
    Radio,
    Site,
    Usage,
    utcnow,
)
from inventory.planning_models import Building
from inventory.records import (
    BuildingRecord,
    DeviceRecord,
    EventRecord,
    NeighbourhoodRecord,
    RadioRecord,
    Secrets,
    SiteRecord,
    UsageRecord,
)


def neighbourhoods(session: Session) -> list[NeighbourhoodRecord]:
    """All neighbourhoods by id."""
    import shapely

    rows = session.scalars(select(Neighbourhood).order_by(Neighbourhood.id)).all()
    geometries = shapely.from_wkb([row.geometry for row in rows])
    return [
        NeighbourhoodRecord(
            row.id, row.name, row.borough, geometry, row.population, row.deprivation,
            row.high_is_worse, row.grade, row.no_internet,
        )
        for row, geometry in zip(rows, geometries, strict=True)
    ]  # fmt: skip


def sites(session: Session, statuses: Sequence[str] = ()) -> list[SiteRecord]:
    """Sites by id, of the given statuses or all."""
    # Columns, not entities: a third of the time for a city of 27,000 sites.
    query = select(
        Site.id, Site.name, Site.lat, Site.lon, Site.kind, Site.status, Site.programme,
        Site.borough, Site.cost, Site.source, Site.height_m, Site.indoor, Site.cost_parts,
        Site.timetable,
    ).order_by(Site.id)  # fmt: skip
    if statuses:
        query = query.where(Site.status.in_(statuses))
    return [SiteRecord(*tuple(row)) for row in session.execute(query)]


def devices(
    session: Session, ids: Sequence[str] = (), at: datetime | None = None
) -> list[DeviceRecord]:
    """Devices that are not retired, by id, each with the site it is at (now, or `at` UTC)."""
    at = at or utcnow()
    here = and_(
        Placement.device_id == Device.id,
        Placement.valid_from <= at,
        or_(Placement.valid_to.is_(None), Placement.valid_to > at),
    )
    query = (
        select(
            Device.id, Device.name, Device.role, Device.platform, Device.management_address,
            Device.ssh_port, Device.snmp_port, Device.mac, Device.serial,
            Device.credential_name, Device.host_key, Device.status, Device.source,
            Placement.site_id, Device.snmp_answers_from, Device.controller_id,
        )
        .outerjoin(Placement, here)
        .where(Device.status != "retired")
        .order_by(Device.id)
    )  # fmt: skip
    if ids:
        query = query.where(Device.id.in_(ids))
    return [DeviceRecord(*tuple(row)) for row in session.execute(query)]


def radios(session: Session) -> list[RadioRecord]:
    """Radios of devices that are not retired, by device and name, with the site they are at now."""
    now = utcnow()
    here = and_(
        Placement.device_id == Device.id,
        Placement.valid_from <= now,
        or_(Placement.valid_to.is_(None), Placement.valid_to > now),
    )
    query = (
        select(
            Radio.device_id, Placement.site_id, Radio.name, Radio.band, Radio.channel,
            Radio.power_dbm, Radio.antenna_dbi, Radio.azimuth_deg, Radio.beamwidth_deg,
            Radio.tilt_deg,
        )
        .join(Device, Device.id == Radio.device_id)
        .outerjoin(Placement, here)
        .where(Device.status != "retired")
        .order_by(Radio.device_id, Radio.name)
    )  # fmt: skip
    return [RadioRecord(*tuple(row)) for row in session.execute(query)]


def buildings(
    session: Session, bounds: tuple[float, float, float, float] | None = None
) -> list[BuildingRecord]:
    """Buildings by id; with `bounds` (west, south, east, north in degrees) those that meet them."""
    import shapely

    query = select(Building).order_by(Building.id)
    if bounds is not None:
        west, south, east, north = bounds
        query = query.where(
            Building.west <= east, Building.east >= west,
            Building.south <= north, Building.north >= south,
        )  # fmt: skip
    rows = session.scalars(query).all()
    geometries = shapely.from_wkb([row.geometry for row in rows])
    return [
        BuildingRecord(row.id, geometry, row.height_m, row.wall)
        for row, geometry in zip(rows, geometries, strict=True)
    ]


def secrets(session: Session, name: str, keyring: Keyring) -> Secrets:
    """The credential `name` in the clear; InventoryError if there is none."""
    row = session.get(Credential, name)
    if row is None:
        raise InventoryError(
            f"no credential {name!r}: store it with `farola device credential {name}`"
        )
    return Secrets(row.name, row.username, json.loads(keyring.decrypt(row.secrets)))


def store_secrets(
    session: Session, name: str, username: str, values: dict[str, str], keyring: Keyring
) -> None:
    """Store or replace the credential `name`, encrypted."""
    token = keyring.encrypt(json.dumps(values))
    row = session.get(Credential, name)
    if row is None:
        session.add(Credential(name=name, username=username, secrets=token))
        session.flush()
    else:
        row.username, row.secrets, row.changed_at = username, token, utcnow()


def usage(session: Session, scope: str = "") -> list[UsageRecord]:
    """Usage figures by place and period, of one scope or all."""
    query = select(Usage).order_by(Usage.scope, Usage.place, Usage.kind, Usage.start)
    if scope:
        query = query.where(Usage.scope == scope)
    return [
        UsageRecord(
            row.scope, row.place, row.kind, row.start, row.end, row.users, row.sessions,
            row.minutes, row.source,
        )
        for row in session.scalars(query)
    ]  # fmt: skip


def own_bssids(session: Session) -> dict[str, tuple[str, str | None]]:
    """Our BSSIDs: for each its device's id and its SSID. A retired device has none: who sends
    under its BSSID now is not ours.
    """
    query = (
        select(Bssid.bssid, Radio.device_id, Bssid.ssid)
        .join(Radio)
        .join(Device, Device.id == Radio.device_id)
        .where(Device.status != "retired")
    )
    return {bssid: (device, ssid) for bssid, device, ssid in session.execute(query)}


def fact(session: Session, key: str) -> dict[str, Any] | None:
    """A fact about the whole city, or None."""
    row = session.get(Fact, key)
    return row.value if row else None


def set_fact(session: Session, key: str, value: dict[str, Any]) -> None:
    """Store or replace a fact about the whole city."""
    session.merge(Fact(key=key, value=value))


def latest_plan(session: Session) -> PlanRecord | None:
    """The newest plan, or None."""
    return session.scalars(select(PlanRecord).order_by(PlanRecord.id.desc()).limit(1)).first()


def counts(session: Session) -> dict[str, int]:
    """How many neighbourhoods, sites (built), candidates and devices there are."""

    def count(query: Any) -> int:
        return int(session.scalar(query) or 0)

    built = Site.status.not_in(("candidate", "retired"))
    return {
        "neighbourhoods": count(select(func.count()).select_from(Neighbourhood)),
        "sites": count(select(func.count()).select_from(Site).where(built)),
        "candidates": count(
            select(func.count()).select_from(Site).where(Site.status == "candidate")
        ),
        "devices": count(
            select(func.count()).select_from(Device).where(Device.status != "retired")
        ),
    }


def events(session: Session, limit: int = 100, kind: str = "") -> list[EventRecord]:
    """The newest events first."""
    query = select(Event).order_by(Event.id.desc()).limit(limit)
    if kind:
        query = query.where(Event.kind == kind)
    return [
        EventRecord(
            row.id, row.at, row.kind, row.device_id, row.site_id, row.actor, row.text, row.detail
        )
        for row in session.scalars(query)
    ]
