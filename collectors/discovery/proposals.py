"""Keeps what was found as proposals (`Discovered`) until a person accepts or ignores them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from collectors.discovery.matching import Found, Known, Match
from collectors.snmp.access_points import access_point_key
from collectors.snmp.model import AccessPointReading
from inventory import events
from inventory.models import Device, Discovered, utcnow
from inventory.queries import devices

LOOK_AGAIN = timedelta(minutes=10)
"""So often a known proposal's `last_seen` is written and the inventory looked through again: a
controller of 3,000 access points is polled each minute and seldom says anything new.
"""


def propose_access_points(
    session: Session, controller_id: str, access_points: Sequence[AccessPointReading]
) -> dict[str, str]:
    """Propose what the controller `controller_id` tells of; called after each of its polls.

    Returns the inventory's device id by AccessPointReading.key, of those that are in it. One query
    where nothing changed.
    """
    if not access_points:
        return {}
    query = (
        select(
            Discovered.key, Discovered.name, Discovered.mac, Discovered.serial,
            Discovered.address, Discovered.device_id, Discovered.last_seen, Device.status,
        )
        .outerjoin(Device, Device.id == Discovered.device_id)
        .where(Discovered.controller_id == controller_id)
    )  # fmt: skip
    rows = {row.key: row for row in session.execute(query)}
    stale = utcnow() - LOOK_AGAIN
    ids: dict[str, str] = {}
    changed: list[Found] = []
    keys: dict[str, str] = {}
    for one in access_points:
        key = access_point_key(controller_id, one.key)
        keys[key] = one.key
        row = rows.get(key)
        if row is not None and row.device_id and row.status not in (None, "retired"):
            ids[one.key] = row.device_id
        said = (one.name, one.mac, one.serial, one.address)
        if row is None or row.last_seen < stale or said != tuple(row[1:5]):
            changed.append(_found(key, controller_id, one))
    if changed:
        names = Counter(one.name.casefold() for one in access_points)
        matches = propose(session, changed, names)
        for key, match in matches.items():
            if match.device_id:
                ids[keys[key]] = match.device_id
        fresh = [one for one in changed if one.key not in rows and not matches[one.key].device_id]
        if fresh:
            events.record(
                session, "discovery.access-points",
                f"{controller_id} tells of access points that the inventory lacks: {len(fresh)}",
                device_id=controller_id, detail={"keys": [one.key for one in fresh[:100]]},
            )  # fmt: skip
    return ids


def _found(key: str, controller_id: str, one: AccessPointReading) -> Found:
    return Found(
        key=key,
        address=one.address,
        family="access-point",
        name=one.name,
        mac=one.mac,
        macs=frozenset({one.mac} if one.mac else ()),
        serial=one.serial,
        detail={"model": one.model} if one.model else {},
        controller_id=controller_id,
    )


def propose(
    session: Session, found: Sequence[Found], names: Counter[str] | None = None
) -> dict[str, Match]:
    """Insert or update the proposals for `found`; returns by key which device each is.

    `names` counts how many found things have a name (in lower case); without it, those of `found`.

    What a person ignored stays ignored, and what was accepted stays accepted as long as its device
    is in the inventory.
    """
    if not found:
        return {}
    known = Known(devices(session))
    names = names or Counter(one.name.casefold() for one in found)
    rows = {row.key: row for row in _rows(session, [one.key for one in found])}
    now = utcnow()
    matches: dict[str, Match] = {}
    new: list[dict[str, Any]] = []
    for one in found:
        row = rows.get(one.key)
        match = _match(known, one, row, names[one.name.casefold()] == 1)
        if row is not None and row.status == "ignored":
            match = replace(match, ignored=True)
        matches[one.key] = match
        facts = _facts(one, match) | {"last_seen": now, "device_id": match.device_id}
        if row is None:
            status = "known" if match.device_id else "new"
            new.append({"key": one.key, "first_seen": now, "status": status, **facts})
            continue
        if row.status != "ignored" and not (row.status == "accepted" and match.device_id):
            facts["status"] = "known" if match.device_id else "new"
        session.execute(update(Discovered).where(Discovered.key == one.key).values(**facts))
    if new:
        _insert(session, new)
    return matches


def _match(known: Known, one: Found, row: Discovered | None, name_is_unique: bool) -> Match:
    """What was accepted is the device that was made of it, whatever its name is now, unless its
    address or hardware says otherwise; anything else is looked up.
    """
    match = known.match(one, name_is_unique)
    weak = match.by in {"", "name"}
    if row is not None and row.status == "accepted" and row.device_id and weak:
        accepted = known.record(row.device_id)
        if accepted is not None:
            return Match(accepted.id, "accepted")
    return match


def _facts(one: Found, match: Match) -> dict[str, Any]:
    detail = dict(one.detail)
    if len(one.macs) > 1:
        detail["macs"] = sorted(one.macs)
    if match.by:
        detail["recognised_by"] = match.by
    if match.remark:
        detail["remark"] = match.remark
    return {
        "address": one.address, "port": one.port, "family": one.family, "name": one.name,
        "mac": one.mac, "serial": one.serial, "detail": detail,
        "credential_name": one.credential_name, "controller_id": one.controller_id,
    }  # fmt: skip


def _rows(session: Session, keys: Sequence[str]) -> Iterable[Discovered]:
    """The proposals with these keys, in pieces that any database takes."""
    for start in range(0, len(keys), 500):
        yield from session.scalars(
            select(Discovered).where(Discovered.key.in_(keys[start : start + 500]))
        )


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert proposals; one that somebody else inserted meanwhile is left as it is."""
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        session.execute(sqlite.insert(Discovered).on_conflict_do_nothing(), rows)
    elif dialect == "postgresql":
        session.execute(postgresql.insert(Discovered).on_conflict_do_nothing(), rows)
    else:
        session.execute(insert(Discovered), rows)
