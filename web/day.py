"""One device's day: the series of its chart, with gaps kept as gaps, and its uptime strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from timeseries.base import Table

QUARTER = timedelta(minutes=15)
Numbers = list[float | None]


@dataclass(frozen=True)
class Span:
    """From `start` to before `end`, aware; `day` is set where it is a day of the city's."""

    start: datetime
    end: datetime
    day: date | None


@dataclass(frozen=True)
class Chart:
    """Columns for a chart: `times` in seconds since 1970, None where there is nothing."""

    times: list[float]
    columns: dict[str, Numbers]


@dataclass(frozen=True)
class Cell:
    """A quarter of an hour of the uptime strip: `up`, `down`, `unknown` or `none` (no sample)."""

    start: datetime
    state: str


def span_of(day: str | None, zone: ZoneInfo, now: datetime) -> Span:
    """The city's day `YYYY-MM-DD`, or the last 24 hours where `day` is empty or no date."""
    try:
        chosen = date.fromisoformat(day or "")
    except ValueError:
        end = _ceiling(now)
        return Span(end - timedelta(days=1), end, None)
    start = datetime.combine(chosen, time(), zone)
    return Span(start, datetime.combine(chosen + timedelta(days=1), time(), zone), chosen)


def _ceiling(now: datetime) -> datetime:
    """The end of the quarter of an hour that `now` is in."""
    step = int(QUARTER.total_seconds())
    return datetime.fromtimestamp((int(now.timestamp()) // step + 1) * step, UTC)


def with_gaps(times: Sequence[int], columns: dict[str, Numbers]) -> Chart:
    """Break lines where samples are missing: a pause of more than 2.5 usual intervals.

    `times` are milliseconds, ascending. The usual interval is the median one.
    """
    steps = [b - a for a, b in pairwise(times)]
    limit = 2.5 * median(steps) if steps else 0
    out_times: list[float] = []
    out: dict[str, Numbers] = {name: [] for name in columns}
    for i, at in enumerate(times):
        if i and steps[i - 1] > limit:
            out_times.append((times[i - 1] + at) / 2000)
            for column in out.values():
                column.append(None)
        out_times.append(at / 1000)
        for name, column in out.items():
            column.append(columns[name][i])
    return Chart(out_times, out)


def clients_chart(table: Table) -> Chart:
    """Clients over the day; an unanswered poll is a gap."""
    return with_gaps(table.times, {"clients": [_float(v) for v in column(table, "clients")]})


def traffic_chart(table: Table) -> Chart:
    """Megabits a second received and sent by one interface: bytes over the interval they span."""
    columns: dict[str, Numbers] = {}
    intervals = column(table, "interval_s")
    for name in ("rx_bytes", "tx_bytes"):
        columns[name.removesuffix("_bytes")] = [
            None
            if moved is None or not seconds
            else round(float(moved) * 8 / float(seconds) / 1e6, 4)
            for moved, seconds in zip(column(table, name), intervals, strict=True)
        ]
    return with_gaps(table.times, columns)


def interfaces(table: Table) -> list[str]:
    """Names of interfaces, the one that moved most first."""
    moved: dict[str, float] = {}
    for name, rx, tx in zip(
        table.tags.get("interface", []), column(table, "rx_bytes"), column(table, "tx_bytes"),
        strict=True,
    ):  # fmt: skip
        moved[name] = moved.get(name, 0.0) + (_float(rx) or 0.0) + (_float(tx) or 0.0)
    return sorted(moved, key=lambda name: (-moved[name], name))


def rows_of(table: Table, tag: str, value: str) -> Table:
    """Only the rows whose `tag` equals `value`."""
    keep = [i for i, found in enumerate(table.tags.get(tag, [])) if found == value]
    return Table(
        [table.times[i] for i in keep],
        {name: [values[i] for i in keep] for name, values in table.tags.items()},
        {name: [values[i] for i in keep] for name, values in table.fields.items()},
    )


def strip(table: Table, span: Span) -> list[Cell]:
    """The day as quarters of an hour; the worst state seen in a quarter is the one that shows."""
    worst = {"down": 0, "unknown": 1, "up": 2}
    begin = int(span.start.timestamp() * 1000)
    step = int(QUARTER.total_seconds() * 1000)
    count = round((span.end.timestamp() * 1000 - begin) / step)
    states = ["none"] * count
    for at, state in zip(table.times, column(table, "state"), strict=True):
        index = (at - begin) // step
        name = state if isinstance(state, str) and state in worst else "unknown"
        if 0 <= index < count and (states[index] == "none" or worst[name] < worst[states[index]]):
            states[index] = name
    return [Cell(span.start.astimezone(UTC) + i * QUARTER, s) for i, s in enumerate(states)]


def availability(table: Table) -> float | None:
    """Share of samples with a known state in which it was up; None where nothing is known."""
    known = [state for state in column(table, "state") if state in {"up", "down"}]
    return known.count("up") / len(known) if known else None


def column(table: Table, name: str) -> list[float | int | bool | str | None]:
    """A field's values; all None where the table does not carry it."""
    return table.fields.get(name) or [None] * len(table)


def _float(value: float | int | bool | str | None) -> float | None:
    return None if value is None or isinstance(value, str) else float(value)
