"""The embedded store's SQL: its tables follow the schema, a field added later becomes a column.
Pure but for `prepare` and `columns`, which look at a file's tables.

Names come from `timeseries.base.SCHEMA`, never from a user; values are always bound.
"""
# ruff: noqa: S608 - see above: nothing from outside is ever put into a statement

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

from timeseries.base import Measurement, Table, Value

_TYPES = {float: "REAL", int: "INTEGER", bool: "INTEGER", str: "TEXT"}


def prepare(connection: sqlite3.Connection, schema: str, shape: Measurement) -> None:
    """Create the measurement's table in `schema` (`main` or `latest`), or add missing columns.

    Raw rows are keyed (time, tags), so that a poll is appended; rollups (tags, time), so that a
    device's month lies together.
    """
    present = columns(connection, shape, schema)
    if not present:
        key = [*shape.tags] if schema == "latest" else _key(shape)
        parts = [
            '"time" INTEGER NOT NULL',
            *(f"{quoted(tag)} TEXT NOT NULL" for tag in shape.tags),
            *(f"{quoted(name)} {_TYPES[kind]}" for name, kind in shape.fields.items()),
            f"PRIMARY KEY ({listed(key)})",
        ]
        connection.execute(
            f"CREATE TABLE {schema}.{quoted(shape.name)} ({', '.join(parts)}) WITHOUT ROWID"
        )
        return
    for name, kind in shape.fields.items():
        if name not in present:
            connection.execute(
                f"ALTER TABLE {schema}.{quoted(shape.name)} "
                f"ADD COLUMN {quoted(name)} {_TYPES[kind]}"
            )


def columns(
    connection: sqlite3.Connection, shape: Measurement, schema: str = "main"
) -> frozenset[str]:
    """Columns that the file has for the measurement; empty if it has no such table."""
    rows = connection.execute(f"PRAGMA {schema}.table_info({quoted(shape.name)})")
    return frozenset(row[1] for row in rows)


def upsert(shape: Measurement, fields: tuple[str, ...]) -> str:
    """Statement that keeps a row: values given replace, others stay. Binds time, tags, fields."""
    return _upsert(shape.name, "main", tuple(_key(shape)), fields, fields)


def upsert_latest(shape: Measurement, fields: tuple[str, ...]) -> str:
    """Statement that makes a row the newest of its tags unless a newer one is there."""
    every = tuple(shape.fields)
    return _upsert(shape.name, "latest", shape.tags, fields, every)


def _key(shape: Measurement) -> list[str]:
    return [*shape.tags, "time"] if shape.is_rollup else ["time", *shape.tags]


@cache
def _upsert(
    name: str,
    schema: str,
    key: tuple[str, ...],
    fields: tuple[str, ...],
    every: tuple[str, ...],
) -> str:
    given = ["time", *(tag for tag in key if tag != "time"), *fields]
    main = schema == "main"
    sets = []
    for field in every:
        q = quoted(field)
        new = f"excluded.{q}" if field in fields else "NULL"
        merged = f"coalesce({new}, {q})" if field in fields else q
        sets.append(
            f"{q}={merged}" if main else f'{q}=iif(excluded."time" > "time", {new}, {merged})'
        )
    then = f"UPDATE SET {', '.join(sets)}"
    if not main:
        then += ', "time"=excluded."time" WHERE excluded."time" >= "time"'
    return (
        f"INSERT INTO {schema}.{quoted(name)} ({listed(given)}) "
        f"VALUES ({', '.join('?' * len(given))}) ON CONFLICT ({listed(key)}) DO {then}"
    )


def latest(
    shape: Measurement,
    fields: Sequence[str],
    present: Collection[str],
    where: Mapping[str, str],
    since: int | None,
) -> tuple[str, list[Any]]:
    """Query for the newest row of every combination of tags, by tags, and what it binds."""
    terms = [f"r.{quoted(tag)} = ?" for tag in where]
    values: list[Any] = list(where.values())
    if since is not None:
        terms.append('r."time" >= ?')
        values.append(since)
    head, rows = "", f"{quoted(shape.name)} AS r"
    bound: list[Any] = []
    if shape.is_rollup:
        head, rows, joined, bound = _each_combination(shape, where)
        same = " AND ".join(f"{quoted(tag)} = r.{quoted(tag)}" for tag in shape.tags)
        terms += joined
        terms.append(f'r."time" = (SELECT max("time") FROM {quoted(shape.name)} WHERE {same})')
    return (
        f"{head}SELECT {_selected(shape, fields, present, where)} FROM {rows} "
        f"{wherever(terms)} ORDER BY {_of_rows(shape.tags)}",
        [*bound, *values],
    )


@dataclass(frozen=True)
class Origin:
    """Where a query's rows come from: they stand as `r`; what is bound comes in this order."""

    head: str
    rows: str
    terms: list[str]
    values: list[Any]


def origin(shape: Measurement, where: Mapping[str, str], between: tuple[int, int]) -> Origin:
    """The rows with those tags in [start, end) milliseconds, found by seeking as far as the key
    allows.

    Of raw rows with the first tag given: it skips through the distinct times (a poll shares one)
    and seeks (time, tag): two seeks a poll instead of reading the whole day. Of rollups, it skips
    through the combinations of tags that were not given and seeks each one's time.
    """
    start, end = between
    table = quoted(shape.name)
    terms = [f"r.{quoted(tag)} = ?" for tag in where]
    if shape.is_rollup:
        head, rows, joined, bound = _each_combination(shape, where)
        terms += [*joined, 'r."time" >= ?', 'r."time" < ?']
        return Origin(head, rows, terms, [*bound, *where.values(), start, end])
    if shape.tags[0] in where:
        head = (
            f'WITH RECURSIVE moment(t) AS (SELECT min("time") FROM {table} WHERE "time" >= ? '
            f'UNION ALL SELECT (SELECT min("time") FROM {table} WHERE "time" > moment.t) '
            f"FROM moment WHERE moment.t < ?) "
        )
        rows = f'moment CROSS JOIN {table} AS r ON r."time" = moment.t'
        return Origin(head, rows, [*terms, "moment.t < ?"], [start, end, *where.values(), end])
    terms += ['r."time" >= ?', 'r."time" < ?']
    return Origin("", f"{table} AS r", terms, [*where.values(), start, end])


