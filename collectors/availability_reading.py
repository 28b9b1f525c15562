"""Reads from store and inventory what availability is made of, in bounded pieces: one device's
rows at a time, or, for most of a city, everybody's rows of a short while.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

from sqlalchemy.orm import Session

from collectors.availability import (
    CollectorTime,
    Ledger,
    PollTold,
    Tally,
    collector_time,
    gone_times,
    network_faults,
)
from inventory import maintenance
from inventory.queries import devices, sites
from inventory.records import DeviceRecord
from inventory.uplinks import UplinkRecord, path_up, upstream_of
from timeseries.base import Store

FIELDS = ("answered", "state")
SCAN_SHARE = 0.2
"""From this share of the city on, everybody's rows are read quicker than one device's at a time."""
ROWS_AT_ONCE = 300_000
BASELINE = timedelta(hours=1)
"""What the city's answers are like before the period, to tell a sudden silence at its start."""
LOOK_BACK = timedelta(days=30)
"""A device that is down as the period begins and did not answer in that time before it has never
answered, as far as is known."""
MOST_LOOKED_UP = 200
TOLD_BY_ANSWER = ("rtt_ms", "uptime_s", "clients")
"""Fields that only a device that answers has."""
Row = tuple[int, bool, str | None]


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
) -> Measured:
    """Count the polls between `start` and `end`; `advance` gets the share done. StoreError where
    the store cannot be read.
    """
    start_ms, end_ms = _ms(start), _ms(end)
    told = _polls(store, start - BASELINE, end)
    polls = [poll.at_ms for poll in told if start_ms <= poll.at_ms < end_ms]
    above = {one for path in city.upstream.values() for one in path}
    gone = {one: gone_times(_rows(store, one, start, end)) for one in sorted(above)}
    faults = network_faults(told, _explained(gone, city.behind))
    answered_before = _Before(store, start)
    ledgers = {
        one.id: _ledger(city, one, gone, faults, partial(answered_before, one.id))
        for one in city.chosen
    }
    if len(ledgers) > SCAN_SHARE * city.number and len(ledgers) > 1:
        for at, device, answered, state in _everybody(store, city.number, polls, start, end):
            if device in ledgers:
                ledgers[device].add(at, answered, state)
            advance((at - start_ms) / (end_ms - start_ms))
    else:
        for done, (device, ledger) in enumerate(ledgers.items()):
            for row in _rows(store, device, start, end):
                ledger.add(*row)
            advance((done + 1) / len(ledgers))
    # Of the time before the first poll ever the collector is not to blame.
    began = start_ms if any(poll.at_ms < start_ms for poll in told) or not polls else polls[0]
    measured = Measured(collector_time(polls, began, end_ms), len(faults.intersection(polls)))
    for device, ledger in ledgers.items():
        for site, tally in ledger.closed(polls).items():
            measured.tallies[device, site] = tally
    return measured


class _Before:
    """Tells whether a device answered in the time before the period; of the first few that it is
    asked about, as each is a question to the store. The others are taken to have answered once.
    """

    def __init__(self, store: Store, start: datetime) -> None:
        self._store, self._start, self._left = store, start, MOST_LOOKED_UP

    def __call__(self, device: str) -> bool:
        self._left -= 1
        if self._left < 0:
            return True
        table = self._store.series(
            "device", {"device": device}, self._start - LOOK_BACK, self._start, TOLD_BY_ANSWER
        )
        return len(table) > 0


def _ledger(
    city: City,
    device: DeviceRecord,
    gone: Mapping[str, frozenset[int]],
    faults: frozenset[int],
    answered_before: Callable[[], bool],
) -> Ledger:
    where = _whereabouts(city.placements.get(device.id, []))

    def excused(at_ms: int, site: str) -> bool:
        return bool(city.windows) and city.windows.cover(_instant(at_ms), device.id, site)

    above = (gone[one] for one in city.upstream.get(device.id, ()))
    return Ledger(
        where, excused, frozenset().union(*above), faults, answered_before,
        seen=[] if device.controller_id else None,
    )  # fmt: skip


def _whereabouts(
    placements: Sequence[tuple[datetime, datetime | None, str]],
) -> Callable[[int], str]:
    """At which site something was at a time."""
    if not placements:
        return lambda _at: ""
    if len(placements) == 1:
        return lambda _at: placements[0][2]
    starts = [_ms(since) for since, _, _ in placements]
    return lambda at: placements[max(0, bisect_right(starts, at) - 1)][2]


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


def _rows(store: Store, device: str, start: datetime, end: datetime) -> Iterator[Row]:
    table = store.series("device", {"device": device}, start, end, FIELDS)
    for at, answered, state in zip(
        table.times, table.fields["answered"], table.fields["state"], strict=True
    ):
        yield at, bool(answered), None if state is None else str(state)


def _everybody(
    store: Store, number: int, polls: Sequence[int], start: datetime, end: datetime
) -> Iterator[tuple[int, str, bool, str | None]]:
    """All rows of the city, read in pieces of some ROWS_AT_ONCE."""
    polls_at_once = max(1, ROWS_AT_ONCE // max(1, number))
    edges = [start, *(_instant(at) for at in polls[polls_at_once::polls_at_once]), end]
    for since, until in pairwise(edges):
        table = store.series("device", {}, since, until, FIELDS)
        for at, device, answered, state in zip(
            table.times, table.tags["device"], table.fields["answered"], table.fields["state"],
            strict=True,
        ):  # fmt: skip
            yield at, device, bool(answered), None if state is None else str(state)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
