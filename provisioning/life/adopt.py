"""`farola device adopt`: enrol a device: its host key, its identity, its first sign-in.

The key comes from a known_hosts file that a person made, or, when they say so, from the device
itself at first sight. Only then does the credential go out. A device whose serial number or MAC
is not the inventory's is another device: it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from farola.errors import DeviceError, InputError
from farola.output import json_option, note, print_json, print_table, progress
from farola.people import person
from farola.settings import load_settings
from inventory.records import DeviceRecord, Secrets
from provisioning.life.host_keys import fingerprint, hosts_name, read_known_hosts

_HOW = {
    (True, False): "its key taken on trust",
    (False, True): "its key proved by a voucher",
    (False, False): "its key from a known_hosts file",
}
"""By (on trust, by voucher)."""


@dataclass(frozen=True)
class Seen:
    """What a device showed of itself; MACs in lower case with colons."""

    host_key: str
    serial: str
    macs: tuple[str, ...]
    """The one that most likely stands on its label first; see `ranked_macs`."""
    model: str
    version: str
    platform: str


@dataclass(frozen=True)
class Adopted:
    """The outcome for one device: `seen`, or `why` it was not adopted."""

    device_id: str
    seen: Seen | None
    why: str = ""
    credential: str | None = None
    """Name of the credential that it was adopted with."""


@click.command()
@click.argument("devices", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option("--known-hosts", type=click.Path(path_type=Path, dir_okay=False),
              help="File in known_hosts format with the devices' true keys.")  # fmt: skip
@click.option("--trust-on-first-use", is_flag=True,
              help="UNSAFE where others reach the network: believe the key shown.")  # fmt: skip
@click.option("--credential", metavar="NAME",
              help="Sign in with this stored credential, and keep it for the devices: for those "
                   "named in any case, with --all for those that have none.")  # fmt: skip
@click.option("--voucher", is_flag=True,
              help="Believe the key that the voucher's command on the device proved.")  # fmt: skip
@click.option("--factory", is_flag=True,
              help="They are factory-new: give them the credential's secrets.")  # fmt: skip
@click.option("--factory-credential", metavar="NAME",
              help="How those are signed in to; else root without a password.")  # fmt: skip
@json_option
def adopt(
    devices: tuple[str, ...],
    *,
    everything: bool,
    known_hosts: Path | None,
    trust_on_first_use: bool,
    credential: str | None,
    voucher: bool,
    factory: bool,
    factory_credential: str | None,
    as_json: bool,
) -> None:
    """Enrol DEVICES: check and keep their host keys, sign in, learn serial number and MAC."""
    from farola.keys import Keyring
    from inventory import queries
    from inventory.db import open_inventory
    from inventory.platforms import WEB
    from provisioning.life import vouchers
    from provisioning.life.enrol import FACTORY, Enrolment, enrol
    from provisioning.platforms.choosing import choose, credentials, for_each
    from provisioning.platforms.drivers import platform_of

    if sum((bool(known_hosts), trust_on_first_use, voucher)) != 1:
        raise InputError(
            "say whose word counts for the host keys: --known-hosts FILE, --voucher, or, only on a "
            "network that nobody else reaches, --trust-on-first-use (one of them)"
        )
    settings = load_settings()
    keyring = Keyring(settings.home)
    inventory = open_inventory(settings)
    with inventory.session() as session:
        chosen = choose(session, devices, None, everything)
        if credential:
            queries.secrets(session, credential, keyring)
            chosen = [
                replace(device, credential_name=credential)
                if devices or not device.credential_name else device
                for device in chosen
            ]  # fmt: skip
        secrets = credentials(session, chosen, keyring)
        held = {one.id: vouchers.valid(session, keyring, one.id) for one in chosen if voucher}
        first = None
        if factory or factory_credential:
            name = factory_credential
            first = queries.secrets(session, name, keyring) if name else FACTORY

    def proved(device_id: str, key: str) -> None:
        with inventory.session() as session:
            vouchers.proved(session, held[device_id].id, key, actor=person())

    how = Enrolment(first, held if voucher else None, trust_on_first_use, proved)
    keys = read_known_hosts(known_hosts, chosen) if known_hosts else {}
    if trust_on_first_use:
        note("WARNING: host keys are taken on trust; an impostor on the way would be believed")

    def one(device: DeviceRecord) -> Adopted:
        known = keys.get(device.id, [])
        if platform_of(device) in WEB:
            known = [""]  # its certificate says who it is
        if known_hosts and not known:
            why = f"the known_hosts file has no key for {hosts_name(device)}: add its line"
            return Adopted(device.id, None, why)
        return enrol(device, secrets.get(device.credential_name or ""), known, how)

    with progress("Adopting", len(chosen)) as done:
        results = sorted(for_each(chosen, one, done), key=lambda result: result.device_id)
    with inventory.session() as session:
        words = _HOW[trust_on_first_use, voucher]
        for result in results:
            store(session, result, how=words)
            if voucher and result.seen:
                vouchers.use(session, held[result.device_id].id)
    _report(results, as_json)


def _report(results: list[Adopted], as_json: bool) -> None:
    good = [result for result in results if result.seen]
    bad = [result for result in results if not result.seen]
    if as_json:
        print_json({
            "adopted": [
                {"device": r.device_id, "serial": r.seen.serial, "macs": list(r.seen.macs),
                 "model": r.seen.model, "version": r.seen.version}
                for r in good if r.seen
            ],
            "failed": [{"device": r.device_id, "why": r.why} for r in bad],
        })  # fmt: skip
    else:
        rows = [(r.device_id, r.seen.model, r.seen.version, r.seen.serial) for r in good if r.seen]
        if rows:
            print_table("Adopted", ("device", "model", "version", "serial"), rows)
        click.echo(f"{len(good)} adopted, {len(bad)} failed")
    for result in bad:
        note(f"farola: {result.device_id}: {result.why}")
    if bad:
        click.get_current_context().exit(1)


def look(device: DeviceRecord, secrets: Secrets | None, keys: list[str]) -> Seen:
    """Sign in with the key checked, and read what the device says of itself.

    A known_hosts file may hold several keys of a device; it will show one of them.
    """
    from napalm.base.exceptions import ConnectAuthError, ConnectionException, ConnectTimeoutError

    from napalm_openwrt.session import WrongHostKey
    from provisioning.platforms.choosing import driver_for

    for left, key in enumerate(keys, 1 - len(keys)):
        driver = driver_for(device, secrets, host_key=key)
        try:
            driver.open()
            facts = driver.get_facts()
            interfaces = driver.get_interfaces()
        except (ConnectAuthError, ConnectTimeoutError):
            raise
        except WrongHostKey as error:
            if left == 0:
                raise DeviceError(
                    f"{hosts_name(device)} shows the host key {error.shown}; the one vouched for "
                    f"is {', '.join(map(fingerprint, keys))}; nothing was sent. Read the key's "
                    "fingerprint on the device itself: correct the known_hosts line if it is the "
                    "one shown, else find out who answers at that address"
                ) from None
        except ConnectionException:
            if left == 0:
                raise
            continue
        finally:
            driver.close()
        return Seen(
            key, str(facts["serial_number"]), ranked_macs(interfaces),
            str(facts["model"]), str(facts["os_version"]), _platform(facts),
        )  # fmt: skip
    raise DeviceError(f"no host key for {device.id}")


def ranked_macs(interfaces: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """MACs of NAPALM's `interfaces`, the device's own first, each once.

    A maker's address goes before one made up locally (IEEE 802, the bit 0x02 of the first octet),
    as virtual interfaces have; then the LAN, the wired ones, and the rest by name.
    """

    def rank(name: str, mac: str) -> tuple[bool, int, str]:
        kinds = (r"br-lan|lan\d*", r"eth\d+", r"(?:en|wan|br-|usb).*")
        kind = next((i for i, k in enumerate(kinds) if re.fullmatch(k, name)), len(kinds))
        return bool(int(mac[:2], 16) & 2), kind, name

    found = {name: normal_mac(str(i["mac_address"])) for name, i in interfaces.items()}
    real = {name: mac for name, mac in found.items() if mac.strip("0:")}
    return tuple(dict.fromkeys(real[name] for name in sorted(real, key=lambda n: rank(n, real[n]))))


def _platform(facts: Mapping[str, Any]) -> str:
    return "openwrt" if facts["vendor"] == "OpenWrt" and facts["os_version"] else ""


def check_identity(device: DeviceRecord, seen: Seen) -> None:
    """Raise DeviceError where serial number or MAC are another's than the inventory's."""
    if device.serial and seen.serial and device.serial.casefold() != seen.serial.casefold():
        raise DeviceError(
            f"serial number {seen.serial} is not the inventory's {device.serial}: this is another "
            "device; correct the address, or the inventory if the device was swapped"
        )
    wanted = normal_mac(device.mac or "")
    if wanted and seen.macs and wanted not in seen.macs:
        raise DeviceError(
            f"none of its MACs ({', '.join(seen.macs[:4])}) is the inventory's {wanted}: this is "
            "another device; correct the address, or the inventory if the device was swapped"
        )
    if (
        (device.serial or wanted)
        and not (seen.serial and device.serial)
        and not (seen.macs and wanted)
    ):
        raise DeviceError(
            "it tells neither the serial number nor the MAC that the inventory has, so it cannot "
            "be told from another: read them on the device, or clear them in the inventory"
        )


def normal_mac(mac: str) -> str:
    """`mac` in lower case with colons; "" if it is none."""
    digits = re.sub(r"[^0-9a-f]", "", mac.lower())
    if len(digits) != 12:
        return ""
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def store(session: Any, result: Adopted, *, how: str) -> None:
    """Keep what adoption learned, an event, and who did it."""
    from inventory import audit_log, events
    from inventory.models import Device

    if result.seen is None:
        events.record(
            session, "device.adoption-refused", f"{result.device_id} not adopted: {result.why}",
            device_id=result.device_id,
        )  # fmt: skip
        audit_log.record(
            session, person(), "device.adoption-refused", device_id=result.device_id,
            result=result.why,
        )  # fmt: skip
        return
    row = session.get(Device, result.device_id)
    seen = result.seen
    row.host_key = seen.host_key
    row.credential_name = result.credential
    row.serial = row.serial or seen.serial or None
    if not row.mac and seen.macs:
        row.mac = seen.macs[0]
    row.platform = row.platform or seen.platform or None
    row.model, row.firmware = seen.model, seen.version
    events.record(
        session, "device.adopted", f"{result.device_id} adopted, {how}", device_id=result.device_id,
        detail={"model": seen.model, "version": seen.version, "how": how},
    )  # fmt: skip
    audit_log.record(
        session, person(), "device.adopted", device_id=result.device_id, result=how,
        detail={"host_key": fingerprint(seen.host_key), "serial": row.serial,
                "credential": result.credential},
    )  # fmt: skip
