"""The embedded store: SQLite in WAL mode under FAROLA_HOME/series, for one machine.

One file a UTC day holds the raw rows (to forget a day is to unlink its file); `latest.db` holds
the newest row of every combination of tags. A poll is one transaction over both, fsynced. Raw
rows are keyed (time, tags), so a poll is appended and one device's day is a seek per poll.
`rollups.db` holds the rollups, keyed (tags, time), with a lock of its own: a poll never waits
until they are written.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from farola.errors import StoreError
from timeseries import sqlite_aggregates, tables
from timeseries.asking import Question, checked_question
from timeseries.base import SCHEMA, Aggregate, Batch, Health, Measurement, Table, newest_of
from timeseries.checking import Rows, checked, checked_query, to_ms
from timeseries.kept_days import GROUP_DAY, KeptDays, Made, is_of_many_groups
from timeseries.marks import ROLLED_UP, Marks
from timeseries.sqlite_aggregates import Row
from timeseries.sqlite_days import FILE, made_in, mark_days
from timeseries.sqlite_files import (
    DAY_MS,
    LATEST,
    ROLLUPS,
    MovedError,
    Writer,
    day_path,
    days_in,
    named_faults,
    nearest_folder,
    patiently,
    reading,
)

ROWS_LOOKED_AT = 1000
"""Rows of each table that `health` reads."""
ROWS_AT_ONCE = 250
"""Rows fetched at once: so many stay in the processor's cache until they are columns."""
SORTED_KB = 16_384
"""What an answer may take to be sorted in memory; beyond it SQLite sorts through a file."""


