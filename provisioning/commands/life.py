"""`farola device voucher|swap|retire|rotate|group`: a device's life after the first import."""

from __future__ import annotations

import secrets as random_secrets
import select
import sys

import click

from farola.errors import InputError
from farola.output import json_option, note, print_json, print_table, progress
from farola.people import person
from farola.settings import load_settings


@click.command()
@click.argument("device")
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, 365),
              help="How long it holds.")  # fmt: skip
@json_option
def voucher(device: str, days: int, as_json: bool) -> None:
    """Let DEVICE, factory-new, be adopted without a person comparing its host key.

    Prints a command to run once on the device, over its console or a cable. It proves to Farola
    which host key the device has; nothing that it leaves there is a secret.
    """
    from farola.keys import Keyring
    from inventory.db import open_inventory
    from provisioning.life import vouchers

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        code = vouchers.issue(session, Keyring(settings.home), device, author=person(), days=days)
    inventory.close()
    command = vouchers.command(code)
    if as_json:
        print_json({"device": device, "days": days, "command": command})
        return
    note(f"Run this on {device} itself, then: farola device adopt {device} --voucher --factory")
    click.echo(command)


@click.command()
@click.argument("device")
@click.option("--serial", default="", help="Serial number of the new hardware.")
@click.option("--mac", default="", help="Its MAC, as on its label.")
@click.option("--address", default="", help="Its management address, if that is another.")
@click.option("--platform", default="", help="Its platform, if that is another.")
@json_option
def swap(device: str, *, serial: str, mac: str, address: str, platform: str, as_json: bool) -> None:
    """Put new hardware in the place of DEVICE: same site, name and intent.

    Its serial number, MAC, host key and BSSIDs were the old hardware's, so they go; adopt the new
    one next, then prepare and push a change for it.
    """
    from inventory.db import open_inventory
    from provisioning.life import devices as life

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        old = life.swap(
            session, device, serial=serial, mac=mac, address=address, platform=platform,
            actor=person(),
        )  # fmt: skip
    inventory.close()
    if as_json:
        print_json({"device": device, "old": {"serial": old["serial"], "mac": old["mac"]},
                    "serial": serial or None, "mac": mac or None})  # fmt: skip
        return
    click.echo(f"{device}: {serial or mac} in place of {old['serial'] or old['mac'] or 'nothing'}")
    note(f"Next: farola device adopt {device} --known-hosts FILE (or make a voucher for it), then "
         f"farola provision prepare --device {device}")  # fmt: skip


@click.command()
@click.argument("device")
@click.option("--reason", default="", help="Why, for the record.")
@json_option
def retire(device: str, reason: str, as_json: bool) -> None:
    """Take DEVICE out of service; what it measured and ran stays."""
    from inventory.db import open_inventory
    from provisioning.life import devices as life

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        hanging = life.retire(session, device, reason=reason, actor=person())
    inventory.close()
    if as_json:
        print_json({"retired": device, "hang_on_it": hanging})
        return
    click.echo(f"{device} is retired")
    if hanging:
        some = ", ".join(hanging[:5])
        note(f"WARNING: {len(hanging)} devices hang on it in the inventory ({some}): tell their "
             "new uplink with `farola device uplink`")  # fmt: skip


@click.command()
@click.argument("credential")
@click.option("--field", type=click.Choice(["password", "private_key"]), default="password",
              show_default=True, help="Which secret of it.")  # fmt: skip
