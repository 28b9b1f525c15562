"""The newest row of every combination of tags on InfluxDB, without making the server open every
series one by one: in a city of 35,000 that takes it several times as long.

Rows of one poll share their time. So the newest rows of some series tell when it was, and all rows
from then on are asked for in one series. Who is missing there (retired, or silent for long) is seen
in the list of all series and asked for by name. What the sample tells decides how long the answer
takes, never what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any
from urllib.parse import quote_plus

from timeseries.base import Measurement
from timeseries.influx_http import RefusedError
from timeseries.influxql import (
    Row,
    condition,
    flat,
    keys,
    keys_of,
    literal,
    newest,
    quoted,
    rows,
    select,
)

Query = Callable[[str], list[dict[str, Any]]]
FEW = 500
"""So many series are asked for one by one at once."""
SAMPLE = 24
RECENT_MS = 15 * 60_000
"""Newest rows so far apart may be of one city, polled by several collectors."""
MOST_REQUESTS, NAMES_BYTES = 40, 6_000
"""Bounds on asking by name: requests, and bytes of names in one URL (proxies refuse long ones)."""


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

    def within(start: int, end: int | None, most: int, order: str = "ASC") -> list[Row]:
        """At most so many rows, the oldest or (`DESC`) the newest, by time."""
        statement = flat(shape, fields, where, condition(where, start, end))
        found = query(f"{statement} ORDER BY time {order} LIMIT {most}")
        return sorted(rows(shape, fields, found, where), key=itemgetter(0))

    present = None if shape.tags[0] in where else _present(query, shape, where)
    if present is None or len(present) <= FEW:
        return one_by_one()
    every, most, last = set(present), len(present), 1 + len(shape.tags)
    start = _start(one_by_one(_any_of(shape.tags[0], _sample(shape, present))), since)
    if start is None:
        return one_by_one()

    def asked_for(by_tags: Mapping[Row, Row]) -> list[str]:
        """Conditions that name who is missing."""
        return list(_by_name(shape, every.difference(keys_of(shape, list(by_tags.values())))))

    found = within(start, None, 2 * most)
    is_all = len(found) < 2 * most
    if not is_all:  # many polls, of which the last ones count
        found = within(start, None, most, "DESC")
        if found:  # of the rows of the first time, some may be cut off
            start = found[0][0] + 1
    by_tags = {row[1:last]: row for row in found}
    if is_all and start == since:
        return list(by_tags.values())
    requests = asked_for(by_tags)
    if len(requests) > MOST_REQUESTS:
        before = max(start - RECENT_MS, since or 0)
        earlier = within(before, start, most, "DESC")
        by_tags = {row[1:last]: row for row in earlier} | by_tags
        if before == since and len(earlier) < most:
            return list(by_tags.values())
        requests = asked_for(by_tags)
    if len(requests) > MOST_REQUESTS:
        return one_by_one()
    for names in requests:
        for row in one_by_one(names):
            by_tags.setdefault(row[1:last], row)
    return list(by_tags.values())


def _present(query: Query, shape: Measurement, where: Mapping[str, str]) -> list[str] | None:
    """The keys of all series; None where the server does not tell (InfluxDB 3)."""
    try:
        answer = query(keys(shape, condition(where)))
    except RefusedError:
        return None
    return [str(key) for one in answer for (key,) in one["values"]]


def _sample(shape: Measurement, present: Sequence[str]) -> list[str]:
    """The first tag of some series, evenly spread."""
    return [_first_tag(key, shape.tags[0]) for key in present[:: -(-len(present) // SAMPLE)]]


def _start(sample: Iterable[Row], since: int | None) -> int | None:
    """From when on three quarters of the sample have a row, the long silent ones left out."""
    times = sorted((row[0] for row in sample), reverse=True)
    near = [time for time in times if time > times[0] - RECENT_MS]
    return near[-(-3 * len(near) // 4) - 1] if near else since


def _by_name(shape: Measurement, missing: Iterable[str]) -> Iterator[str]:
    """Conditions that name the first tag of the series `missing`, each of bounded length."""
    tag, batch, size = shape.tags[0], list[str](), 0
    for name in sorted({_first_tag(key, tag) for key in missing}):
        length = len(quote_plus(_any_of(tag, [name]))) + len("+OR+")
        if batch and size + length > NAMES_BYTES:
            yield _any_of(tag, batch)
            batch, size = [], 0
        batch.append(name)
        size += length
    if batch:
        yield _any_of(tag, batch)


def _first_tag(key: str, tag: str) -> str:
    """The value of `tag` in a series' key, unescaped; empty where it has none."""
    found = re.search(rf"(?<!\\),{tag}=((?:\\[,= ]|[^,])*)", key)
    return re.sub(r"\\([,= ])", r"\1", found[1]) if found else ""


def _any_of(tag: str, names: Iterable[str]) -> str:
    """A tenth of a server's work for a pattern."""
    return f"({' OR '.join(f'{quoted(tag)} = {literal(name)}' for name in names)})"
