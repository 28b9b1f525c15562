"""Runs the collector: one poll, or polls at a fixed rate until told to stop, with traps received
meanwhile. The inventory is read again before every poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from collectors.poll import Collector, Summary
from collectors.snmp.poller import PysnmpPoller
from collectors.snmp.trap_receiver import TrapReceiver
from collectors.snmp.traps import TrapCounts
from collectors.targets import Targets, choose_targets
from farola.errors import InventoryError, StoreError
from farola.keys import Keyring
from farola.output import note, progress
from farola.settings import Settings
from inventory.db import Inventory, open_inventory
from timeseries.opening import open_store


@dataclass(frozen=True)
class Schedule:
    """Poll every `interval_s`, `count` times (None: until stopped)."""

    interval_s: float
    count: int | None = None


def ticks_passed(elapsed_s: float, interval_s: float) -> int:
    """How many whole intervals have passed: the next poll starts at the one after."""
    return int(elapsed_s // interval_s)


async def collect_once(
    settings: Settings, traps: tuple[str, int] | None, linger_s: float
) -> tuple[Summary, TrapCounts | None]:
    """Poll once; with `traps`, listen there during the poll and `linger_s` seconds after it."""
    async with _opened(settings, traps) as (inventory, collector, receiver):
        targets = await _targets(inventory, settings, receiver, frozenset())
        with progress("Polling", len(targets.polled)) as advance:
            summary = await collector.poll(
                targets.polled, skipped=len(targets.skipped), advance=advance
            )
        if receiver is not None:
            await asyncio.sleep(linger_s)
            await receiver.flush()
        return summary, receiver.counts if receiver else None


async def collect_run(
    settings: Settings,
    schedule: Schedule,
    traps: tuple[str, int] | None,
    report: Callable[[Summary], None],
) -> TrapCounts | None:
    """Poll at a fixed rate until SIGTERM or SIGINT, which let the poll under way be written.

    A poll that takes longer than the interval makes the next ones late: they are left out and
    counted, never piled up. A store or an inventory that fails (a long import may hold it) costs
    its poll and is told; the next one tries again. Raises StoreError or InventoryError if the
    last poll was lost.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    told: frozenset[str] = frozenset()
    failure: StoreError | InventoryError | None = None
    async with _opened(settings, traps) as (inventory, collector, receiver):
        start = loop.time()
        tick, late, done = 0, 0, 0
        while not stop.is_set():
            try:
                targets = await _targets(inventory, settings, receiver, told)
                told |= frozenset(targets.notes)
                report(await collector.poll(targets.polled, len(targets.skipped), late))
                failure = None
            except StoreError as error:
                failure = error
                note(f"farola: poll not stored: {error}")
            except InventoryError as error:
                failure = error
                note(f"farola: poll left out: {error}")
            done += 1
            if done == schedule.count:
                break
            now = ticks_passed(loop.time() - start, schedule.interval_s)
            late, tick = max(0, now - tick), max(tick, now) + 1
            with contextlib.suppress(TimeoutError):
                wait_s = start + tick * schedule.interval_s - loop.time()
                await asyncio.wait_for(stop.wait(), max(0.0, wait_s))
        if receiver is not None:
            await receiver.flush()
        if failure is not None:
            raise failure
        return receiver.counts if receiver else None


@contextlib.asynccontextmanager
async def _opened(
    settings: Settings, traps: tuple[str, int] | None
) -> AsyncIterator[tuple[Inventory, Collector, TrapReceiver | None]]:
    inventory = open_inventory(settings)
    store = open_store(settings)
    receiver = None
    try:
        if traps is not None:
            receiver = TrapReceiver(inventory)
            await receiver.listen(*traps)
        yield inventory, Collector(PysnmpPoller(), store), receiver
    finally:
        if receiver is not None:
            await receiver.close()
        store.close()
        inventory.close()


async def _targets(
    inventory: Inventory,
    settings: Settings,
    receiver: TrapReceiver | None,
    told: frozenset[str],
) -> Targets:
    """The devices to poll now; what is odd about them is told once."""

    def read() -> Targets:
        with inventory.session() as session:
            return choose_targets(session, Keyring(settings.home))

    targets = await asyncio.to_thread(read)  # may wait for a lock, and traps must not
    for line in targets.notes:
        if line not in told:
            note(line)
    if receiver is not None:
        receiver.know(targets)
    return targets
