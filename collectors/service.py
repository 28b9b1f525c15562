"""Runs the collector: one poll, or polls at a fixed rate until told to stop, with traps received
meanwhile. Of several collectors of a city one is active, the others stand by.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial

from collectors.active import Active
from collectors.checks.run import checks_job
from collectors.families import told_book
from collectors.holder import shown
from collectors.lease import read_lease
from collectors.lease_keeper import LeaseKeeper
from collectors.metrics import Gauges, serve_metrics
from collectors.one_poll import one_poll_at_a_time
from collectors.poll import Collector, Summary
from collectors.pollers import standard_poller
from collectors.rollup_job import rollups_kept
from collectors.roster import Roster
from collectors.schedule import Job, wait_until
from collectors.snmp.trap_receiver import TrapReceiver
from collectors.snmp.traps import TrapCounts
from farola.errors import FarolaError, InventoryError, SettingsError
from farola.output import note, progress
from farola.settings import Settings, load_settings
from farola.times import show_instant
from inventory.db import Inventory, open_inventory
from inventory.events import record
from timeseries.base import Store
from timeseries.opening import open_store
from timeseries.spooled import rows_left, signed_in_again

Where = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """How a long-lived collector runs: a poll every `interval_s` seconds, `count` of them (None:
    until stopped), traps and metrics at these addresses, under the name `name`.
    """

    interval_s: float
    count: int | None = None
    traps: Where | None = None
    metrics: Where | None = None
    name: str = ""


async def collect_once(
    settings: Settings, traps: Where | None, linger_s: float
) -> tuple[Summary, TrapCounts | None]:
    """Poll once; with `traps`, listen there during the poll and `linger_s` seconds after it.

    Beside an active collector it is allowed, and told.
    """
    async with _opened(settings) as (inventory, store):
        receiver = TrapReceiver(inventory) if traps else None
        try:
            roster = Roster(inventory, settings)
            listed = await roster.listed()
            targets = listed.targets
            if receiver and traps:
                receiver.know(targets)
                await receiver.listen(*traps)
            await asyncio.to_thread(_tell_of_another, inventory)
            collector = Collector(
                standard_poller(), store, identify=roster.identify,
                alone=partial(one_poll_at_a_time, settings.home),
                book=told_book(settings.home),
            )  # fmt: skip
            with progress("Polling", len(targets.polled)) as advance:
                summary = await collector.poll(
                    targets.polled, skipped=len(targets.skipped), advance=advance,
                    looked_after=listed.looked_after,
                )  # fmt: skip
            waiting = await asyncio.to_thread(rows_left, store)
            summary = replace(await roster.excused(summary), spooled=waiting)
            if receiver is not None:
                await asyncio.sleep(linger_s)
                await receiver.flush()
            return summary, receiver.counts if receiver else None
        finally:
            if receiver is not None:
                await receiver.close()


async def collect_run(
    settings: Settings, plan: Plan, report: Callable[[Summary], None]
) -> TrapCounts | None:
    """Poll at a fixed rate until SIGTERM or SIGINT, which let the poll under way be written.

    SIGHUP reads the settings again. A poll that takes longer than the interval makes the next
    ones late: they are left out and counted, never piled up. A store or an inventory that fails
    (a long import may hold it) costs its poll and is told, and so does anything unforeseen; the
    next one tries again. Raises FarolaError if the last poll was lost, or if nothing ever worked.
    """
    gauges = Gauges()
    service = _Service(settings, plan, report, gauges)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    loop.add_signal_handler(signal.SIGHUP, service.reload)
    with serve_metrics(gauges, plan.metrics):
        return await service.run()


class _Service:
    """One collector, standing by or active, through changes of its settings."""

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        report: Callable[[Summary], None],
        gauges: Gauges,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._name = plan.name or socket.gethostname()
        self._report = report
        self._gauges = gauges
        self._poller = standard_poller()  # kept: so are the sessions of SNMPv3
        self._wake = asyncio.Event()
        self._stopped = False
        self._polled = 0
        self._failure: FarolaError | None = None
        self._counts: TrapCounts | None = None
        self._started = False
        self._store: Store | None = None

    def stop(self) -> None:
        """End after the poll under way."""
        self._stopped = True
        self._wake.set()

    def reload(self) -> None:
        """Go on with the settings as they are now, after the poll under way."""
        try:
            settings = load_settings(self._settings.home)
        except FarolaError as error:
            note(f"farola: settings not reloaded: {error}")
            return
        if settings == self._settings:
            if self._store is not None and signed_in_again(self._store):
                note("settings read again: the store's credential is another one, it is used now")
                return
            note("settings read again: nothing in them changed, nor in the store's credential")
            return
        note("settings read again: they changed, starting over with them")
        self._settings = settings
        self._wake.set()

    async def run(self) -> TrapCounts | None:
        """See `collect_run`."""
        while not self._done():
            self._wake.clear()
            async with (
                _opened(self._settings) as (inventory, store),
                rollups_kept(self._settings, self._gauges.job_failed),
            ):
                self._store = store
                keeper = LeaseKeeper(inventory, self._name, self._plan.interval_s)
                try:
                    while not self._wake.is_set() and not self._done():
                        if await self._stand_by(keeper):
                            await self._be_active(inventory, store, keeper)
                finally:
                    self._gauges.active.set(0)
                    await keeper.release()
        if self._failure is not None:
            raise self._failure
        return self._counts

    def _done(self) -> bool:
        return self._stopped or self._polled == self._plan.count

    async def _stand_by(self, keeper: LeaseKeeper) -> bool:
        """Wait for the lease; False if something else woke this collector up."""
        loop = asyncio.get_running_loop()
        told = ""
        self._gauges.active.set(0)
        while not self._wake.is_set():
            try:
                if await keeper.take():
                    return True
                if (other := await keeper.other()) and other.holder != told:
                    told = other.holder
                    since = show_instant(other.since, self._settings.city.zone)
                    note(f"standing by: {shown(told)} polls this city since {since}")
            except InventoryError as error:
                if not self._started:
                    raise
                if str(error) != told:
                    note(f"farola: standing by, the lease cannot be read: {error}")
                told = str(error)
            self._started = True
            await wait_until(loop.time() + keeper.check_s, self._wake)
        return False

    def _jobs(self, inventory: Inventory, store: Store) -> list[Job]:
        """What is done beside the polls. Settings that cannot be used end a collector that starts;
        one that runs goes on without.
        """
        try:
            job = checks_job(self._settings, inventory, store, self._name)
        except SettingsError as error:
            if not self._started:
                raise
            note(f"farola: no checks: {error}")
            return []
        return [job] if job else []

    async def _be_active(self, inventory: Inventory, store: Store, keeper: LeaseKeeper) -> None:
        """Poll until stopped or until the lease is lost."""
        await asyncio.to_thread(_tell_active, inventory, self._name, keeper)
        self._gauges.active.set(1)
        roster = Roster(inventory, self._settings)
        receiver = TrapReceiver(inventory) if self._plan.traps else None
        left = None if self._plan.count is None else self._plan.count - self._polled
        active = Active(
            settings=self._settings, interval_s=self._plan.interval_s, count=left,
            name=self._name, poller=self._poller, store=store, keeper=keeper, roster=roster,
            receiver=receiver, traps=self._plan.traps, gauges=self._gauges, report=self._report,
            wake=self._wake, jobs=self._jobs(inventory, store),
        )  # fmt: skip
        # The first time a port that is taken is a mistake to mend; a standby that takes over
        # polls without traps rather than not at all.
        await active.listen(strict=not self._started)
        self._started = True
        try:
            lost = await active.run()
        finally:
            self._polled += active.polled
            self._failure = active.failure
            self._counts = receiver.counts if receiver else None
            if receiver is not None:
                await receiver.close()
        if lost:
            note(f"farola: {lost}: standing by; what was being read is not stored")
            keeper.term = None


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Inventory, Store]]:
    inventory = open_inventory(settings)
    try:
        store = open_store(settings)
        try:
            yield inventory, store
        finally:
            store.close()
    finally:
        inventory.close()


def _tell_of_another(inventory: Inventory) -> None:
    with inventory.session() as session:
        held = read_lease(session)
    if held is not None and held.valid:
        note(f"{shown(held.holder)} polls this city too: this poll comes beside its own")


def _tell_active(inventory: Inventory, name: str, keeper: LeaseKeeper) -> None:
    """An event, where a collector took over from another one."""
    before = keeper.before
    if before is None:
        return
    text = f"collector {name} is active, term {keeper.term}; before it was {shown(before.holder)}"
    note(text)
    with contextlib.suppress(InventoryError), inventory.session() as session:
        record(
            session, "collector.active", text,
            detail={"holder": keeper.holder, "term": keeper.term, "before": before.holder},
        )  # fmt: skip
