"""Rows as a CSV file has them: read part by part, so that a month of a city fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from timeseries.base import Measurement, Store, Value

MOST_ROWS = 50_000
"""Rows in memory at once, unless more share one instant."""
FIRST, LONGEST, SHORTEST = timedelta(minutes=10), timedelta(days=7), timedelta(milliseconds=1)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
"""What spreadsheets take for a formula's beginning, in wide forms too."""


def header(shape: Measurement, fields: Sequence[str]) -> list[str]:
    """The names of the columns."""
    return ["time", *shape.tags, *fields]


def lines(
    store: Store,
    shape: Measurement,
    *,
    fields: Sequence[str],
    where: Mapping[str, str],
    start: datetime,
    end: datetime,
    advance: Callable[[int], None] = lambda _hours: None,
) -> Iterator[list[str]]:
    """The cells of each row that has one of `fields`, by time then tags. `advance` is told of each
    hour that is read. Raises StoreError.
    """
    step, done = FIRST, 0
    begin, at = start, start
    while at < end:
        until = min(at + step, end)
        table = store.series(shape.name, where, at, until, fields)
        columns: list[Sequence[Value]] = [table.tags[tag] for tag in shape.tags]
        columns += [table.fields[name] for name in fields]
        for time, *values in zip(table.times, *columns, strict=True):
            yield [iso_ms(time), *map(cell, values)]
        at = until
        hours = int((at - begin).total_seconds() // 3600)
        advance(hours - done)
        done = hours
        step = max(SHORTEST, min(4 * step, step * MOST_ROWS / max(1, len(table)), LONGEST))


def iso_ms(at_ms: int) -> str:
    """Milliseconds since 1970 as `2026-11-01T08:30:00Z`, with a fraction where there is one."""
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    spec = "milliseconds" if at_ms % 1000 else "seconds"
    return whole.isoformat(timespec=spec).replace("+00:00", "Z")


def cell(value: Value) -> str:
    """A value as text: none is empty, truth is `true` or `false`; a text that a spreadsheet would
    run gets an apostrophe before it, and so does one that begins with an apostrophe.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value)
