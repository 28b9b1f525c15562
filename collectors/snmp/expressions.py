"""Values of a profile compiled to functions: scalars, columns, joins, sums and alternatives. Each
function takes the context of a reply and the row at hand, and gives the finished value or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.snmp.fields import (
    FINISH_KEYS,
    PLAIN_NUMBER,
    Finish,
    Kind,
    ProfileError,
    finish_of,
    known_keys,
    regex,
    same_as,
)
from collectors.snmp.layout import SCALAR_KEYS, Cells, Columns, Context, Layout, scalar_oid
from collectors.snmp.values import shown

Getter = Callable[[Context, Columns, Any], Any]
Test = Callable[[Columns, Any], bool]

COMBINE = ("sum", "mean", "max", "min", "first")
_ROWS = {"where", "combine", "count"}
_KEYS = frozenset(
    {*SCALAR_KEYS, "column", "value", "table", "from", "by", "sum", "percent", *_ROWS, *FINISH_KEYS}
)
_SOURCES = (*SCALAR_KEYS, "table", "from", "column", "value", "sum", "percent", "count")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A value ready to use. `constant`: no device has a say in it. `tables`: the places of those
    whose rows are added up in it.
    """

    get: Getter
    constant: bool = False
    combine: str = "first"


def compile_value(spec: Any, kind: Kind, layout: Layout, table: str | None, at: str) -> Compiled:
    """A value, or the first known of a list of alternatives, for a field of `kind`; `table` is
    that of the row at hand.
    """
    if not isinstance(spec, list):
        return _one(spec, kind, layout, table, at)
    if not spec:
        raise ProfileError(at, "is an empty list")
    choices = [_one(one, kind, layout, table, f"{at}[{n}]") for n, one in enumerate(spec)]
    getters = [one.get for one in choices]

    def first(context: Context, columns: Columns, index: Any) -> Any:
        for get in getters:
            value = get(context, columns, index)
            if value is not None:
                return value
        return None

    return Compiled(first, all(one.constant for one in choices), choices[0].combine)


def _one(spec: Any, kind: Kind, layout: Layout, table: str | None, at: str) -> Compiled:
    spec = known_keys(spec, _KEYS, at)
    if not any(key in spec for key in _SOURCES):
        raise ProfileError(at, f"says no source: one of {', '.join(sorted(_SOURCES))}")
    combine = spec.get("combine", kind.combine)
    if combine not in COMBINE:
        raise ProfileError(f"{at}.combine", f"{combine!r} is not one of {', '.join(COMBINE)}")
    finish = finish_of(spec, kind, at)
    if "sum" in spec or "percent" in spec:
        make = _sum if "sum" in spec else _percent
        return Compiled(_finished(make(spec, layout, table, at), finish), combine=combine)
    if any(key in spec for key in SCALAR_KEYS):
        place = layout.scalar(scalar_oid(spec, at))

        def scalar(context: Context, _columns: Columns, _index: Any) -> Any:
            value = context.scalars[place]
            return None if value is None else finish(value)

        return Compiled(scalar, combine=combine)
    if "value" in spec:
        constant = finish(spec["value"])
        if constant is None:
            raise ProfileError(f"{at}.value", f"{spec['value']!r} cannot be {kind.name}")
        return Compiled(lambda _context, _columns, _index: constant, True, combine)
    if "from" in spec or "table" in spec:
        return Compiled(_rows(spec, layout, table, finish, combine, at), combine=combine)
    if table is None:
        raise ProfileError(at, "there is no row here: say which table")
    if "count" in spec:
        _counts(spec, at)
        return Compiled(lambda _context, _columns, _index: 1, combine="sum")
    cell = layout.cell(table, spec["column"], f"{at}.column")

    def column(_context: Context, columns: Columns, index: Any) -> Any:
        value = cell(columns, index)
        return None if value is None else finish(value)

    return Compiled(column, combine=combine)


def _finished(get: Getter, finish: Finish) -> Getter:
    def finished(context: Context, columns: Columns, index: Any) -> Any:
        value = get(context, columns, index)
        return None if value is None else finish(value)

    return finished


def _sum(spec: Mapping[str, Any], layout: Layout, table: str | None, at: str) -> Getter:
    if not isinstance(spec["sum"], list) or not spec["sum"]:
        raise ProfileError(f"{at}.sum", "must be a list of values")
    terms = [
        compile_value(one, PLAIN_NUMBER, layout, table, f"{at}.sum[{n}]").get
        for n, one in enumerate(spec["sum"])
    ]

    def total(context: Context, columns: Columns, index: Any) -> float | None:
        first, *others = (get(context, columns, index) for get in terms)
        return None if first is None else first + sum(other or 0 for other in others)

    return total


def _percent(spec: Mapping[str, Any], layout: Layout, table: str | None, at: str) -> Getter:
    at = f"{at}.percent"
    parts = known_keys(spec["percent"], {"total", "used", "free"}, at)
    if "total" not in parts or ("used" in parts) == ("free" in parts):
        raise ProfileError(at, "needs total, and used or free")
    is_free = "free" in parts
    whole = compile_value(parts["total"], PLAIN_NUMBER, layout, table, f"{at}.total").get
    name = "free" if is_free else "used"
    part = compile_value(parts[name], PLAIN_NUMBER, layout, table, f"{at}.{name}").get

    def percent(context: Context, columns: Columns, index: Any) -> float | None:
        total, share = whole(context, columns, index), part(context, columns, index)
        if not total or share is None:
            return None
        return 100 * ((total - share) if is_free else share) / total

    return percent


