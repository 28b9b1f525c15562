"""`Store.aggregates` on InfluxDB: figures made by the server, one InfluxQL statement for all that
count the same rows; only the joining of their windows is done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from timeseries.asking import Question
from timeseries.base import COUNT, LAST, LEAST, MEAN, MOST, Aggregate, Table, Value
from timeseries.influx_latest import Query
from timeseries.influxql import condition, literal, quoted

AT_ONCE = 6
"""Figures in a statement: a figure of 35,000 devices takes a server some seconds, and a proxy
waits for an answer's first byte no longer than a minute."""
_FUNCTIONS = {COUNT: "COUNT", MEAN: "MEAN", LEAST: "MIN", MOST: "MAX", LAST: "LAST", "sum": "SUM"}
Key = tuple[int, tuple[str, ...]]
"""Start of a window, and tags."""
Part = dict[Key, tuple[Any, ...]]
"""What one statement told: values in the order of its figures."""


def figures(query: Query, question: Question) -> Table:
    """Ask for all figures and join them: windows in which no row has one of the fields are out."""
    places: dict[str, tuple[Part, int]] = {}
    kept: set[Key] = set()
    for more, wanted in _statements(question):
        part = _whole(_read(question, query(_statement(question, more, wanted)), len(wanted)))
        places |= {name: (part, place) for place, name in enumerate(wanted)}
        if not more:
            counted = [one.how == COUNT for one in wanted.values()]
            kept.update(key for key, values in part.items() if _has_rows(values, counted))
    keys = sorted(kept)
    return Table(
        [start for start, _ in keys],
        {tag: [tags[i] for _, tags in keys] for i, tag in enumerate(question.by)},
        {name: _column(question, one, keys, *places[name]) for name, one in question.of.items()},
    )


def _statements(question: Question) -> Iterator[tuple[str, dict[str, Aggregate]]]:
    """What is asked together: a condition beside those of the question, and figures by name."""
    plain = {name: one for name, one in question.of.items() if one.equals is None}
    shown = {one.field for one in plain.values()}
    # A window with rows of which none equals the value must show too.
    for field in question.fields:
        if field not in shown:
            plain[f"rows of {field}"] = Aggregate(field)
    items = list(plain.items())
    for first in range(0, len(items), AT_ONCE):
        yield "", dict(items[first : first + AT_ONCE])
    for name, one in question.of.items():
        if one.equals is not None:
            yield f"{quoted(one.field)} = {_literal(one.equals)}", {name: one}


def _statement(question: Question, more: str, wanted: Mapping[str, Aggregate]) -> str:
    columns = ", ".join(
        f"{_FUNCTIONS[one.how]}({quoted(one.field)}) AS f{number}"
        for number, one in enumerate(wanted.values())
    )
    terms = [more] if more else []
    where = condition(question.where, question.start, question.end, *terms)
    tags = [quoted(tag) for tag in question.by]
    window = f"time({question.every}ms, {question.start % (question.every or 1)}ms)"
    groups = [*tags, window] if question.every else tags
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    fill = " FILL(none)" if question.every else ""
    inner = f"SELECT {columns} FROM {quoted(question.shape.name)}{where}{grouped}{fill}"  # noqa: S608 - quoted
    if not tags:
        return inner
    # Tags as columns of one series: half of a server's work for a series each.
    return f"SELECT {', '.join([*(f'f{n}' for n in range(len(wanted))), *tags])} FROM ({inner})"  # noqa: S608


def _read(
    question: Question, answer: list[dict[str, Any]], width: int
) -> Iterator[tuple[Key, tuple[Any, ...]]]:
    for series in answer:
        columns = series["columns"]
        places = [columns.index(f"f{number}") for number in range(width)]
        tags = [columns.index(tag) for tag in question.by]
        at = columns.index("time")
        for values in series["values"]:
            start = question.start  # without windows the time told may be a row's
            if question.every:
                start = values[at] - (values[at] - start) % question.every
            key = start, tuple([values[place] or "" for place in tags])
            yield key, tuple([values[place] for place in places])


def _whole(rows: Iterator[tuple[Key, tuple[Any, ...]]]) -> Part:
    """The rows by key. Out of the inner statement a window comes in several rows where one of its
    figures is missing from a neighbour: each has some of the figures.
    """
    part: Part = {}
    for key, values in rows:
        known = part.get(key)
        part[key] = (
            tuple([b if a is None else a for a, b in zip(known, values, strict=True)])
            if known
            else values
        )
    return part


def _has_rows(values: Sequence[Any], counted: Sequence[bool]) -> bool:
    """Whether one of the figures is of something: a count of 0 is not."""
    return any(
        value is not None and (value or not is_count)
        for value, is_count in zip(values, counted, strict=True)
    )


def _column(
    question: Question, one: Aggregate, keys: Sequence[Key], part: Part, place: int
) -> list[Value]:
    nothing = (None,) * (place + 1)
    column = [part.get(key, nothing)[place] for key in keys]
    if one.how == COUNT:
        return [value or 0 for value in column]
    kind = float if one.how == MEAN else question.shape.fields[one.field]
    if set(map(type, column)) <= {kind, type(None)}:
        return column
    return [None if value is None else kind(value) for value in column]


def _literal(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return literal(value) if isinstance(value, str) else str(value)
