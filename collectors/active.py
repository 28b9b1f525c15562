"""The collector while it is active: polls at a fixed rate, jobs beside them, and the lease kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from collectors.families import told_book
from collectors.lease_keeper import LeaseKeeper, LeaseLostError
from collectors.metrics import Gauges
from collectors.one_poll import one_poll_at_a_time
from collectors.poll import Collector, Summary, Turn
from collectors.roster import Roster
from collectors.schedule import (
    FixedRate,
    Job,
    first_due,
    in_a_line,
    offset_s,
    run_job,
    wait_until,
)
from collectors.snmp.poller import Poller
from collectors.snmp.trap_receiver import TrapReceiver
from farola.errors import FarolaError, InventoryError, SettingsError, StoreError
from farola.output import note
from farola.settings import Settings
from timeseries.base import Store
from timeseries.spooled import newest_known

MOST_WAIT_S = 5.0


@dataclass
class Active:
    """One term of one collector. `count` is how many polls are still wanted (None: no end)."""

    settings: Settings
    interval_s: float
    count: int | None
    name: str
    poller: Poller
    store: Store
    keeper: LeaseKeeper
    roster: Roster
    receiver: TrapReceiver | None
    traps: tuple[str, int] | None
    gauges: Gauges
    report: Callable[[Summary], None]
    wake: asyncio.Event
    """Set when the collector shall end or start over."""
    jobs: Sequence[Job] = ()
    polled: int = field(default=0, init=False)
    failure: FarolaError | None = field(default=None, init=False)
    """What the last poll was lost to."""
    _deaf: str = field(default="", init=False)

    async def listen(self, *, strict: bool) -> None:
        """Listen for traps. What hinders it is raised (SettingsError) if `strict`, else told, and
        tried again before each poll.
        """
        if self.receiver is None or self.traps is None:
            return
        # Whom to believe comes first: the first poll may be due much later.
        with contextlib.suppress(FarolaError):  # the poll tells what hinders it
            self.receiver.know((await self.roster.listed()).targets)
        try:
            await self.receiver.listen(*self.traps)
            self._deaf = ""
        except SettingsError as error:
            if strict:
                raise
            if not self._deaf:
                note(f"farola: {error}")
            self._deaf = str(error)
        self.gauges.traps = self.receiver.counts

    async def run(self) -> str:
        """Poll until woken, done or without a lease; tell how the lease was lost, else nothing."""
        stop = asyncio.Event()
        polls = asyncio.create_task(self._polls())
        lease = asyncio.create_task(self.keeper.keep())
        jobs = [
            asyncio.create_task(run_job(job, stop, self.gauges.job_failed)) for job in self.jobs
        ]
        try:
            await asyncio.wait({polls, lease}, return_when=asyncio.FIRST_COMPLETED)
            return await polls if polls.done() else await lease
        finally:
            stop.set()
            tasks = [polls, lease, *jobs]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _polls(self) -> str:
        clock = asyncio.get_running_loop().time
        # Another Collector each term: what an older one remembers, another has polled past.
        collector = Collector(
            self.poller, self.store, self.name, self.roster.identify, self._alone,
            book=told_book(self.settings.home),
        )  # fmt: skip
        since_last_s = await self._since_last_poll()
        offset = offset_s(self.name, self.settings.home, self.interval_s)
        rate = FixedRate(first_due(clock(), offset, self.interval_s, since_last_s), self.interval_s)
        if rate.due - clock() > 1:
            note(f"the next poll is due in {rate.due - clock():.0f} s")
        await wait_until(rate.due, self.wake)
        while not self.wake.is_set():
            try:
                await self._poll(collector, rate.late, max(0.0, clock() - rate.due))
                self.failure = None
            except LeaseLostError as error:
                self.gauges.poll_failed("lease lost", rate.late)
                return str(error)
            except StoreError as error:
                self.failure = error
                note(f"farola: poll not stored: {error}")
                self.gauges.poll_failed("store", rate.late)
            except InventoryError as error:
                self.failure = error
                note(f"farola: poll left out: {error}")
                self.gauges.poll_failed("inventory", rate.late)
            except Exception as error:  # the city is polled on, whatever happened
                said = in_a_line(error)
                self.failure = error if isinstance(error, FarolaError) else FarolaError(
                    f"the last poll was lost to {said}"
                )  # fmt: skip
                note(f"farola: poll left out: {said}")
                self.gauges.poll_failed("other", rate.late)
            self.polled += 1
            if self.polled == self.count:
                break
            rate = rate.after(clock())
            await wait_until(rate.due, self.wake)
        if self.receiver is not None:
            await self.receiver.flush()
        return ""

    async def _poll(self, collector: Collector, late: int, lag_s: float) -> None:
        if self._deaf:
            await self.listen(strict=False)
        listed = await self.roster.listed()
        targets = listed.targets
        if self.receiver is not None:
            self.receiver.know(targets)
        summary = await collector.poll(
            targets.polled, len(targets.skipped), late,
            turn=Turn(lag_s, self.keeper.confirm), looked_after=listed.looked_after,
        )  # fmt: skip
        with contextlib.suppress(InventoryError):  # the poll is stored all the same
            summary = await self.roster.excused(summary)
        self.gauges.poll_done(summary)
        self.report(summary)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait for a `farola collect once` of this home, but not for long: the lease keeps other
        collectors away, and one that was paused in its poll may never give its turn up.
        """
        async with contextlib.AsyncExitStack() as held:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self.interval_s / 4, MOST_WAIT_S)):
                    await held.enter_async_context(one_poll_at_a_time(self.settings.home))
            yield

    async def _since_last_poll(self) -> float | None:
        """Seconds since another collector polled last; None if this is the city's first, or it
        cannot be told.
        """
        if self.keeper.before is None:
            return None
        now = datetime.now(UTC)
        since = now - timedelta(seconds=self.interval_s)
        try:
            table = await asyncio.to_thread(newest_known, self.store, "poll", ("devices",), since)
        except StoreError:  # the poll itself will tell
            return None
        return now.timestamp() - max(table.times) / 1000 if table.times else None
