"""Copies all rows of one store into another, part by part, until the destination, read again, has
what the source has. What is there already is not written again, so that a copy may be cut off and
repeated at will. Polls may go on meanwhile, in both stores.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from farola.errors import StoreError
from farola.files import locked_if_free, written_whole
from timeseries.base import SCHEMA, Measurement
from timeseries.copy_marks import hand_over
from timeseries.copy_places import Place, state_path
from timeseries.copy_rows import Sum, batch_of, compared
from timeseries.marks import ROLLED_UP
from timeseries.sqlite_files import DAY_MS, named_faults
from timeseries.windows import hour_of, instant

MOST_ROWS = 50_000
"""Rows in memory at once, unless more share one instant."""
FIRST_MS, HOUR_MS = 60_000, 3_600_000
WRITES = 3
"""Times that a part is written when it is found to differ."""
RECHECKED_DAYS = 3
"""Of the last days the source is read once more at the end: late rows come there."""
SAVE_S = 1.0
VERSION = 1
Unit = tuple[str, int]
"""A measurement and a UTC day."""


@dataclass
class Tally:
    """What was found of a part: `source` and what of it the destination has, how many rows were
    `written`, how many are `lacking` or differ there, how many `extra` ones are there alone; and
    what it would not take: rows older than it keeps, and refused ones with the first reason.
    """

    source: Sum = field(default_factory=Sum)
    there: Sum = field(default_factory=Sum)
    written: int = 0
    lacking: int = 0
    extra: int = 0
    expired: int = 0
    refused: int = 0
    reason: str = ""

    def add(self, other: Tally) -> None:
        """Add what was found of another part."""
        self.source, self.there = self.source + other.source, self.there + other.there
        self.written += other.written
        self.lacking += other.lacking
        self.extra += other.extra
        self.expired += other.expired
        self.refused += other.refused
        self.reason = self.reason or other.reason

    @property
    def equal(self) -> bool:
        """Whether the destination has all that the source has."""
        return self.source == self.there


@dataclass(frozen=True)
class Report:
    """What a copy did, by measurement. `changed` are days of the source that were written to
    while they were copied, and were copied again; `resumed` those that were done before.
    """

    until_ms: int
    measurements: dict[str, Tally]
    days: int
    changed: list[str]
    resumed: int
    marked_hours: int

    @property
    def ok(self) -> bool:
        """Whether the destination has every row of the source but those that are too old for it."""
        return all(tally.lacking == tally.expired for tally in self.measurements.values())


class Copy:
    """One copy, from its plan to its report."""

    def __init__(self, source: Place, to: Place, zone: ZoneInfo, now_ms: int) -> None:
        """Rows before `now_ms` are copied. StoreError where both are one."""
        if source.identity == to.identity:
            raise StoreError(f"{source.name} is where the rows are already: name another store")
        self._source, self._to, self._zone, self._until = source, to, zone, now_ms
        self._path = state_path(source, to)
        self._tallies: dict[Unit, Tally] = {}
        self._stamps: dict[Unit, object] = {}
        self._hours: dict[str, set[int]] = {"source": set(), "extra": set()}
        self._steps: dict[str, int] = {}
        self._saved_s = 0.0

    def run(
        self, measurements: Iterable[str], bar: Callable[[int], Callable[[int], None]]
    ) -> Report:
        """Copy those measurements, raw ones before rollups. `bar` is told how many days there are,
        and gives what is told of each that is done.

        Raises StoreError; what was copied by then stays, and the next run goes on from there.
        """
        with named_faults(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = locked_if_free(self._path.with_suffix(".lock"))
        with lock as is_ours:
            if not is_ours:
                raise StoreError(f"another process copies to {self._to.name} now: let it finish")
            return self._run(sorted(measurements, key=lambda m: SCHEMA[m].is_rollup), bar)

    def _run(self, measurements: list[str], bar: Callable[[int], Callable[[int], None]]) -> Report:
        last = self._until // DAY_MS
        units = [(m, day) for m in measurements for day in self._source.days(m) if day <= last]
        advance = bar(len(units))
        resumed = self._resume(units)
        for unit in units:
            if unit not in self._tallies:
                self._stamps[unit] = self._source.stamp(*unit)
                self._tallies[unit] = self._unit(*unit)
                self._save()
            advance(1)
        changed = list(self._checked_again(units))
        folders = self._source.series, self._to.series
        hours = self._hours["source"], self._hours["extra"]
        marked = hand_over(
            *folders, self._zone, *hours, has_rollups=set(measurements) == set(SCHEMA)
        )
        totals = {m: Tally() for m in measurements}
        for measurement, day in units:
            totals[measurement].add(self._tallies[measurement, day])
        with named_faults(self._path):
            self._path.unlink(missing_ok=True)
        return Report(self._until, totals, len(units), changed, resumed, marked)

    def _unit(self, measurement: str, day: int) -> Tally:
        """Copy a day of a measurement, in parts that memory holds."""
        shape, tally = SCHEMA[measurement], Tally()
        step = min(self._steps.get(measurement, FIRST_MS), DAY_MS if shape.is_rollup else HOUR_MS)
        start, end = day * DAY_MS, min((day + 1) * DAY_MS, self._until)
        while start < end:
            part = self._part(shape, start, min(start + step, end))
            tally.add(part)
            start += step
            fits = step * MOST_ROWS // max(1, part.source.rows + part.extra)
            step = max(1, min(4 * step, fits, DAY_MS))
        self._steps[measurement] = step
        return tally

    def _part(self, shape: Measurement, start: int, end: int) -> Tally:
        written, tally = 0, Tally()
        for attempt in range(WRITES + 1):
            rows = self._source.store.series(shape.name, {}, instant(start), instant(end))
            there = self._to.store.series(shape.name, {}, instant(start), instant(end))
            found = compared(shape, rows, there)
            lacking = len(found.missing)
            if lacking <= tally.expired + tally.refused or attempt == WRITES:
                break
            kept = self._to.write(batch_of(shape.name, rows, found.missing))
            written = max(written, lacking - kept.expired - kept.refused)
            tally = Tally(expired=kept.expired, refused=kept.refused, reason=kept.reason)
        if shape.name in ROLLED_UP:
            self._hours["source"].update(self._hours_of(rows.times))
            self._hours["extra"].update(self._hours_of(found.extra))
        return replace(
            tally, source=found.source, there=found.there, written=written, lacking=lacking,
            extra=len(found.extra), expired=min(tally.expired, lacking),
        )  # fmt: skip

    def _hours_of(self, times: Iterable[int]) -> Iterator[int]:
        end = -1
        for at in sorted(set(times)):
            if at >= end:
                start, end = hour_of(at, self._zone)
                yield start

    def _checked_again(self, units: list[Unit]) -> Iterator[str]:
        """Look again at what may have been written meanwhile; names the days that were."""
        for unit in units:
            measurement, day = unit
            stamp = self._source.stamp(*unit)
            is_new = stamp != self._stamps.get(unit) and not SCHEMA[measurement].is_rollup
            is_late = stamp is None or stamp != self._stamps.get(unit)
            if not is_new and not (is_late and day > self._until // DAY_MS - RECHECKED_DAYS):
                continue
            before = self._tallies[unit]
            again = self._unit(*unit)
            again.written += before.written
            self._tallies[unit] = again
            if again.source != before.source:
                yield f"{measurement} of {instant(day * DAY_MS):%Y-%m-%d}"

    def _resume(self, units: list[Unit]) -> int:
        """Take over what an earlier run that was cut off had done, if the destination still has it;
        how many days those are.
        """
        state = _read(self._path)
        if not state:
            return 0
        # A day that had not ended then has more rows now.
        full = state["until"] // DAY_MS
        done = {unit: state["units"].get(f"{unit[0]} {unit[1]}") for unit in units}
        known = {u: one for u, one in done.items() if one and u[1] < full}
        for unit in {next(iter(known), None), next(reversed(known), None)} - {None}:
            if unit and self._unit(*unit).written:
                return 0
        for unit, one in known.items():
            sums = {name: Sum(*one["tally"][name]) for name in ("source", "there")}
            self._tallies[unit] = Tally(**(one["tally"] | sums))
            self._stamps[unit] = one["stamp"]
        for name, hours in state["hours"].items():
            self._hours[name].update(hours)
        return len(known)

    def _save(self) -> None:
        """Note how far the copy got, once a second at most."""
        if time.monotonic() - self._saved_s < SAVE_S:
            return
        units: dict[str, Any] = {
            f"{measurement} {day}": {
                "tally": asdict(tally) | {
                    "source": [tally.source.rows, tally.source.total],
                    "there": [tally.there.rows, tally.there.total],
                },
                "stamp": self._stamps.get((measurement, day)),
            }
            for (measurement, day), tally in self._tallies.items()
        }  # fmt: skip
        hours = {name: sorted(found) for name, found in self._hours.items()}
        state = {"version": VERSION, "until": self._until, "units": units, "hours": hours}
        with named_faults(self._path), written_whole(self._path) as out:
            out.write(json.dumps(state).encode())
        self._saved_s = time.monotonic()


def _read(path: Path) -> dict[str, Any]:
    """The state that a run left, if it can be used."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and state.get("version") == VERSION else {}
