"""What the embedded store forgets, and when: raw days beyond their number or size, old hours.
The newest raw day stays always, and so does one whose rollups are not made yet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from farola.errors import StoreError
from farola.settings import StoreSettings
from timeseries.base import SCHEMA
from timeseries.checking import to_ms
from timeseries.sqlite_files import (
    DAY_MS,
    ROLLUPS,
    Writer,
    date_of,
    days_in,
    forget,
    named_faults,
    patiently,
    size_of,
)
from timeseries.tables import columns, old_rows
from timeseries.windows import Window

ROWS_AT_ONCE = 50_000
"""Old hours deleted in one transaction."""


class RawDay(NamedTuple):
    """The raw rows of a UTC day: days since 1970, and bytes on the disk."""

    day: int
    size: int


class Leaving(NamedTuple):
    """A raw day that goes, and why."""

    raw: RawDay
    why: str


def leaving(
    days: Sequence[RawDay], today: int, settings: StoreSettings, wanted: Collection[int]
) -> list[Leaving]:
    """Which of `days` (oldest first) go: those older than `raw_days`, then the oldest until the
    rest takes no more than `raw_gb`. Today's, the newest and those `wanted` never do. Pure.
    """
    may = [one for one in days[:-1] if one.day < today and one.day not in wanted]
    gone = [
        Leaving(one, f"older than raw_days = {settings.raw_days}")
        for one in may
        if one.day < today - settings.raw_days
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
        gone = leaving(days, to_ms(now) // DAY_MS, self.settings, wanted)
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
        hours = self.forget_hours(now - timedelta(days=self.settings.hour_days))
        if hours:
            days_kept = self.settings.hour_days
            told.append(f"forgot {hours:,} hourly rollups (older than hour_days = {days_kept})")
        return "; ".join(told)

    def forget_hours(self, before: datetime) -> int:
        """Delete the hourly rollups before that instant; how many they were. Daily ones stay.

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
                        deleted += _in_parts(writer, statement, to_ms(before))
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
