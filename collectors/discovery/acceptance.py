"""A person's word on proposals: accept them into the inventory, or ignore them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.snmp.addresses import join_host_port
from farola.errors import InventoryError
from inventory import events
from inventory.importers.names import counted, did_you_mean
from inventory.models import Credential, Device, Discovered, Placement, Site
from inventory.queries import devices

PLATFORMS = {"openwrt": "openwrt"}
"""NAPALM's driver for families that Farola has one for."""
ROLES = ("access-point", "switch", "router", "gateway", "controller", "other")
ID_CHARS = 200
NAMED = 100
"""So many devices are named in an event."""


@dataclass(frozen=True)
class Accepted:
    """A proposal and the device that it is now; `what` is `new`, `moved` (its address was set to
    where it was found), `completed` (what the inventory lacked was filled in) or `unchanged`.
    """

    key: str
    device_id: str
    what: str


def chosen(session: Session, keys: Sequence[str], all_new: bool) -> list[Discovered]:
    """The proposals with these keys, or all new ones.

    Raises
    ------
    InventoryError
        A key is unknown.
    """
    if all_new:
        query = select(Discovered).where(Discovered.status == "new").order_by(Discovered.key)
        return list(session.scalars(query))
    rows = []
    for key in dict.fromkeys(keys):
        row = session.get(Discovered, key)
        if row is None:
            names = list(session.scalars(select(Discovered.key)))
            raise InventoryError(
                f"no proposal {key!r}{did_you_mean(key, names)}: "
                "`farola device discovered` lists them"
            )
        rows.append(row)
    return rows


def accept(
    session: Session,
    rows: Iterable[Discovered],
    *,
    site_id: str | None = None,
    role: str | None = None,
    credential: str | None = None,
    move: bool = False,
    actor: str = "farola",
) -> list[Accepted]:
    """Make devices of proposals, at site `site_id` where it is given; one that is a device of the
    inventory already is completed, never overwritten, but for its address where it is to `move`.
    Done twice it changes nothing.

    Raises
    ------
    InventoryError
        The site or the credential is not in the inventory, or another device has the address.
    """
    if site_id is not None and session.get(Site, site_id) is None:
        raise InventoryError(f"no site {site_id!r} in the inventory: correct the id, or import it")
    if credential is not None and session.get(Credential, credential) is None:
        raise InventoryError(
            f"no credential {credential!r}: store it with `farola device credential {credential}`"
        )
    rows = list(rows)
    if move:
        _check_one_place_each(rows)
    here = {one.id: one.site_id for one in devices(session)}
    taken = {one.casefold() for one in session.scalars(select(Device.id))}
    done = []
    for row in rows:
        device = session.get(Device, row.device_id) if row.device_id else None
        if device is None or device.status == "retired":
            device = _made(row, role, credential, taken)
            session.add(device)
            what = "new"
        else:
            what = "completed" if _complete(device, row, credential) else "unchanged"
            if move and _move(session, device, row, actor):
                what = "moved"
        if site_id is not None and here.get(device.id) is None:
            device.placements.append(Placement(site_id=site_id))
            here[device.id] = site_id
            what = what if what in {"new", "moved"} else "completed"
        row.device_id = device.id
        if what == "new" or row.status == "ignored":
            row.status = "accepted"
        done.append(Accepted(row.key, device.id, what))
        session.flush()
    _tell(session, [one.device_id for one in done if one.what == "new"], actor)
    return done


def ignore(session: Session, rows: Iterable[Discovered], actor: str = "farola") -> list[str]:
    """Never propose these again; returns the keys that were not ignored before.

    Raises
    ------
    InventoryError
        One is a device of the inventory.
    """
    ignored = []
    for row in rows:
        device = session.get(Device, row.device_id) if row.device_id else None
        if device is not None and device.status != "retired":
            raise InventoryError(f"{row.key} is {row.device_id}, a device of the inventory")
        if row.status != "ignored":
            row.status = "ignored"
            ignored.append(row.key)
    if ignored:
        events.record(
            session, "discovery.ignored", f"{counted(len(ignored), 'proposal')} ignored",
            actor=actor, detail={"keys": ignored[:NAMED]},
        )  # fmt: skip
    return ignored


