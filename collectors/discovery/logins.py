"""With which credentials a search knocks: few, known ones first, and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.access import ICMP, Access, AccessError, read_access
from collectors.discovery.search import Login
from farola.errors import InputError
from farola.keys import Keyring
from inventory.models import Credential
from inventory.queries import devices, secrets

MOST_LOGINS = 3
"""So many credentials are tried at an address unless more are named: a wrong one is a trap of
authentication failure on some devices, and a locked user on others.
"""


@dataclass(frozen=True)
class Logins:
    """What to try everywhere, in order, and what the inventory has for an address before that."""

    everywhere: tuple[Login, ...]
    own: Mapping[str, Login]
    left_out: tuple[str, ...] = ()
    """Credentials that hold SNMP fields but are not tried."""

    def at(self, address: str) -> Sequence[Login]:
        """The logins to try at `address`: no more than everywhere."""
        own = self.own.get(address)
        if own is None or own not in self.everywhere:
            return self.everywhere
        return (own, *(one for one in self.everywhere if one != own))


def login_of(name: str | None, values: Mapping[str, str]) -> Login | None:
    """The login that a credential's fields make; None if its devices speak no SNMP.

    Raises
    ------
    AccessError
        The fields are not those of SNMP, or contradict each other.
    """
    access = read_access(values)
    return None if access.version == ICMP else Login(name, access)


def choose_logins(
    session: Session, keyring: Keyring, names: Sequence[str], community: str | None
) -> Logins:
    """The named credentials, or that community, or the inventory's own credentials that hold SNMP
    fields, those first that most devices have. Without any it is the community `public`.

    Raises
    ------
    InputError
        A named credential holds nothing of SNMP.
    InventoryError
        There is no such credential.
    """
    if community is not None:
        return Logins((Login(None, Access(community=community)),), {})
    found: dict[str, Login] = {}
    for name in names or session.scalars(select(Credential.name).order_by(Credential.name)):
        try:
            login = login_of(name, secrets(session, name, keyring).values)
        except AccessError as error:
            if names:
                raise InputError(
                    f"credential {name!r} {error}: store it with `farola device credential "
                    f"{name} --field {error.field}`"
                ) from None
            continue
        if login is not None:
            found[name] = login
        elif names:
            raise InputError(f"credential {name!r} says that its devices speak no SNMP")
    if not found:
        return Logins((Login(None),), {})
    own = _own(session, found)
    if names:
        return Logins(tuple(found.values()), own)
    uses = Counter(login.credential for login in own.values())
    ordered = sorted(found.values(), key=lambda one: (-uses[one.credential], one.credential or ""))
    left_out = tuple(one.credential or "" for one in ordered[MOST_LOGINS:])
    return Logins(tuple(ordered[:MOST_LOGINS]), own, left_out)


def _own(session: Session, found: Mapping[str, Login]) -> dict[str, Login]:
    return {
        one.management_address: found[one.credential_name]
        for one in devices(session)
        if one.management_address and one.credential_name and one.credential_name in found
    }
