"""A device's life in the inventory after it was adopted: swapped for another, or retired."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InputError, InventoryError
from inventory import audit_log, events
from inventory.change_models import Change, ChangeDevice, Drift, Voucher
from inventory.models import Bssid, Device, Placement, Radio, Uplink, utcnow
from provisioning.life.adopt import normal_mac

WAITING = frozenset({"pending", "queued"})
"""Statuses of a device in a change that was not begun there."""
BUSY = frozenset({"applying", "unconfirmed"})


def swap(
    session: Session, device_id: str, *, serial: str = "", mac: str = "", address: str = "",
    platform: str = "", actor: str,
) -> dict[str, str | None]:  # fmt: skip
    """Put another piece of hardware in a device's place: site, intent and history stay; serial
    number, MAC, host key and BSSIDs are the old one's, so they go. Returns what the old one had.

    Raises
    ------
    InputError
        Neither serial number nor MAC was given, or the MAC is none.
    InventoryError
        There is no such device, a change is just being pushed to it, or the new hardware is
        another device's.
    """
    row = _device(session, device_id)
    if not (serial or mac):
        raise InputError("give the new device's --serial or --mac: they tell it from any other")
    normal = normal_mac(mac)
    if mac and not normal:
        raise InputError(f"{mac!r} is no MAC: give twelve hexadecimal digits")
    for column, value in ((Device.serial, serial), (Device.mac, normal)):
        other = session.scalars(
            select(Device).where(column == value, Device.id != device_id,
                                 Device.status != "retired")
        ).first() if value else None  # fmt: skip
        if other is not None:
            raise InventoryError(f"{value} is {other.id}'s: correct it, or retire {other.id} first")
    if (serial and serial == row.serial) or (normal and normal == row.mac):
        raise InputError(f"{device_id} has that serial number or MAC already: nothing to swap")
    _refuse_while_busy(session, device_id)
    old = {"serial": row.serial, "mac": row.mac, "host_key": row.host_key, "model": row.model}
    row.serial, row.mac = serial or None, normal or None
    row.host_key, row.model, row.firmware = None, "", ""
    if address:
        row.management_address = address
    if platform:
        row.platform = platform
    _forget_hardware(session, device_id)
    _withdraw(session, device_id, "the device was swapped for another: prepare a new change")
    text = f"{device_id} swapped: {serial or normal} in place of {old['serial'] or old['mac']}"
    events.record(session, "device.swapped", text, device_id=device_id, actor=actor)
    audit_log.record(
        session, actor, "device.swapped", device_id=device_id,
        detail={"old_serial": old["serial"], "old_mac": old["mac"], "new_serial": row.serial,
                "new_mac": row.mac},
    )  # fmt: skip
    return old


def retire(session: Session, device_id: str, *, reason: str, actor: str) -> list[str]:
    """Take a device out of service: it is polled, pushed to and counted no longer; its history
    stays. Returns the ids of devices that hang on it still.
    """
    row = _device(session, device_id)
    _refuse_while_busy(session, device_id)
    now = utcnow()
    row.status = "retired"
    row.host_key = row.credential_name = None
    for placement in session.scalars(
        select(Placement).where(Placement.device_id == device_id, Placement.valid_to.is_(None))
    ):
        placement.valid_to = now
    _forget_hardware(session, device_id)
    _withdraw(session, device_id, "the device is retired")
    hanging = list(session.scalars(
        select(Uplink.device_id).join(Device, Device.id == Uplink.device_id)
        .where(Uplink.upstream_id == device_id, Device.status != "retired")
        .order_by(Uplink.device_id)
    ))  # fmt: skip
    text = f"{device_id} retired" + (f": {reason}" if reason else "")
    events.record(session, "device.retired", text, device_id=device_id, actor=actor)
    audit_log.record(
        session, actor, "device.retired", device_id=device_id, detail={"reason": reason}
    )
    return hanging


def _device(session: Session, device_id: str) -> Device:
    row = session.get(Device, device_id)
    if row is None or row.status == "retired":
        raise InventoryError(f"no device {device_id!r} in the inventory: correct the id")
    return row


def _refuse_while_busy(session: Session, device_id: str) -> None:
    busy = session.scalars(
        select(ChangeDevice.change_id)
        .where(ChangeDevice.device_id == device_id, ChangeDevice.status.in_(BUSY))
    ).first()  # fmt: skip
    if busy is not None:
        raise InventoryError(
            f"change {busy} is not over on {device_id}: see `farola provision status {busy}`, and "
            "wait, or roll it back"
        )


def _forget_hardware(session: Session, device_id: str) -> None:
    """What belonged to the hardware: its BSSIDs (a stolen device must not pass for ours), the
    vouchers for it and what the last audit found of it.
    """
    now = utcnow()
    for radio in session.scalars(select(Radio).where(Radio.device_id == device_id)):
        for bssid in session.scalars(select(Bssid).where(Bssid.radio_id == radio.id)):
            session.delete(bssid)
    for voucher in session.scalars(
        select(Voucher).where(Voucher.device_id == device_id, Voucher.used_at.is_(None))
    ):
        voucher.expires_at = min(voucher.expires_at, now)
    drift = session.get(Drift, device_id)
    if drift is not None:
        session.delete(drift)


def _withdraw(session: Session, device_id: str, why: str) -> None:
    """Changes that wait for the device never reach what stands there now."""
    for waiting in session.scalars(
        select(ChangeDevice).join(Change)
        .where(ChangeDevice.device_id == device_id, ChangeDevice.status.in_(WAITING))
    ):  # fmt: skip
        waiting.status, waiting.message, waiting.at = "failed", why, utcnow()
