"""`Store.aggregates` on InfluxDB: figures made by the server, one InfluxQL statement for all that
count the same rows; only the joining of their windows is done here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
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


def figures(query: Query, question: Question) -> Table:
    """Ask for all figures and join them: windows in which no row has one of the fields are out."""
    found: dict[Key, dict[str, Any]] = defaultdict(dict)
    kept: set[Key] = set()
    for more, wanted in _statements(question):
        for key, name, value in _read(question, query(_statement(question, more, wanted)), wanted):
            if value is not None:
                found[key][name] = value
                if not more and (wanted[name].how != COUNT or value):
                    kept.add(key)
    keys = sorted(kept)
    return Table(
        [start for start, _ in keys],
        {tag: [tags[i] for _, tags in keys] for i, tag in enumerate(question.by)},
        {
            name: [_typed(question, one, found[key].get(name)) for key in keys]
            for name, one in question.of.items()
        },
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
    groups = [quoted(tag) for tag in question.by]
    if question.every:
        groups.append(f"time({question.every}ms, {question.start % question.every}ms)")
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    fill = " FILL(none)" if question.every else ""
    return f"SELECT {columns} FROM {quoted(question.shape.name)}{where}{grouped}{fill}"  # noqa: S608 - quoted


def _read(
    question: Question, answer: list[dict[str, Any]], wanted: Mapping[str, Aggregate]
) -> Iterator[tuple[Key, str, Any]]:
    for series in answer:
        tags = tuple(series.get("tags", {}).get(tag) or "" for tag in question.by)
        places = [series["columns"].index(f"f{number}") for number in range(len(wanted))]
        at = series["columns"].index("time")
        for values in series["values"]:
            # Without windows, or for one lone MAX, the time told may be another's.
            into = (values[at] - question.start) % question.every if question.every else 0
            start = values[at] - into if question.every else question.start
            for name, place in zip(wanted, places, strict=True):
                yield (start, tags), name, values[place]


def _typed(question: Question, one: Aggregate, value: Any) -> Value:
    if one.how == COUNT:
        return int(value or 0)
    if value is None:
        return None
    kind = float if one.how == MEAN else question.shape.fields[one.field]
    return kind(value)  # type: ignore[no-any-return]  # float, int, bool or str


def _literal(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return literal(value) if isinstance(value, str) else str(value)