class SqliteStore:
    """The `Store` in a folder of SQLite files. Threads may share it; processes may read and
    write the same folder at once (a reader never waits, writers wait for each other).
    """

    def __init__(self, folder: Path, marks: Marks | None = None) -> None:
        """With `marks`, the hours of what is written are marked for their rollups."""
        self.folder = folder
        self._marks = marks
        self._raw = _Held()
        self._rollups = _Held()
        rows = partial(self._rows, GROUP_DAY)
        self._days = KeptDays(self.made, rows, "", folder / FILE)

    def write(self, batches: Sequence[Batch]) -> int:
        """Keep all rows: one transaction for each UTC day in them (a poll has one day), and one for
        all rollups.

        On return they survive a kill and a power cut. Raises StoreError; what was committed
        by then stays, and writing the same again is harmless.
        """
        kept = [rows for rows in map(checked, batches) if rows.times]
        days: dict[int, list[Rows]] = defaultdict(list)
        rollups = [rows for rows in kept if rows.measurement.is_rollup]
        for rows in kept:
            if not rows.measurement.is_rollup:
                for day, part in _by_day(rows):
                    days[day].append(part)
        times = {at for rows in kept if rows.measurement.name in ROLLED_UP for at in rows.times}
        with self._marks.writing(times) if self._marks and times else nullcontext():
            for day in sorted(days):
                path = day_path(self.folder, day)
                self._raw.write(path, days[day], self.folder / LATEST)
        if rollups:
            self._rollups.write(self.folder / ROLLUPS, rollups)
        return sum(len(rows.times) for rows in kept)

    def latest(
        self,
        measurement: str,
        fields: Sequence[str] = (),
        since: datetime | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """For each combination of tags its newest row (not older than `since`), by tags."""
        shape, names, tags = checked_query(measurement, fields, where)
        found = _empty(shape, names, tags)
        oldest = to_ms(since) if since else None
        with reading(self.folder / (ROLLUPS if shape.is_rollup else LATEST)) as connection:
            present = tables.columns(connection, shape) if connection else frozenset()
            if connection and present:
                query, values = tables.latest(shape, names, present, tags, oldest)
                _fetch(connection.execute(query, values), found)
        told = tables.to_table(shape, names, tags, found)
        if shape.is_rollup:
            return told
        newer = self._newer(shape, tags, max(max(told.times, default=-1) + 1, oldest or 0))
        if not newer.times:
            return told
        return newest_of(
            told, Table(newer.times, newer.tags, {name: newer.fields[name] for name in names})
        )

    def series(
        self,
        measurement: str,
        where: Mapping[str, str],
        start: datetime,
        end: datetime,
        fields: Sequence[str] = (),
    ) -> Table:
        """Rows whose tags equal `where`, by time then tags."""
        _, names, tags = checked_query(measurement, fields, where)
        if is_of_many_groups(measurement, tags):
            return self._days.series(tags, names, to_ms(start), to_ms(end))
        return self._rows(measurement, tags, names, to_ms(start), to_ms(end))

    def _rows(
        self,
        measurement: str,
        tags: Mapping[str, str],
        names: Sequence[str],
        first: int,
        after: int,
    ) -> Table:
        shape, between = SCHEMA[measurement], (first, after)
        found = _empty(shape, names, tags)
        for path, connection, present in self._files(shape, *between):
            if present.intersection(names):
                query, values = tables.series(shape, names, present, tags, between)
                with named_faults(path):
                    _fetch(connection.execute(query, values), found)
        return tables.to_table(shape, names, tags, found)

    def aggregates(
        self,
        measurement: str,
        of: Mapping[str, Aggregate],
        start: datetime,
        end: datetime,
        *,
        by: Sequence[str] = (),
        every_s: int = 0,
        where: Mapping[str, str] | None = None,
    ) -> Table:
        """Figures of the rows in each window of `every_s` seconds from `start` on (0: one window
        until `end`), for each combination of the tags in `by`, by time then those tags.

        SQLite makes them file by file; a sum of whole numbers ends at the greatest that 64 bits
        hold, one of floats that is infinite is None.
        """
        question = checked_question(
            measurement, of, start, end, by=by, every_s=every_s, where=where
        )
        files = self._files(question.shape, question.start, question.end)
        parts = (
            _figures(path, connection, question, present)
            for path, connection, present in files
            if present.intersection(question.fields)
        )
        return sqlite_aggregates.to_table(question, sqlite_aggregates.joined(question, parts))

    def made(self, start_ms: int, end_ms: int) -> dict[int, Made]:
        """By the time of a day of groups its mark, in [start, end) milliseconds. StoreError."""
        with reading(self.folder / ROLLUPS) as connection:
            return made_in(connection, start_ms, end_ms) if connection else {}

    def days(self) -> list[tuple[int, Path]]:
        """The raw files there are: day (days since 1970, UTC) and path, oldest first."""
        return days_in(self.folder)

    def health(self) -> Health:
        """Whether the folder can be written to, whether the files that the next poll goes to can be
        written and their newest rows read, how many days there are and their size.
        """
        try:
            nearest = nearest_folder(self.folder)
            for path in (nearest, *self._in_use()):
                if not os.access(path, os.W_OK):
                    return Health(False, "sqlite", f"{path} cannot be written to")
            for path in self._in_use():
                with reading(path) as connection:
                    if connection:
                        _read_a_little(connection, newest=path.name.startswith("raw-"))
            size = sum(p.stat().st_size for p in self.folder.glob("*.db*"))
            free = shutil.disk_usage(nearest).free
        except (StoreError, OSError) as error:
            return Health(False, "sqlite", str(error))
        days = len(self.days())
        return Health(
            True,
            "sqlite",
            f"SQLite {sqlite3.sqlite_version}, {days} day{'' if days == 1 else 's'}, "
            f"{size / 1e6:,.1f} MB in {self.folder}, {_room(free)} free",
        )

    def close(self) -> None:
        """Close the writing connections; the next write opens them again."""
        self._raw.close()
        self._rollups.close()
        if self._marks:
            self._marks.close()

    def _files(
        self, shape: Measurement, first: int, after: int
    ) -> Iterator[tuple[Path, sqlite3.Connection, frozenset[str]]]:
        """The files that hold rows of that time, oldest first, open to read, and their columns. Who
        reads on names the faults of the file: they do not come by here.
        """
        with named_faults(self.folder / LATEST):
            nearest_folder(self.folder)
        if shape.is_rollup:
            paths = [self.folder / ROLLUPS]
        else:
            paths = [
                path
                for day, path in self.days()
                if first < (day + 1) * DAY_MS and day * DAY_MS < after
            ]
        for path in paths:
            with reading(path) as connection:
                if connection:
                    connection.execute(f"PRAGMA cache_size=-{SORTED_KB}").close()
                    yield path, connection, tables.columns(connection, shape)

    def _newer(self, shape: Measurement, tags: Mapping[str, str], first: int) -> Table:
        """The rows of the newest raw file from the time `first` on: there are some where a kill
        came between the two commits of a poll, and who goes on from `latest` would count it twice.
        """
        every = list(shape.fields)
        found = _empty(shape, every, tags)
        for day, path in self.days()[-1:]:
            between = max(first, day * DAY_MS), (day + 1) * DAY_MS
            with reading(path) as connection:
                present = tables.columns(connection, shape) if connection else frozenset()
                if connection and present:
                    query, values = tables.series(shape, every, present, tags, between)
                    _fetch(connection.execute(query, values), found)
        return tables.to_table(shape, every, tags, found)

    def _in_use(self) -> list[Path]:
        """The files that are written to now: latest, rollups, today's, and the newest."""
        days = self.days()
        today = int(time.time() * 1000) // DAY_MS
        used = [path for day, path in days if day == today or day == days[-1][0]]
        others = [self.folder / name for name in (LATEST, ROLLUPS)]
        return [*(path for path in others if path.exists()), *used]


class _Held:
    """The file that was last written to, kept open for the next write; one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writer: Writer | None = None

    def write(self, path: Path, parts: Sequence[Rows], latest: Path | None = None) -> None:
        """All `parts` into `path`, and into `latest` what is newer there: one transaction."""
        with self._lock, named_faults(path):
            while True:
                try:
                    return patiently(partial(self._try, path, parts, latest))
                except MovedError:
                    self._close()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None

    def _try(self, path: Path, parts: Sequence[Rows], latest: Path | None) -> None:
        if self._writer is None or self._writer.path != path or not self._writer.in_place():
            self._close()
            self._writer = Writer(path, latest)
        # Raw rows are committed first, latest second: a kill in between leaves `latest` one poll
        # behind, which `SqliteStore.latest` makes up for.
        with self._writer.transaction() as connection:
            for rows in parts:
                _put(connection, rows, latest is not None)


def _put(connection: sqlite3.Connection, rows: Rows, latest: bool) -> None:
    shape, fields = rows.measurement, tuple(rows.fields)
    tags = range(1, 1 + len(rows.tags))
    # In the key's order, so that pages fill up instead of splitting.
    by_key = itemgetter(*tags, 0) if shape.is_rollup else itemgetter(0, *tags)
    values = sorted(zip(rows.times, *rows.tags, *rows.fields.values(), strict=True), key=by_key)
    tables.prepare(connection, "main", shape)
    connection.executemany(tables.upsert(shape, fields), values)
    if shape.name == GROUP_DAY:
        mark_days(connection, rows.times)
    if latest:
        tables.prepare(connection, "latest", shape)
        connection.executemany(tables.upsert_latest(shape, fields), values)


def _figures(
    path: Path, connection: sqlite3.Connection, question: Question, present: Collection[str]
) -> list[Row]:
    """What one file has of `question`: figures, then (time, value) of each `last`. StoreError."""
    with named_faults(path):
        return _figures_of(connection, question, present)


def _figures_of(
    connection: sqlite3.Connection, question: Question, present: Collection[str]
) -> list[Row]:
    statement = sqlite_aggregates.figures(question, present)
    try:
        rows = connection.execute(statement.text, statement.values).fetchall()
    except sqlite3.OperationalError as error:
        if "integer overflow" not in str(error):
            raise
        statement = sqlite_aggregates.figures(question, present, exact=False)
        rows = connection.execute(statement.text, statement.values).fetchall()
    keys = 1 + len(question.by)
    for field in sqlite_aggregates.asked_last(question):
        newest: dict[Row, Row] = {}
        if field in present:
            statement = sqlite_aggregates.newest(question, field)
            for row in connection.execute(statement.text, statement.values):
                newest[row[:keys]] = row[keys:]
        rows = [(*row, newest.get(row[:keys])) for row in rows]
    return rows


def _read_a_little(connection: sqlite3.Connection, *, newest: bool) -> None:
    """Read some rows of every table, the `newest` of a raw file: quick however large it is, and
    where the next rows go. sqlite3.Error where they cannot be read.
    """
    present = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    order = "ORDER BY time DESC" if newest else ""
    for name in SCHEMA.keys() & {name for (name,) in present}:
        query = f"SELECT * FROM {name} {order} LIMIT {ROWS_LOOKED_AT}"  # noqa: S608 - of SCHEMA
        connection.execute(query).fetchall()


def _by_day(rows: Rows) -> list[tuple[int, Rows]]:
    """`rows` split by UTC day; a poll lies in one."""
    first, last = min(rows.times) // DAY_MS, max(rows.times) // DAY_MS
    if first == last:
        return [(first, rows)]
    members: dict[int, list[int]] = defaultdict(list)
    for i, moment in enumerate(rows.times):
        members[moment // DAY_MS].append(i)
    return [(day, rows.take(keep)) for day, keep in members.items()]


def _empty(shape: Measurement, fields: Sequence[str], where: Collection[str]) -> list[list[Any]]:
    """Columns for what `tables.latest` and `tables.series` select."""
    return [[] for _ in range(1 + len(set(shape.tags).difference(where)) + len(fields))]


def _fetch(rows: sqlite3.Cursor, columns: Sequence[list[Any]]) -> None:
    """Add `rows` to `columns`, part by part: rows that live long burden the garbage collector."""
    rows.arraysize = ROWS_AT_ONCE
    while part := rows.fetchmany():
        for column, values in zip(columns, zip(*part, strict=True), strict=True):
            column.extend(values)


def _room(size: float) -> str:
    """Bytes for people: in MB where gigabytes would say little."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
