"""Says what the columns of a usage table mean, from the options of `farola import usage`.

Long: a row is a place and period. Wide by period: each period is a column. Wide by kind: each
kind of site is a column. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.portal.periods import Period, month_of, months_if_first_days, parse_period
from farola.errors import InputError
from inventory.importers.contents import Source

MEASURES = ("users", "sessions", "minutes")


@dataclass(frozen=True)
class Figure:
    """A column of figures."""

    measure: str
    column: str
    index: int
    kind: str = ""
    """Kind of site it is for; empty is all kinds together."""
    period: Period | None = None
    """The period that the column is for, in a table that is wide by period."""


@dataclass(frozen=True)
class Shape:
    """Which columns hold what."""

    scope: str
    place: int | None
    kind: int | None
    periods: tuple[int, ...]
    """Columns that make up the period together; empty in a table that is wide by period."""
    figures: tuple[Figure, ...]

    @property
    def wide(self) -> bool:
        """Whether each period is a column."""
        return not self.periods


def find_shape(
    source: Source,
    *,
    places: Mapping[str, str],
    city: bool,
    periods: Sequence[str],
    figures: Mapping[str, Sequence[str]],
    kind: str,
    measure: str,
) -> Shape:
    """The shape of `source`.

    `places` maps `site` and `neighbourhood` to the column given ("" is none); `figures` maps
    measures to columns, each `COL` or `KIND=COL`.

    Raises
    ------
    InputError
        Options that contradict each other, or a column that is not there.
    """
    given = [(scope, column) for scope, column in places.items() if column]
    if len(given) + city != 1:
        raise InputError(
            "say what the figures are for: one of --site COL, --neighbourhood COL or --city"
        )
    scope, place = given[0] if given else ("city", "")
    if not periods:
        raise InputError("--period is missing: name the column, or each column that is a period")
    chosen = [
        _figure(source, name, column)
        for name, columns in figures.items()
        for column in columns
    ]  # fmt: skip
    by_column = _period_columns(source, periods)
    if by_column:
        if chosen:
            raise InputError(
                f"each --period column is a period itself ({periods[0]!r}), so its cells are the "
                f"figures: give --measure instead of --{chosen[0].measure}"
            )
        chosen = [
            Figure(measure or "users", name, source.index(name, "--period"), period=period)
            for name, period in zip(periods, by_column, strict=True)
        ]
        if len({figure.period for figure in chosen}) < len(chosen):
            raise InputError(f"{source.path}: two --period columns mean the same period")
    elif measure:
        raise InputError("--measure is for tables in which each --period column is a period")
    elif not chosen:
        raise InputError("no figures: give --users, --sessions or --minutes with their columns")
    _check_twice(chosen)
    return Shape(
        scope,
        source.index(place, f"--{scope}") if place else None,
        source.index(kind, "--kind") if kind else None,
        () if by_column else tuple(source.index(name, "--period") for name in periods),
        tuple(chosen),
    )


def _period_columns(source: Source, names: Sequence[str]) -> list[Period]:
    """The periods that all `names` are, or none of them. A workbook's columns may be dates."""
    found = []
    for name in names:
        source.index(name, "--period")
        try:
            found.append(parse_period(name))
        except ValueError:
            return []
    return [month_of(p) for p in found] if months_if_first_days(found) else found


def _figure(source: Source, measure: str, text: str) -> Figure:
    """`COL`, or `KIND=COL` unless a column has that whole name."""
    option = f"--{measure}"
    kind, equals, column = text.partition("=")
    if not equals or text in source.columns:
        kind, column = "", text
    return Figure(measure, column.strip(), source.index(column, option), kind.strip())


def _check_twice(figures: Sequence[Figure]) -> None:
    seen: dict[tuple[str, str, Period | None], str] = {}
    for figure in figures:
        key = figure.measure, figure.kind, figure.period
        if key in seen:
            raise InputError(
                f"--{figure.measure} is given twice for "
                f"{f'kind {figure.kind!r}' if figure.kind else 'all kinds'}: {seen[key]!r} and "
                f"{figure.column!r}; write KIND={figure.column}"
            )
        seen[key] = figure.column
