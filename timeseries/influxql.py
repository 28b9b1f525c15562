"""InfluxQL, the one query language that InfluxDB 1.x, 2.x and 3 share: statements made, answers
read. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
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


def newest_rows(shape: Measurement, fields: Sequence[str], condition: str, most: int) -> str:
    """The newest rows of one measurement in one series, their tags as columns: a third of a
    server's work for a series each.
    """
    every = (*fields, *shape.tags)
    return f"{_selected(shape, every)}{condition} ORDER BY time DESC LIMIT {most}"


def keys(shape: Measurement, condition: str) -> str:
    """Every combination of tags that there is, as `key_of` writes it."""
    return f"SHOW SERIES FROM {quoted(shape.name)}{condition}"


def key_of(shape: Measurement, tags: Iterable[str]) -> str:
    """A combination of tags as the server names it."""
    pairs = sorted(zip(shape.tags, tags, strict=True))
    return ",".join([shape.name, *(f"{n}={escaped_tag(v)}" for n, v in pairs if v)])


def rows(
    shape: Measurement, fields: Sequence[str], series: Iterable[Mapping[str, Any]]
) -> list[Row]:
    """The answer's rows, in its order; tags stand beside a series or in its columns."""
    found: list[Row] = []
    for one in series:
        places = {name: place for place, name in enumerate(one["columns"])}
        if "tags" in one:
            tags = tuple(one["tags"].get(tag) or "" for tag in shape.tags)
            pick = [places[name] for name in fields]
            found += [
                (values[places["time"]], *tags, *(values[place] for place in pick))
                for values in one["values"]
            ]
        else:
            of_tags = itemgetter(*(places[tag] for tag in (*shape.tags, "time")))
            pick = itemgetter(places["time"], *(places[name] for name in fields))
            for values in one["values"]:
                at, *wanted = pick(values)
                found.append((at, *(tag or "" for tag in of_tags(values)[:-1]), *wanted))
    return found


def to_table(
    shape: Measurement, fields: Sequence[str], found: Sequence[Row], by_time: bool
) -> Table:
    """Rows as a Table, by time then tags, or by tags alone."""
    last = 1 + len(shape.tags)
    columns = [list(c) for c in zip(*found, strict=True)] or [[] for _ in range(last + len(fields))]
    by = columns[0 if by_time else 1 : last]
    order = sorted(range(len(found)), key=list(zip(*by, strict=True)).__getitem__)
    columns = [[column[i] for i in order] for column in columns]
    return Table(
        [int(time) for time in columns[0]],
        dict(zip(shape.tags, columns[1:last], strict=True)),
        {
            name: _typed(shape.fields[name], column)
            for name, column in zip(fields, columns[last:], strict=True)
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
