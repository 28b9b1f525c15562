"""The newest poll, and whether it is so old that nobody seems to poll any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timeseries.base import Store

COUNTS = ("devices", "answered", "timed_out", "late", "retried", "dropped")
SECONDS = ("lag_s", "duration_s", "cpu_s")
LAG_TOLD_S = 1.0
LOOK_BACK = (timedelta(hours=1), timedelta(days=3))
"""How far back from the newest poll the interval is looked for, the shorter first."""
INTERVALS = 3
SOONEST = timedelta(minutes=1)
"""No poll is stale before: one may last that long, and is stored when it is over."""
INTERVAL_UNKNOWN = timedelta(minutes=5)


@dataclass(frozen=True)
class Poll:
    """The newest poll: when it was made (UTC) and by whom, whether the next is overdue (`stale`),
    devices asked, answered and timed out; polls left out before it, requests sent again, replies
    that the kernel dropped; how long after its due time it started, how long it took, and its CPU
    time. None is not told.
    """

    at: datetime
    collector: str
    stale: bool
    devices: int | None
    answered: int | None
    timed_out: int | None
    late: int | None
    retried: int | None
    dropped: int | None
    lag_s: float | None
    duration_s: float | None
    cpu_s: float | None


def last_poll(store: Store, now: datetime) -> Poll | None:
    """The newest poll of any collector. StoreError where the store cannot be read."""
    table = store.latest("poll", (*COUNTS, *SECONDS))
    if not table.times:
        return None
    newest = max(range(len(table)), key=table.times.__getitem__)

    def figure(name: str) -> float | None:
        value = table.fields[name][newest]
        return float(value) if isinstance(value, int | float) else None

    def count(name: str) -> int | None:
        value = figure(name)
        return None if value is None else int(value)

    at = datetime.fromtimestamp(table.times[newest] / 1000, UTC)
    stale = now - at > SOONEST and now - at > _patience(store, at)
    collector = table.tags["collector"][newest]
    return Poll(at, collector, stale, *map(count, COUNTS), *map(figure, SECONDS))


def _patience(store: Store, newest: datetime) -> timedelta:
    """How old the newest poll may be."""
    for back in LOOK_BACK:
        table = store.series(
            "poll", {}, newest - back, newest + timedelta(milliseconds=1), ("devices",)
        )
        if allowed := patience(table.times):
            return allowed
    return INTERVAL_UNKNOWN


def patience(times: Sequence[int]) -> timedelta | None:
    """How long after the last of polls at `times` (milliseconds) another is due for certain; None
    where there were not two.
    """
    gaps = [after - before for before, after in pairwise(sorted(set(times)))]
    return INTERVALS * timedelta(milliseconds=median(gaps)) if gaps else None


def poll_line(poll: Poll | None, local: Callable[[datetime], str], now: datetime) -> str:
    """What `farola status` prints of it; `local` shows an instant."""
    if poll is None:
        return "none yet: run `farola collect once`"
    parts = [f"{local(poll.at)}, {poll.answered} of {poll.devices} answered"]
    if poll.duration_s is not None:
        parts.append(f"in {poll.duration_s:.1f} s")
    if poll.lag_s is not None and poll.lag_s >= LAG_TOLD_S:
        parts.append(f"{poll.lag_s:.1f} s after its time")
    for count, one, many in (
        (poll.late, "poll before it left out", "polls before it left out"),
        (poll.dropped, "reply dropped by the kernel", "replies dropped by the kernel"),
    ):
        if count:
            parts.append(f"{count:,} {one if count == 1 else many}")
    line = ", ".join(parts)
    if poll.stale:
        line += f"; STALE, no poll for {_length(now - poll.at)}: is the collector running?"
    return line


def _length(time: timedelta) -> str:
    """At least a minute, in the largest unit that leaves two of it."""
    seconds = int(time.total_seconds())
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
