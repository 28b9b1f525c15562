"""Judges units of usage against each other: sums that do not add up, figures far off their series,
duplicates, overlaps, part months. Pure; what is wrong goes to the report by name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from statistics import median

from collectors.portal.periods import Period
from collectors.portal.reading import Unit
from collectors.portal.shape import MEASURES
from inventory.importers.report import BadCellError, Report

SUM_TOLERANCE = 0.005
"""Share by which a total may differ from the sum of its kinds: publishers round."""
OFF = 100
"""A figure this many times above or below the median of its series is no figure of that series."""
LEAST_SERIES = 5
"""Figures that a series needs before one of them can be called far off."""
PART = 0.5
"""A period whose figures have this median ratio to the neighbouring ones was not whole."""

SeriesKey = tuple[str, str, str]
"""Place, kind, measure."""


def judge(units: Sequence[Unit], report: Report, today: date, keep_outliers: bool) -> list[Unit]:
    """Units that are good, in the table's order; the others are rejected."""
    units = check_sums(units, report)
    units = check_outliers(units, report, keep_outliers)
    units = check_repeats(units, report)
    warn_sessions(units, report)
    warn_future(units, report, today)
    warn_parts(units, report)
    return units


def check_sums(units: Sequence[Unit], report: Report) -> list[Unit]:
    """Reject units whose total is not the sum of their kinds, if in most it is."""
    faults: dict[int, BadCellError] = {}
    notes = []
    for measure in MEASURES:
        told = [(n, s) for n, unit in enumerate(units) if (s := _sum_of_kinds(unit, measure))]
        wrong = [
            (n, total, parts)
            for n, (total, parts) in told
            if abs(total - parts) > max(SUM_TOLERANCE * max(total, parts), 1)
        ]
        if len(wrong) * 2 >= len(told) and wrong:
            notes.append(
                f"{measure}: the kinds given do not add up to the total in {len(wrong)} of "
                f"{len(told)} rows, so totals were not checked against them"
            )
            continue
        for n, total, parts in wrong:
            unit = units[n]
            faults.setdefault(
                n,
                BadCellError(
                    unit.columns["", measure], unit.cells["", measure],
                    f"{unit.name}: the total of {measure} is {total:,.15g} but its kinds sum to "
                    f"{parts:,.15g}: columns are shifted or figures are wrong",
                    "the total is not the sum of its kinds",
                ),
            )  # fmt: skip
    report.notes.extend(notes)
    for n, fault in faults.items():
        report.reject(units[n].row, fault)
    return [unit for n, unit in enumerate(units) if n not in faults]


def _sum_of_kinds(unit: Unit, measure: str) -> tuple[float, float] | None:
    """Total and sum of the kinds, where the unit has both."""
    total = unit.values.get("", {}).get(measure)
    parts = [v[measure] for kind, v in unit.values.items() if kind and measure in v]
    return None if total is None or not parts else (total, sum(parts))


def _series(units: Iterable[Unit]) -> dict[SeriesKey, list[float]]:
    series: dict[SeriesKey, list[float]] = defaultdict(list)
    for unit in units:
        for kind, values in unit.values.items():
            for measure, value in values.items():
                series[unit.place, kind, measure].append(value)
    return series


def check_outliers(units: Sequence[Unit], report: Report, keep: bool) -> list[Unit]:
    """Reject (or, with `keep`, warn of) units with a figure far off its series."""
    middles = {
        key: median(values)
        for key, values in _series(units).items()
        if len(values) >= LEAST_SERIES
    }  # fmt: skip
    good = []
    for unit in units:
        off = [
            (kind, measure, value, middle)
            for kind, values in unit.values.items()
            for measure, value in values.items()
            if (middle := middles.get((unit.place, kind, measure))) is not None
            and (value > OFF * max(middle, 1) or OFF * (value + 1) < middle)
        ]
        if off:
            kind, measure, value, middle = off[0]
            more = f" ({len(off)} figures of this row are)" if len(off) > 1 else ""
            error = BadCellError(
                unit.columns[kind, measure], unit.cells[kind, measure],
                f"{unit.name}: {value:,.15g} {measure} is more than {OFF} times off the median of "
                f"its series, {middle:,.15g}{more}: thousands separators may have broken it",
                f"more than {OFF} times off the median of its series",
            )  # fmt: skip
            if not keep:
                report.reject(unit.row, error)
                continue
            report.warn(unit.row, error.field, error.value, error.why, error.reason)
        good.append(unit)
    return good


