"""The newest row of every combination of tags on InfluxDB, without making the server open every
series one by one: in a city of 35,000 that takes it several times as long.

The rows of the last minutes are asked for in one series. Who is missing there (retired, or not
polled for long) is seen in the list of all series and asked for by name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from timeseries.base import Measurement
from timeseries.influx_http import RefusedError
from timeseries.influxql import (
    Row,
    condition,
    key_of,
    keys,
    newest,
    newest_rows,
    quoted,
    rows,
    select,
)

Query = Callable[[str], list[dict[str, Any]]]
FEW = 500
"""So many series are asked for one by one at once."""
RECENT_MS = 15 * 60_000
MOST_REQUESTS, NAMES_BYTES = 10, 3_000
"""Bounds on asking by name: requests, and bytes of names in one (servers refuse long URLs)."""


def latest_rows(
    query: Query, shape: Measurement, where: Mapping[str, str], since: int | None
) -> list[Row]:
    """The newest row of each combination of tags, with all fields, in no order.

    All fields are asked for, as InfluxQL skips rows that have none of those named.
    """
    fields = list(shape.fields)

    def one_by_one(*more: str) -> list[Row]:
        statement = newest(select(shape, fields, condition(where, since, None, *more)))
        return rows(shape, fields, query(statement))

    present = None if shape.tags[0] in where else _present(query, shape, where)
    if present is None or len(present) <= FEW:
        return one_by_one()
    recent = int(time.time() * 1000) - RECENT_MS
    start = recent if since is None else max(since, recent)
    statement = newest_rows(shape, fields, condition(where, start), len(present))
    found = rows(shape, fields, query(statement))
    last = 1 + len(shape.tags)
    first_of = {row[1:last]: row for row in reversed(found)}
    if since is not None and start == since and len(found) < len(present):
        return list(first_of.values())
    known = {key_of(shape, tags) for tags in first_of}
    missing = present - known
    requests = list(_by_name(shape, missing)) if len(missing) < len(present) / 4 else []
    if missing and not 0 < len(requests) <= MOST_REQUESTS:
        return one_by_one()
    for names in requests:
        for row in one_by_one(names):
            first_of.setdefault(row[1:last], row)
    return list(first_of.values())


def _present(query: Query, shape: Measurement, where: Mapping[str, str]) -> set[str] | None:
    """The keys of all series; None where the server does not tell (InfluxDB 3)."""
    try:
        answer = query(keys(shape, condition(where)))
    except RefusedError:
        return None
    return {str(key) for one in answer for (key,) in one["values"]}


def _by_name(shape: Measurement, missing: Iterable[str]) -> Iterator[str]:
    """Conditions that name the first tag of the series `missing`, each of bounded length."""
    tag = shape.tags[0]
    found = {_first_tag(key, tag) for key in missing}
    if "" in found:  # a series without that tag: a pattern of names cannot ask for it
        yield f"{quoted(tag)} = ''"
    batch: list[str] = []
    for name in sorted(found - {""}):
        batch.append(_in_pattern(name))
        if sum(len(one.encode()) + 1 for one in batch) > NAMES_BYTES:
            yield _any_of(tag, batch)
            batch = []
    if batch:
        yield _any_of(tag, batch)


def _first_tag(key: str, tag: str) -> str:
    """The value of `tag` in a series' key, unescaped; empty where it has none."""
    found = re.search(rf"(?<!\\),{tag}=((?:\\[,= ]|[^,])*)", key)
    return re.sub(r"\\([,= ])", r"\1", found[1]) if found else ""


def _any_of(tag: str, names: Sequence[str]) -> str:
    return f"{quoted(tag)} =~ /^({'|'.join(names)})$/"


def _in_pattern(name: str) -> str:
    """A name in a pattern of Go's regexp between slashes."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", name)
