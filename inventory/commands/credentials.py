"""`farola device credential`: stores a secret, encrypted. It can be replaced, never shown."""

from __future__ import annotations

import sys

import click

from farola.errors import InputError
from farola.output import json_option, print_json
from farola.people import person
from farola.snmp import AUTH_PROTOCOLS, MAX_USER, MIN_PASSWORD, PRIV_PROTOCOLS

FIELDS = (
    "password", "private_key", "passphrase", "snmp_community", "token", "snmp_version",
    "snmp_user", "snmp_auth_protocol", "snmp_auth_password", "snmp_priv_protocol",
    "snmp_priv_password", "enable_password", "tls_ca", "api_transport", "secret",
)  # fmt: skip
CHOICES = {
    "snmp_version": ("1", "2c", "3", "none"),
    "snmp_auth_protocol": tuple(AUTH_PROTOCOLS),
    "snmp_priv_protocol": tuple(PRIV_PROTOCOLS),
    "api_transport": ("https", "http"),
}
ALIASES = {"v1": "1", "2": "2c", "v2c": "2c", "v3": "3", "sha": "sha1", "aes": "aes128"}
"""As other programs write them."""
MAX_SECRET_CHARS = 65536


@click.command()
@click.argument("name")
@click.option("--username", default=None, help="Who signs in with it.")
@click.option(
    "--field", type=click.Choice(FIELDS), default="password", show_default=True,
    help="Which secret this is; others of the same credential are kept.",
)  # fmt: skip
@json_option
def credential(name: str, username: str | None, field: str, as_json: bool) -> None:
    """Store a secret under NAME, read from standard input or a hidden prompt.

    The fields of SNMP are stored the same way, one at a time: snmp_version is 1, 2c, 3, or none
    for a device that is only pinged.
    """
    from farola.keys import Keyring
    from farola.settings import load_settings
    from inventory import audit_log, events, queries
    from inventory.db import open_inventory
    from inventory.models import Credential

    if not name or len(name) > 100 or not name.isprintable() or name != name.strip():
        raise InputError("a credential's name has 1 to 100 printable characters")
    settings = load_settings()
    keyring = Keyring(settings.home)
    secret = checked(field, read_secret(field))
    inventory = open_inventory(settings)
    with inventory.session() as session:
        known = session.get(Credential, name)
        values: dict[str, str] = {}
        if known is not None:
            values = dict(queries.secrets(session, name, keyring).values)
            username = known.username if username is None else username
        values[field] = secret
        queries.store_secrets(session, name, username or "", values, keyring)
        events.record(session, "credential.stored", f"{field} of credential {name}")
        audit_log.record(
            session, person(), "credential.stored", result=f"{field} of credential {name}",
            detail={"credential": name, "field": field},
        )  # fmt: skip
    inventory.close()
    held = sorted(values)
    if as_json:
        print_json({"name": name, "username": username or "", "fields": held})
    else:
        click.echo(f"credential {name}: {', '.join(held)} stored, encrypted")


def checked(field: str, value: str) -> str:
    """`value` as that field keeps it; InputError if the field cannot take it."""
    if field in CHOICES:
        plain = value.strip().lower()
        plain = ALIASES.get(plain, plain.replace("-", ""))
        if plain not in CHOICES[field]:
            raise InputError(f"{field} must be one of {', '.join(CHOICES[field])}")
        return plain
    if field in {"snmp_auth_password", "snmp_priv_password"} and len(value) < MIN_PASSWORD:
        raise InputError(f"an {field} has at least {MIN_PASSWORD} characters in SNMPv3")
    if field == "snmp_user" and len(value.encode()) > MAX_USER:
        raise InputError(f"an SNMPv3 user's name has at most {MAX_USER} bytes")
    return value


def read_secret(field: str) -> str:
    """A secret from a hidden prompt or standard input; InputError if it cannot be one."""
    if sys.stdin.isatty():
        if field == "private_key":
            raise InputError(
                "a private key has several lines: give it on standard input, as in "
                "`farola device credential NAME --field private_key < FILE`"
            )
        secret = click.prompt(f"{field} (not shown)", hide_input=True, confirmation_prompt=True)
    else:
        try:
            secret = sys.stdin.read(MAX_SECRET_CHARS + 1)
        except UnicodeDecodeError:
            raise InputError("the secret on standard input is not UTF-8 text") from None
        # a file's last line ends with a line break that no password has, but a key needs it
        secret = secret if field == "private_key" else secret.rstrip("\r\n")
    if not secret.strip() or len(secret) > MAX_SECRET_CHARS:
        raise InputError(
            f"the {field} is empty or too long: pipe it in, as in "
            f"`farola device credential NAME --field {field} < FILE`"
        )
    if field != "private_key" and not secret.isprintable():
        raise InputError(f"the {field} holds a line break or another control character")
    return str(secret)
