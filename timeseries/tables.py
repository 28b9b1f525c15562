"""The embedded store's SQL: its tables follow the schema, a field added later becomes a column.
Pure but for `prepare` and `columns`, which look at a file's tables.

Names come from `timeseries.base.SCHEMA`, never from a user; values are always bound.
"""
# ruff: noqa: S608 - see above: nothing from outside is ever put into a statement

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from timeseries.base import Measurement, Table, Value

_TYPES = {float: "REAL", int: "INTEGER", bool: "INTEGER", str: "TEXT"}


def prepare(connection: sqlite3.Connection, schema: str, shape: Measurement) -> None:
    """Create the measurement's table in `schema` (`main` or `latest`), or add missing columns."""
    present = columns(connection, shape, schema)
    if not present:
        key = [*shape.tags] if schema == "latest" else ["time", *shape.tags]
        parts = [
            '"time" INTEGER NOT NULL',
            *(f"{_quoted(tag)} TEXT NOT NULL" for tag in shape.tags),
            *(f"{_quoted(name)} {_TYPES[kind]}" for name, kind in shape.fields.items()),
            f"PRIMARY KEY ({_listed(key)})",
        ]
        connection.execute(
            f"CREATE TABLE {schema}.{_quoted(shape.name)} ({', '.join(parts)}) WITHOUT ROWID"
        )
        return
    for name, kind in shape.fields.items():
        if name not in present:
            connection.execute(
                f"ALTER TABLE {schema}.{_quoted(shape.name)} "
                f"ADD COLUMN {_quoted(name)} {_TYPES[kind]}"
            )


def columns(
    connection: sqlite3.Connection, shape: Measurement, schema: str = "main"
) -> frozenset[str]:
    """Columns that the file has for the measurement; empty if it has no such table."""
    rows = connection.execute(f"PRAGMA {schema}.table_info({_quoted(shape.name)})")
    return frozenset(row[1] for row in rows)


def upsert_raw(shape: Measurement, fields: tuple[str, ...]) -> str:
    """Statement that keeps a row: values given replace, others stay. Binds time, tags, fields."""
    return _upsert(shape.name, "main", shape.tags, fields, fields)


def upsert_latest(shape: Measurement, fields: tuple[str, ...]) -> str:
    """Statement that makes a row the newest of its tags unless a newer one is there."""
    return _upsert(shape.name, "latest", shape.tags, fields, tuple(shape.fields))


@cache
def _upsert(
    name: str, schema: str, tags: tuple[str, ...], fields: tuple[str, ...], every: tuple[str, ...]
) -> str:
    given = ["time", *tags, *fields]
    raw = schema == "main"
    key = ["time", *tags] if raw else [*tags]
    sets = []
    for field in every:
        q = _quoted(field)
        new = f"excluded.{q}" if field in fields else "NULL"
        merged = f"coalesce({new}, {q})" if field in fields else q
        sets.append(
            f"{q}={merged}" if raw else f'{q}=iif(excluded."time" > "time", {new}, {merged})'
        )
    then = f"UPDATE SET {', '.join(sets)}"
    if not raw:
        then += ', "time"=excluded."time" WHERE excluded."time" >= "time"'
    return (
        f"INSERT INTO {schema}.{_quoted(name)} ({_listed(given)}) "
        f"VALUES ({', '.join('?' * len(given))}) ON CONFLICT ({_listed(key)}) DO {then}"
    )


def latest(
    shape: Measurement,
    fields: Sequence[str],
    present: Collection[str],
    where: Mapping[str, str],
    since: int | None,
) -> tuple[str, list[Any]]:
    """Query for the newest row of every combination of tags, by tags, and what it binds."""
    if not present:
        return "SELECT 1 WHERE 0", []
    terms = [f"{_quoted(tag)} = ?" for tag in where]
    values: list[Any] = list(where.values())
    if since is not None:
        terms.append('"time" >= ?')
        values.append(since)
    return (
        f"SELECT {_selected(shape, fields, present)} FROM {_quoted(shape.name)} AS r "
        f"{_where(terms)} ORDER BY {_listed(shape.tags)}",
        values,
    )


def series(
    shape: Measurement,
    fields: Sequence[str],
    present: Collection[str],
    where: Mapping[str, str],
    between: tuple[int, int],
) -> tuple[str, list[Any]]:
    """Query for the rows with those tags in [start, end) milliseconds, and what it binds.

    With the first tag given it skips through the distinct times (a poll shares one) and seeks
    (time, tag): two seeks a poll instead of reading the whole day.
    """
    start, end = between
    table = _quoted(shape.name)
    terms = [f"r.{_quoted(tag)} = ?" for tag in where]
    some = " OR ".join(f"r.{_quoted(name)} IS NOT NULL" for name in fields if name in present)
    terms.append(f"({some})")
    selected = _selected(shape, fields, present)
    order = f'ORDER BY r."time", {_listed(shape.tags)}'
    if shape.tags[0] in where:
        query = (
            f'WITH RECURSIVE moment(t) AS (SELECT min("time") FROM {table} WHERE "time" >= ? '
            f'UNION ALL SELECT (SELECT min("time") FROM {table} WHERE "time" > moment.t) '
            f"FROM moment WHERE moment.t < ?) "
            f'SELECT {selected} FROM moment CROSS JOIN {table} AS r ON r."time" = moment.t '
            f"{_where([*terms, 'moment.t < ?'])} {order}"
        )
        return query, [start, end, *where.values(), end]
    terms += ['r."time" >= ?', 'r."time" < ?']
    query = f"SELECT {selected} FROM {table} AS r {_where(terms)} {order}"
    return query, [*where.values(), start, end]


def to_table(shape: Measurement, fields: Sequence[str], found: Sequence[list[Any]] | None) -> Table:
    """A Table of the columns time, tags, fields; booleans, kept as 0 and 1, are made so again."""
    if found is None:
        return Table([], {tag: [] for tag in shape.tags}, {name: [] for name in fields})
    rest = 1 + len(shape.tags)
    typed: dict[str, list[Value]] = {
        name: [None if v is None else bool(v) for v in column]
        if shape.fields[name] is bool
        else column
        for name, column in zip(fields, found[rest:], strict=True)
    }
    return Table(found[0], dict(zip(shape.tags, found[1:rest], strict=True)), typed)


def _selected(shape: Measurement, fields: Sequence[str], present: Collection[str]) -> str:
    names = [f"r.{_quoted(name)}" if name in present else "NULL" for name in fields]
    return ", ".join(['r."time"', *(f"r.{_quoted(tag)}" for tag in shape.tags), *names])


def _where(terms: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(terms)}" if terms else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return f'"{name}"'
