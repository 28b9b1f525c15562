"""The audit log: who did what to which device, when, from which change, with which result.

Rows are only added. Each holds an HMAC, under the home's key, of its own fields and of the hash of
the one before, so a row that was changed, taken out, moved or written without the key breaks the
chain there. The chain's end is anchored outside the database: once a row is committed, its number
and hash go into `audit.seal` in FAROLA_HOME, under an HMAC too. A home begins with one (`begin`);
one that is missing or wrong stays so until a person vouches for the log (`reseal`). What is left to
one who also writes files there is to put back an older seal together with the rows as they were
then: against that, keep the newest hash that `farola provision log --verify` prints somewhere else,
and ask for it later with `--holds`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event, false, select, text, update
from sqlalchemy.orm import Session

from farola.errors import FarolaError
from farola.files import locked, written_whole
from farola.keys import Keyring
from inventory.change_models import AuditEntry
from inventory.models import utcnow

SEAL = "audit.seal"
FIRST = "0" * 64
"""What the first row names as the one before."""
_LOCK = 0x6661726F6C61
"""Number of PostgreSQL's advisory lock that writers of the log take in turn."""
_TAIL, _HOME, _VOUCHED = "audit_tail", "home", "audit_vouched"
_CHUNK = 1000
_MEND = "put it back from a backup, or look and vouch with `farola provision log --seal`"


@dataclass(frozen=True)
class Verified:
    """What an examination of the whole log found."""

    entries: int
    broken_at: int | None
    """Number of the first row that is not as it was written, or where one is missing."""
    why: str = ""
    """In one line, also where no row is wrong but the seal cannot vouch for the end."""
    newest: str = ""
    """Hash of the newest row: the whole log in 64 digits."""
    sealed: int = 0
    """Number of the row up to which the seal vouches; 0 is none."""

    @property
    def whole(self) -> bool:
        """Whether the log is as it was written, its end included."""
        return not self.why


