"""The hours and days that rollups are kept for: those of the city's clock. Pure.

An hour begins where the city's clock shows a full one and where the clock is changed, so that also
zones that are half an hour off, and clocks changed by half an hour, have hours that tile time.
A day has 23 to 25 of them. Instants are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000


class Window(NamedTuple):
    """From `start` until before `end`."""

    start: int
    end: int

    @property
    def begins(self) -> datetime:
        """Its start, aware."""
        return instant(self.start)

    @property
    def ends(self) -> datetime:
        """Its end, aware."""
        return instant(self.end)


def instant(at_ms: int) -> datetime:
    """The aware instant (UTC) of milliseconds since 1970, without rounding."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def hour_of(at_ms: int, zone: ZoneInfo) -> Window:
    """The hour of the city's clock that `at_ms` lies in."""
    offset = _offset_ms(at_ms, zone)
    start = at_ms - (at_ms + offset) % HOUR_MS
    end = start + HOUR_MS
    if _offset_ms(start, zone) != offset:
        start = _change(start, at_ms, zone)
    if _offset_ms(end - 1, zone) != offset:
        end = _change(at_ms, end - 1, zone)
    return Window(start, end)


def day_of(at_ms: int, zone: ZoneInfo) -> Window:
    """The day of the city's clock that `at_ms` lies in: from midnight to midnight."""
    day = instant(at_ms).astimezone(zone).date()
    if at_ms < _midnight(day, zone):
        day -= timedelta(days=1)
    elif at_ms >= _midnight(day + timedelta(days=1), zone):
        day += timedelta(days=1)
    return Window(_midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def hours_between(start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[Window]:
    """The hours that touch the time from `start_ms` until before `end_ms`, in order."""
    while start_ms < end_ms:
        hour = hour_of(start_ms, zone)
        yield hour
        start_ms = hour.end


def _offset_ms(at_ms: int, zone: ZoneInfo) -> int:
    offset = instant(at_ms).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(milliseconds=1)


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The first millisecond whose offset is that of `after` and not that of `before`."""
    wanted = _offset_ms(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_ms(middle, zone) == wanted:
            after = middle
        else:
            before = middle
    return after


def _midnight(day: date, zone: ZoneInfo) -> int:
    """When the day begins: of a midnight that clocks skip, where they skip it; of one that they
    repeat, the first.
    """
    at = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