def sharing_engine(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Devices made of the proposals `keys` whose agent has the engine id of another device: one
    device with several addresses, most likely. By device id, the other's id.
    """
    query = select(Discovered.key, Discovered.device_id, Discovered.detail).where(
        Discovered.device_id.is_not(None)
    )
    asked, first, shared = set(keys), dict[str, str](), dict[str, str]()
    rows = sorted(session.execute(query), key=lambda row: (row.key in asked, row.key))
    for key, device_id, detail in rows:
        engine = str(detail.get("engine_id") or "")
        other = first.setdefault(engine, device_id) if engine else device_id
        if key in asked and other != device_id:
            shared[device_id] = other
    return shared


def _made(row: Discovered, role: str | None, credential: str | None, taken: set[str]) -> Device:
    of_controller = row.controller_id is not None
    device_id = _free_id(row, taken)
    proposed = row.detail.get("role")
    return Device(
        id=device_id,
        name=row.name or device_id,
        role=role or (proposed if proposed in ROLES else "access-point"),
        platform=PLATFORMS.get(row.family),
        # A controller speaks for its access points: their own addresses are not polled.
        management_address=None if of_controller else row.address or None,
        snmp_port=161 if of_controller else row.port,
        controller_id=row.controller_id,
        mac=row.mac or None,
        serial=row.serial or None,
        credential_name=credential or row.credential_name,
        status="live",
        source="discovered",
    )


def _free_id(row: Discovered, taken: set[str]) -> str:
    """An id that people know it by: its name, serial number or MAC address, else its key."""
    mac = row.mac.replace(":", "")
    options = [row.name, f"{row.name}-{mac[-6:]}" if row.name and mac else "", row.serial, row.mac]
    for option in (*options, row.key):
        text = option.strip()
        if text and len(text) <= ID_CHARS and text.isprintable() and text.casefold() not in taken:
            taken.add(text.casefold())
            return text
    number = next(n for n in range(2, len(taken) + 3) if f"{row.key}-{n}".casefold() not in taken)
    taken.add(f"{row.key}-{number}".casefold())
    return f"{row.key}-{number}"


def _complete(device: Device, row: Discovered, credential: str | None) -> bool:
    """Fill in what the inventory lacks of a device; True if it lacked something."""
    told: dict[str, object] = {
        "mac": row.mac or None,
        "serial": row.serial or None,
        "credential_name": credential or row.credential_name,
        "platform": PLATFORMS.get(row.family),
    }
    if row.controller_id is None and row.address and not device.management_address:
        if device.controller_id is None:
            told["management_address"] = row.address
            device.snmp_port = row.port
    elif row.controller_id and not device.management_address:
        told["controller_id"] = row.controller_id
    changed = False
    for name, value in told.items():
        if value is not None and getattr(device, name) is None:
            setattr(device, name, value)
            changed = True
    return changed


def found_elsewhere(session: Session, rows: Iterable[Discovered]) -> list[tuple[Discovered, str]]:
    """The proposals whose device has another address in the inventory, and that address."""
    pairs = [(row, session.get(Device, row.device_id)) for row in rows if row.device_id]
    return [
        (row, join_host_port(device.management_address or "", device.snmp_port))
        for row, device in pairs
        if device is not None and _is_elsewhere(device, row)
    ]


def _is_elsewhere(device: Device, row: Discovered) -> bool:
    """Whether a search found the device at another address than it is polled at. An access point
    of a controller is not polled, and what a controller tells of addresses is not taken.
    """
    if row.controller_id or device.controller_id or not row.address:
        return False
    has = (device.management_address or "").lower(), device.snmp_port
    return has != (row.address.lower(), row.port)


def _check_one_place_each(rows: Sequence[Discovered]) -> None:
    keys: dict[str, str] = {}
    for row in rows:
        first = keys.setdefault(row.device_id, row.key) if row.device_id else row.key
        if first != row.key:
            raise InventoryError(
                f"{first} and {row.key} are both {row.device_id}: move it to one of them"
            )


def _move(session: Session, device: Device, row: Discovered, actor: str) -> bool:
    if not _is_elsewhere(device, row):
        return False
    here = join_host_port(row.address, row.port)
    query = select(Device.id).where(
        Device.management_address == row.address, Device.snmp_port == row.port,
        Device.id != device.id, Device.status != "retired",
    )  # fmt: skip
    if (other := session.scalar(query)) is not None:
        raise InventoryError(
            f"{device.id} cannot move to {here}: that is {other}'s address; move that one first"
        )
    was = join_host_port(device.management_address or "", device.snmp_port)
    device.management_address, device.snmp_port = row.address, row.port
    row.detail = {key: value for key, value in row.detail.items() if key != "remark"}
    events.record(
        session, "device.moved", f"{device.id} is at {here}, no longer at {was}",
        device_id=device.id, actor=actor, detail={"now": here, "was": was},
    )  # fmt: skip
    return True


def _tell(session: Session, made: Sequence[str], actor: str) -> None:
    if made:
        events.record(
            session, "device.accepted",
            f"{counted(len(made), 'device')} accepted into the inventory: "
            + ", ".join(made[:5]) + (" …" if len(made) > 5 else ""),
            device_id=made[0] if len(made) == 1 else None,
            actor=actor, detail={"devices": list(made[:NAMED])},
        )  # fmt: skip
