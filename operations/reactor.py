"""`farola reactor`: reads new events, and fetches the config of a device whose trap says that it
changed.

One at a time for an inventory (a lease); what is to do lies in the inventory too (`reactions`), so
that it may be killed at any moment.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from farola.output import json_option, note, print_json
from farola.settings import load_settings
from operations.reactions import SETTLED, URGENCY, Agenda, Job, Trigger

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from inventory.db import Inventory
    from inventory.records import DeviceRecord, Secrets
    from provisioning.fetch import Fetched
    from provisioning.history import History

    Running = dict[str, tuple[Job, Future[Fetched]]]

FACT = "reactor"
LEASE_S = 30.0
LOOK_EVERY_S = 1.0
AT_ONCE = 4
"""Devices fetched from at the same time."""
GRACE_S = 5.0
"""Given to fetches under way when the reactor is stopped."""
PER_S = 2.0
"""Fetches begun a second at most: a district that comes back sends thousands of cold starts."""
LOOK_BACK = timedelta(minutes=10)
"""What the first start ever still takes up."""
BATCH = 2000
CURSOR_STEP = 200
"""Events that are read again and again before the cursor is written past them."""


@click.command()
@click.option(
    "--quiet",
    "quiet_s",
    type=click.FloatRange(0, 3600),
    default=5.0,
    show_default=True,
    help="Seconds a device must be quiet after its last trap before it is looked at.",
)
@click.option("--once", is_flag=True, help="Do what is to do now, then end.")
@json_option
def reactor(quiet_s: float, once: bool, as_json: bool) -> None:
    """Fetch the config of each device whose trap says that it changed, and keep it.

    Runs until stopped (SIGTERM, Ctrl-C), or with --once until nothing is due: what is tried again
    later stays for the next run. Each result is an event.
    """
    from inventory.db import open_inventory

    stop = threading.Event()
    old = {
        number: signal.signal(number, lambda _number, _frame: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    inventory = open_inventory(load_settings())
    try:
        counts = Reactor(inventory, timedelta(seconds=quiet_s)).run(stop, once=once)
    finally:
        inventory.close()
        for number, handler in old.items():
            signal.signal(number, handler)
    if as_json:
        print_json(counts)
    else:
        click.echo(
            "config fetches: " + (", ".join(f"{n} {k}" for k, n in counts.items()) or "none")
        )


@dataclass
class Reactor:
    """Takes triggers from the events and works off the jobs they make."""

    inventory: Inventory
    quiet: timedelta
    at_once: int = AT_ONCE
    per_s: float = PER_S
    counts: Counter[str] = field(default_factory=Counter)
    _left: float = AT_ONCE
    _at: float = field(default_factory=time.monotonic)

    def run(self, stop: threading.Event, *, once: bool = False) -> dict[str, int]:
        """Work until `stop`, or with `once` until nothing is due; what became of each fetch.

        An inventory that cannot be reached is told and asked again. Raises InventoryError with
        `once`, and where another reactor works on it.
        """
        from farola.errors import InventoryError
        from farola.keys import Keyring
        from provisioning.history import History

        home = self.inventory.settings.home
        history = History(home, Keyring(home))
        failed = ""
        with _leased(self.inventory, stop, once) as held:
            running: Running = {}
            while not stop.is_set():
                try:
                    if not held():
                        break
                    idle = self._turn(running, history)
                    failed = ""
                except InventoryError as error:
                    if once:
                        raise
                    if str(error) != failed:
                        note(f"farola: reactor: {error}")
                    failed, idle = str(error), False
                if once and idle:
                    break
                stop.wait(LOOK_EVERY_S if not (once and running) else 0.05)
            # What does not end in time is begun anew by the next reactor.
            wait([future for _job, future in running.values()], GRACE_S)
            self._finish(running, history)
        return dict(self.counts)

    def _turn(self, running: Running, history: History) -> bool:
        """Take new triggers, end what is done, begin what is due; whether nothing is left to do."""
        from inventory.models import utcnow

        self._finish(running, history)
        agenda, now = self._take(history), utcnow()
        due = [job for job in agenda.due(now) if job.device_id not in running]
        for job in due[: min(self.at_once - len(running), self._allowance())]:
            with self.inventory.session() as session:
                device, secrets = _device(session, self.inventory, job.device_id)
            running[job.device_id] = (job, _begun(job, device, secrets, history))
            self._left -= 1
        return not running and not any(
            job.tries == 0 or job.due <= now for job in agenda.jobs.values()
        )

    def _allowance(self) -> int:
        """How many fetches may begin now."""
        now = time.monotonic()
        self._left = min(float(self.at_once), self._left + (now - self._at) * self.per_s)
        self._at = now
        return int(self._left)

    def _take(self, history: History) -> Agenda:
        """The agenda with what is new; stored."""
        from sqlalchemy import select

        from inventory import queries
        from inventory.models import Event, utcnow

        with self.inventory.session() as session:
            kept = queries.fact(session, FACT)
            agenda = Agenda.read(kept) if kept else Agenda(_first_cursor(session))
            rows = session.execute(
                select(Event.id, Event.at, Event.kind, Event.device_id)
                .where(Event.id > agenda.cursor)
                .order_by(Event.id)
                .limit(BATCH)
            ).all()
        found = [
            Trigger(number, at, kind, device)
            for number, at, kind, device in rows
            if device and kind in URGENCY
        ]
        fresh = {one.device_id for one in found if one.id not in agenda.taken}
        newest = {name: v.mark for name in fresh if (v := history.newest(name))}
        young = utcnow() - SETTLED
        settled = agenda.cursor
        for number, at, _kind, _device_id in rows:
            if at > young and len(rows) < BATCH:
                break
            settled = number
        changed = agenda.with_triggers(found, newest, self.quiet)
        if kept is None or changed != agenda or settled - agenda.cursor >= CURSOR_STEP:
            changed = changed.settled(settled)
            with self._writing() as session:
                queries.set_fact(session, FACT, changed.as_json())
        return changed

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A session that begins by writing: SQLite then waits for other writers, instead of
        failing where one came between our reading and our writing.
        """
        from sqlalchemy import update

        from inventory.models import Fact

        with self.inventory.session() as session:
            session.execute(update(Fact).where(Fact.key == FACT).values(key=FACT))
            yield session

    def _finish(self, running: dict[str, tuple[Job, Future[Fetched]]], history: History) -> None:
        """Tell what ended fetches found, each with its job's end in one transaction."""
        for device_id, (job, future) in list(running.items()):
            if future.done():
                with self._writing() as session:
                    outcome = _tell(session, job, future.result(), history)
                del running[device_id]
                self.counts[outcome] += 1


