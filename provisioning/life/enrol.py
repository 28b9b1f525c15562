"""A factory-new access point lets anybody in: before it is adopted it is signed in to as it left
the factory, proved to be the one that is meant, and given the credential's password and key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from farola.errors import DeviceError, FarolaError
from inventory.records import DeviceRecord, Secrets
from provisioning.life import vouchers
from provisioning.life.adopt import Adopted, Seen, check_identity, look
from provisioning.life.host_keys import shown_key
from provisioning.life.rotate import only, public_key
from provisioning.platforms.choosing import why
from provisioning.platforms.drivers import open_driver

FACTORY = Secrets("factory", "root", {})
"""As OpenWrt leaves it: root, and nothing asked."""


@dataclass(frozen=True)
class Enrolment:
    """How new devices prove themselves and are signed in to."""

    factory: Secrets | None = None
    """How to sign in to one as it left the factory; None: it has its credential already."""
    vouchers: Mapping[str, vouchers.Held] | None = None
    """By device, where vouchers vouch for the host keys."""
    trust: bool = False
    """Believe the key shown, where nothing else vouches for it."""
    proved: Callable[[str, str], None] = lambda _device, _key: None
    """Told of each device whose voucher fits its host key, before anything secret is sent there."""


def enrol(
    device: DeviceRecord, secrets: Secrets | None, keys: list[str], how: Enrolment
) -> Adopted:
    """Adopt one device; never raises for a device.

    The order makes each step safe to repeat: who it is, that its key is its own, then the
    credential, proved over a new connection, and only then that nobody gets in without it.
    """
    from napalm.base.exceptions import ConnectAuthError, NapalmException

    if secrets is None:
        return Adopted(
            device.id, None,
            f"it has no credential: farola device adopt {device.id} --credential NAME",
        )  # fmt: skip
    try:
        held = how.vouchers[device.id] if how.vouchers is not None else None
        # One that proved its key in a run before this one has done so.
        unproved = held is not None and not held.host_key
        if held is not None:
            keys = [held.host_key or shown_key(device)]
        elif how.trust:
            keys = [trusted_key(device)]
        if not keys:
            raise DeviceError("nothing vouches for its host key")
        # Who answers may be anybody until the voucher fits: a key proves us and tells nothing.
        mine = only(secrets, "private_key") if unproved else secrets
        try:
            seen = _look(device, how.factory or _some(mine), keys, how, unproved=unproved)
        except ConnectAuthError:
            if how.factory is None:
                raise
            seen = _look(device, _some(mine), keys, how, unproved=unproved)
        else:
            if how.factory is not None:
                give_credential(device, seen, how.factory, secrets)
        if how.factory is not None:
            _see_that_factory_is_over(device, seen, how.factory, secrets)
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        return Adopted(device.id, None, why(error))
    return Adopted(device.id, seen, credential=device.credential_name)


def trusted_key(device: DeviceRecord) -> str:
    """The key that a device shows, believed unless another is enrolled."""
    key = shown_key(device)
    if device.host_key and device.host_key != key:
        raise DeviceError(
            "its host key is not the one enrolled earlier: it was replaced or somebody "
            "poses as it; adopt it with --known-hosts and the key read from the device"
        )
    return key


def _some(secrets: Secrets) -> Secrets:
    """`secrets`, or DeviceError where there is nothing to sign in with."""
    if not (secrets.values.get("password") or secrets.values.get("private_key")):
        raise DeviceError(
            "it does not let us in as it left the factory, and a password is not sent to a device "
            "whose voucher was not seen to fit: reset it, or adopt it with --known-hosts"
        )
    return secrets


def _look(
    device: DeviceRecord, secrets: Secrets, keys: list[str], how: Enrolment, *, unproved: bool
) -> Seen:
    """Sign in, see who it is, and hold its voucher against the key that it showed."""
    from napalm_openwrt.sign_in import read_proofs

    seen = look(device, secrets, keys)
    check_identity(device, seen)
    if how.vouchers is not None and unproved:
        driver = open_driver(device, secrets, host_key=seen.host_key)
        driver.open()
        try:
            vouchers.check(how.vouchers[device.id].code, seen.host_key, read_proofs(driver.session))
        finally:
            driver.close()
        how.proved(device.id, seen.host_key)
    return seen


def give_credential(device: DeviceRecord, seen: Seen, factory: Secrets, secrets: Secrets) -> None:
    """Set the credential's key and password, and prove each over a new connection.

    The password goes last: until then the device can be signed in to as before.
    """
    from napalm_openwrt.sign_in import add_key, set_password

    if not (secrets.values.get("password") or secrets.values.get("private_key")):
        raise DeviceError(
            f"credential {secrets.name} has neither a password nor a key to give it: store one "
            f"with `farola device credential {secrets.name}`"
        )
    driver = open_driver(device, factory, host_key=seen.host_key)
    driver.open()
    try:
        if secrets.values.get("private_key"):
            add_key(driver.session, public_key(secrets))
            _prove(device, seen, only(secrets, "private_key"))
        # Without a password of its own root would go on letting anybody in.
        set_password(driver.session, secrets.values.get("password") or _nobodys_password())
        if secrets.values.get("password"):
            _prove(device, seen, only(secrets, "password"))
    finally:
        driver.close()


def _nobodys_password() -> str:
    import secrets as random_secrets

    return random_secrets.token_urlsafe(24)


def _prove(device: DeviceRecord, seen: Seen, secrets: Secrets) -> Any:
    driver = open_driver(device, secrets, host_key=seen.host_key)
    driver.open()
    driver.close()


def _see_that_factory_is_over(
    device: DeviceRecord, seen: Seen, factory: Secrets, secrets: Secrets
) -> None:
    """Raise unless the device refuses what let anybody in; then take the proofs away."""
    from napalm.base.exceptions import ConnectAuthError

    from napalm_openwrt.sign_in import forget_proofs

    same = factory.values.get("password") and factory.values.get("password") == secrets.values.get(
        "password"
    )
    if not same:
        try:
            _prove(device, seen, factory)
        except ConnectAuthError:
            pass
        else:
            raise DeviceError("it lets people in as it did when it left the factory: look at it")
    driver = open_driver(device, secrets, host_key=seen.host_key)
    driver.open()
    try:
        forget_proofs(driver.session)
    finally:
        driver.close()
