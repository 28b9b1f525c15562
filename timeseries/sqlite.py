"""The embedded store: SQLite in WAL mode under FAROLA_HOME/series, for one machine.

One file a UTC day holds the raw rows (to forget a day is to unlink its file); `latest.db` holds
the newest row of every combination of tags. A poll is one transaction over both, fsynced. Raw
rows are keyed (time, tags), so a poll is appended and one device's day is a seek per poll.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from urllib.parse import quote

from farola.errors import StoreError
from timeseries import tables
from timeseries.base import SCHEMA, Batch, Health, Measurement, Table
from timeseries.checking import (
    Rows,
    checked,
    checked_query,
    to_ms,
)

DAY_MS = 86_400_000
LOCK_WAIT_S = 30.0
LATEST = "latest.db"
ROWS_LOOKED_AT = 1000
"""Rows of each table that `health` reads."""
DAMAGED = "the file is damaged: move it away, or restore it from a backup"


class SqliteStore:
    """The `Store` in a folder of SQLite files. Threads may share it; processes may read and
    write the same folder at once (a reader never waits, writers wait for each other).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._writer: tuple[int, sqlite3.Connection] | None = None

    def write(self, batches: Sequence[Batch]) -> int:
        """Keep all rows: one transaction for each UTC day in them (a poll has one day).

        On return they survive a kill and a power cut. Raises StoreError; what was committed
        by then stays, and writing the same again is harmless.
        """
        kept = [rows for rows in map(checked, batches) if rows.times]
        days: dict[int, list[Rows]] = defaultdict(list)
        for rows in kept:
            for day, part in _by_day(rows):
                days[day].append(part)
        with self._lock:
            for day in sorted(days):
                with self._named_faults(self._path(day)):
                    _patiently(partial(self._write_day, day, days[day]))
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
        found: list[tuple[object, ...]] = []
        with self._reading(self.folder / LATEST) as connection:
            if connection:
                query, values = tables.latest(
                    shape,
                    names,
                    tables.columns(connection, shape),
                    tags,
                    to_ms(since) if since else None,
                )
                found = connection.execute(query, values).fetchall()
        return _table(shape, names, found)

    def series(
        self,
        measurement: str,
        where: Mapping[str, str],
        start: datetime,
        end: datetime,
        fields: Sequence[str] = (),
    ) -> Table:
        """Rows whose tags equal `where`, by time then tags."""
        shape, names, tags = checked_query(measurement, fields, where)
        first, after = to_ms(start), to_ms(end)
        found: list[tuple[object, ...]] = []
        with self._named_faults(self.folder):
            self._nearest()
        for day, path in self.days():
            if first < (day + 1) * DAY_MS and day * DAY_MS < after:
                with self._reading(path) as connection:
                    present = tables.columns(connection, shape) if connection else frozenset()
                    if connection and present.intersection(names):
                        query, values = tables.series(shape, names, present, tags, (first, after))
                        found += connection.execute(query, values)
        return _table(shape, names, found)

    def days(self) -> list[tuple[int, Path]]:
        """The raw files there are: day (days since 1970, UTC) and path, oldest first."""
        found = []
        for path in self.folder.glob("raw-*.db"):
            try:
                day = datetime.strptime(path.stem, "raw-%Y-%m-%d").replace(tzinfo=UTC)
            except ValueError:
                continue
            found.append((int(day.timestamp()) * 1000 // DAY_MS, path))
        return sorted(found)

    def health(self) -> Health:
        """Whether the folder can be written to, whether the files that the next poll goes to can be
        written and their newest rows read, how many days there are and their size.
        """
        try:
            nearest = self._nearest()
            for path in (nearest, *self._in_use()):
                if not os.access(path, os.W_OK):
                    return Health(False, "sqlite", f"{path} cannot be written to")
            for path in self._in_use():
                with self._reading(path) as connection:
                    if connection:
                        _read_a_little(connection, newest=path.name != LATEST)
            size = sum(p.stat().st_size for p in self.folder.glob("*.db*"))
            free = shutil.disk_usage(nearest).free
        except (StoreError, OSError) as error:
            return Health(False, "sqlite", str(error))
        days = len(self.days())
        return Health(
            True,
            "sqlite",
            f"SQLite {sqlite3.sqlite_version}, {days} day{'' if days == 1 else 's'}, "
            f"{size / 1e6:,.1f} MB in {self.folder}, {free / 1e9:,.1f} GB free",
        )

    def close(self) -> None:
        """Close the writing connection; the next write opens it again."""
        with self._lock:
            self._close_writer()

    def _nearest(self) -> Path:
        """The folder, or what there is of the way to it. StoreError where a file is in the way."""
        nearest = next(p for p in (self.folder, *self.folder.parents) if p.exists())
        if not nearest.is_dir():
            raise StoreError(f"{nearest} is a file, not a folder: move it away")
        return nearest

    def _in_use(self) -> list[Path]:
        """The files that polls are written to now: latest, today's, and the newest."""
        days = self.days()
        today = int(time.time() * 1000) // DAY_MS
        used = [path for day, path in days if day == today or day == days[-1][0]]
        latest = self.folder / LATEST
        return [latest, *used] if latest.exists() else used

    def _path(self, day: int) -> Path:
        date = datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date()
        return self.folder / f"raw-{date.isoformat()}.db"

    def _write_day(self, day: int, parts: Sequence[Rows]) -> None:
        connection = self._connection(day)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for rows in parts:
                fields = tuple(rows.fields)
                by_key = itemgetter(*range(1 + len(rows.tags)))
                # In the key's order, so that pages fill up instead of splitting.
                values = sorted(
                    zip(rows.times, *rows.tags, *rows.fields.values(), strict=True), key=by_key
                )
                for schema, statement in (
                    ("main", tables.upsert_raw(rows.measurement, fields)),
                    ("latest", tables.upsert_latest(rows.measurement, fields)),
                ):
                    tables.prepare(connection, schema, rows.measurement)
                    connection.executemany(statement, values)
            # Raw rows first, latest second: a kill in between leaves `latest` one poll behind,
            # of a write that was not acknowledged and will be made again.
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _connection(self, day: int) -> sqlite3.Connection:
        path = self._path(day)
        if self._writer and self._writer[0] == day and path.exists():
            return self._writer[1]
        self._close_writer()
        self._nearest()
        self.folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            for schema, file in (("main", path), ("latest", self.folder / LATEST)):
                with _damage_named(file):
                    if schema == "latest":
                        connection.execute("ATTACH DATABASE ? AS latest", (str(file),))
                    connection.execute(f"PRAGMA {schema}.journal_mode=WAL")
                connection.execute(f"PRAGMA {schema}.synchronous=FULL")
                connection.execute(f"PRAGMA {schema}.cache_size=-65536")
        except BaseException:
            connection.close()
            raise
        self._writer = (day, connection)
        return connection

    def _close_writer(self) -> None:
        if self._writer:
            self._writer[1].close()
            self._writer = None

    @contextmanager
    def _reading(self, path: Path) -> Iterator[sqlite3.Connection | None]:
        """A connection that cannot write, or None where nothing was written yet."""
        with self._named_faults(path):
            if not path.exists():
                self._nearest()
                yield None
                return
            uri = f"file:{quote(str(path))}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_WAIT_S)) as connection:
                # The first look may meet a last writer that is closing; later ones cannot.
                _patiently(lambda: connection.execute("SELECT 1 FROM sqlite_master").close())
                yield connection

    @contextmanager
    def _named_faults(self, path: Path) -> Iterator[None]:
        """Turn SQLite's errors into one line that says which file and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "full" in text:
                remedy = "free space on that disk; the batch was not kept"
            elif "locked" in text:
                remedy = f"another process has held it for {LOCK_WAIT_S:.0f} s: end that one"
            elif _is_damage(error):
                remedy = DAMAGED
            else:
                remedy = "check that the folder exists and belongs to you"
            raise StoreError(f"{path}: {text}; {remedy}") from None
        except OSError as error:
            raise StoreError(
                f"{self.folder}: {error.strerror}; check that the folder belongs to you"
            ) from None


def _read_a_little(connection: sqlite3.Connection, *, newest: bool) -> None:
    """Read some rows of every table, the `newest` of a raw file: quick however large it is, and
    where the next rows go. sqlite3.Error where they cannot be read.
    """
    present = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    order = "ORDER BY time DESC" if newest else ""
    for name in SCHEMA.keys() & {name for (name,) in present}:
        query = f"SELECT * FROM {name} {order} LIMIT {ROWS_LOOKED_AT}"  # noqa: S608 - of SCHEMA
        connection.execute(query).fetchall()


def _is_damage(error: sqlite3.Error) -> bool:
    return any(word in str(error) for word in ("not a database", "malformed"))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Say of two files that are opened together which is damaged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        raise StoreError(f"{path}: {error}; {DAMAGED}") from None


def _patiently(action: Callable[[], None]) -> None:
    """Do `action`, again while another process holds the file.

    SQLite's own time-out does not cover a file that becomes WAL, nor the moment in which its
    last connection closes: there it says "locked" at once.
    """
    give_up = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= give_up:
                raise
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - only to fall out of step


def _by_day(rows: Rows) -> list[tuple[int, Rows]]:
    """`rows` split by UTC day; a poll lies in one."""
    first, last = min(rows.times) // DAY_MS, max(rows.times) // DAY_MS
    if first == last:
        return [(first, rows)]
    members: dict[int, list[int]] = defaultdict(list)
    for i, moment in enumerate(rows.times):
        members[moment // DAY_MS].append(i)
    return [(day, rows.take(keep)) for day, keep in members.items()]


def _table(shape: Measurement, names: Sequence[str], found: Sequence[tuple[object, ...]]) -> Table:
    """Columns of the rows `found` (time, tags, fields), booleans made booleans again."""
    columns = [list(column) for column in zip(*found, strict=True)] if found else None
    return tables.to_table(shape, names, columns)