def _each_combination(
    shape: Measurement, where: Mapping[str, str]
) -> tuple[str, str, list[str], list[Any]]:
    """Head, rows, terms and bound values of a query that visits the combinations of tags of a
    table keyed (tags, time) one after the other, without reading what lies between.
    """
    table = quoted(shape.name)
    given = len(list(takewhile(where.__contains__, shape.tags)))
    fixed, open_tags = shape.tags[:given], shape.tags[given:]
    if not open_tags:
        return "", f"{table} AS r", [], []
    known = [f"{quoted(tag)} = ?" for tag in fixed]
    bound = [where[tag] for tag in fixed]
    key = listed([*open_tags, "time"])
    # The plus lets SQLite seek all the tags at once, not only the first: without it a city's
    # groups, of which one kind has tens of thousands, take minutes.
    after = f"({listed(open_tags)}) > ({', '.join(f'+c.{quoted(tag)}' for tag in open_tags)})"
    first = f"SELECT {{}} FROM {table} {wherever(known)} ORDER BY {key} LIMIT 1"
    following = f"SELECT {key} FROM {table} {wherever([*known, after])} ORDER BY {key} LIMIT 1"
    nexts = ", ".join(f"n.{quoted(name)}" for name in (*open_tags, "time"))
    head = (
        f"WITH RECURSIVE combination({listed(open_tags)}) AS ("
        f"SELECT * FROM ({first.format(listed(open_tags))}) UNION ALL "
        f"SELECT {', '.join(f'n.{quoted(tag)}' for tag in open_tags)} FROM combination AS c "
        f"CROSS JOIN {table} AS n ON {' AND '.join([*(f'n.{k}' for k in known), ''])}"
        f"({nexts}) = ({following})) "
    )
    joined = [f"r.{quoted(tag)} = combination.{quoted(tag)}" for tag in open_tags]
    return head, f"combination CROSS JOIN {table} AS r", joined, [*bound, *bound, *bound]


def series(
    shape: Measurement,
    fields: Sequence[str],
    present: Collection[str],
    where: Mapping[str, str],
    between: tuple[int, int],
) -> tuple[str, list[Any]]:
    """Query for the rows with those tags in [start, end) milliseconds, by time then tags, and what
    it binds; rows that have none of `fields` are left out.
    """
    found = origin(shape, where, between)
    terms = [*found.terms, any_of(name for name in fields if name in present)]
    # Without those that are given, as SQLite compares them all the same.
    order = ["time", *(tag for tag in shape.tags if tag not in where)]
    return (
        f"{found.head}SELECT {_selected(shape, fields, present, where)} FROM {found.rows} "
        f"{wherever(terms)} ORDER BY {_of_rows(order)}",
        found.values,
    )


def old_rows(shape: Measurement, most: int) -> str:
    """Statement that deletes rollups before ? milliseconds, `most` of them at once."""
    head, rows, joined, _ = _each_combination(shape, {})
    key, before = listed(_key(shape)), 'r."time" < ?'
    return (
        f"{head}DELETE FROM {quoted(shape.name)} WHERE ({key}) IN (SELECT "
        f"{_of_rows(_key(shape))} FROM {rows} "
        f"{wherever([*joined, before])} LIMIT {most})"
    )


def any_of(fields: Iterable[str]) -> str:
    """Term: a row has one of `fields`."""
    return f"({' OR '.join(f'r.{quoted(name)} IS NOT NULL' for name in fields)})"


def to_table(
    shape: Measurement,
    fields: Sequence[str],
    where: Mapping[str, str],
    found: Sequence[list[Any]],
) -> Table:
    """A Table of what `latest` or `series` selected: time, the tags that `where` leaves open, and
    fields; booleans, kept as 0 and 1, are made so again.
    """
    times, *rest = found
    columns = iter(rest)
    tags = {tag: [where[tag]] * len(times) if tag in where else next(columns) for tag in shape.tags}
    typed: dict[str, list[Value]] = {
        name: [None if v is None else bool(v) for v in column]
        if shape.fields[name] is bool
        else column
        for name, column in zip(fields, columns, strict=True)
    }
    return Table(times, tags, typed)


def _selected(
    shape: Measurement, fields: Sequence[str], present: Collection[str], where: Collection[str]
) -> str:
    names = [f"r.{quoted(name)}" if name in present else "NULL" for name in fields]
    tags = [f"r.{quoted(tag)}" for tag in shape.tags if tag not in where]
    return ", ".join(['r."time"', *tags, *names])


def _of_rows(names: Sequence[str]) -> str:
    return ", ".join(f"r.{quoted(name)}" for name in names)


def wherever(terms: Sequence[str]) -> str:
    """A WHERE clause of `terms`, if any."""
    return f"WHERE {' AND '.join(terms)}" if terms else ""


def listed(names: Sequence[str]) -> str:
    """Identifiers, parted by commas."""
    return ", ".join(map(quoted, names))


def quoted(name: str) -> str:
    """An identifier."""
    return f'"{name}"'
