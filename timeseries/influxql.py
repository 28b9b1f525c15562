"""InfluxQL, the one query language that InfluxDB 1.x, 2.x and 3 share: statements made, answers
read. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from timeseries.base import Measurement, Table, Value

_READ: dict[type, Callable[[Any], Value]] = {float: float, int: int, bool: bool, str: str}
"""JSON knows one kind of number: 3.0 comes back as 3."""


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def select(
    shape: Measurement,
    fields: Sequence[str],
    where: Mapping[str, str],
    start: int | None = None,
    end: int | None = None,
) -> str:
    """Rows of one measurement grouped by its tags, in [start, end) milliseconds since 1970."""
    terms = [f"{quoted(tag)} = {literal(value)}" for tag, value in where.items()]
    if start is not None:
        terms.append(f"time >= {start}ms")
    if end is not None:
        terms.append(f"time < {end}ms")
    return (
        f"SELECT {', '.join(map(quoted, fields))} FROM {quoted(shape.name)}"  # noqa: S608 - quoted
        f"{' WHERE ' + ' AND '.join(terms) if terms else ''}"
        f" GROUP BY {', '.join(map(quoted, shape.tags))}"
    )


def newest(statement: str) -> str:
    """The newest row of each group of `statement`."""
    return f"{statement} ORDER BY time DESC LIMIT 1"


def to_table(
    shape: Measurement, fields: Sequence[str], series: Sequence[Mapping[str, Any]], by_time: bool
) -> Table:
    """The answer's series as a Table, by time then tags, or by tags alone."""
    rows: list[tuple[Any, ...]] = []
    for one in series:
        tags = [one.get("tags", {}).get(tag) or "" for tag in shape.tags]
        places = [one["columns"].index(name) for name in ("time", *fields)]
        for values in one["values"]:
            time, *found = (values[place] for place in places)
            rows.append((time, *tags, *found))
    last = 1 + len(shape.tags)
    rows.sort(key=itemgetter(*range(0 if by_time else 1, last)))
    columns = [list(c) for c in zip(*rows, strict=True)] or [[] for _ in range(last + len(fields))]
    return Table(
        [int(time) for time in columns[0]],
        dict(zip(shape.tags, columns[1:last], strict=True)),
        {
            name: [None if v is None else _READ[shape.fields[name]](v) for v in column]
            for name, column in zip(fields, columns[last:], strict=True)
        },
    )
