"""What the embedded store forgets, and when: raw days beyond their number or size, old hours.
The newest raw day stays always, and so does one whose rollups are not made yet. A clock alone makes
nothing old: age counts from rows, so that one that runs ahead does not cost a city its history.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from farola.errors import StoreError
from farola.settings import StoreSettings
from timeseries.base import SCHEMA
from timeseries.checking import to_ms
from timeseries.rollups import CITY
from timeseries.sqlite_files import (
    DAY_MS,
    LATEST,
    ROLLUPS,
    Writer,
    date_of,
    days_in,
    forget,
    named_faults,
    patiently,
    reading,
    size_of,
)
from timeseries.tables import columns, old_rows
from timeseries.windows import Window

ROWS_AT_ONCE = 50_000
"""Old hours deleted in one transaction."""
POLLED = ("device", "interface", "radio", "ssid", "check")
"""Measurements of which each poll has the newest rows; others have some once a day or a month."""
_IS_OLD = 'SELECT 1 FROM "{}" WHERE time < ?'
_FORGET = 'DELETE FROM "{}" WHERE time < ?'
PROVEN_BY = 3
"""Days with rows that show, after a leap of the clock, that time did go on so far."""
LEAP_DAYS = 2
"""Days without rows that are taken for a leap, until PROVEN_BY days after them have some."""


class RawDay(NamedTuple):
    """The raw rows of a UTC day: days since 1970, and bytes on the disk."""

    day: int
    size: int


class Leaving(NamedTuple):
    """A raw day that goes, and why."""

    raw: RawDay
    why: str


class Age(NamedTuple):
    """The day from which age is counted (None: nothing is old), and whether that is an earlier one
    than now because days without rows lie before now.
    """

    today: int | None
    waits: bool


def age_from(days: Collection[int], today: int) -> Age:
    """From which day on to count age, where `days` have rows and the clock says `today`. Pure.

    The newest with rows; where more than LEAP_DAYS are missing among the newest or before `today`,
    the PROVEN_BY-th newest: what is old then is so by that many days with rows.
    """
    newest = sorted(day for day in set(days) if day <= today)[-PROVEN_BY:]
    if not newest:
        return Age(None, False)
    leaps = any(
        after - before > LEAP_DAYS
        for before, after in zip(newest, [*newest[1:], today], strict=True)
    )
    if not leaps:
        return Age(newest[-1], False)
    return Age(newest[0] if len(newest) == PROVEN_BY else None, True)


def leaving(
    days: Sequence[RawDay],
    today: int,
    settings: StoreSettings,
    wanted: Collection[int],
    age: Age,
) -> list[Leaving]:
    """Which of `days` (oldest first) go: those older than `raw_days` by `age`, then the oldest
    until the rest takes no more than `raw_gb`. Today's, later ones, the newest until now and those
    `wanted` never do. Pure.
    """
    past = [one for one in days if one.day <= today]
    may = [one for one in past[:-1] if one.day < today and one.day not in wanted]
    gone = [
        Leaving(one, f"older than raw_days = {settings.raw_days}")
        for one in may
        if age.today is not None and one.day < age.today - settings.raw_days
    ]
    size = sum(one.size for one in days) - sum(one.raw.size for one in gone)
    for one in may[len(gone) :]:
        if size <= settings.raw_gb * 1e9:
            break
        gone.append(Leaving(one, f"beyond raw_gb = {settings.raw_gb:g}"))
        size -= one.size
    return gone


@dataclass(frozen=True)
class SqliteRetention:
    """Forgets what the settings say of one home's series; see `timeseries.keeper.Retention`."""

    folder: Path
    settings: StoreSettings
    _told: list[int] = field(default_factory=list, init=False)
    """The day that age is counted from while it waits, so that it is told once."""

    def __call__(self, now: datetime, open_hours: Sequence[Window]) -> str:
        """Forget what is too old at `now`; tells what, or that the limit cannot be kept.

        `open_hours` are those whose raw rows are still wanted. Raises StoreError.
        """
        wanted = {
            day
            for hour in open_hours
            for day in range(hour.start // DAY_MS, (hour.end - 1) // DAY_MS + 1)
        }
        days = raw_days(self.folder)
        today = to_ms(now) // DAY_MS
        with_rows = {one.day for one in days} | self._days_of_hours(to_ms(now))
        age = age_from(with_rows, today)
        gone = leaving(days, today, self.settings, wanted, age)
        for one in gone:
            path = next(p for day, p in days_in(self.folder) if day == one.raw.day)
            with named_faults(path):
                forget(path)
        told = [
            f"forgot the raw rows of {date_of(raw.day)} ({raw.size / 1e6:,.1f} MB, {why})"
            for raw, why in gone
        ]
        left = sum(one.size for one in raw_days(self.folder))
        if left > self.settings.raw_gb * 1e9:
            told.append(
                f"raw rows take {left / 1e9:,.1f} GB, more than raw_gb = {self.settings.raw_gb:g}: "
                "what is left is of today, or has no rollups yet"
            )
        if age.today is not None:
            # By the clock to the hour, unless it has run ahead of the rows.
            until = min(to_ms(now), (age.today + 1) * DAY_MS)
            hours = self.forget_hours(until - self.settings.hour_days * DAY_MS)
            if hours:
                days_kept = self.settings.hour_days
                told.append(f"forgot {hours:,} hourly rollups (older than hour_days = {days_kept})")
            kept_raw = [day for day, _ in days_in(self.folder)]
            first = min([age.today - self.settings.raw_days, *kept_raw])
            if newest := self.forget_newest(first * DAY_MS):
                told.append(f"forgot the newest rows of what has none any more ({newest:,})")
        told += self._waiting(age, with_rows, today)
        return "; ".join(told)

    def _waiting(self, age: Age, with_rows: Collection[int], today: int) -> list[str]:
        """What is said, once, where rows are old by the clock alone."""
        kept = min(self.settings.raw_days, self.settings.hour_days)
        if not age.waits:
            self._told.clear()
        elif not self._told and min(with_rows) < today - kept:
            self._told.append(today)
            newest = date_of(max(day for day in with_rows if day <= today))
            return [
                f"nothing is forgotten for its age: the clock says {date_of(today)}, rows of days "
                f"before are missing, the newest are of {newest}; check the clock; if it is right, "
                f"this ends once {PROVEN_BY} days in a row have some"
            ]
        return []

    def _days_of_hours(self, until: int) -> set[int]:
        """The newest UTC days, not after `until`, for which the city has hourly rollups."""
        path, shape = self.folder / ROLLUPS, SCHEMA["group_hour"]
        with reading(path) as connection:
            if connection is None or not columns(connection, shape):
                return set()
            found = connection.execute(
                "SELECT DISTINCT time / ? FROM group_hour "
                'WHERE kind = ? AND "group" = ? AND time <= ?',
                (DAY_MS, *CITY, until),
            )
            return {day for (day,) in found}

    def forget_hours(self, before: int) -> int:
        """Delete the hourly rollups before that time (milliseconds since 1970); how many they were.
        Daily ones stay.

        Raises StoreError. The room that they took is used again for others.
        """
        path, deleted = self.folder / ROLLUPS, 0
        if not path.exists():
            return 0
        with named_faults(path):
            writer = Writer(path)
            try:
                for shape in SCHEMA.values():
                    if shape.name.endswith("_hour") and columns(writer.connection, shape):
                        statement = old_rows(shape, ROWS_AT_ONCE)
                        deleted += _in_parts(writer, statement, max(before, 0))
            finally:
                writer.close()
        return deleted

    def forget_newest(self, before: int) -> int:
        """Delete from the newest rows of what is polled those before that time (milliseconds since
        1970), whose raw rows are gone: a device that left the city. How many they were. StoreError.
        """
        path, old, deleted = self.folder / LATEST, [], 0
        with reading(path) as connection:
            for name in POLLED if connection else ():
                if connection and columns(connection, SCHEMA[name]):
                    found = connection.execute(f"{_IS_OLD.format(name)} LIMIT 1", (before,))
                    old += [name] if found.fetchone() else []
        if old:
            with named_faults(path):
                writer = Writer(path)
                try:
                    for name in old:
                        deleted += _in_parts(writer, _FORGET.format(name), before)
                finally:
                    writer.close()
        return deleted


def _in_parts(writer: Writer, statement: str, before: int) -> int:
    """Delete a bounded number of rows at a time, so that who writes rollups waits little."""
    deleted = 0
    while True:
        counts: list[int] = []

        def part(counts: list[int] = counts) -> None:
            with writer.transaction() as connection:
                connection.execute(statement, (before,))
                counts.append(connection.execute("SELECT changes()").fetchone()[0])

        patiently(part)
        deleted += counts[-1]
        if counts[-1] < ROWS_AT_ONCE:
            return deleted


def raw_days(folder: Path) -> list[RawDay]:
    """The raw days there are and their sizes, oldest first. Raises StoreError."""
    try:
        return [RawDay(day, size_of(path)) for day, path in days_in(folder)]
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}; check that it belongs to you") from None