def check_repeats(units: Sequence[Unit], report: Report) -> list[Unit]:
    """Reject units whose place and kind have this period, or part of it, from a row before."""
    kept: dict[tuple[str, str], list[tuple[Period, Unit]]] = defaultdict(list)
    good = []
    for unit in units:
        series = [kept[unit.place, kind] for kind in unit.values]
        other = next((o for s in series if (o := _overlap(s, unit.period)) is not None), None)
        if other is None:
            for s in series:
                s.insert(bisect_left(s, unit.period, key=lambda e: e[0]), (unit.period, unit))
            good.append(unit)
            continue
        column = next(iter(unit.columns.values()))
        same = other.period == unit.period
        what = "is given already by" if same else f"overlaps {other.period} of"
        reason = "a duplicate" if same else "overlaps another period"
        report.reject(
            unit.row,
            BadCellError(
                column, str(unit.period), f"{unit.name} {what} row {other.row}: the first counts",
                reason,
            ),
        )  # fmt: skip
    return good


def _overlap(series: list[tuple[Period, Unit]], period: Period) -> Unit | None:
    """The unit in `series` (disjoint, by time) that shares a day with `period`, or None."""
    at = bisect_left(series, period, key=lambda e: e[0])
    for n in (at - 1, at):
        if 0 <= n < len(series):
            other, unit = series[n]
            if other.start < period.end and period.start < other.end:
                return unit
    return None


def warn_sessions(units: Iterable[Unit], report: Report) -> None:
    """Warn where more people than sessions are reported."""
    for unit in units:
        for kind, values in unit.values.items():
            users, sessions = values.get("users"), values.get("sessions")
            if users is not None and sessions is not None and users > sessions:
                report.warn(
                    unit.row, unit.columns[kind, "users"], unit.cells[kind, "users"],
                    f"{unit.name}: {users:,.15g} users had {sessions:,.15g} sessions: each has one "
                    "at least",
                    "more users than sessions",
                )  # fmt: skip


def warn_future(units: Iterable[Unit], report: Report, today: date) -> None:
    """Warn of periods that have not begun, or are not over."""
    for unit in units:
        if unit.period.end > today:
            begun = unit.period.start <= today
            why = "is not over yet" if begun else "lies in the future"
            report.warn(
                unit.row, next(iter(unit.columns.values())), str(unit.period),
                f"{unit.name} {why}", f"the period {why}",
            )  # fmt: skip


def part_periods(units: Iterable[Unit]) -> dict[Period, tuple[float, int]]:
    """Periods that seem to cover only a part of their time: for each the median ratio of its
    figures to the mean of the periods next to it, and over how many series.

    Figures are taken by the day, so that February is not short.
    """
    figures: dict[SeriesKey, dict[Period, float]] = defaultdict(dict)
    for unit in units:
        for kind, values in unit.values.items():
            for measure, value in values.items():
                figures[unit.place, kind, measure][unit.period] = value / unit.period.days
    ratios: dict[Period, list[float]] = defaultdict(list)
    for series in figures.values():
        by_start = {p.start: v for p, v in series.items()}
        by_end = {p.end: v for p, v in series.items()}
        for period, value in series.items():
            near = [
                v for v in (by_end.get(period.start), by_start.get(period.end)) if v is not None
            ]
            if near and sum(near) > 0:
                ratios[period].append(value * len(near) / sum(near))
    return {p: (median(r), len(r)) for p, r in sorted(ratios.items()) if median(r) < PART}


def warn_parts(units: Sequence[Unit], report: Report) -> None:
    """Warn of periods that seem to cover only a part of their time."""
    first: dict[Period, Unit] = {}
    for unit in units:
        first.setdefault(unit.period, unit)
    for period, (ratio, count) in part_periods(units).items():
        report.warn(
            first[period].row, next(iter(first[period].columns.values())), str(period),
            f"{period} looks like a part of its time: in {count} series its figures are "
            f"{ratio:.2f} times those of the periods next to it (median)",
            "looks like a part of its time",
        )  # fmt: skip
