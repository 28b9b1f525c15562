"""`farola reactor`: reads new events, and fetches the config of a device whose trap says that it
changed.

One at a time for an inventory (a lease); what is to do lies in the inventory too (`reactor_jobs`),
so that it may be killed at any moment.
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

from farola.options import NumberRange
from farola.output import json_option, note, print_json
from farola.settings import load_settings
from operations.reactions import Job, done, failed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from inventory.db import Inventory
    from inventory.records import DeviceRecord, Secrets
    from operations.reactor_jobs import Jobs
    from provisioning.history.configs import History
    from provisioning.history.fetch import Fetched

    Running = dict[str, tuple[Job, Future[Fetched]]]

LEASE = "reactor"
LEASE_S = 30.0
LOOK_EVERY_S = 1.0
AT_ONCE = 4
"""Devices fetched from at the same time."""
GRACE_S = 5.0
"""Given to fetches under way when the reactor is stopped."""
PER_S = 2.0
"""Fetches begun a second at most: a district that comes back sends thousands of cold starts."""


quiet_option = click.option(
    "--quiet",
    "quiet_s",
    type=NumberRange(0, 3600),
    default=5.0,
    show_default=True,
    help="Seconds a device must be quiet after its last trap before its config is looked at.",
)


@click.command()
@quiet_option
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
        from operations.reactor_jobs import Jobs
        from provisioning.history.configs import History

        home = self.inventory.settings.home
        history, jobs = History(home, Keyring(home)), Jobs(self.inventory)
        said = ""
        with _leased(self.inventory, stop, once) as held:
            running: Running = {}
            while not stop.is_set():
                try:
                    if not held():
                        break
                    idle = self._turn(running, history, jobs)
                    said = ""
                except InventoryError as error:
                    if once:
                        raise
                    if str(error) != said:
                        note(f"farola: reactor: {error}")
                    said, idle = str(error), False
                if once and idle:
                    break
                stop.wait(LOOK_EVERY_S if not (once and running) else 0.05)
            # What does not end in time is begun anew by the next reactor.
            wait([future for _job, future in running.values()], GRACE_S)
            self._finish(running, history, jobs)
        return dict(self.counts)

    def _turn(self, running: Running, history: History, jobs: Jobs) -> bool:
        """Take new triggers, end what is done, begin what is due; whether nothing is left to do."""
        from inventory.models import utcnow

        def newest(device_id: str) -> str:
            version = history.newest(device_id)
            return version.mark if version else ""

        self._finish(running, history, jobs)
        more, now = jobs.take(self.quiet, newest), utcnow()
        free = min(self.at_once - len(running), self._allowance())
        if free > 0:
            due = jobs.due(now, self.at_once)
            for job in [one for one in due if one.device_id not in running][:free]:
                with self.inventory.session() as session:
                    device, secrets = _device(session, self.inventory, job.device_id)
                running[job.device_id] = (job, _begun(job, device, secrets, history))
                self._left -= 1
        return not running and not more and not jobs.left(now)

    def _allowance(self) -> int:
        """How many fetches may begin now."""
        now = time.monotonic()
        self._left = min(float(self.at_once), self._left + (now - self._at) * self.per_s)
        self._at = now
        return int(self._left)

    def _finish(self, running: Running, history: History, jobs: Jobs) -> None:
        """Tell what ended fetches found, each with its job's end in one transaction."""
        for device_id, (job, future) in list(running.items()):
            if future.done():
                with jobs.writing() as session:
                    outcome = _tell(session, job, future.result(), history)
                del running[device_id]
                self.counts[outcome] += 1


def _tell(session: Session, job: Job, fetched: Fetched, history: History) -> str:
    from inventory import events
    from inventory.models import utcnow
    from operations.reactor_jobs import held, put
    from provisioning.history.fetch import explain, in_detail, in_words

    now_held, outcome = held(session, job.device_id), fetched.outcome
    if outcome == "unreachable":
        left, given_up = failed(now_held, job, utcnow())
        outcome = outcome if given_up else "tried again"
    else:
        left = done(now_held, job, fetched.version.mark if fetched.version else "")
    put(session, job.device_id, left)
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
    from provisioning.history.fetch import Fetched, fetch

    if device is None:
        return Fetched(job.device_id, "refused", "it is retired or gone from the inventory")
    try:
        return fetch(device, secrets, history, job.base or None, author="reactor", cause="event")
    except Exception as error:  # a fault of ours must not end the others' fetches
        return Fetched(
            job.device_id, "refused", f"{type(error).__name__}: {error}".split("\n", 1)[0]
        )


def _device(
    session: Session, inventory: Inventory, device_id: str
) -> tuple[DeviceRecord | None, Secrets | None]:
    from farola.keys import Keyring
    from inventory import queries
    from provisioning.platforms.choosing import credentials

    found = queries.devices(session, [device_id])
    if not found:
        return None, None
    secrets = credentials(session, found, Keyring(inventory.settings.home))
    return found[0], secrets.get(found[0].credential_name or "")


@contextmanager
def _leased(inventory: Inventory, stop: threading.Event, once: bool) -> Iterator[Any]:
    """Yields a function that says whether this reactor still is the one; waits to become it."""
    from collectors.holder import is_gone, own_mark
    from collectors.lease import LeaseTable
    from farola.errors import InventoryError

    table, holder = LeaseTable(inventory, LEASE_S, LEASE), f"reactor {own_mark()}"
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
