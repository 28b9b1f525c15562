"""Figures of the embedded store, made by SQLite: the statement for one file, and the joining of
what a window that midnight cuts has in two. Pure.

Names come from `timeseries.base.SCHEMA`, never from a user; values are always bound.
"""
# ruff: noqa: S608 - see above: nothing from outside is ever put into a statement

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from timeseries.asking import Question
from timeseries.base import COUNT, LAST, LEAST, MEAN, SUM, Aggregate, Table, Value
from timeseries.tables import any_of, origin, quoted, wherever

_GREATEST = 2**63 - 1
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Statement:
    """One query; its rows are the window's start, the tags in `by`, then what was asked for."""

    text: str
    values: list[Any]


def figures(question: Question, present: Collection[str], *, exact: bool = True) -> Statement:
    """The query for all figures of one file but `last`, by window and tags. A mean is two columns:
    sum and count. `exact` sums of whole numbers fail where 64 bits do not hold them ("integer
    overflow"); the others end there.
    """
    parts, values = [], []
    for one in question.of.values():
        if one.how != LAST:
            parts += _parts(one, question.shape.fields[one.field], one.field in present, exact)
            values += [] if one.equals is None else [one.equals]
    found = origin(question.shape, question.where, (question.start, question.end))
    keys = _keys(question)
    terms = [*found.terms, any_of(name for name in question.fields if name in present)]
    order = ", ".join(str(i + 1) for i in range(len(keys)))
    return Statement(
        f"{found.head}SELECT {', '.join([*keys, *parts])} FROM {found.rows} {wherever(terms)} "
        f"GROUP BY {order} ORDER BY {order}",
        _in_order(found.head, found.values, values),
    )


def newest(question: Question, field: str) -> Statement:
    """The query for `last` of `field` in one file: its time and value, by window and tags."""
    found = origin(question.shape, question.where, (question.start, question.end))
    keys = _keys(question)
    names = [f"k{i}" for i in range(len(keys))]
    selected = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
    group = ", ".join(names)
    terms = wherever([*found.terms, any_of([field])])
    rows = f'{selected}, r."time" AS t, r.{quoted(field)} AS v FROM {found.rows} {terms}'
    if set(question.by) | set(question.where) != set(question.shape.tags):
        # Several rows may share a time.
        rows = (
            f'{selected}, r."time" AS t, max(r.{quoted(field)}) AS v FROM {found.rows} {terms} '
            f"GROUP BY {group}, t"
        )
    # A column beside max() is that of the row which has it.
    return Statement(
        f"{found.head}SELECT {group}, max(t), v FROM (SELECT {rows}) GROUP BY {group}",
        found.values,
    )


def _in_order(head: str, of_origin: list[Any], of_parts: list[Any]) -> list[Any]:
    """What is bound, in the order of the text: the head stands before the figures."""
    inside = head.count("?")
    return [*of_origin[:inside], *of_parts, *of_origin[inside:]]


def _keys(question: Question) -> list[str]:
    start, every = question.start, question.every
    window = f'r."time" - (r."time" - {start}) % {every}' if every else f"+{start}"
    return [window, *(f"r.{quoted(tag)}" for tag in question.by)]


def _parts(one: Aggregate, kind: type, there: bool, exact: bool) -> list[str]:
    """Columns of one figure that can be joined with those of another file."""
    name = f"r.{quoted(one.field)}" if there else "NULL"
    if one.how == COUNT:
        return [f"count({name})" if one.equals is None else f"coalesce(sum({name} = ?), 0)"]
    if one.how == SUM:
        return [f"sum({name})" if exact or kind is float else f"CAST(total({name}) AS INTEGER)"]
    if one.how == MEAN:
        return [f"total({name})", f"count({name})"]
    return [f"{one.how}({name})"]


def joined(question: Question, files: Iterable[list[Row]]) -> list[Row]:
    """The rows of all files, oldest first, as one list; a window that two have is made one."""
    keys = 1 + len(question.by)
    hows = _hows(question)
    together: list[Row] = []
    for rows in files:
        if not together or not rows or together[-1][0] < rows[0][0]:
            together += rows
            continue
        cut = rows[0][0]
        before = len(together)
        while before and together[before - 1][0] == cut:
            before -= 1
        after = next((i for i, row in enumerate(rows) if row[0] != cut), len(rows))
        merged = {row[:keys]: row for row in together[before:]}
        for row in rows[:after]:
            known = merged.get(row[:keys])
            merged[row[:keys]] = _merged(known, row, keys, hows) if known else row
        together[before:] = [*(merged[key] for key in sorted(merged)), *rows[after:]]
    return together


def _hows(question: Question) -> list[str]:
    """How each column after the keys is joined: those of `figures`, then those of `newest`."""
    hows = []
    for one in question.of.values():
        if one.how != LAST:
            hows += [SUM, COUNT] if one.how == MEAN else [one.how]
    return hows + [LAST] * len(asked_last(question))


def asked_last(question: Question) -> list[str]:
    """The fields whose newest value was asked for; a row has (time, value) of each at its end."""
    return list(dict.fromkeys(one.field for one in question.of.values() if one.how == LAST))


def _merged(old: Row, new: Row, keys: int, hows: list[str]) -> Row:
    joins = zip(hows, old[keys:], new[keys:], strict=True)
    return (*new[:keys], *(_one(how, a, b) for how, a, b in joins))


def _one(how: str, old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    if how in (COUNT, SUM):
        added = old + new
        return added if isinstance(added, float) else max(-_GREATEST - 1, min(added, _GREATEST))
    if how == LEAST:
        return min(old, new)
    return max(old, new)  # a `last` is (time, value)


def to_table(question: Question, rows: list[Row]) -> Table:
    """The joined rows as the table that was asked for."""
    keys = 1 + len(question.by)
    columns: list[list[Any]] = (
        [list(column) for column in zip(*rows, strict=True)]
        if rows
        else [[] for _ in range(keys + len(_hows(question)))]
    )
    rest = iter(columns[keys:])
    fields: dict[str, list[Value]] = {}
    for name, one in question.of.items():
        if one.how == MEAN:
            fields[name] = [
                s / n if n else None for s, n in zip(next(rest), next(rest), strict=True)
            ]
        elif one.how != LAST:
            fields[name] = next(rest)
    newest_of = dict(zip(asked_last(question), rest, strict=True))
    for name, one in question.of.items():
        if one.how == LAST:
            kind = question.shape.fields[one.field]
            found = [None if pair is None else pair[1] for pair in newest_of[one.field]]
            fields[name] = (
                [None if v is None else bool(v) for v in found] if kind is bool else found
            )
        elif question.shape.fields[one.field] is float and one.how in (SUM, MEAN):
            fields[name] = _finite(fields[name])
    return Table(
        columns[0],
        dict(zip(question.by, columns[1:keys], strict=True)),
        {name: fields[name] for name in question.of},
    )


def _finite(column: list[Value]) -> list[Value]:
    """Sums that no float holds are none: no store could keep them."""
    if math.inf in column or -math.inf in column:
        return [None if v in (math.inf, -math.inf) else v for v in column]
    return column
