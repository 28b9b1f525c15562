"""The lease of the job that only one collector may do: a row of the inventory that names its holder
and when it runs out. Taken, renewed and given back by one compare-and-swap UPDATE each, on the
database's own clock: collectors' clocks may differ as they like.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    DateTime,
    Dialect,
    and_,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from inventory.db import Inventory
from inventory.models import Lease

COLLECTOR = "collector"
_SQLITE_FORM = "%Y-%m-%d %H:%M:%f000"
"""As SQLAlchemy writes an instant: microseconds."""


@dataclass(frozen=True)
class LeaseRecord:
    """Who holds a lease, since when and until when (UTC); `valid` by the database's clock."""

    holder: str
    term: int
    since: datetime
    expires_at: datetime
    valid: bool


@dataclass(frozen=True)
class LeaseTable:
    """The lease `name`, which lasts `ttl_s` seconds from each renewal.

    Every method raises InventoryError when the database cannot be asked.
    """

    inventory: Inventory
    ttl_s: float
    name: str = COLLECTOR

    def take(self, holder: str, dead: LeaseRecord | None = None) -> int | None:
        """Take the lease if nobody holds it now; its new term, None if somebody does.

        `dead` is a holder that is known to be gone, though its lease has not run out.
        """
        held = self.seen()
        if held is not None and held.valid and not (dead and dead.holder == held.holder):
            return None
        with self.inventory.session() as session:
            now, until = self._clock(session)
            if held is None:
                session.execute(_insert(session, name=self.name, holder="", term=0, now=now))
            free = Lease.expires_at <= now
            if dead is not None:
                free = or_(free, and_(Lease.holder == dead.holder, Lease.term == dead.term))
            taken = session.execute(
                update(Lease)
                .where(Lease.name == self.name, free)
                .values(holder=holder, term=Lease.term + 1, since=now, expires_at=until)
                .returning(Lease.term)
                .execution_options(synchronize_session=False)
            )
            term = taken.scalar_one_or_none()
        return None if term is None else int(term)

    def renew(self, holder: str, term: int) -> bool:
        """Make the lease last again; False if it has passed to another meanwhile."""
        return self._swap(holder, term, renewed=True)

    def release(self, holder: str, term: int) -> bool:
        """Give the lease back: another may take it at once."""
        return self._swap(holder, term, renewed=False)

    def seen(self) -> LeaseRecord | None:
        """The lease as it stands, None if nobody ever took it."""
        with self.inventory.session() as session:
            return read_lease(session, self.name)

    def _swap(self, holder: str, term: int, *, renewed: bool) -> bool:
        with self.inventory.session() as session:
            now, until = self._clock(session)
            done = session.execute(
                update(Lease)
                .where(Lease.name == self.name, Lease.holder == holder, Lease.term == term)
                .values(expires_at=until if renewed else now)
                .execution_options(synchronize_session=False)
            )
            assert isinstance(done, CursorResult)  # noqa: S101 - an UPDATE has no other result
            return done.rowcount == 1

    def _clock(self, session: Session) -> tuple[ColumnElement[datetime], ColumnElement[datetime]]:
        """Now and when a lease that begins now runs out, as the database tells."""
        dialect = session.get_bind().dialect
        return _now(dialect, 0.0), _now(dialect, self.ttl_s)


def read_lease(session: Session, name: str = COLLECTOR) -> LeaseRecord | None:
    """The lease `name` as it stands, None if nobody ever took it."""
    now = _now(session.get_bind().dialect, 0.0)
    row = session.execute(
        select(
            Lease.holder, Lease.term, Lease.since, Lease.expires_at, (Lease.expires_at > now)
        ).where(Lease.name == name)
    ).first()
    if row is None or not row[0]:
        return None
    holder, term, since, expires_at, valid = row
    return LeaseRecord(
        holder, term, since.replace(tzinfo=UTC), expires_at.replace(tzinfo=UTC), bool(valid)
    )


def _now(dialect: Dialect, plus_s: float) -> ColumnElement[datetime]:
    """The database's present in UTC, without a zone, and `plus_s` seconds more."""
    if dialect.name == "sqlite":
        moved = (f"{plus_s:+.3f} seconds",)
        return func.strftime(_SQLITE_FORM, "now", *moved, type_=DateTime)
    # Not now(): that is when the transaction began, which may have waited for a lock since.
    return func.timezone("UTC", func.clock_timestamp(), type_=DateTime) + func.make_interval(
        0, 0, 0, 0, 0, 0, plus_s
    )


def _insert(
    session: Session, *, name: str, holder: str, term: int, now: ColumnElement[datetime]
) -> Any:
    """A lease that has run out, unless there is one already."""
    values = {"name": name, "holder": holder, "term": term, "since": now, "expires_at": now}
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(Lease).values(values).on_conflict_do_nothing()
    return postgresql.insert(Lease).values(values).on_conflict_do_nothing()
