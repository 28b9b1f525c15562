"""Keeps usage: units → the inventory's table, and single days at a site → the `portal` series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.portal.periods import Period
from collectors.portal.reading import Unit
from collectors.portal.shape import MEASURES
from inventory.importers.report import Report
from inventory.models import Usage
from timeseries.base import Batch, Value


@dataclass
class Stored:
    """How many rows of the usage table were new, changed, or as they were."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


def store_usage(
    session: Session, scope: str, units: Iterable[Unit], source: str, report: Report
) -> Stored:
    """Keep the figures of `units`. A figure that a table does not have is left as it is.

    Warns where a period overlaps one that is stored already for the same place and kind.
    """
    stored = Stored()
    kept: dict[tuple[str, str], dict[Period, Usage]] = defaultdict(dict)
    for old_row in session.scalars(select(Usage).where(Usage.scope == scope)):
        period = Period(old_row.start, old_row.end)
        kept[old_row.place, old_row.kind][period] = old_row
    old = {key: sorted(rows) for key, rows in kept.items()}
    for unit in units:
        for kind, values in unit.values.items():
            key = unit.place, kind
            row = kept[key].get(unit.period)
            if row is None:
                _warn_overlap(unit, old.get(key, ()), report)
                kept[key][unit.period] = Usage(
                    scope=scope, place=unit.place, kind=kind, start=unit.period.start,
                    end=unit.period.end, source=source, **values,
                )  # fmt: skip
                session.add(kept[key][unit.period])
                stored.created += 1
                continue
            new = {**values, "source": source}
            changed = {name: value for name, value in new.items() if getattr(row, name) != value}
            for name, value in changed.items():
                setattr(row, name, value)
            if changed:
                stored.updated += 1
            else:
                stored.unchanged += 1
    return stored


def _warn_overlap(unit: Unit, others: Sequence[Period], report: Report) -> None:
    other = next(
        (p for p in others if p.start < unit.period.end and unit.period.start < p.end), None
    )
    if other is not None:
        report.warn(
            unit.row, next(iter(unit.columns.values())), str(unit.period),
            f"{unit.name} overlaps {other}, which an earlier import brought: sums over both count "
            "days twice",
            "overlaps what an earlier import brought",
        )  # fmt: skip


def daily_batch(units: Iterable[Unit], zone: tzinfo) -> Batch | None:
    """Figures of single days at sites, all kinds together, as rows of the `portal` series: each
    at the start of its day in the city's `zone`. None where there are none.
    """
    days = [unit for unit in units if unit.place and unit.period.days == 1 and "" in unit.values]
    if not days:
        return None
    starts = [datetime.combine(unit.period.start, time(), zone) for unit in days]
    fields: dict[str, list[Value]] = {
        measure: [_whole(measure, unit.values[""].get(measure)) for unit in days]
        for measure in MEASURES
    }
    return Batch(
        "portal",
        [round(start.timestamp() * 1000) for start in starts],
        {"site": [unit.place for unit in days]},
        {name: column for name, column in fields.items() if any(v is not None for v in column)},
    )


def _whole(measure: str, value: float | None) -> Value:
    """The series keeps people and sessions as whole numbers."""
    return value if value is None or measure == "minutes" else round(value)
