"""Reads from store and inventory what availability is made of, in bounded pieces: one device's
rows at a time, or, for most of a city, everybody's rows of a short while.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from collectors.availability import (
    DAY_MS,
    MOST_FAULT_MS,
    CollectorTime,
    Ledger,
    PollTold,
    Tally,
    collector_time,
    gone_times,
    network_faults,
)
from collectors.availability_rollups import FIELDS, PollRows, ms, rows_of
from collectors.snmp.state import MISSES
from inventory import maintenance
from inventory.queries import devices, sites
from inventory.records import DeviceRecord
from inventory.uplinks import UplinkRecord, path_up, upstream_of
from timeseries.base import Store, Table

LOOK_BACK = tuple(timedelta(days=days) for days in (0, 0.1, 1, 8, 31, 92))
"""Steps back in time in which the last answer of a device is looked for that was down as the period
begins and whose rows do not tell of one. Without one it has never answered, as far as is known."""
MOST_LOOKED_UP = 200
SURELY_TOLD = ("uptime_s", "clients")
TOLD_BY_ANSWER = (*SURELY_TOLD, "rtt_ms")
"""Fields of a device that answers; one that only refuses us has a round trip, too."""
FOR_EVER_MS = 2**63
_DAYS = timedelta(milliseconds=DAY_MS + MOST_FAULT_MS)


@dataclass(frozen=True)
class City:
    """What the inventory knows of the devices asked about, and of what they hang on."""

    chosen: list[DeviceRecord]
    number: int
    """Devices of the city."""
    upstream: Mapping[str, tuple[str, ...]]
    """What each chosen device hangs on, the nearest first."""
    behind: Mapping[str, frozenset[str]]
    """Who hangs on each of those, in the whole city."""
    windows: maintenance.Windows
    placements: Mapping[str, list[tuple[datetime, datetime | None, str]]]
    names: Mapping[str, str]
    boroughs: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """Tallies by device and site (empty: none), and how the collector did."""

    collector: CollectorTime
    network_polls: int
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)


def read_city(
    session: Session, start: datetime, end: datetime, device: str = "", site: str = ""
) -> City:
    """Look up the live devices, or one, or those that were at one site in the period."""
    every = [one for one in devices(session) if one.status == "live"]
    placements = maintenance.placements(session, start, end)
    chosen = [
        one for one in every
        if (not device or one.id == device)
        and (not site or any(where == site for *_, where in placements.get(one.id, ())))
    ]  # fmt: skip
    paths = upstream_paths(every, upstream_of(session))
    upstream = {one.id: paths[one.id] for one in chosen if one.id in paths}
    wanted = {above for path in upstream.values() for above in path}
    behind: dict[str, set[str]] = {one: set() for one in wanted}
    for below, path in paths.items():
        for above in path:
            if above in wanted:
                behind[above].add(below)
    known = sites(session)
    return City(
        chosen=chosen,
        number=len(every),
        upstream=upstream,
        behind={above: frozenset(below) for above, below in behind.items()},
        windows=maintenance.Windows(maintenance.windows(session, start, end)),
        placements=placements,
        names={one.id: one.name for one in known} | {one.id: one.name for one in every},
        boroughs={one.id: one.borough or "" for one in known},
    )


def upstream_paths(
    every: Sequence[DeviceRecord], uplinks: Mapping[str, UplinkRecord]
) -> dict[str, tuple[str, ...]]:
    """What each device hangs on: switches by LLDP or by hand, the controller that reports it."""
    paths: dict[str, tuple[str, ...]] = {}
    for one in every:
        path = path_up(uplinks, one.id)
        if one.controller_id and one.controller_id != one.id:
            path += [one.controller_id, *path_up(uplinks, one.controller_id)]
        if path:
            paths[one.id] = tuple(dict.fromkeys(above for above in path if above != one.id))
    return paths


def measure(
    store: Store,
    city: City,
    start: datetime,
    end: datetime,
    advance: Callable[[float], None] = lambda _share: None,
    *,
    zone: ZoneInfo | None = None,
) -> Measured:
    """Count the polls between `start` and `end`; `advance` gets the share done. With the city's
    `zone`, hourly rollups spare most of the reading. StoreError where the store cannot be read.
    """
    start_ms, end_ms = ms(start), ms(end)
    every = _polls(store, start - _DAYS, end + timedelta(milliseconds=DAY_MS))
    times = [poll.at_ms for poll in every]
    known = times[bisect_left(times, start_ms) :]
    polls = known[: bisect_left(known, end_ms)]
    # From the poll before the hour before: a fault that began since may go on in the period.
    told = [poll for poll in every if poll.devices and poll.at_ms < end_ms]
    earliest = bisect_right([poll.at_ms for poll in told], start_ms - MOST_FAULT_MS) - 1
    told = told[max(0, earliest) :]
    since = _instant(min(told[0].at_ms, start_ms)) if told else start
    # What becomes of a silence shows in the next polls.
    following = known[len(polls) :][:MISSES]
    until = max(end, _instant(following[-1] + 1)) if following else end
    above = {one for path in city.upstream.values() for one in path}
    gone = {one: gone_times(rows_of(store, one, since, until), times) for one in sorted(above)}
    faults = network_faults(told, _explained(gone, city.behind))
    before = _Before(store, start)
    ledgers = {
        one.id: _ledger(city, one, gone, (known, end_ms), faults, before=before)
        for one in city.chosen
    }
    takers = {device: ledger.add for device, ledger in ledgers.items()}
    PollRows(store, takers, city.number, known).read(start, until, zone, advance)
    # Of the time before the first poll ever the collector is not to blame.
    hour_before = any(start_ms - MOST_FAULT_MS <= at < start_ms for at in times)
    began = start_ms if hour_before or not polls else polls[0]
    measured = Measured(
        collector_time(polls, began, end_ms, ms(datetime.now(UTC))),
        len(faults.intersection(polls)),
    )
    for device, ledger in ledgers.items():
        for site, tally in ledger.closed().items():
            measured.tallies[device, site] = tally
    return measured


class _Before:
    """Tells what was before the period; of the first few devices that it has to look far for, as
    each is some questions to the store. The others are taken to have answered once.
    """

    def __init__(self, store: Store, start: datetime) -> None:
        self._store, self._start = store, start
        self._left_answered = self._left_asked = MOST_LOOKED_UP

    def answered(self, device: str, at_ms: int) -> bool:
        """Whether the device, silent at `at_ms`, ever answered: that row may tell."""
        at, where = _instant(at_ms), {"device": device}
        tick = timedelta(milliseconds=1)
        if len(self._store.series("device", where, at, at + tick, ("last_told_s",))):
            return True
        self._left_answered -= 1
        if self._left_answered < 0:
            return True
        for table in self._back(device, TOLD_BY_ANSWER):
            if not len(table):
                continue
            if any(value is not None for name in SURELY_TOLD for value in table.fields[name]):
                return True
            since, until = _instant(table.times[0]), _instant(table.times[-1]) + tick
            if any(self._store.series("device", where, since, until, FIELDS).fields["answered"]):
                return True
        return False

    def asked(self, device: str) -> bool:
        """Whether the device was asked before the period."""
        self._left_asked -= 1
        return self._left_asked >= 0 and any(map(len, self._back(device, ("answered",))))

    def _back(self, device: str, fields: tuple[str, ...]) -> Iterator[Table]:
        for near, far in pairwise(LOOK_BACK):
            since, until = self._start - far, self._start - near
            yield self._store.series("device", {"device": device}, since, until, fields)


def _ledger(
    city: City,
    device: DeviceRecord,
    gone: Mapping[str, frozenset[int]],
    made: tuple[Sequence[int], int],
    faults: frozenset[int],
    *,
    before: _Before,
) -> Ledger:
    where = _whereabouts(city.placements.get(device.id, []))

    def excused(at_ms: int, site: str) -> bool:
        return bool(city.windows) and city.windows.cover(_instant(at_ms), device.id, site)

    above = (gone[one] for one in city.upstream.get(device.id, ()))
    return Ledger(
        *made, where, excused, frozenset().union(*above), faults,
        partial(before.answered, device.id), partial(before.asked, device.id),
        seen=[] if device.controller_id else None,
    )  # fmt: skip


def _whereabouts(
    placements: Sequence[tuple[datetime, datetime | None, str]],
) -> Callable[[int], str]:
    """At which site something was at a time; nowhere (empty) before, between and after those."""
    if not placements:
        return lambda _at: ""
    starts = [ms(since) for since, _, _ in placements]
    ends = [FOR_EVER_MS if until is None else ms(until) for _, until, _ in placements]

    def where(at: int) -> str:
        number = bisect_right(starts, at) - 1
        return placements[number][2] if number >= 0 and at < ends[number] else ""

    return where


def _explained(
    gone: Mapping[str, frozenset[int]], behind: Mapping[str, frozenset[str]]
) -> dict[int, int]:
    """By poll how many devices hung on something that was down."""
    by_poll: dict[int, set[str]] = {}
    for above, times in gone.items():
        for at in times:
            by_poll.setdefault(at, set()).update(behind.get(above, ()))
    return {at: len(below) for at, below in by_poll.items()}


def _polls(store: Store, start: datetime, end: datetime) -> list[PollTold]:
    """All collectors' polls in order; of two in one millisecond the one of more devices."""
    table = store.series("poll", {}, start, end, ("devices", "answered"))
    by_time: dict[int, PollTold] = {}
    for at, devices_asked, answered in zip(
        table.times, table.fields["devices"], table.fields["answered"], strict=True
    ):
        poll = PollTold(at, int(devices_asked or 0), int(answered or 0))
        if at not in by_time or by_time[at].devices < poll.devices:
            by_time[at] = poll
    return [by_time[at] for at in sorted(by_time)]


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
