"""Groups of devices: for variables that they share, and for choosing them together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InputError, InventoryError
from inventory import audit_log
from inventory.models import Device, DeviceGroup

LONGEST = 100


def groups(session: Session) -> dict[str, list[str]]:
    """The devices of each group that are not retired, by group, both sorted."""
    query = (
        select(DeviceGroup.name, DeviceGroup.device_id)
        .join(Device, Device.id == DeviceGroup.device_id)
        .where(Device.status != "retired")
        .order_by(DeviceGroup.name, DeviceGroup.device_id)
    )
    found: dict[str, list[str]] = {}
    for name, device_id in session.execute(query):
        found.setdefault(name, []).append(device_id)
    return found


def why_missing(session: Session, ids: Sequence[str]) -> str:
    """Why a command cannot be about `ids`, which are not among the devices in use."""
    retired = sorted(session.scalars(select(Device.id).where(Device.id.in_(ids[:5]))))
    unknown = [one for one in ids[:5] if one not in retired]
    if unknown:
        return f"no device {', '.join(unknown)} in the inventory: correct the id, or import it"
    return f"{', '.join(retired)}: retired; leave it out, or name the device in its place"


def change_group(
    session: Session, name: str, *, add: Sequence[str], remove: Sequence[str], actor: str
) -> None:
    """Put devices into a group and take others out; twice is harmless.

    Raises InputError for a name that cannot be one, InventoryError for an unknown device: nothing
    is changed then.
    """
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise InputError(f"a group's name has 1 to {LONGEST} printable characters")
    wanted = {*add, *remove}
    known = set(session.scalars(
        select(Device.id).where(Device.id.in_(wanted), Device.status != "retired")
    ))  # fmt: skip
    if missing := sorted(set(add) - known):
        raise InventoryError(why_missing(session, missing))
    for device_id in dict.fromkeys(add):
        if session.get(DeviceGroup, (name, device_id)) is None:
            session.add(DeviceGroup(name=name, device_id=device_id))
    for device_id in dict.fromkeys(remove):
        row = session.get(DeviceGroup, (name, device_id))
        if row is not None:
            session.delete(row)
    audit_log.record(session, actor, "group.changed",
                     detail={"group": name, "added": list(add)[:100],
                             "removed": list(remove)[:100]})  # fmt: skip
    session.flush()
