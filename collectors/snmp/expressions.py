"""Values of a profile compiled to functions: scalars, columns, joins, sums and alternatives. Each
function takes the context of a reply and the row at hand, and gives the finished value or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.snmp.fields import (
    FINISH_KEYS,
    PLAIN_NUMBER,
    QUANTITY,
    RAW,
    Finish,
    Kind,
    ProfileError,
    finish_of,
    known_keys,
    regex,
    same_as,
)
from collectors.snmp.interfaces import REMEMBERED, TABLE, KeptColumns
from collectors.snmp.layout import (
    INDEX,
    SCALAR_KEYS,
    Cells,
    Columns,
    Context,
    Join,
    LastingCells,
    Layout,
    Use,
    scalar_oid,
)
from collectors.snmp.rows import combined, rows_of
from collectors.snmp.values import shown

Getter = Callable[[Context, Columns, Any], Any]
Test = Callable[[Columns, Any], bool]

COMBINE = ("sum", "mean", "max", "min", "first")
_ROWS = {"where", "combine", "count"}
_KEYS = frozenset(
    {
        *SCALAR_KEYS, "column", "value", "table", "from", "by", "sum", "percent", "when", *_ROWS,
        *FINISH_KEYS,
    }
)  # fmt: skip
_SOURCES = (*SCALAR_KEYS, "table", "from", "column", "value", "sum", "percent", "count")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a value is compiled: the profile's layout, and the table of the row at hand."""

    layout: Layout
    table: str | None = None

    def cell(self, name: Any, at: str) -> Cells:
        """What gives a name of the row at hand."""
        if self.table is None:
            raise ProfileError(at, "there is no row here: say which table")
        return self.layout.cell(self.table, name, at)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A value ready to use. `constant`: no device has a say in it."""

    get: Getter
    constant: bool = False
    combine: str = "first"
    direct: tuple[int, Finish] | None = None
    """Place of the column and what finishes its cell, where that is all that `get` does."""
    decided_by: frozenset[int] | None = None
    """Places of the tables whose lasting rows alone decide the value, with the index of the row at
    hand; None where anything else has a say."""


def compile_value(spec: Any, kind: Kind, scope: Scope, at: str) -> Compiled:
    """A value, or the first known of a list of alternatives, for a field of `kind`."""
    if not isinstance(spec, list):
        return _one(spec, kind, scope, at)
    if not spec:
        raise ProfileError(at, "is an empty list")
    choices = [_one(one, kind, scope, f"{at}[{n}]") for n, one in enumerate(spec)]
    getters = [one.get for one in choices]

    def first(context: Context, columns: Columns, index: Any) -> Any:
        for get in getters:
            value = get(context, columns, index)
            if value is not None:
                return value
        return None

    alone = [one.decided_by for one in choices if one.decided_by is not None]
    return Compiled(
        first, all(one.constant for one in choices), choices[0].combine,
        decided_by=frozenset().union(*alone) if len(alone) == len(choices) else None,
    )  # fmt: skip


def _one(spec: Any, kind: Kind, scope: Scope, at: str) -> Compiled:
    spec = known_keys(spec, _KEYS, at)
    made = _known(spec, kind, scope, at)
    if "when" not in spec:
        return made
    when = known_keys(spec["when"], {"value", "is"}, f"{at}.when")
    told = compile_value(when.get("value"), RAW, scope, f"{at}.when.value").get
    holds, get = _test(when.get("is"), f"{at}.when.is"), made.get

    def conditional(context: Context, columns: Columns, index: Any) -> Any:
        if not holds(told(context, columns, index)):
            return None
        return get(context, columns, index)

    return Compiled(conditional, made.constant, made.combine)


def _known(spec: Mapping[str, Any], kind: Kind, scope: Scope, at: str) -> Compiled:
    if not any(key in spec for key in _SOURCES):
        raise ProfileError(at, f"says no source: one of {', '.join(sorted(_SOURCES))}")
    combine = spec.get("combine", kind.combine)
    if combine not in COMBINE:
        raise ProfileError(f"{at}.combine", f"{combine!r} is not one of {', '.join(COMBINE)}")
    finish = finish_of(spec, kind, at)
    if "sum" in spec or "percent" in spec:
        get = _sum(spec, kind, scope, at) if "sum" in spec else _percent(spec, scope, at)
        return Compiled(_finished(get, finish), combine=combine)
    if any(key in spec for key in SCALAR_KEYS):
        place = scope.layout.scalar(scalar_oid(spec, at))

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
        rows = {**spec, "combine": combine}
        get, by_row = _rows(rows, scope, finish, at)
        of = scope.layout.table(TABLE, at) if by_row and spec["from"] == TABLE else None
        decided_by = None if of is None else frozenset({of})
        return Compiled(get, combine=combine, decided_by=decided_by)
    return _of_row(spec, finish, combine, scope, at)


def _of_row(
    spec: Mapping[str, Any], finish: Finish, combine: str, scope: Scope, at: str
) -> Compiled:
    if "count" in spec:
        name = _counted(spec, at)
        if name is None:
            return Compiled(lambda _context, _columns, _index: 1, combine="sum")
        there = scope.cell(name, f"{at}.count")
        return Compiled(
            lambda _context, columns, index: None if there(columns, index) is None else 1,
            combine="sum",
        )
    cell = scope.cell(spec["column"], f"{at}.column")
    place = scope.layout.place(scope.table or "", spec["column"], at)
    if place is not None:

        def direct(_context: Context, columns: Columns, index: Any) -> Any:
            value = columns[place].get(index)
            return None if value is None else finish(value)

        return Compiled(direct, combine=combine, direct=(place, finish))

    def column(_context: Context, columns: Columns, index: Any) -> Any:
        value = cell(columns, index)
        return None if value is None else finish(value)

    parts = scope.layout.specs[scope.table or ""].parts
    of_index = spec["column"] == INDEX or spec["column"] in parts
    return Compiled(column, combine=combine, decided_by=frozenset() if of_index else None)


def _finished(get: Getter, finish: Finish) -> Getter:
    def finished(context: Context, columns: Columns, index: Any) -> Any:
        value = get(context, columns, index)
        return None if value is None else finish(value)

    return finished


def _sum(spec: Mapping[str, Any], kind: Kind, scope: Scope, at: str) -> Getter:
    if not isinstance(spec["sum"], list) or not spec["sum"]:
        raise ProfileError(f"{at}.sum", "must be a list of values")
    part = QUANTITY if kind == QUANTITY else PLAIN_NUMBER
    terms = [
        compile_value(one, part, scope, f"{at}.sum[{n}]").get for n, one in enumerate(spec["sum"])
    ]

    first, *others = terms

    def total(context: Context, columns: Columns, index: Any) -> float | None:
        value = first(context, columns, index)
        if value is None:
            return None
        for get in others:
            value += get(context, columns, index) or 0
        return float(value)

    return total


def _percent(spec: Mapping[str, Any], scope: Scope, at: str) -> Getter:
    at = f"{at}.percent"
    parts = known_keys(spec["percent"], {"total", "used", "free"}, at)
    if "total" not in parts or ("used" in parts) == ("free" in parts):
        raise ProfileError(at, "needs total, and used or free")
    is_free = "free" in parts
    whole = compile_value(parts["total"], QUANTITY, scope, f"{at}.total").get
    name = "free" if is_free else "used"
    part = compile_value(parts[name], QUANTITY, scope, f"{at}.{name}").get

    def percent(context: Context, columns: Columns, index: Any) -> float | None:
        total = whole(context, columns, index)
        share = part(context, columns, index) if total else None
        if share is None:
            return None
        return float(100 * ((total - share) if is_free else share) / total)

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


def _counted(spec: Mapping[str, Any], at: str) -> str | None:
    """The column of which known values are counted; None to count rows."""
    if "column" in spec or not isinstance(spec["count"], str):
        raise ProfileError(f"{at}.count", "must be `rows` or a name, without a column beside it")
    return None if spec["count"] == "rows" else spec["count"]


def _rows(spec: Mapping[str, Any], scope: Scope, finish: Finish, at: str) -> tuple[Getter, bool]:
    """A figure of rows of a table: of all, or of those that belong to the row at hand; and whether
    of that row its index alone tells which do.
    """
    layout, counts, combine = scope.layout, "count" in spec, spec["combine"]
    name = spec["from"] if "from" in spec else spec["table"]
    place = layout.table(name, at)
    wanted = _counted(spec, at) if counts else spec.get("column")
    cell = None if wanted is None and counts else layout.cell(name, wanted, f"{at}.column")
    pick = _picker(spec, scope, place, name, at)
    if place is None:
        return (lambda _context, _columns, _index: None), False
    by_row = "from" in spec and layout.joins[-1].by_row
    takes_all = not {"from", "where", "count"} & set(spec) and layout.place(name, wanted, at) == 0

    def figure(context: Context, columns: Columns, index: Any) -> Any:
        table = context.tables[place]
        if table is None:
            return None
        if by_row and table.__class__ is KeptColumns:
            # What is joined of an interface lasts: nothing but the row decides what is found.
            told = table.told.setdefault(figure, {})
            if index not in told and len(told) < REMEMBERED:
                told[index] = found(context, table, columns, index)
            if index in told:
                return told[index]
        return found(context, table, columns, index)

    def found(context: Context, table: Columns, columns: Columns, index: Any) -> Any:
        if takes_all and len(table) == 1:  # all that it has is that column
            values: Sequence[Any] = list(table[0].values())
        else:
            rows = pick(context, table, columns, index)
            values = rows if cell is None else [cell(table, row) for row in rows]
        if counts:
            return finish(sum(value is not None for value in values))
        if len(values) == 1:
            return None if values[0] is None else finish(values[0])
        return combined([finish(value) for value in values if value is not None], combine)

    return figure, by_row


def _picker(
    spec: Mapping[str, Any], scope: Scope, place: int | None, name: str, at: str
) -> Callable[[Context, Columns, Columns, Any], Sequence[Any]]:
    """What picks the rows that count of table `name`, of a context, that table, and a row."""
    layout, where = scope.layout, spec.get("where") or {}
    keep = compile_where(where or None, layout, name, f"{at}.where")
    wanted = None if "count" in spec else spec.get("column")
    layout.uses.append(Use(name, wanted, tuple(where), keep, "from" in spec))
    if "from" in spec:
        return _join(spec, scope, name, keep, at)
    if "by" in spec:
        raise ProfileError(f"{at}.by", "goes with from")
    if keep is None:
        return lambda _context, table, _columns, _index: rows_of(table)
    if len(where) == 1 and not isinstance(one := next(iter(where.values())), dict):
        # Several figures of one table, for instance of its memory, look their rows up by name.
        column = next(iter(where))
        cell, place_of = layout.cell(name, column, at), layout.place(name, column, at)
        texts = [str(text) for text in (one if isinstance(one, list) else [one])]
        key = (place, column)

        def by_text(cells: Iterable[tuple[Any, Any]]) -> dict[str, list[Any]]:
            rows: dict[str, list[Any]] = {}
            for row, value in cells:
                rows.setdefault(shown(value), []).append(row)
            return rows

        def named(context: Context, table: Columns, _columns: Columns, _index: Any) -> list[Any]:
            cells = None if place_of is None else table[place_of]
            if cells.__class__ is LastingCells:
                found = cells.rows
                if found is None:
                    found = cells.rows = by_text(cells.items())
            elif key in context.joins:
                found = context.joins[key]
            else:
                if cells is None:
                    found = by_text((row, cell(table, row)) for row in rows_of(table))
                else:
                    found = by_text(cells.items())
                context.joins[key] = found
            return [row for text in texts for row in found.get(text, ())]

        return named
    return lambda _context, table, _columns, _index: [
        row for row in rows_of(table) if keep(table, row)
    ]


def _join(
    spec: Mapping[str, Any], scope: Scope, name: str, keep: Test | None, at: str
) -> Callable[[Context, Columns, Columns, Any], Sequence[Any]]:
    by = spec.get("by")
    if scope.table is None or not by:
        raise ProfileError(at, "from needs by, and a row: elsewhere say table")
    if isinstance(by, str):
        by = {by: by}
    if not isinstance(by, dict):
        raise ProfileError(f"{at}.by", "must be {THEIRS: OURS} or a name")
    theirs = [scope.layout.cell(name, one, f"{at}.by") for one in by]
    ours = [scope.cell(one, f"{at}.by") for one in by.values()]
    index = list(scope.layout.specs[scope.table].parts) or [INDEX]
    by_row = list(by.values()) in ([INDEX], index)
    scope.layout.joins.append(
        Join(name, tuple(by), tuple(theirs), scope.table, tuple(ours), by_row)
    )
    if keep is None and by == {INDEX: INDEX} and "count" not in spec:
        return lambda _context, _table, _columns, index: (index,)

    def joined(context: Context, table: Columns, columns: Columns, index: Any) -> Sequence[Any]:
        # The closure itself names the join: its rows are gathered once a reply.
        found = context.joins.get(joined)
        if found is None:
            found = context.joins[joined] = {}
            for row in rows_of(table):
                if keep is None or keep(table, row):
                    its = tuple([one(table, row) for one in theirs])
                    found.setdefault(its, []).append(row)
        return found.get(tuple([one(columns, index) for one in ours]), ())

    return joined
