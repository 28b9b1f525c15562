"""Where the reactor's work lies in the inventory: a row a job, and a fact that says which events
were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from farola.output import note
from inventory import queries
from inventory.models import Event, Fact, Reaction, utcnow
from operations.reactions import URGENCY, Job, Seen, Trigger, with_trigger

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from inventory.db import Inventory

FACT = "reactor"
LOOK_BACK = timedelta(minutes=10)
"""What the first start ever still takes up."""
AFRESH = (
    "which events were read is not kept in a form that can be read: starting afresh, "
    f"{LOOK_BACK.total_seconds() / 60:.0f} minutes back"
)
BATCH = 2000
STEP = 200
"""Events that ask for nothing are read again and again before it is written that they were."""


@dataclass(frozen=True)
class Jobs:
    """The jobs of an inventory. One reactor at a time changes them."""

    inventory: Inventory

    def take(self, quiet: timedelta, newest: Callable[[str], str]) -> bool:
        """Make jobs of the events that came, BATCH at most; whether more may be there.

        `newest` gives the mark of a device's newest version.
        """
        with self.inventory.session() as session:
            kept = _kept(session)
            seen = Seen.read(kept)
            if seen is None:
                if kept is not None:
                    note(f"farola: reactor: {AFRESH}")
                kept, seen = None, Seen(_first_cursor(session))
            rows = session.execute(
                select(Event.id, Event.at, Event.kind, Event.device_id)
                .where(or_(*(_between(*gap) for gap in seen.gaps())))
                .order_by(Event.id)
                .limit(BATCH)
            ).all()
        found = [
            Trigger(number, at, kind, device)
            for number, at, kind, device in rows
            if device and kind in URGENCY
        ]
        if kept is None or found or len(rows) >= STEP:
            now = utcnow()
            read = seen.with_ids((row.id for row in rows), now).settled(now)
            with self.writing() as session:
                self._add(session, found, quiet, newest)
                queries.set_fact(session, FACT, read.as_json())
        return len(rows) == BATCH

    def _add(
        self,
        session: Session,
        found: list[Trigger],
        quiet: timedelta,
        newest: Callable[[str], str],
    ) -> None:
        names = {trigger.device_id for trigger in found}
        query = select(Reaction).where(Reaction.device_id.in_(names))
        rows = {row.device_id: row for row in session.scalars(query)} if names else {}
        jobs = {name: _job(row) for name, row in rows.items()}
        for trigger in found:
            name = trigger.device_id
            old = jobs.get(name)
            jobs[name] = with_trigger(old, trigger, "" if old else newest(name), quiet)
        for name, job in jobs.items():
            _store(session, rows.get(name), job)

    def due(self, now: datetime, most: int) -> list[Job]:
        """Jobs whose time has come, the most urgent first."""
        query = select(Reaction).where(Reaction.due <= now)
        with self.inventory.session() as session:
            rows = session.scalars(query.order_by(Reaction.urgency, Reaction.due).limit(most))
            return [_job(row) for row in rows]

    def left(self, now: datetime) -> bool:
        """Whether something is to do that is not only to be tried again later."""
        query = select(Reaction.device_id).where((Reaction.tries == 0) | (Reaction.due <= now))
        with self.inventory.session() as session:
            return session.scalar(query.limit(1)) is not None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that begins by writing: SQLite then waits for other writers, instead of
        failing where one came between our reading and our writing.
        """
        with self.inventory.session() as session:
            session.execute(update(Fact).where(Fact.key == FACT).values(key=FACT))
            yield session


def held(session: Session, device_id: str) -> Job | None:
    """The job of a device."""
    row = session.get(Reaction, device_id)
    return _job(row) if row else None


def put(session: Session, device_id: str, job: Job | None) -> None:
    """Keep a device's job, or that it has none."""
    row = session.get(Reaction, device_id)
    if job is not None:
        _store(session, row, job)
    elif row is not None:
        session.delete(row)


def _store(session: Session, row: Reaction | None, job: Job) -> None:
    values = vars(job) | {"causes": list(job.causes)}
    if row is None:
        session.add(Reaction(**values))
        return
    for name, value in values.items():
        setattr(row, name, value)


def _job(row: Reaction) -> Job:
    return Job(
        row.device_id, row.since, row.due, row.urgency, row.base, tuple(row.causes), row.events,
        row.tries,
    )  # fmt: skip


def _kept(session: Session) -> object:
    """What the fact says; nothing that can be used where it is not even JSON, and gone then."""
    try:
        return queries.fact(session, FACT)
    except ValueError:
        session.execute(delete(Fact).where(Fact.key == FACT))
        return {}


def _between(low: int, high: int | None) -> ColumnElement[bool]:
    return Event.id > low if high is None else and_(Event.id > low, Event.id < high)


def _first_cursor(session: Session) -> int:
    """Where a reactor begins that never ran: a little back, as it starts beside the collector."""
    old = select(func.max(Event.id)).where(Event.at < utcnow() - LOOK_BACK)
    return int(session.scalar(old) or 0)
