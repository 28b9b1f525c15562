"""Rotate a credential's password or SSH key in stages: a device keeps the old secret until the new
one let us in, and is moved to the new credential only then.

Meanwhile the new secret stands under a credential of its own, `NAME.next`; devices that have proved
it name that one, so that everything else signs in with what is right for each. When all have proved
it, the first credential takes the new secret, the devices come back to it, and the other one goes.
A run that was killed is run again: a device it was at is tried with both.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from farola.errors import FarolaError, InputError, InventoryError
from farola.keys import Keyring
from inventory import audit_log, queries
from inventory.change_models import Rotation, RotationDevice
from inventory.db import Inventory
from inventory.models import Credential, Device, utcnow
from inventory.records import DeviceRecord, Secrets
from provisioning.platforms.choosing import for_each, why
from provisioning.platforms.drivers import open_driver

FIELDS = ("password", "private_key")
PLATFORM = "openwrt"


@dataclass(frozen=True)
class Rotated:
    """How far a rotation is: ids of devices by what became of them."""

    id: int
    credential: str
    done: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    """(device, why); they have the old secret."""
    finished: bool
    """Whether the old secret is gone from all of them."""
    others: tuple[str, ...] = ()
    """Devices that have the old secret and that cannot be rotated from here (switches, or never
    adopted): for them it is kept as `NAME.old`.
    """


def begin(
    session: Session, keyring: Keyring, name: str, field: str, secret: str, *, actor: str
) -> int:
    """Begin to rotate `field` of credential `name` to `secret`; returns the rotation's number.

    Raises
    ------
    InventoryError
        There is no such credential, it is being rotated already, or no device has it.
    InputError
        The field cannot be rotated so, or the secret is the one that it has.
    """
    if field not in FIELDS:
        raise InputError(f"{field} cannot be rotated: {' and '.join(FIELDS)} can")
    old = queries.secrets(session, name, keyring)
    if running(session, name) is not None:
        raise InventoryError(
            f"credential {name} is being rotated already: go on with `farola device rotate {name}`"
        )
    if old.values.get(field) == secret:
        raise InputError(f"that is the {field} that credential {name} has: give a new one")
    if field == "private_key":
        public_key(Secrets(name, "", {**old.values, field: secret}))  # one that nobody can use
    elif not secret.isprintable() or not secret:
        raise InputError("a password has at least one character, and no control characters")
    ids = _within(session, name)
    if not ids:
        raise InventoryError(
            f"no adopted OpenWrt device has the credential {name}: replace it with "
            f"`farola device credential {name}`"
        )
    new_name = f"{name}.next"
    queries.store_secrets(session, new_name, old.username, {**old.values, field: secret}, keyring)
    row = Rotation(
        credential_name=name, new_name=new_name, field=field, author=actor,
        devices=[RotationDevice(device_id=one) for one in ids],
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit_log.record(session, actor, "credential.rotating",
                     detail={"credential": name, "field": field, "devices": len(ids)})  # fmt: skip
    return row.id


def _within(session: Session, name: str) -> list[str]:
    """The adopted OpenWrt devices that have credential `name`."""
    query = select(Device.id).where(
        Device.credential_name == name, Device.status != "retired",
        Device.host_key.is_not(None), func.coalesce(Device.platform, PLATFORM) == PLATFORM,
    )  # fmt: skip
    return list(session.scalars(query.order_by(Device.id)))


def running(session: Session, name: str) -> Rotation | None:
    """The rotation of credential `name` that is not over."""
    return session.scalars(
        select(Rotation).where(Rotation.credential_name == name, Rotation.ended_at.is_(None))
    ).first()


def give_up(session: Session, name: str, *, actor: str) -> list[str]:
    """End a rotation that no device has gone through yet; returns those whose secret is in doubt,
    for which it cannot be given up.

    Raises InventoryError where none is under way.
    """
    row = running(session, name)
    if row is None:
        raise InventoryError(f"credential {name} is not being rotated")
    moved = sorted(one.device_id for one in row.devices if one.stage not in {"old", "failed"})
    if moved:
        return moved
    row.ended_at = utcnow()
    gone = session.get(Credential, row.new_name)
    if gone is not None:
        session.delete(gone)
    audit_log.record(session, actor, "credential.rotation-given-up",
                     detail={"credential": name, "field": row.field})  # fmt: skip
    return []


def go_on(
    inventory: Inventory, keyring: Keyring, name: str, *, actor: str,
    done: Callable[[int], None] = lambda _n: None,
) -> Rotated:  # fmt: skip
    """Bring the devices of a rotation that have the old secret to the new one, one after another
    in stages; finish where all have it. Never raises for a device.
    """
    with inventory.session() as session:
        row = running(session, name)
        if row is None:
            raise InventoryError(f"credential {name} is not being rotated")
        rotation, new_name, field = row.id, row.new_name, row.field
        known = {one.device_id for one in row.devices}
        row.devices += [  # adopted meanwhile
            RotationDevice(device_id=one) for one in _within(session, name) if one not in known
        ]
        session.flush()
        old = replace(queries.secrets(session, name, keyring), name=name)
        new = queries.secrets(session, new_name, keyring)
        todo = [one.device_id for one in row.devices if one.stage not in {"proved", "done"}]
        alive = {one.id: one for one in queries.devices(session, todo)}
        for one in row.devices:
            if one.stage not in {"proved", "done"} and one.device_id in alive:
                one.stage, one.at = "adding", utcnow()
        for gone in set(todo) - alive.keys():  # retired meanwhile: nothing to do there
            _stage(session, rotation, gone, "done", "retired")

    def each(device: DeviceRecord) -> tuple[str, str]:
        return device.id, move_one(device, old, new, field)

    for device_id, fault in for_each(list(alive.values()), each, done):
        with inventory.session() as session:
            if not fault:
                # The stage and the credential's name change in one transaction.
                session.execute(update(Device).where(Device.id == device_id)
                                .values(credential_name=new_name))  # fmt: skip
            _stage(session, rotation, device_id, "failed" if fault else "proved", fault)
            audit_log.record(session, actor, "device.credential-rotated", device_id=device_id,
                             result=fault or "the new secret let us in",
                             detail={"credential": name, "field": field})  # fmt: skip
    return _finish(inventory, keyring, rotation, (old, new), actor)


def move_one(device: DeviceRecord, old: Secrets, new: Secrets, field: str) -> str:
    """Bring one device to the new secret; "" or why it has the old one still. Never raises."""
    from napalm.base.exceptions import ConnectAuthError, NapalmException

    proof = only(new, field)
    try:
        try:
            _signed_in(device, proof, lambda _session: None)
        except ConnectAuthError:
            pass
        else:
            return ""  # a run before this one got as far as that
        if field == "private_key":
            _signed_in(device, old, lambda session: _add_key(session, new))
            _signed_in(device, proof, lambda _session: None)
        else:
            _change_password(device, old, proof)
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        return why(error)
    return ""


def only(secrets: Secrets, field: str) -> Secrets:
    """`secrets` with nothing to sign in with but `field`: a key that lets in proves no password."""
    kept = {field, "passphrase"} if field == "private_key" else {field}
    return replace(secrets, values={k: v for k, v in secrets.values.items() if k in kept})


def _change_password(device: DeviceRecord, old: Secrets, new: Secrets) -> None:
    """Set the new password; where it does not let us in, set the old one again over the connection
    that still stands.
    """
    from napalm.base.exceptions import NapalmException

    from napalm_openwrt.sign_in import set_password

    driver = open_driver(device, old)
    driver.open()
    try:
        set_password(driver.session, new.values["password"])
        try:
            _signed_in(device, new, lambda _session: None)
        except NapalmException:
            set_password(driver.session, old.values.get("password", ""))
            raise
    finally:
        driver.close()


def _signed_in(device: DeviceRecord, secrets: Secrets, job: Callable[..., None]) -> None:
    driver = open_driver(device, secrets)
    driver.open()
    try:
        job(driver.session)
    finally:
        driver.close()


def _add_key(session: object, secrets: Secrets) -> None:
    from napalm_openwrt.sign_in import add_key

    add_key(session, public_key(secrets))  # type: ignore[arg-type]  # a driver's session


def public_key(secrets: Secrets) -> str:
    """The public half of a credential's private key, as `ssh-ed25519 AAAA…`; InputError if it is
    no key that we can use.
    """
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey):
        try:
            key = kind.from_private_key(
                io.StringIO(secrets.values["private_key"]), secrets.values.get("passphrase")
            )
        except (paramiko.SSHException, ValueError, KeyError):
            continue
        return f"{key.get_name()} {key.get_base64()}"
    raise InputError(
        f"credential {secrets.name}: the private key cannot be read: store an Ed25519, RSA or "
        "ECDSA key"
    )


def _finish(
    inventory: Inventory, keyring: Keyring, rotation: int, pair: tuple[Secrets, Secrets], actor: str
) -> Rotated:
    """End a rotation whose devices have all proved the new secret of the `pair` (old, new)."""
    old, new = pair
    with inventory.session() as session:
        row = session.get(Rotation, rotation)
        assert row is not None  # noqa: S101 - it was begun
        devices = {one.device_id: (one.stage, one.message) for one in row.devices}
        field = row.field
    failed = [(d, message) for d, (stage, message) in devices.items() if stage == "failed"]
    proved = [d for d, (stage, _message) in devices.items() if stage == "proved"]
    if not failed and field == "private_key" and old.values.get("private_key"):
        failed = _remove_old(inventory, rotation, proved, old, new)
    others: list[str] = []
    if not failed:
        with inventory.session() as session:
            others = _keep_old(session, keyring, old)
            queries.store_secrets(session, old.name, new.username, new.values, keyring)
            session.execute(update(Device).where(Device.credential_name == new.name)
                            .values(credential_name=old.name))  # fmt: skip
            for one in proved:
                _stage(session, rotation, one, "done", "")
            row = session.get(Rotation, rotation)
            assert row is not None  # noqa: S101 - as above
            row.ended_at = utcnow()
            gone = session.get(Credential, new.name)
            if gone is not None:
                session.delete(gone)
            audit_log.record(session, actor, "credential.rotated",
                             detail={"credential": old.name, "field": field})  # fmt: skip
    good = sorted(d for d, (stage, _m) in devices.items() if stage in {"proved", "done"})
    return Rotated(
        rotation, old.name, tuple(good), tuple(sorted(failed)), not failed, tuple(others)
    )


def _keep_old(session: Session, keyring: Keyring, old: Secrets) -> list[str]:
    """Keep the old secret for devices that have it and were no part of the rotation; their ids.

    Those that are signed in to with it are moved to it. One that was never adopted stays: new ones
    shall get the new secret.
    """
    left = session.scalars(
        select(Device).where(Device.credential_name == old.name, Device.status != "retired")
        .order_by(Device.id)
    ).all()  # fmt: skip
    if left:
        queries.store_secrets(session, f"{old.name}.old", old.username, old.values, keyring)
        for device in left:
            if device.host_key is not None or device.platform not in {None, PLATFORM}:
                device.credential_name = f"{old.name}.old"
    return [device.id for device in left]


def _remove_old(
    inventory: Inventory, rotation: int, ids: Sequence[str], old: Secrets, new: Secrets
) -> list[tuple[str, str]]:
    """Take the old key off the devices; those where that did not work, and why."""
    from napalm.base.exceptions import NapalmException

    from napalm_openwrt.sign_in import remove_key

    with inventory.session() as session:
        devices = queries.devices(session, ids)
    key = public_key(old)

    def one(device: DeviceRecord) -> tuple[str, str]:
        try:
            _signed_in(device, new, lambda session: remove_key(session, key))
        except (FarolaError, NapalmException, OSError, ValueError) as error:
            return device.id, f"the old key is on it still: {why(error)}"
        return device.id, ""

    found = list(for_each(devices, one, lambda _n: None)) if devices else []
    with inventory.session() as session:
        for device_id, fault in found:
            if fault:
                _stage(session, rotation, device_id, "proved", fault)
    return [(device_id, fault) for device_id, fault in found if fault]


def _stage(session: Session, rotation: int, device_id: str, stage: str, message: str) -> None:
    row = session.get(RotationDevice, (rotation, device_id))
    if row is not None:
        row.stage, row.message, row.at = stage, message, utcnow()
