"""What the reactor has to do, as data: which events ask for a look at a device's config, when each
is due, what is tried again, and which events were read. Pure; `reactor_jobs` keeps it in the
inventory, so that a restart neither loses nor repeats one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

URGENCY = {"trap.config-changed": 0, "trap.agent-restart": 1, "trap.cold-start": 2}
"""Events that ask for a fetch, the most urgent first. net-snmp sends agent-restart when it takes
its configuration over again, cold-start when its service was restarted or the device was: both
follow a change, a factory reset too.
"""
SETTLED = timedelta(seconds=60)
"""An id that was passed over so long ago is no event's any more: several write at the same time."""
LONGEST_WAIT = timedelta(seconds=60)
"""A device whose traps never end is looked at all the same."""
RETRY = (timedelta(seconds=15), timedelta(seconds=60), timedelta(seconds=300))
"""Pauses before a device that could not be reached is tried again; then it is given up."""
CAUSES = 20
"""Ids of events that are named as the cause of one fetch: the last ones."""
MOST_GAPS = 200
"""Gaps in the ids that are watched; of more, the lowest count as empty."""


@dataclass(frozen=True)
class Trigger:
    """An event that asks for a fetch."""

    id: int
    at: datetime
    kind: str
    device_id: str


@dataclass(frozen=True)
class Job:
    """A device to look at: since when, when at the earliest, how urgent, after how many tries."""

    device_id: str
    since: datetime
    due: datetime
    urgency: int
    base: str = ""
    """Mark of the version that was the newest when the job began: what it is compared with, so
    that a crash between keeping a config and telling of it loses no change."""
    causes: tuple[int, ...] = ()
    events: int = 0
    """How many there were, those no longer named in `causes` too. It tells a fetch that came
    before the last of them; their ids do not, which may appear in any order."""
    tries: int = 0


def with_trigger(job: Job | None, trigger: Trigger, newest: str, quiet: timedelta) -> Job:
    """The device's job with one more event, which puts the fetch off until it was quiet for
    `quiet`; `newest` is the mark of its newest version, for a job that begins.
    """
    urgency = URGENCY[trigger.kind]
    job = job or Job(trigger.device_id, trigger.at, trigger.at, urgency, newest)
    return replace(
        job,
        due=min(trigger.at + quiet, job.since + max(quiet, LONGEST_WAIT)),
        urgency=min(job.urgency, urgency),
        causes=(*job.causes, trigger.id)[-CAUSES:],
        events=job.events + 1,
        tries=0,
    )


def done(held: Job | None, job: Job, mark: str = "") -> Job | None:
    """What is left of the `held` job of a device when the fetch for `job` came to its end: the
    events since it began, to be compared with the version `mark` that it found.
    """
    fresh = held.events - job.events if held else 0
    if held is None or fresh <= 0:
        return None
    return replace(
        held, since=held.due, causes=held.causes[-fresh:], events=fresh, base=mark or job.base,
        tries=0,
    )  # fmt: skip


def failed(held: Job | None, job: Job, now: datetime) -> tuple[Job | None, bool]:
    """What is left of it when the device could not be reached, and whether `job` is given up."""
    if job.tries >= len(RETRY):
        return done(held, job), True
    if held is None or held == job:
        held = replace(job, due=now + RETRY[job.tries], tries=job.tries + 1)
    return held, False


@dataclass(frozen=True)
class Seen:
    """Which events were read: all up to `cursor`, and the `islands` above it.

    An island is its first id, its last, and when it was found; between them are ids that are no
    event's, or whose event another process has yet to commit.
    """

    cursor: int
    islands: tuple[tuple[int, int, datetime], ...] = ()

    def with_ids(self, ids: Iterable[int], now: datetime) -> Seen:
        """With these read too."""
        cursor, islands = self.cursor, list[tuple[int, int, datetime]]()
        for first, last, found in sorted([*self.islands, *((i, i, now) for i in ids)]):
            if first <= cursor + 1:
                cursor = max(cursor, last)
            elif islands and first <= islands[-1][1] + 1:
                below, end, before = islands[-1]
                islands[-1] = (below, max(end, last), before)
            else:
                islands.append((first, last, found))
        return Seen(cursor, tuple(islands))

    def settled(self, now: datetime) -> Seen:
        """Without the gaps below what was found `SETTLED` ago, and without the lowest of many."""
        old = [last for _, last, found in self.islands if found <= now - SETTLED]
        old += [last for _, last, _ in self.islands[:-MOST_GAPS]]
        cursor = max([self.cursor, *old])
        return Seen(cursor, tuple(one for one in self.islands if one[0] > cursor)).with_ids((), now)

    def gaps(self) -> Sequence[tuple[int, int | None]]:
        """Where events may appear: between the first id and the second, both excluded."""
        ends = [self.cursor, *(last for _, last, _ in self.islands)]
        return list(zip(ends, [*(first for first, _, _ in self.islands), None], strict=True))

    def as_json(self) -> dict[str, Any]:
        """What `read` reads."""
        islands = [[first, last, found.isoformat()] for first, last, found in self.islands]
        return {"cursor": self.cursor, "islands": islands}

    @classmethod
    def read(cls, data: Any) -> Seen | None:
        """What was kept; None where it is not that."""
        try:
            cursor, kept = data["cursor"], data["islands"]
            islands = tuple((a, b, datetime.fromisoformat(at)) for a, b, at in kept)
        except (KeyError, TypeError, ValueError):
            return None
        ids = [cursor, *(one for a, b, _ in islands for one in (a, b))]
        whole = all(type(one) is int for one in ids) and ids == sorted(ids)
        return cls(cursor, islands) if whole and not any(at.tzinfo for *_, at in islands) else None
