"""Reads the rows of a usage table into units: the figures of one place and period, which are
accepted or rejected together. Pure; what cannot be used goes to the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from collectors.portal.periods import (
    Period,
    join_parts,
    month_of,
    months_if_first_days,
    order_of_days,
    parse_period,
)
from collectors.portal.places import Gazetteer, Match
from collectors.portal.shape import Figure, Shape
from inventory.importers.contents import Row, Source
from inventory.importers.names import fold
from inventory.importers.report import BadCellError, Report
from inventory.importers.values import decimal_sign, read_number, read_text

ALL_KINDS = {"total", "all", "todos", "todas", "tous", "toutes", "gesamt", "alle", "overall"}


@dataclass
class Unit:
    """Figures of one place and period, by kind of site ("" is all kinds together)."""

    row: int
    place: str
    """Id; empty for the whole city."""
    label: str
    """The place as the table names it."""
    period: Period
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """Kind → measure → figure."""
    columns: dict[tuple[str, str], str] = field(default_factory=dict)
    """(kind, measure) → the column that the figure stands in."""
    cells: dict[tuple[str, str], str] = field(default_factory=dict)
    """(kind, measure) → the figure as it is written."""

    @property
    def name(self) -> str:
        """Place and period, for a person."""
        return f"{self.label} {self.period}".strip()


def read_units(
    source: Source,
    shape: Shape,
    gazetteer: Gazetteer | None,
    report: Report,
    day_first: bool | None = None,
) -> list[Unit]:
    """All units of the table that can be read; the rest is rejected in `report`."""
    matches = _places(source, shape, gazetteer)
    periods = {} if shape.wide else _periods(source, shape, day_first, report)
    signs = _signs(source, shape)
    units: list[Unit] = []
    for row in source.rows:
        try:
            place, label = _place(source, shape, row, matches, report)
            kind = _kind(source, shape, row, report)
            period = periods.get(row.number)
            if isinstance(period, BadCellError):
                raise period
            _some_figure(shape, row, label)
        except BadCellError as error:
            report.reject(row.number, error)
            continue
        for when, figures in _groups(shape, period):
            unit = Unit(row.number, place, label, when)
            try:
                for figure in figures:
                    _add(
                        unit, row, figure, report,
                        kind=figure.kind or kind, decimal=signs[figure.index],
                    )  # fmt: skip
            except BadCellError as error:
                report.reject(row.number, error)
            else:
                if unit.values:
                    units.append(unit)
    return units


def _groups(shape: Shape, period: Period | None) -> Iterator[tuple[Period, list[Figure]]]:
    """Figures of a row that belong together, by period."""
    if period is not None:
        yield period, list(shape.figures)
        return
    for figure in shape.figures:
        if figure.period is not None:
            yield figure.period, [figure]


def _some_figure(shape: Shape, row: Row, label: str) -> None:
    if all(read_text(row.cells[f.index])[0] is None for f in shape.figures):
        names = ", ".join(f.column for f in shape.figures)
        raise BadCellError(names, "", f"{label or 'the city'}: no figure in this row", "no figure")


def _add(unit: Unit, row: Row, figure: Figure, report: Report, *, kind: str, decimal: str) -> None:
    """Put the figure of one cell into the unit; BadCellError if it cannot be one."""
    cell = row.cells[figure.index]
    if read_text(cell)[0] is None:
        if figure.period is not None:
            raise BadCellError(figure.column, "", f"{unit.name}: no figure", "no figure")
        return
    try:
        number_kind = "measure" if figure.measure == "minutes" else "count"
        value, why = read_number(cell, number_kind, decimal)  # type: ignore[arg-type]  # two literals
    except ValueError as error:
        raise BadCellError(figure.column, cell, f"{unit.name}: {error}", str(error)) from None
    if value < 0:
        raise BadCellError(
            figure.column, cell, f"{unit.name}: {figure.measure} cannot be negative", "negative"
        )
    if why:
        report.repair(row.number, figure.column, cell, f"{value:.15g}", why)
    key = kind, figure.measure
    unit.values.setdefault(kind, {})[figure.measure] = value
    unit.columns[key], unit.cells[key] = figure.column, str(cell)


def _signs(source: Source, shape: Shape) -> dict[int, str]:
    """The decimal sign of each column; of all together where a column does not tell."""
    columns = {f.index: [row.cells[f.index] for row in source.rows] for f in shape.figures}
    common = decimal_sign(cell for cells in columns.values() for cell in cells)
    return {index: decimal_sign(cells) or common for index, cells in columns.items()}


def _places(
    source: Source, shape: Shape, gazetteer: Gazetteer | None
) -> Mapping[str, Match | BadCellError]:
    if shape.place is None or gazetteer is None:
        return {}
    names = (read_text(row.cells[shape.place])[0] for row in source.rows)
    return gazetteer.resolve((name for name in names if name), source.columns[shape.place])


def _place(
    source: Source,
    shape: Shape,
    row: Row,
    matches: Mapping[str, Match | BadCellError],
    report: Report,
) -> tuple[str, str]:
    """Id of the row's place, and its name in the table."""
    if shape.place is None:
        return "", ""
    column = source.columns[shape.place]
    name, _ = read_text(row.cells[shape.place])
    if name is None:
        raise BadCellError(column, "", f"the {shape.scope} is missing")
    match = matches[name]
    if isinstance(match, BadCellError):
        raise match
    if match.why:
        report.repair(row.number, column, name, match.place.name, match.why)
    return match.place.id, name


def _kind(source: Source, shape: Shape, row: Row, report: Report) -> str:
    if shape.kind is None:
        return ""
    column = source.columns[shape.kind]
    kind, _ = read_text(row.cells[shape.kind])
    if kind is None:
        raise BadCellError(column, "", "the kind of site is missing")
    if fold(kind) in ALL_KINDS:
        report.repair(row.number, column, kind, "", "read as all kinds together")
        return ""
    return kind


def _periods(
    source: Source, shape: Shape, day_first: bool | None, report: Report
) -> dict[int, Period | BadCellError]:
    """The period of each row of a long table."""
    columns = [source.columns[i] for i in shape.periods]
    joined: dict[int, object] = {}
    found: dict[int, Period | BadCellError] = {}
    for row in source.rows:
        try:
            joined[row.number] = join_parts(columns, [row.cells[i] for i in shape.periods])
        except ValueError as error:
            found[row.number] = BadCellError(", ".join(columns), "", str(error), "period missing")
    order = order_of_days(joined.values()) if day_first is None else day_first
    for number, cell in joined.items():
        try:
            found[number] = parse_period(cell, order)
        except ValueError as error:
            found[number] = BadCellError(", ".join(columns), cell, f"the period {error}")
    good = [period for period in found.values() if isinstance(period, Period)]
    if months_if_first_days(good):
        report.notes.append("every date is the first of a month: read as whole months")
        return {n: month_of(p) if isinstance(p, Period) else p for n, p in found.items()}
    return found
