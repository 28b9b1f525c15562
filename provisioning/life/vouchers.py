"""Vouchers: how a factory-new access point's host key is enrolled without a person comparing it.

A voucher is a random code for one device. Whoever stands beside it with a cable runs one command on
it, with the code: it leaves a hash over the code and each of the device's host keys there. Farola
signs in later and compares: the hash fits only the key of the device where the command ran, so an
impostor on the way, who shows another key, cannot use it, and nothing on the device tells the code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import DeviceError, InventoryError
from farola.keys import Keyring
from inventory import audit_log
from inventory.change_models import Voucher
from inventory.models import Device, utcnow
from napalm_openwrt.sign_in import PROOFS
from provisioning.life.host_keys import fingerprint

CODE_BYTES = 20
DAYS = 14


def new_code() -> str:
    """160 random bits that can be typed: 32 letters and digits, without 0, 1, 8 and 9."""
    return base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode("ascii").lower()


def proof(code: str, host_key: str) -> str:
    """What the device's command makes of `code` and a host key `ssh-ed25519 AAAA…`."""
    return hashlib.sha256(f"{code}\n{host_key}\n{code}\n".encode()).hexdigest()


def command(code: str) -> str:
    """The command to run on the device, over its serial console or a cable to its LAN port."""
    return (
        "for f in /etc/dropbear/dropbear_*_host_key; do "
        "k=$(dropbearkey -y -f $f | grep '^ssh-\\|^ecdsa-' | cut -d ' ' -f 1,2); "
        f"printf '%s\\n%s\\n%s\\n' {code} \"$k\" {code} | sha256sum | cut -d ' ' -f 1; "
        f"done > {PROOFS}"
    )


def issue(
    session: Session, keyring: Keyring, device_id: str, *, author: str, days: int = DAYS
) -> str:
    """Make a voucher for a device and return its code; one made before ends.

    Raises InventoryError if there is no such device, or it has neither serial number nor MAC: the
    voucher proves the key, these tell the device from any other.
    """
    device = session.get(Device, device_id)
    if device is None or device.status == "retired":
        raise InventoryError(f"no device {device_id!r} in the inventory: correct the id")
    if not (device.serial or device.mac):
        raise InventoryError(
            f"{device_id} has neither a serial number nor a MAC in the inventory: import it with "
            "one, or name it with `farola device swap`"
        )
    now, code = utcnow(), new_code()
    for old in _open(session, device_id, now):
        old.expires_at = now
    session.add(Voucher(
        device_id=device_id, code=keyring.encrypt(code), author=author,
        expires_at=now + timedelta(days=days),
    ))  # fmt: skip
    audit_log.record(session, author, "voucher.issued", device_id=device_id,
                     detail={"days": days})  # fmt: skip
    return code


@dataclass(frozen=True)
class Held:
    """A voucher that holds."""

    id: int
    code: str = field(repr=False)
    host_key: str
    """The key that it proved in an adoption that broke off later; else empty."""


def valid(session: Session, keyring: Keyring, device_id: str) -> Held:
    """The device's voucher; DeviceError where none holds."""
    found = _open(session, device_id, utcnow())
    if not found:
        raise DeviceError(
            f"{device_id} has no voucher that holds: make one with `farola device voucher "
            f"{device_id}` and run the command that it prints on the device"
        )
    return Held(found[-1].id, keyring.decrypt(found[-1].code), found[-1].host_key)


def proved(session: Session, number: int, host_key: str, *, actor: str) -> None:
    """Enrol the host key that a voucher proved, whatever becomes of the rest of the adoption."""
    row = session.get(Voucher, number)
    device = session.get(Device, row.device_id) if row else None
    if row is None or device is None:
        return
    row.host_key = device.host_key = host_key
    audit_log.record(
        session, actor, "device.key-proved", device_id=device.id,
        detail={"host_key": fingerprint(host_key)},
    )  # fmt: skip


def use(session: Session, number: int) -> None:
    """Mark a voucher as used."""
    row = session.get(Voucher, number)
    if row is not None:
        row.used_at = utcnow()


def check(code: str, host_key: str, proofs: list[str]) -> None:
    """Raise DeviceError unless one of the device's `proofs` fits the key that it shows."""
    if not proofs:
        raise DeviceError(
            f"it has no proof of its voucher in {PROOFS}: run the voucher's command on the device"
        )
    if not any(hmac.compare_digest(proof(code, host_key), one) for one in proofs):
        raise DeviceError(
            "the proof on it does not fit the host key that it shows: the command was run with "
            "another code or on another device, or somebody stands between us and it; make a new "
            "voucher and run its command on the device itself"
        )


def _open(session: Session, device_id: str, now: datetime) -> list[Voucher]:
    query = select(Voucher).where(
        Voucher.device_id == device_id, Voucher.used_at.is_(None), Voucher.expires_at > now
    )
    return list(session.scalars(query.order_by(Voucher.id)))
