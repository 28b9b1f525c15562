"""Who is slow, dead, unheard of or being worked on, from the newest sample of each device. Pure but
for `last_answers`, which looks into the store for a few of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timeseries.base import Store, Table

STALE_MS = 15 * 60_000
"""A device whose newest sample is this much older than the city's newest is unknown, as on the
console."""
SLOWEST = 5
LOOKED_UP = 20
"""Of so many dead devices the last answer is looked up; each is a question to the store."""
LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))


@dataclass(frozen=True)
class Slow:
    """A device whose first answer took long, in the newest poll."""

    device: str
    name: str
    rtt_ms: float


@dataclass(frozen=True)
class Dead:
    """A device that is down. `last_answer` is None where it was not looked up or is more than a
    week ago; `behind` is the dead device that it hangs on, the farthest up.
    """

    device: str
    name: str
    last_answer: datetime | None = None
    behind: str | None = None


@dataclass(frozen=True)
class Standing:
    """The devices that want a look; `unknown` and `maintenance` (those not up in it) by id."""

    slowest: tuple[Slow, ...] = ()
    dead: tuple[Dead, ...] = ()
    unknown: tuple[str, ...] = ()
    maintenance: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """The newest sample of a device; time in milliseconds since 1970."""

    at_ms: int
    state: str | None
    rtt_ms: float | None


def samples(latest: Table | None) -> dict[str, Sample]:
    """The newest sample by device, without those that are too old to count."""
    if latest is None or not latest.times:
        return {}
    fresh = max(latest.times) - STALE_MS
    states, trips = latest.fields["state"], latest.fields.get("rtt_ms", [None] * len(latest))
    return {
        device: Sample(
            at, str(state) if state is not None else None,
            float(trip) if isinstance(trip, int | float) else None,
        )
        for at, device, state, trip in zip(
            latest.times, latest.tags["device"], states, trips, strict=True
        )
        if at >= fresh
    }  # fmt: skip


def by_state(ids: Iterable[str], known: Mapping[str, Sample]) -> dict[str, int]:
    """How many of the devices `ids` are up, down and unknown."""
    counted = {"up": 0, "down": 0, "unknown": 0}
    for device in ids:
        sample = known.get(device)
        counted[sample.state if sample and sample.state in ("up", "down") else "unknown"] += 1
    return counted


def standing(
    names: Mapping[str, str],
    known: Mapping[str, Sample],
    upstream: Mapping[str, Sequence[str]],
    maintained: Collection[str],
) -> Standing:
    """Sort the devices `names` (by id); `upstream` is what each hangs on, the nearest first, and
    `maintained` who is in maintenance.
    """
    down = {device for device in names if device in known and known[device].state == "down"}
    up = {device for device in names if device in known and known[device].state == "up"}
    newest = max((sample.at_ms for sample in known.values()), default=0)
    timed = [
        (known[device].rtt_ms or 0.0, device)
        for device in up
        if known[device].at_ms == newest and known[device].rtt_ms is not None
    ]
    dead = [
        Dead(
            device, names[device],
            behind=next((one for one in reversed(upstream.get(device, ())) if one in down), None),
        )
        for device in sorted(down.difference(maintained))
    ]  # fmt: skip
    return Standing(
        tuple(Slow(device, names[device], trip) for trip, device in heapq.nlargest(SLOWEST, timed)),
        tuple(sorted(dead, key=lambda one: (one.behind is not None, one.behind or "", one.device))),
        tuple(sorted(set(names) - up - down - set(maintained))),
        tuple(sorted(device for device in names if device in maintained and device not in up)),
    )


def last_answers(dead: Sequence[Dead], store: Store, now: datetime) -> tuple[Dead, ...]:
    """`dead` with the last answer of the first LOOKED_UP. Raises StoreError."""
    looked_up = [replace(one, last_answer=_last_answer(one.device, store, now))
                 for one in dead[:LOOKED_UP]]  # fmt: skip
    return (*looked_up, *dead[LOOKED_UP:])


def _last_answer(device: str, store: Store, now: datetime) -> datetime | None:
    until = now + timedelta(minutes=1)
    for back in LOOK_BACK:
        table = store.series("device", {"device": device}, now - back, until, ("answered",))
        answered = [
            at for at, fine in zip(table.times, table.fields["answered"], strict=True) if fine
        ]
        if answered:
            return datetime.fromtimestamp(answered[-1] / 1000, UTC)
    return None