@click.option("--generate", is_flag=True, help="Make the new secret here; nobody sees it.")
@click.option("--give-up", is_flag=True, help="End a rotation that no device has gone through.")
@json_option
def rotate(credential: str, *, field: str, generate: bool, give_up: bool, as_json: bool) -> None:
    """Give all devices of CREDENTIAL a new password or SSH key, the old one kept until each proves
    the new one.

    The new secret is read from standard input or a hidden prompt, unless --generate. Run it again
    to go on with one that is under way. Exits 1 while a device has the old secret still.
    """
    from farola.keys import Keyring
    from inventory.commands.credentials import read_secret
    from inventory.db import open_inventory
    from provisioning.life import rotate as rotating

    settings = load_settings()
    keyring = Keyring(settings.home)
    inventory = open_inventory(settings)
    with inventory.session() as session:
        under_way = rotating.running(session, credential)
        count = len(under_way.devices) if under_way else 0
        field = under_way.field if under_way else field
        if give_up:
            moved = rotating.give_up(session, credential, actor=person())
    if give_up:
        if moved:
            raise InputError(
                f"{len(moved)} devices ({', '.join(moved[:5])}) have the new secret or may have "
                f"it: go on with `farola device rotate {credential}`"
            )
        print_json({"credential": credential, "given_up": True}) if as_json else click.echo(
            f"credential {credential}: not rotated; all devices keep the old {field}"
        )
        return
    if count:
        if generate or not nothing_piped():
            raise InputError(
                f"the {field} of credential {credential} is being rotated already, to the secret "
                f"given then: go on with `farola device rotate {credential} < /dev/null`, or end "
                "it with --give-up"
            )
        note(f"Going on with the {field} that was given when the rotation began")
    else:
        secret = new_secret(field) if generate else read_secret(field)
        with inventory.session() as session:
            rotating.begin(session, keyring, credential, field, secret, actor=person())
            under_way = rotating.running(session, credential)
            count = len(under_way.devices) if under_way else 0
    with progress("Rotating", count) as done:
        result = rotating.go_on(inventory, keyring, credential, actor=person(), done=done)
    inventory.close()
    if as_json:
        print_json({
            "credential": credential, "rotated": len(result.done), "finished": result.finished,
            "failed": [{"device": device, "why": why} for device, why in result.failed],
            "have_the_old": list(result.others),
        })  # fmt: skip
    else:
        click.echo(f"credential {credential}: {len(result.done)} devices have the new {field}, "
                   f"{len(result.failed)} not yet")  # fmt: skip
    for device, why in result.failed:
        note(f"farola: {device}: {why}")
    if result.others:
        some = ", ".join(result.others[:5])
        note(f"WARNING: {len(result.others)} devices that cannot be rotated from here have the old "
             f"{field} ({some}): it is kept as credential {credential}.old")  # fmt: skip
    if not result.finished:
        note(f"Go on with: farola device rotate {credential} < /dev/null")
        click.get_current_context().exit(1)


def nothing_piped() -> bool:
    """Whether nobody offers a secret: a terminal, an empty file, or a pipe that says nothing."""
    if sys.stdin is None or sys.stdin.isatty():
        return True
    try:
        ready = bool(select.select([sys.stdin], [], [], 0)[0])
    except (OSError, ValueError):  # no file behind it
        ready = True
    return not ready or not sys.stdin.read(1)


def new_secret(field: str) -> str:
    """A password of 160 bits, or an Ed25519 key in OpenSSH's format."""
    if field == "password":
        return random_secrets.token_urlsafe(20)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    ).decode("ascii")  # fmt: skip


@click.command()
@click.argument("name", required=False)
@click.option("--add", multiple=True, metavar="DEVICE", help="Put a device in; may be repeated.")
@click.option("--remove", multiple=True, metavar="DEVICE", help="Take one out; may be repeated.")
@json_option
def group(name: str | None, add: tuple[str, ...], remove: tuple[str, ...], as_json: bool) -> None:
    """Show the groups of devices, or group NAME; --add and --remove change it.

    Variables of a group stand under `groups:` in variables.yaml.
    """
    from inventory.db import open_inventory
    from inventory.groups import change_group, groups

    inventory = open_inventory(load_settings())
    removed = False
    with inventory.session() as session:
        if add or remove:
            if not name:
                raise InputError("say which group: farola device group NAME --add DEVICE")
            removed = name in groups(session)
            change_group(session, name, add=add, remove=remove, actor=person())
        known = groups(session)
    inventory.close()
    if name is not None and name not in known and not (remove and removed):
        raise InputError(f"no group {name!r}: make it with `farola device group {name} --add ID`")
    shown = {name: known.get(name, [])} if name else known
    if as_json:
        print_json({"groups": shown})
        return
    rows = [(one, len(ids), ", ".join(ids[:8]) + (" …" if len(ids) > 8 else ""))
            for one, ids in shown.items()]  # fmt: skip
    print_table("Groups", ("group", "devices", "ids"), rows, (1,))
