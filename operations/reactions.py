"""What the reactor has to do, as data: which events ask for a look at a device's config, when each
is due, what is tried again. Pure; kept in the inventory, so that a restart neither loses nor
repeats one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

URGENCY = {"trap.config-changed": 0, "trap.agent-restart": 1, "trap.cold-start": 2}
"""Events that ask for a fetch, the most urgent first. net-snmp sends agent-restart when it takes
its configuration over again, cold-start when its service was restarted or the device was: both
follow a change, a factory reset too.
"""
SETTLED = timedelta(seconds=60)
"""Events with a lower id than one this old are all there: several write at the same time."""
LONGEST_WAIT = timedelta(seconds=60)
"""A device whose traps never end is looked at all the same."""
RETRY = (timedelta(seconds=15), timedelta(seconds=60), timedelta(seconds=300))
"""Pauses before a device that could not be reached is tried again; then it is given up."""
CAUSES = 20
"""Ids of events that are named as the cause of one fetch."""


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
    tries: int = 0


@dataclass(frozen=True)
class Agenda:
    """All jobs, and which events were taken: all up to `cursor`, and those in `taken`."""

    cursor: int
    taken: frozenset[int] = frozenset()
    jobs: dict[str, Job] = field(default_factory=dict)

    def with_triggers(
        self, found: Iterable[Trigger], newest: dict[str, str], quiet: timedelta
    ) -> Agenda:
        """Take what is new in `found`; each puts its device's fetch off until it was quiet for
        `quiet`. `newest` gives the mark of a device's newest version.
        """
        jobs, taken = dict(self.jobs), set(self.taken)
        for trigger in found:
            if trigger.id <= self.cursor or trigger.id in taken:
                continue
            taken.add(trigger.id)
            old = jobs.get(trigger.device_id)
            job = old or Job(
                trigger.device_id, trigger.at, trigger.at, URGENCY[trigger.kind],
                newest.get(trigger.device_id, ""),
            )  # fmt: skip
            jobs[trigger.device_id] = replace(
                job,
                due=min(trigger.at + quiet, job.since + max(quiet, LONGEST_WAIT)),
                urgency=min(job.urgency, URGENCY[trigger.kind]),
                causes=(*job.causes, trigger.id)[:CAUSES],
                tries=0,
            )
        return Agenda(self.cursor, frozenset(taken), jobs)

    def settled(self, until: int) -> Agenda:
        """The same with the cursor at `until`, if that is further: no event up to it can appear
        any more.
        """
        cursor = max(self.cursor, until)
        return Agenda(cursor, frozenset(i for i in self.taken if i > cursor), self.jobs)

    def due(self, now: datetime) -> list[Job]:
        """Jobs whose time has come, the most urgent first."""
        ready = [job for job in self.jobs.values() if job.due <= now]
        return sorted(ready, key=lambda job: (job.urgency, job.due))

    def done(self, job: Job, mark: str = "") -> Agenda:
        """Without a job that came to its end. Triggers that came meanwhile stay, to be compared
        with the version `mark` that it found.
        """
        held = self.jobs.get(job.device_id, job)
        fresh = tuple(i for i in held.causes if i not in job.causes)
        if not fresh:
            return self._with(job.device_id, None)
        again = replace(held, since=held.due, causes=fresh, base=mark or job.base, tries=0)
        return self._with(job.device_id, again)

    def failed(self, job: Job, now: datetime) -> tuple[Agenda, bool]:
        """With a job that is tried again later; without it and True once it is given up."""
        if job.tries >= len(RETRY):
            return self.done(job), True
        held = self.jobs.get(job.device_id, job)
        if held == job:
            held = replace(job, due=now + RETRY[job.tries], tries=job.tries + 1)
        return self._with(job.device_id, held), False

    def _with(self, device_id: str, job: Job | None) -> Agenda:
        jobs = {name: one for name, one in self.jobs.items() if name != device_id}
        if job is not None:
            jobs[device_id] = job
        return Agenda(self.cursor, self.taken, jobs)

    def as_json(self) -> dict[str, Any]:
        """What `read` reads."""
        return {
            "cursor": self.cursor,
            "taken": sorted(self.taken),
            "jobs": [
                [j.device_id, j.since.isoformat(), j.due.isoformat(), j.urgency, j.base,
                 list(j.causes), j.tries]
                for j in self.jobs.values()
            ],
        }  # fmt: skip

    @classmethod
    def read(cls, data: dict[str, Any]) -> Agenda:
        """The agenda that was kept."""
        jobs = [
            Job(device, datetime.fromisoformat(since), datetime.fromisoformat(due), urgency, base,
                tuple(causes), tries)
            for device, since, due, urgency, base, causes, tries in data["jobs"]
        ]  # fmt: skip
        return cls(data["cursor"], frozenset(data["taken"]), {job.device_id: job for job in jobs})
