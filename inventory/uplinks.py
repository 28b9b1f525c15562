"""What hangs on what: a device's uplink is the switch port that LLDP or a person named. Alerts and
availability lean on it: behind a switch that is down, an access point is not to blame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from farola.errors import InventoryError
from inventory import events
from inventory.models import Device, Uplink, utcnow

LLDP, MANUAL = "lldp", "manual"


@dataclass(frozen=True)
class UplinkRecord:
    """`device_id` hangs on port `upstream_port` of `upstream_id`; `seen_at` in UTC."""

    device_id: str
    upstream_id: str
    upstream_port: str
    source: str
    seen_at: datetime


def upstream_of(session: Session) -> dict[str, UplinkRecord]:
    """Every device's uplink, by device id; retired devices have none and are nobody's."""
    device, upstream = aliased(Device), aliased(Device)
    query = (
        select(
            Uplink.device_id, Uplink.upstream_id, Uplink.upstream_port, Uplink.source,
            Uplink.seen_at,
        )
        .join(device, device.id == Uplink.device_id)
        .join(upstream, upstream.id == Uplink.upstream_id)
        .where(device.status != "retired", upstream.status != "retired")
    )  # fmt: skip
    return {row.device_id: UplinkRecord(*row) for row in session.execute(query)}


def path_up(uplinks: Mapping[str, UplinkRecord], device_id: str) -> list[str]:
    """The devices above `device_id`, the nearest first; ends where a circle would begin."""
    path: list[str] = []
    at = device_id
    while at in uplinks and (up := uplinks[at].upstream_id) != device_id and up not in path:
        path.append(up)
        at = up
    return path


def closes_circle(uplinks: Mapping[str, UplinkRecord], device_id: str, upstream_id: str) -> bool:
    """Whether `device_id` hanging on `upstream_id` would make something depend on itself."""
    return device_id == upstream_id or device_id in path_up(uplinks, upstream_id)


def set_by_hand(
    session: Session, device_id: str, upstream_id: str, port: str = "", actor: str = "farola"
) -> bool:
    """Say that a device hangs on a port of another; False if that was said already.

    Raises
    ------
    InventoryError
        A device is not in the inventory, or the link would close a circle.
    """
    check_device(session, device_id)
    check_device(session, upstream_id)
    if device_id == upstream_id:
        raise InventoryError(f"{device_id} cannot hang on itself: name the switch it hangs on")
    if closes_circle(upstream_of(session), device_id, upstream_id):
        raise InventoryError(
            f"{device_id} cannot hang on {upstream_id}: that one hangs on it already; take that "
            f"link away with `farola device uplink {upstream_id} --remove`"
        )
    row = session.get(Uplink, device_id)
    was = _place(row) if row is not None else ""
    if row is None:
        row = Uplink(device_id=device_id)
        session.add(row)
    elif (row.upstream_id, row.upstream_port, row.source) == (upstream_id, port, MANUAL):
        return False
    row.upstream_id, row.upstream_port = upstream_id, port
    row.source, row.seen_at = MANUAL, utcnow()
    session.flush()
    if was != _place(row):
        _tell(session, device_id, was, _place(row), actor)
    return True


def check_device(session: Session, device_id: str) -> None:
    """InventoryError unless `device_id` is in the inventory and not retired."""
    found = session.get(Device, device_id)
    if found is None or found.status == "retired":
        raise InventoryError(
            f"no device {device_id!r} in the inventory: correct the id, import or accept it"
        )


def remove(session: Session, device_id: str, actor: str = "farola") -> bool:
    """Forget a device's uplink, whoever said it; False if it has none. LLDP may name it again."""
    row = session.get(Uplink, device_id)
    if row is None:
        return False
    events.record(
        session, "uplink.removed", f"{device_id} no longer hangs on {_place(row)}",
        device_id=device_id, actor=actor, detail={"was": _place(row)},
    )  # fmt: skip
    session.delete(row)
    session.flush()
    return True


def learn(session: Session, links: Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """Take what LLDP says: device, upstream device, its port.

    Returns the devices by what became of them: `new`, `moved` (told as an event), `seen` (known
    already), `manual` (a person said otherwise, which stays), `circle` (refused). What LLDP said
    before of a device that it names now does not count against its new link, so that a device may
    change places with the one above it; what was known is taken first.
    """
    told = list(links)
    rows = {row.device_id: row for row in session.scalars(select(Uplink))}
    named = {device_id for device_id, _, _ in told}
    now = utcnow()
    became: dict[str, list[str]] = {
        word: [] for word in ("new", "moved", "seen", "manual", "circle")
    }
    uplinks = {
        device_id: record for device_id, record in upstream_of(session).items()
        if record.source == MANUAL or device_id not in named
    }  # fmt: skip
    fresh = []
    for device_id, upstream_id, port in told:
        row = rows.get(device_id)
        if row is not None and (row.upstream_id, row.upstream_port) == (upstream_id, port):
            row.seen_at = now
            uplinks[device_id] = UplinkRecord(device_id, upstream_id, port, row.source, now)
            became["seen"].append(device_id)
        else:
            fresh.append((device_id, upstream_id, port))
    for device_id, upstream_id, port in fresh:
        row = rows.get(device_id)
        if row is not None and row.source == MANUAL:
            became["manual"].append(device_id)
            continue
        if closes_circle(uplinks, device_id, upstream_id):
            became["circle"].append(device_id)
            continue
        uplinks[device_id] = UplinkRecord(device_id, upstream_id, port, LLDP, now)
        became["new" if row is None else "moved"].append(device_id)
        if row is None:
            row = rows[device_id] = Uplink(
                device_id=device_id, upstream_id=upstream_id, upstream_port=port, source=LLDP,
                seen_at=now,
            )  # fmt: skip
            session.add(row)
            continue
        was = _place(row)
        row.upstream_id, row.upstream_port, row.seen_at = upstream_id, port, now
        _tell(session, device_id, was, _place(row), "lldp")
    session.flush()
    for device_id in became["circle"]:
        row = rows.get(device_id)
        if row is not None and device_id not in uplinks:  # its old link: unless it closes one now
            if closes_circle(uplinks, device_id, row.upstream_id):
                remove(session, device_id, "lldp")
            else:
                uplinks[device_id] = UplinkRecord(
                    device_id, row.upstream_id, row.upstream_port, row.source, row.seen_at
                )
    return became


def _tell(session: Session, device_id: str, was: str, now: str, actor: str) -> None:
    events.record(
        session, "uplink.moved" if was else "uplink.set",
        f"{device_id} hangs on {now}" + (f", no longer on {was}" if was else ""),
        device_id=device_id, actor=actor, detail={"now": now, **({"was": was} if was else {})},
    )  # fmt: skip


def _place(row: Uplink) -> str:
    return f"{row.upstream_id} port {row.upstream_port}" if row.upstream_port else row.upstream_id
