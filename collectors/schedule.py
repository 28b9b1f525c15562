"""When things are due: polls at a fixed rate, and jobs at intervals of their own beside them. Pure
but for `run_job`.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from farola.errors import FarolaError
from farola.output import note

MOST_OFFSET_S = 5.0
OFFSET_SHARE = 0.1


@dataclass(frozen=True)
class FixedRate:
    """Due at `start`, and every `interval_s` after it, however long each takes: no drift.

    `tick` counts from 0; `late` is how many ticks before this one were left out because their
    time had passed.
    """

    start: float
    interval_s: float
    tick: int = 0
    late: int = 0

    @property
    def due(self) -> float:
        """When this tick is due, on the clock of `start`."""
        return self.start + self.tick * self.interval_s

    def after(self, now: float) -> FixedRate:
        """The next tick to wait for once this one is done, at `now`: the first that is still to
        come. Those whose time has passed are left out, they never pile up.
        """
        passed = int((now - self.start) // self.interval_s)
        late = max(0, passed - self.tick)
        return replace(self, tick=self.tick + late + 1, late=late)


def offset_s(host: str, home: Path, interval_s: float) -> float:
    """How long a collector waits before its first poll: up to a tenth of the interval and 5 s, the
    same each time, another for each host and city. After a power cut not all of them start in the
    same second.
    """
    share = zlib.crc32(f"{host}|{home}".encode(errors="surrogatepass")) / 2**32
    return share * min(OFFSET_SHARE * interval_s, MOST_OFFSET_S)


def first_due(now: float, offset: float, interval_s: float, since_last_s: float | None) -> float:
    """When a collector makes its first poll, on the clock of `now`.

    `since_last_s` is how long ago the city was last polled by another collector, None if it was
    not: one that takes over keeps the rhythm and does not poll twice in an interval.
    """
    if since_last_s is None or not 0 <= since_last_s < interval_s:
        return now + (offset if since_last_s is None else 0.0)
    return now + interval_s - since_last_s


@dataclass(frozen=True)
class Job:
    """Work beside the polls, every `interval_s` seconds while the collector is active.

    It shares the event loop with the polls, so it must await what waits and hand what computes to
    a thread. It never overlaps itself; what it raises is told and costs that turn.
    """

    name: str
    interval_s: float
    work: Callable[[], Awaitable[None]]


async def run_job(
    job: Job, stop: asyncio.Event, failed: Callable[[str], None] = lambda _name: None
) -> None:
    """Do `job` at its own rate until `stop` is set; the turn under way is still ended. `failed` is
    called with its name for each turn that is lost.
    """
    clock = asyncio.get_running_loop().time
    rate = FixedRate(clock(), job.interval_s)
    told = ""
    while not stop.is_set():
        try:
            await job.work()
            told = ""
        except Exception as error:  # no slip in a job may end it for the term
            failed(job.name)
            if (said := in_a_line(error)) != told:
                note(f"farola: {job.name} left out: {said}")
            told = said
        rate = rate.after(clock())
        await wait_until(rate.due, stop)


def in_a_line(error: Exception) -> str:
    """What to tell of `error`: a FarolaError says it all, of others the type too."""
    if isinstance(error, FarolaError):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())


async def wait_until(due: float, stop: asyncio.Event) -> None:
    """Wait until `due` on the event loop's clock, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        wait_s = due - asyncio.get_running_loop().time()
        await asyncio.wait_for(stop.wait(), max(0.0, wait_s))
