"""The options by which a command is told how to ask a device: version, community, user, credential.
Passwords come from a credential or the environment, never from the command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from collectors.access import Access, AccessError, read_access
from collectors.snmp.model import V2C, V3
from farola.errors import InputError
from farola.snmp import AUTH_PROTOCOLS, MAX_USER, MIN_PASSWORD, PRIV_PROTOCOLS

COMMUNITY_VARIABLE = "FAROLA_SNMP_COMMUNITY"
PASSWORD_VARIABLES = {
    "snmp_auth_password": "FAROLA_SNMP_AUTH_PASSWORD",
    "snmp_priv_password": "FAROLA_SNMP_PRIV_PASSWORD",
}


@dataclass(frozen=True)
class AccessOptions:
    """What was given on the command line."""

    community: str | None
    credential: str | None
    version: str | None
    user: str | None
    auth_protocol: str | None
    priv_protocol: str | None


def access_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets them as one argument `how`."""

    def wrapped(*args: Any, **given: Any) -> Any:
        names = AccessOptions.__dataclass_fields__
        how = AccessOptions(**{name: given.pop(name) for name in names})
        return command(*args, how=how, **given)

    wrapped.__doc__, wrapped.__name__ = command.__doc__, command.__name__
    wrapped.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]  # where click keeps them
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


_OPTIONS = (
    click.option(
        "--community",
        help="Community; others on this machine can see it: prefer --credential or "
        f"{COMMUNITY_VARIABLE}.",
    ),
    click.option("--credential", metavar="NAME", help="Take all of this from that credential."),
    click.option(
        "--version", type=click.Choice(["1", "2c", "3"]),
        help="SNMP version; without it 3 if --user is given, else 2c.",
    ),
    click.option("--user", help="User of SNMPv3."),
    click.option(
        "--auth-protocol", type=click.Choice(list(AUTH_PROTOCOLS), case_sensitive=False),
        help="The user's authentication; its password is read from "
        f"{PASSWORD_VARIABLES['snmp_auth_password']}.",
    ),
    click.option(
        "--priv-protocol", type=click.Choice(list(PRIV_PROTOCOLS), case_sensitive=False),
        help="The user's privacy; its password is read from "
        f"{PASSWORD_VARIABLES['snmp_priv_password']}.",
    ),
)  # fmt: skip


def access_of(how: AccessOptions) -> Access:
    """The access that the options and the environment give.

    Raises InputError for options that do not go together, and for a credential that lacks
    something.
    """
    for option in ("community", "credential", "user"):
        if getattr(how, option) == "":
            raise InputError(f"--{option} is empty: say which, or leave it out")
    v3_given = how.user or how.auth_protocol or how.priv_protocol
    if how.credential:
        if how.community or v3_given or how.version:
            raise InputError("give --credential alone: it holds version, community and user")
        return _read(f"credential {how.credential!r}", _stored(how.credential))
    version = how.version or (V3 if v3_given else V2C)
    if version != V3:
        if v3_given:
            raise InputError(f"SNMP version {version} has no users: give --version 3, or none")
        return Access(version, how.community or community_of_environment() or "public")
    if how.community:
        rest = "" if how.user else ", and give --user"
        raise InputError(f"SNMPv3 has no community: leave out --community{rest}")
    return _read("the user", _user(how))


def community_of_environment() -> str | None:
    """The community that the environment gives; None if it gives none."""
    return os.environ.get(COMMUNITY_VARIABLE) or None


def _user(how: AccessOptions) -> dict[str, str]:
    """The fields of a credential that the options and the environment make."""
    if not how.user:
        raise InputError("SNMPv3 needs a --user")
    if len(how.user.encode("utf-8", "surrogateescape")) > MAX_USER:
        raise InputError(f"--user: the name of an SNMPv3 user has at most {MAX_USER} bytes")
    if how.priv_protocol and not how.auth_protocol:
        raise InputError(
            "SNMPv3 has no privacy without authentication: give --auth-protocol too, its password "
            f"in {PASSWORD_VARIABLES['snmp_auth_password']}"
        )
    values = {"snmp_version": V3, "snmp_user": how.user}
    for half, protocol in (("auth", how.auth_protocol), ("priv", how.priv_protocol)):
        if protocol:
            field = f"snmp_{half}_password"
            variable = PASSWORD_VARIABLES[field]
            password = os.environ.get(variable, "")
            if not password:
                raise InputError(f"--{half}-protocol needs the password in {variable}")
            if len(password) < MIN_PASSWORD:
                raise InputError(
                    f"{variable} holds less than the {MIN_PASSWORD} characters that SNMPv3 needs"
                )
            values |= {f"snmp_{half}_protocol": protocol, field: password}
    return values


def _read(what: str, values: dict[str, str]) -> Access:
    try:
        return read_access(values)
    except AccessError as error:
        raise InputError(f"{what} {error}") from None


def _stored(name: str) -> dict[str, str]:
    from farola.keys import Keyring
    from farola.settings import load_settings
    from inventory.db import open_inventory
    from inventory.queries import secrets

    settings = load_settings()
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            return secrets(session, name, Keyring(settings.home)).values
    finally:
        inventory.close()
