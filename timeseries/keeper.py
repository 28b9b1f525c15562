"""Keeps the rollups of a city up to date, and forgets what is older than its settings say.

What is due is told by `timeseries.marks`; an hour is made from the raw rows that the store has, and
a day from its hours, as often as they are marked. To make one again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from farola.files import locked_if_free
from farola.settings import Settings
from inventory.membership import BOROUGH, NEIGHBOURHOOD, PROGRAMME, SITE, Membership
from timeseries.base import SCHEMA, Aggregate, Batch, Store, Table, Value
from timeseries.group_book import GroupBook
from timeseries.marks import Marks
from timeseries.rollups import (
    CITY,
    OF_RAW,
    RAW,
    Groups,
    always,
    joined,
    of_hours,
    rows_of,
    traffic_of,
    uplinks_of,
)
from timeseries.sqlite_files import named_faults
from timeseries.tags import clean_tag
from timeseries.windows import Window, hour_of, instant

GRACE_MS = 120_000
"""A poll is written some time after the instant that it bears: its hour is left alone so long."""
LOCK = "rollups.lock"
HALF_HOUR_S = 1800
MOST_MOVED = 300
"""Devices moved within one hour whose rows are told apart by the time of the move; of more, each
counts where it was at the end of the hour."""
GROUP_TAGS = ("kind", "group")
KINDS = (SITE, NEIGHBOURHOOD, BOROUGH, PROGRAMME, CITY[0])
Advance = Callable[[int, int], None]
Uplinks = frozenset[tuple[str, str]]


class Retention(Protocol):
    """Forgets what is too old; `open_hours` are those whose raw rows are still wanted. Tells what
    it forgot, in a line; nothing if nothing.
    """

    def __call__(self, now: datetime, open_hours: Sequence[Window]) -> str:
        """Raises StoreError."""
        ...


@dataclass
class Kept:
    """What a run did. `left` are hours whose raw rows are partly forgotten: those stay as they were
    made when all were there. `forgot` tells what retention took away.
    """

    hours: int = 0
    days: int = 0
    left: int = 0
    forgot: str = ""


class Keeper:
    """Makes the rollups of one home. Only one at a time does, in whatever process."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        zone: ZoneInfo,
        membership: Callable[[], Membership],
        retention: Retention | None = None,
        *,
        marks: Marks | None = None,
    ) -> None:
        """`store` must show what was written as soon as `write` returns (no spool before it);
        `folder` is that of the series, with the marks.
        """
        self._store, self._folder, self._zone = store, folder, zone
        self._membership, self._retention = membership, retention
        self._marks = marks or Marks(folder, zone)
        self._book = GroupBook(folder)
        self._stopped = False
        self._is_first = True

    def stop(self) -> None:
        """End soon; the hour or day under way stays marked."""
        self._stopped = True

    def close(self) -> None:
        """Release files and connections."""
        self._marks.close()
        self._store.close()

    def run_due(self, now: datetime, advance: Advance = lambda _done, _of: None) -> Kept | None:
        """Make what is marked and over, then forget what is too old. None if another process is at
        it. `advance` is told how many windows are done, and of how many.

        Raises StoreError or InventoryError; what was not made stays marked.
        """
        with named_faults(self._folder / LOCK):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = locked_if_free(self._folder / LOCK)
        with lock as is_ours:
            return self._run(now, advance) if is_ours else None

    def mark_again(self, start: datetime, end: datetime) -> int:
        """Have the hours from `start` until before `end` in which the city was polled, or a device
        has rows, made again by the next run; how many they are.
        """
        polls = self._store.series("poll", {}, start, end, ("devices",))
        # Windows of half an hour of hours that may begin at any minute: each lies in one hour.
        first = instant(hour_of(_ms(start), self._zone).start)
        rows = {"rows": Aggregate("answered")}
        found = self._store.aggregates("device", rows, first, end, every_s=HALF_HOUR_S)
        return len(self._marks.mark([*polls.times, *found.times]))

    def _run(self, now: datetime, advance: Advance) -> Kept:
        kept = Kept()
        self._learn_past(now)
        before_ms = _ms(now) - GRACE_MS
        if due := self._marks.due(before_ms):
            members = self._members(before_ms)
            for number, mark in enumerate(due):
                if self._stopped:
                    return kept
                self._hour(mark.window, members, kept)
                if self._stopped:
                    return kept
                self._marks.done(mark)
                advance(number + 1, len(due))
        days = self._marks.due_days(before_ms)
        for number, mark in enumerate(days):
            if self._stopped:
                return kept
            self._day(mark.window, kept)
            if self._stopped:
                return kept
            self._marks.done_day(mark)
            advance(number + 1, len(days))
        if self._retention is not None and (due or days or self._is_first):
            self._is_first = False
            kept.forgot = self._retention(now, self._marks.open())
        return kept

    def _learn_past(self, now: datetime) -> None:
        """Rows from before there were marks: their hours are due, too."""
        if self._marks.knows_past:
            return
        polls = self._store.series("poll", {}, datetime(2000, 1, 1, tzinfo=UTC), now, ("devices",))
        self._marks.learn_past(polls.times)

    def _members(self, before_ms: int) -> Membership:
        """Who belongs where, by ids as they are in tags."""
        told = self._membership()
        members = Membership(
            {clean_tag(device): stays for device, stays in told.stays.items()},
            {
                site: [(kind, clean_tag(name)) for kind, name in groups]
                for site, groups in told.groups.items()
            },
        )
        this_hour = hour_of(before_ms, self._zone)
        self._book.learn(hour_of(this_hour.start - 1, self._zone).start, members.groups)
        return members

    def _hour(self, hour: Window, members: Membership, kept: Kept) -> None:
        """Make one hour's rollups and write them, one measurement after the other: a city's are
        large.
        """
        devices = self._figures("device", hour)
        if self._had_more("group_hour", hour, sum(map(_count, devices.fields["polls"]))):
            kept.left += 1
            return
        interfaces = self._figures("interface", hour)
        self._write(rows_of("interface_hour", hour.start, interfaces))
        uplinks = uplinks_of(interfaces)
        devices = joined(devices, traffic_of(interfaces, uplinks))
        del interfaces
        self._write(rows_of("radio_hour", hour.start, self._figures("radio", hour)))
        self._write(rows_of("device_hour", hour.start, devices))
        self._write(self._groups(hour, devices, uplinks, members).rows(hour.start))
        kept.hours += 1

    def _groups(
        self, hour: Window, devices: Table, uplinks: Uplinks, members: Membership
    ) -> Groups:
        """Add the devices up; one that was moved in this hour counts for each site its time."""
        groups, groups_of = Groups(), self._book.at(hour.start)
        stays = {device: members.stays_in(device, *hour) for device in devices.tags["device"]}
        moved = [device for device, of_device in stays.items() if len(of_device) > 1]
        apart = frozenset(moved if len(moved) <= MOST_MOVED else ())

        def of_device(device: str) -> list[tuple[str, str]]:
            if device in apart or not stays[device]:
                return [CITY]
            return [CITY, *groups_of.get(stays[device][-1].site, ())]

        groups.add(devices, of_device)
        for device in sorted(apart):
            for stay in stays[device]:
                here, where = always(groups_of.get(stay.site, ())), {"device": device}
                part = Window(stay.start or 0, stay.end or 0)
                groups.add(self._figures("device", part, where), here)
                traffic = traffic_of(self._figures("interface", part, where), uplinks)
                groups.add(traffic, here, polled=False)
        return groups

    def _figures(self, name: str, part: Window, where: dict[str, str] | None = None) -> Table:
        return self._store.aggregates(
            name, OF_RAW[name], part.begins, part.ends, by=SCHEMA[name].tags, where=where
        )

    def _day(self, day: Window, kept: Kept) -> None:
        """Make one day's rollups of its hours and write them."""
        city = self._of_hours("group", day, dict(zip(GROUP_TAGS, CITY, strict=True)))
        if self._had_more("group_day", day, sum(map(_count, city.fields["polls"]))):
            return
        for name in RAW:
            self._write(rows_of(f"{name}_day", day.start, self._of_hours(name, day)))
        for kind in KINDS:  # one at a time: a city has tens of thousands of sites
            table = self._of_hours("group", day, {"kind": kind})
            self._write(rows_of("group_day", day.start, table))
        kept.days += 1

    def _of_hours(self, name: str, day: Window, where: dict[str, str] | None = None) -> Table:
        shape = SCHEMA[f"{name}_hour"]
        return self._store.aggregates(
            shape.name, of_hours(name), day.begins, day.ends, by=shape.tags, where=where
        )

    def _had_more(self, measurement: str, window: Window, polls: int) -> bool:
        """Whether the rollup that is kept counts more polls than are there now: raw rows are only
        ever added, unless they were forgotten.
        """
        before = self._store.series(
            measurement,
            dict(zip(GROUP_TAGS, CITY, strict=True)),
            window.begins,
            instant(window.start + 1),
            ("polls",),
        )
        return any(_count(value) > polls for value in before.fields["polls"])

    def _write(self, batch: Batch) -> None:
        if batch.times and not self._stopped:
            self._store.write([batch])


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _count(value: Value) -> int:
    return value if isinstance(value, int) else 0


def open_keeper(settings: Settings, elsewhere: Path | None = None) -> Keeper:
    """The keeper of one city, with connections of its own; or of a copy of its series in the folder
    `elsewhere`, of which nothing is forgotten. Raises as `open_store` does.
    """
    from inventory.db import open_inventory
    from inventory.membership import membership
    from timeseries.opening import stored_token

    def members() -> Membership:
        inventory = open_inventory(settings)
        try:
            with inventory.session() as session:
                return membership(session)
        finally:
            inventory.close()

    folder = elsewhere or settings.home / "series"
    store: Store
    retention: Retention | None = None
    if elsewhere:
        from timeseries.sqlite import SqliteStore

        store = SqliteStore(folder)
    elif settings.store.kind == "sqlite":
        from timeseries.sqlite import SqliteStore
        from timeseries.sqlite_retention import SqliteRetention

        store = SqliteStore(folder)
        retention = SqliteRetention(folder, settings.store)
    else:
        from timeseries.influx import InfluxStore

        store = InfluxStore(settings.store, stored_token(settings), lambda: stored_token(settings))
    return Keeper(store, folder, settings.city.zone, members, retention)
