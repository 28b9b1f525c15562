"""`farola device wireguard`: the key of each device's own end of the management tunnel.

The private key is made here, goes encrypted into the credential store and from there only into
the device's candidate. The public one is what the tunnel's server is told.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy.orm import Session

from farola.errors import InventoryError, ProvisioningError
from farola.keys import Keyring
from farola.output import json_option, print_json, print_table, progress
from farola.people import person
from farola.settings import load_settings


@dataclass(frozen=True)
class Tunnel:
    """A device's end of the tunnel, without its secret; `address` is "" where intent has none."""

    device: str
    public_key: str
    address: str
    made: bool
    """Whether the key was made just now."""


@click.command()
@click.argument("devices", nargs=-1)
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option(
    "--peers", is_flag=True,
    help="Print the [Peer] sections that the tunnel's server needs, in place of a table.",
)  # fmt: skip
@json_option
def wireguard(
    devices: tuple[str, ...], *, site: str | None, everything: bool, peers: bool, as_json: bool
) -> None:
    """Make a WireGuard key for each of DEVICES that has none, and show the public ones.

    A key that is there is kept, so this can be run again. It is put on a device by the next change.
    """
    from inventory.db import open_inventory
    from provisioning.intent.context import read_context
    from provisioning.platforms.choosing import choose

    settings = load_settings()
    keyring = Keyring(settings.home)
    inventory = open_inventory(settings)
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
    context = read_context(inventory, chosen, keyring)
    found = []
    with progress("Making keys", len(chosen)) as done:
        for device in chosen:
            with inventory.session() as session:
                public, made = _key_of(session, device.id, keyring)
            found.append(Tunnel(device.id, public, context.address_of_tunnel(device), made))
            done(1)
    inventory.close()
    if as_json:
        print_json({"devices": [_described(one) for one in found]})
    elif peers:
        for one in found:
            if not one.address:
                raise ProvisioningError(
                    f"{one.device} has no wireguard_address: set it in variables.yaml"
                )
            click.echo(
                f"[Peer]\n# {one.device}\nPublicKey = {one.public_key}\n"
                f"AllowedIPs = {one.address.partition('/')[0]}/{_bits(one.address)}\n"
            )
    else:
        rows = [
            (one.device, one.public_key, one.address or "-", "made" if one.made else "kept")
            for one in found
        ]
        print_table("WireGuard", ("device", "public key", "address", "key"), rows)


def _bits(address: str) -> int:
    return 128 if ":" in address else 32


def _described(one: Tunnel) -> dict[str, Any]:
    return {
        "device": one.device, "public_key": one.public_key, "address": one.address or None,
        "made": one.made,
    }  # fmt: skip


def _key_of(session: Session, device_id: str, keyring: Keyring) -> tuple[str, bool]:
    """The public key of a device, and whether its pair was made by this call."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from inventory import audit_log, queries
    from provisioning.intent.levels import DEFAULT_FIELD
    from provisioning.intent.meant import wireguard_credential

    name = wireguard_credential(device_id)
    try:
        secret = queries.secrets(session, name, keyring).values[DEFAULT_FIELD]
    except (InventoryError, KeyError):
        pass
    else:
        try:
            pair = X25519PrivateKey.from_private_bytes(base64.b64decode(secret, validate=True))
        except ValueError:
            raise ProvisioningError(
                f"credential {name} holds no WireGuard key: store the right one with `farola "
                f"device credential {name} --field {DEFAULT_FIELD}`"
            ) from None
        return _text(pair.public_key().public_bytes_raw()), False
    pair = X25519PrivateKey.generate()
    values = {DEFAULT_FIELD: _text(pair.private_bytes_raw())}
    queries.store_secrets(session, name, "", values, keyring)
    audit_log.record(
        session, person(), "credential.stored", device_id=device_id,
        result=f"a WireGuard key for {device_id}", detail={"credential": name},
    )  # fmt: skip
    return _text(pair.public_key().public_bytes_raw()), True


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
