"""Small tables, read the way `farola import usage` reads them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from collectors.portal.judging import judge
from collectors.portal.places import Gazetteer, Place
from collectors.portal.reading import Unit, read_units
from collectors.portal.shape import find_shape
from inventory.importers.contents import Source
from inventory.importers.report import Report
from inventory.importers.source import open_source

TODAY = date(2026, 1, 1)


@dataclass(frozen=True)
class Outcome:
    units: list[Unit]
    report: Report

    @property
    def rejected(self) -> list[tuple[int, str, str]]:
        return [(f.row, f.field, f.value) for f in self.report.rejected]

    @property
    def why(self) -> str:
        return " | ".join(f.why for f in self.report.rejected)

    @property
    def warned(self) -> str:
        return " | ".join(f.why for f in self.report.warnings)

    def figures(self) -> dict[tuple[str, str, str, str], float]:
        """(place, period, kind, measure) → figure."""
        return {
            (unit.place, str(unit.period), kind, measure): value
            for unit in self.units
            for kind, values in unit.values.items()
            for measure, value in values.items()
        }


def write(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ";") -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, delimiter=delimiter).writerows(rows)
    return path


def read_rows(
    source: Source,
    *,
    sites: Sequence[str] = (),
    periods: Sequence[str] = ("period",),
    site: str = "",
    city: bool | None = None,
    kind: str = "",
    measure: str = "",
    day_first: bool | None = None,
    keep_outliers: bool = False,
    today: date = TODAY,
    **figures: Sequence[str],
) -> Outcome:
    shape = find_shape(
        source, places={"site": site, "neighbourhood": ""},
        city=not site if city is None else city,
        periods=periods, figures=figures, kind=kind, measure=measure,
    )  # fmt: skip
    gazetteer = Gazetteer("site", [Place(f"id-{name}", name) for name in sites]) if site else None
    report = source.begin("usage")
    units = read_units(source, shape, gazetteer, report, day_first)
    return Outcome(judge(units, report, today, keep_outliers), report)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Outcome]:
    """`read(header, row, row, …, site="site", users=["users"])`."""

    def _read(*rows: Sequence[object], **options: object) -> Outcome:
        return read_rows(open_source(write(tmp_path / "usage.csv", rows)), **options)

    return _read