def record(
    session: Session,
    actor: str,
    action: str,
    *,
    device_id: str | None = None,
    change_id: int | None = None,
    result: str = "",
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Add a row to the log within the caller's transaction; never give it a secret.

    `action` is a word with a dot such as `change.approved`. Writers wait for each other from here
    to the end of the transaction: call it last, and keep the transaction short.

    Raises
    ------
    SettingsError
        The home's key is missing or cannot be read.
    """
    keyring = _keyring(session)
    _take_turn(session)
    newest = session.execute(
        select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    ).first()
    entry = AuditEntry(
        at=utcnow(), actor=_clean(actor), action=action, device_id=_clean(device_id),
        change_id=change_id, result=_clean(result), detail=_clean(detail or {}),
        previous=newest.hash if newest else FIRST,
    )  # fmt: skip
    entry.hash = hash_of(entry, keyring)
    holds = _TAIL in session.info or _VOUCHED in session.info or _seal_holds(session, keyring)
    session.add(entry)
    session.flush()
    if holds:
        session.info[_TAIL] = (entry.id, entry.hash)
    return entry


def hash_of(entry: AuditEntry, keyring: Keyring | None) -> str:
    """HMAC over all that `entry` says and the hash before it; SHA-256 for a log without a home."""
    said = {
        "at": entry.at.isoformat(timespec="microseconds"), "actor": entry.actor,
        "action": entry.action, "device": entry.device_id, "change": entry.change_id,
        "result": entry.result, "detail": entry.detail, "previous": entry.previous,
    }  # fmt: skip
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    if keyring is None:
        return hashlib.sha256(canonical.encode()).hexdigest()
    return keyring.seal(canonical, "audit-entry")


def entries(
    session: Session,
    *,
    device_id: str | None = None,
    change_id: int | None = None,
    action: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[AuditEntry]:
    """Rows in the order of writing, those that match all that is given; with `limit` its newest.

    `since` is in UTC without a zone.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if device_id is not None:
        query = query.where(AuditEntry.device_id == device_id)
    if change_id is not None:
        query = query.where(AuditEntry.change_id == change_id)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    return list(reversed(session.scalars(query).all()))


def verify(session: Session, *, holds: str = "") -> Verified:
    """Reckon the whole chain again and hold its end against the seal.

    `holds` is a hash that was the newest once: it is an error if it is not in the log any more.

    Raises
    ------
    SettingsError
        The home's key is missing or cannot be read.
    """
    home = session.info.get(_HOME)
    keyring = _keyring(session)
    seal = _read_seal(home, keyring) if home and keyring else None
    known = {seal.number: seal.hash} if isinstance(seal, _Seal) and seal.number else {}
    count, last, held = 0, FIRST, not holds
    for entry in _all(session):
        why = ""
        if entry.previous != last:
            why = f"entry {entry.id} does not follow the one before it: some are missing or moved"
        elif hash_of(entry, keyring) != entry.hash:
            why = f"entry {entry.id} was changed after it was written, or not written by this home"
        elif known.pop(entry.id, entry.hash) != entry.hash:
            why = f"entry {entry.id} is not the one that was sealed: the log was written anew"
        if why:
            return Verified(count, entry.id, why, last)
        count, last = count + 1, entry.hash
        held = held or entry.hash == holds
    sealed = seal.number if isinstance(seal, _Seal) else 0
    if known:
        why = f"the newest entries up to {sealed}, which were sealed, are missing"
        return Verified(count, sealed, why, last, sealed)
    why = ""
    if not held:
        why = f"no entry has the hash {holds}: the log was cut or written anew"
    elif home and not isinstance(seal, _Seal):
        why = seal or (
            f"{home / SEAL} is missing, so nothing vouches that no newest entry was cut; {_MEND}"
        )
    return Verified(count, None, why, last, sealed)


def begin(home: Path) -> None:
    """Seal the empty log of a new home, whose key is there; a seal that is there stays.

    Raises OSError, and SettingsError for the key.
    """
    with locked(home / f".{SEAL}.lock"):
        if not (home / SEAL).exists():
            _write_seal(home, Keyring(home), 0, FIRST)


def reseal(session: Session) -> None:
    """Vouch for the log's end as it is now, whatever the seal said, once this transaction commits:
    for a person who has looked. Then record in the same transaction who did so.
    """
    session.info[_VOUCHED] = True


@dataclass(frozen=True)
class _Seal:
    number: int
    hash: str


def _take_turn(session: Session) -> None:
    """Wait until no other transaction is writing to the log, and see what they wrote."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    else:
        # SQLite's only write lock; a SELECT alone would not take it, and be out of date later.
        session.execute(
            update(AuditEntry).where(false()).values(result=""),
            execution_options={"synchronize_session": False},
        )


def _keyring(session: Session) -> Keyring | None:
    """The key of the log's home; None if it has no home."""
    home = session.info.get(_HOME)
    return Keyring(home) if home else None


def _seal_holds(session: Session, keyring: Keyring | None) -> bool:
    """Whether the row that was sealed last is still there, and those after it, which others have
    just committed, follow from it; else no newer seal may hide that.
    """
    home = session.info.get(_HOME)
    if home is None or keyring is None:
        return False
    seal = _read_seal(home, keyring)
    if not isinstance(seal, _Seal):
        return False
    last = seal.hash
    if seal.number and last != session.scalar(
        select(AuditEntry.hash).where(AuditEntry.id == seal.number)
    ):
        return False
    for entry in _all(session, seal.number):
        if entry.previous != last or hash_of(entry, keyring) != entry.hash:
            return False
        last = entry.hash
    return True


def _all(session: Session, after: int = -(2**31)) -> Iterator[AuditEntry]:
    """Each row after that number, a chunk at a time, as it stands in the database now."""
    while True:
        found = session.scalars(
            select(AuditEntry).where(AuditEntry.id > after).order_by(AuditEntry.id).limit(_CHUNK),
            execution_options={"populate_existing": True},
        ).all()
        if not found:
            return
        yield from found
        after = found[-1].id
        for entry in found:
            session.expunge(entry)


def _clean(value: Any) -> Any:
    """`value` as both databases can hold it and give it back the same."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    if isinstance(value, dict):
        return {_clean(str(key)): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(one) for one in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)


def _mac(keyring: Keyring, number: int, digest: str) -> str:
    """Keyed seal of a row's number and hash."""
    halves = (keyring.fingerprint(f"{number} {digest}", f"audit-{half}") for half in (1, 2))
    return "".join(halves)


def _read_seal(home: Path, keyring: Keyring) -> _Seal | str | None:
    """The seal of `home`; None if there is none, or what is wrong with it."""
    path = home / SEAL
    try:
        number, digest, mac = path.read_text(encoding="ascii").split()
        seal = _Seal(int(number), digest)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"{path} cannot be read ({error}): {_MEND}"
    if mac != _mac(keyring, seal.number, seal.hash):
        return f"{path} was not written by this home's key: {_MEND}"
    return seal


@event.listens_for(Session, "after_commit")
def _seal(session: Session) -> None:
    """Seal the newest row, now that it is committed; a later one that is sealed already stays.

    Where the seal cannot be written the row stands all the same: the next one seals both.
    """
    if session.in_nested_transaction() or _TAIL not in session.info:
        return
    number, digest = session.info.pop(_TAIL)
    vouched = session.info.pop(_VOUCHED, False)
    home = session.info.get(_HOME)
    if home is None:
        return
    with contextlib.suppress(OSError, FarolaError):
        keyring = Keyring(home)
        with locked(home / f".{SEAL}.lock"):
            old = _read_seal(home, keyring)
            if not vouched and (not isinstance(old, _Seal) or old.number >= number):
                return  # one that is wrong or gone stays so until a person has looked
            _write_seal(home, keyring, number, digest)


def _write_seal(home: Path, keyring: Keyring, number: int, digest: str) -> None:
    with written_whole(home / SEAL) as out:
        out.write(f"{number} {digest} {_mac(keyring, number, digest)}\n".encode())


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _previous: object) -> None:
    session.info.pop(_TAIL, None)
    session.info.pop(_VOUCHED, None)
