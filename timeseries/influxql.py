"""InfluxQL, the one query language that InfluxDB 1.x, 2.x and 3 share: statements made, answers
read. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import gt
from types import MappingProxyType
from typing import Any

from farola.errors import StoreError
from timeseries.base import Measurement, Table, Value
from timeseries.checking import LAST_TIME
from timeseries.lines import escaped_tag

Row = tuple[Any, ...]
"""Time, tags in the schema's order, fields."""
_READ: dict[type, Callable[[Any], Value]] = {float: float, int: int, bool: bool, str: str}
"""JSON knows one kind of number: 3.0 comes back as 3."""


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def condition(
    where: Mapping[str, str], start: int | None = None, end: int | None = None, *more: str
) -> str:
    """` WHERE …` with those tags, in [start, end) milliseconds since 1970; empty without terms."""
    terms = [f"{quoted(tag)} = {literal(value)}" for tag, value in where.items()]
    if start is not None:
        terms.append(f"time >= {min(max(start, 0), LAST_TIME)}ms")
    if end is not None:
        terms.append(f"time < {min(max(end, 0), LAST_TIME)}ms")
    terms += more
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def select(shape: Measurement, fields: Sequence[str], condition: str) -> str:
    """Rows of one measurement, a series for each combination of its tags."""
    return f"{_selected(shape, fields)}{condition} GROUP BY {_listed(shape.tags)}"


def newest(statement: str) -> str:
    """The newest row of each group of `statement`."""
    return f"{statement} ORDER BY time DESC LIMIT 1"


def flat(shape: Measurement, fields: Sequence[str], where: Collection[str], condition: str) -> str:
    """Rows of one measurement in one series by time, the tags not in `where` as columns: half of a
    server's work for a series each.
    """
    tags = [tag for tag in shape.tags if tag not in where]
    return f"{_selected(shape, (*tags, *fields))}{condition}"


def keys(shape: Measurement, condition: str) -> str:
    """Every combination of tags that there is, as `keys_of` writes it."""
    return f"SHOW SERIES FROM {quoted(shape.name)}{condition}"


def keys_of(shape: Measurement, found: Sequence[Row]) -> list[str]:
    """The rows' combinations of tags as the server names them."""
    keys = [shape.name] * len(found)
    places = {tag: place for place, tag in enumerate(shape.tags, 1)}
    for tag, place in sorted(places.items()):
        values = [row[place] for row in found]
        escaped = map(escaped_tag, values) if set("".join(values)) & set(",= ") else values
        keys = [f"{key},{tag}={v}" if v else key for key, v in zip(keys, escaped, strict=True)]
    return keys


def columns(
    shape: Measurement,
    fields: Sequence[str],
    series: Iterable[Mapping[str, Any]],
    where: Mapping[str, str] = MappingProxyType({}),
) -> list[list[Any]]:
    """Time, tags and fields of the answer's rows, in its order; tags stand beside a series, in its
    columns, or are those asked for.
    """
    found: list[list[Any]] = [[] for _ in range(1 + len(shape.tags) + len(fields))]
    for one in series:
        told = dict(zip(one["columns"], zip(*one["values"], strict=True), strict=True))
        beside = one.get("tags", where)
        for place, name in enumerate(("time", *shape.tags, *fields)):
            column = told.get(name)
            if not 0 < place <= len(shape.tags):
                found[place] += told[name]
            elif column is None:
                found[place] += [beside.get(name) or ""] * len(one["values"])
            else:
                found[place] += column if None not in column else [v or "" for v in column]
    return found


def rows(
    shape: Measurement,
    fields: Sequence[str],
    series: Iterable[Mapping[str, Any]],
    where: Mapping[str, str] = MappingProxyType({}),
) -> list[Row]:
    """The rows of `columns`."""
    return list(zip(*columns(shape, fields, series, where), strict=True))


def to_table(
    shape: Measurement, fields: Sequence[str], found: Sequence[list[Any]], by_time: bool
) -> Table:
    """`columns` as a Table, its rows by time then tags, or by tags alone."""
    last = 1 + len(shape.tags)
    keys = list(zip(*found[0 if by_time else 1 : last], strict=True))
    if any(map(gt, keys, islice(keys, 1, None))):  # mostly the server has them in order
        order = sorted(range(len(keys)), key=keys.__getitem__)
        found = [[column[i] for i in order] for column in found]
    return Table(
        [int(time) for time in found[0]],
        dict(zip(shape.tags, found[1:last], strict=True)),
        {
            name: _typed(shape.fields[name], column)
            for name, column in zip(fields, found[last:], strict=True)
        },
    )


def _typed(kind: type, column: list[Any]) -> list[Value]:
    if set(map(type, column)) <= {kind, type(None)}:
        return column
    try:
        return [None if v is None else _READ[kind](v) for v in column]
    except (TypeError, ValueError):
        raise StoreError(
            "the server holds values that Farola did not write: a field of ours has another type "
            "there; drop that measurement, or name another [store] bucket"
        ) from None


def _selected(shape: Measurement, names: Sequence[str]) -> str:
    return f"SELECT {_listed(names)} FROM {quoted(shape.name)}"  # noqa: S608 - quoted


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
