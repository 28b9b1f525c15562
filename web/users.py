"""People who sign in: their passwords (argon2id) and roles."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy.orm import Session

from farola.errors import InputError
from inventory.models import User
from web.roles import ROLES

SHORTEST = 10
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1: read aloud without error


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in. `stamp` changes with the password and ends older sessions."""

    name: str
    role: str
    stamp: str


@cache
def hasher() -> PasswordHasher:
    """Argon2id with the library's defaults (RFC 9106, low-memory profile)."""
    return PasswordHasher()


def new_password() -> str:
    """A password of 80 random bits in four groups, easy to copy by hand."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(letters[i : i + 4] for i in range(0, 16, 4))


def set_user(session: Session, name: str, password: str, role: str = ROLES[0]) -> bool:
    """Add a person or replace their password and role; True if they are new.

    Raises
    ------
    InputError
        The name, role or password cannot be used.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise InputError(f"{name!r} cannot be a user's name: use 1 to 100 printable characters")
    if role not in ROLES:
        raise InputError(f"no role {role!r}: use one of {', '.join(ROLES)}")
    if len(password) < SHORTEST:
        raise InputError(f"the password is too short: use at least {SHORTEST} characters")
    row = session.get(User, name)
    if row is None:
        session.add(User(name=name, password_hash=hasher().hash(password), role=role))
        return True
    row.password_hash, row.role = hasher().hash(password), role
    return False


def check_password(session: Session, name: str, password: str) -> Person | None:
    """The person, if `password` is theirs. An unknown name costs as much time as a wrong word."""
    row = session.get(User, name.strip())
    stored = row.password_hash if row else _decoy()
    try:
        hasher().verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return None
    if row is None:
        return None
    if hasher().check_needs_rehash(stored):
        row.password_hash = hasher().hash(password)
    return Person(row.name, row.role, stamp(row.password_hash))


def find_person(session: Session, name: str) -> Person | None:
    """The person called `name`, or None."""
    row = session.get(User, name)
    return Person(row.name, row.role, stamp(row.password_hash)) if row else None


def stamp(password_hash: str) -> str:
    """What a session carries of the password's hash: enough to tell that it changed."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


@cache
def _decoy() -> str:
    return hasher().hash(secrets.token_hex(16))