def _tell(session: Session, job: Job, fetched: Fetched, history: History) -> str:
    from inventory import events, queries
    from inventory.models import utcnow
    from provisioning.fetch import explain, in_detail, in_words

    agenda = Agenda.read(queries.fact(session, FACT) or {})
    outcome = fetched.outcome
    if outcome == "unreachable":
        agenda, given_up = agenda.failed(job, utcnow())
        outcome = outcome if given_up else "tried again"
    else:
        agenda = agenda.done(job, fetched.version.mark if fetched.version else "")
    queries.set_fact(session, FACT, agenda.as_json())
    # A device that cannot be fetched from at all says so only where its config did change.
    refused = outcome == "refused"
    if outcome == "tried again" or (refused and job.urgency > 0):
        return outcome
    fetched = explain(session, fetched, history, job.since)
    kind = "unreachable" if refused else outcome
    events.record(
        session, f"config.{kind}", in_words(fetched), device_id=job.device_id, actor="reactor",
        detail={"events": list(job.causes)} | in_detail(fetched),
    )  # fmt: skip
    return outcome


def _begun(
    job: Job, device: DeviceRecord | None, secrets: Secrets | None, history: History
) -> Future[Fetched]:
    """A fetch under way, in a thread that does not hold up the end of the process."""
    future: Future[Fetched] = Future()

    def work() -> None:
        future.set_result(_fetch(job, device, secrets, history))

    threading.Thread(target=work, name=f"fetch {job.device_id}", daemon=True).start()
    return future


def _fetch(
    job: Job, device: DeviceRecord | None, secrets: Secrets | None, history: History
) -> Fetched:
    """Fetch from one device; in a thread, and whatever goes wrong is its result."""
    from provisioning.fetch import Fetched, fetch

    if device is None:
        return Fetched(job.device_id, "refused", "it is retired or gone from the inventory")
    try:
        return fetch(device, secrets, history, job.base or None)
    except Exception as error:  # a fault of ours must not end the others' fetches
        return Fetched(
            job.device_id, "refused", f"{type(error).__name__}: {error}".split("\n", 1)[0]
        )


def _device(
    session: Session, inventory: Inventory, device_id: str
) -> tuple[DeviceRecord | None, Secrets | None]:
    from farola.keys import Keyring
    from inventory import queries
    from provisioning.devices import credentials

    found = queries.devices(session, [device_id])
    if not found:
        return None, None
    secrets = credentials(session, found, Keyring(inventory.settings.home))
    return found[0], secrets.get(found[0].credential_name or "")


def _first_cursor(session: Session) -> int:
    """Where a reactor begins that never ran: a little back, as it starts beside the collector."""
    from sqlalchemy import func, select

    from inventory.models import Event, utcnow

    old = select(func.max(Event.id)).where(Event.at < utcnow() - LOOK_BACK)
    return int(session.scalar(old) or 0)


@contextmanager
def _leased(inventory: Inventory, stop: threading.Event, once: bool) -> Iterator[Any]:
    """Yields a function that says whether this reactor still is the one; waits to become it."""
    from collectors.holder import is_gone, own_mark
    from collectors.lease import LeaseTable
    from farola.errors import InventoryError

    table, holder = LeaseTable(inventory, LEASE_S, FACT), f"reactor {own_mark()}"
    term: int | None = None
    while term is None and not stop.is_set():
        seen = table.seen()
        dead = seen if seen and is_gone(seen.holder) else None
        term = table.take(holder, dead)
        if term is None:
            if once:
                raise InventoryError(
                    f"another reactor works on this inventory ({seen.holder if seen else '?'}): "
                    "end it first, or leave it the work"
                )
            stop.wait(LOOK_EVERY_S)
    renewed = time.monotonic()

    def held() -> bool:
        nonlocal renewed
        now = time.monotonic()
        if now - renewed < LEASE_S / 3:
            return term is not None
        if term is None or not table.renew(holder, term):
            note("farola: reactor: another one has taken over")
            return False
        renewed = now
        return True

    try:
        yield held
    finally:
        if term is not None:
            table.release(holder, term)