def compile_where(spec: Any, layout: Layout, table: str, at: str) -> Test | None:
    """Whether a row counts; None where all do."""
    if spec is None:
        return None
    tests: list[tuple[Cells, Callable[[Any], bool]]] = []
    for name, wanted in known_keys(
        spec, set(spec) if isinstance(spec, dict) else set(), at
    ).items():
        tests.append((layout.cell(table, name, at), _test(wanted, f"{at}.{name}")))
    if len(tests) == 1:
        cell, holds = tests[0]
        return lambda columns, index: holds(cell(columns, index))
    return lambda columns, index: all(holds(cell(columns, index)) for cell, holds in tests)


def _test(wanted: Any, at: str) -> Callable[[Any], bool]:
    if isinstance(wanted, dict):
        wanted = known_keys(wanted, {"matches", "not"}, at)
        if "matches" in wanted:
            pattern = regex(wanted["matches"], f"{at}.matches")
            return lambda value: value is not None and pattern.search(shown(value)) is not None
        unwanted = _test(wanted.get("not"), f"{at}.not")
        return lambda value: not unwanted(value)
    return same_as(wanted if isinstance(wanted, list) else [wanted], at)


def _counts(spec: Mapping[str, Any], at: str) -> bool:
    if "count" not in spec:
        return False
    if spec["count"] != "rows" or "column" in spec:
        raise ProfileError(f"{at}.count", "must be `rows`, without a column")
    return True


def _rows(
    spec: Mapping[str, Any], layout: Layout, own: str | None, finish: Finish, combine: str, at: str
) -> Getter:
    """A figure of rows of a table: of all, or of those that belong to the row at hand."""
    name = spec["from"] if "from" in spec else spec["table"]
    counts = _counts(spec, at)
    place = layout.table(name, at)
    cell = None if counts else layout.cell(name, spec.get("column"), f"{at}.column")
    keep = compile_where(spec.get("where"), layout, name, f"{at}.where")
    pairs = _pairs(spec, layout, name, own, at)
    if place is None:
        return lambda _context, _columns, _index: None
    gather = _gather(place, cell, keep)

    def figure(values: Sequence[Any]) -> Any:
        if counts:
            return finish(len(values))
        return combined([finish(value) for value in values], combine)

    if pairs is None:

        def of_all(context: Context, _columns: Columns, _index: Any) -> Any:
            rows = gather(context)
            return None if rows is None else figure([value for _, value in rows])

        return of_all
    theirs, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def joined(context: Context, columns: Columns, index: Any) -> Any:
        # The closure itself names the join: its rows are gathered once a reply.
        key = id(joined)
        if key not in context.joins:
            rows, table = gather(context), context.tables[place]
            groups: dict[Any, list[Any]] | None = None if rows is None else {}
            for row, value in rows or ():
                its = tuple(one(table or (), row) for one in theirs)
                groups.setdefault(its, []).append(value)  # type: ignore[union-attr]  # rows: a dict
            context.joins[key] = groups
        found = context.joins[key]
        if found is None:
            return None
        return figure(found.get(tuple(one(columns, index) for one in ours), ()))

    return joined


def _pairs(
    spec: Mapping[str, Any], layout: Layout, name: str, own: str | None, at: str
) -> list[tuple[Cells, Cells]] | None:
    if "from" not in spec:
        if "by" in spec:
            raise ProfileError(f"{at}.by", "goes with from")
        return None
    by = spec.get("by")
    if own is None or not by:
        raise ProfileError(at, "from needs by, and a row: elsewhere say table")
    if isinstance(by, str):
        by = {by: by}
    if not isinstance(by, dict):
        raise ProfileError(f"{at}.by", "must be {THEIRS: OURS} or a name")
    at = f"{at}.by"
    return [(layout.cell(name, t, at), layout.cell(own, o, at)) for t, o in by.items()]


def _gather(
    place: int, cell: Cells | None, keep: Test | None
) -> Callable[[Context], list[tuple[Any, Any]] | None]:
    def gather(context: Context) -> list[tuple[Any, Any]] | None:
        columns = context.tables[place]
        if columns is None:
            return None
        indexes = rows_of(columns)
        if keep is not None:
            indexes = [index for index in indexes if keep(columns, index)]
        if cell is None:
            return [(index, 1) for index in indexes]
        return [(index, value) for index in indexes if (value := cell(columns, index)) is not None]

    return gather


def rows_of(columns: Columns) -> list[Any]:
    """Indexes of a table's rows, in the agent's order."""
    if not columns:
        return []
    indexes = list(columns[0])
    for column in columns[1:]:
        # Nearly always all columns have the same rows: then nothing need be hashed.
        if list(column) != indexes:
            return list(dict.fromkeys(index for column in columns for index in column))
    return indexes


def combined(values: Sequence[Any], how: str) -> Any:
    """What several rows say together; None if none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if how == "first" or not all(isinstance(value, int | float) for value in known):
        return known[0]
    if how == "mean":
        return sum(known) / len(known)
    return {"sum": sum, "max": max, "min": min}[how](known)  # type: ignore[operator]  # all take a list
