"""The newest row of every device that the server is known to have, in `spool/newest.db`: what one
answer of the server told, and all that this home has handed over since. `timeseries.newest` asks.

Rows lie there as they came, in parts, and whoever reads finds the newest of each device: a city is
written each minute, and read seldom. A part of which all rows have newer ones goes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from timeseries.base import SCHEMA, Table, Value
from timeseries.checking import Rows
from timeseries.kept_file import KeptFile, NoFileError, packed_columns, unpacked_columns

__all__ = [
    "DEVICE", "FILE", "KEPT", "POLL", "SAYS_POLLED", "Base", "NewestFile", "NoFileError", "Poll",
]  # fmt: skip

FILE = "newest.db"
DEVICE, POLL = "device", "poll"
KEPT = (DEVICE, POLL)
SAYS_POLLED = "devices"
"""The field that every row of `poll` has."""
Poll = tuple[int, str]
"""When, and the collector."""
MOST_TIMES, SPARE_ROWS = 4, 20_000
MOST_PARTS, ROWS_A_PART = 256, 1_000
"""Parts are made one where they have so many times the rows of the largest, and some, or are many
and small."""
_VERSION = 2
_TABLES = """
DROP TABLE IF EXISTS device;
DROP TABLE IF EXISTS base;
CREATE TABLE IF NOT EXISTS part (
  id INTEGER PRIMARY KEY, devices BLOB NOT NULL, first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL, rows INTEGER NOT NULL, columns BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS polls (
  time INTEGER NOT NULL, collector TEXT NOT NULL, PRIMARY KEY (time, collector)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS base (
  server TEXT NOT NULL, at_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS handed (times INTEGER NOT NULL);
INSERT INTO handed SELECT abs(random()) >> 1 WHERE NOT EXISTS (SELECT 1 FROM handed)
"""


@dataclass(frozen=True)
class Base:
    """What the file stands on: which server told it, when, and from when on its polls are known;
    times in milliseconds since 1970.
    """

    server: str
    at_ms: int
    since_ms: int


class NewestFile:
    """The file of one home. Threads may share it, and processes the file."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the spool's. Nothing is made yet."""
        self._file = KeptFile(folder / FILE, _VERSION, _TABLES)

    def base(self) -> Base | None:
        """None where there is none. Raises NoFileError."""
        with self._file.reading() as db:
            return _base(db) if db else None

    def polls(self, since_ms: int) -> set[Poll]:
        """The polls since then whose rows are all in the file. Raises NoFileError."""
        with self._file.reading() as db:
            if not db:
                return set()
            return set(db.execute("SELECT time, collector FROM polls WHERE time >= ?", (since_ms,)))

    def table(self, base: Base, fields: Sequence[str], since_ms: int | None) -> Table | None:
        """The newest row of each device; None where the file stands on another base by now.

        Raises NoFileError.
        """
        with self._file.reading() as db:
            if not db or _base(db) != base:
                return None
            parts = _parts(db)
            return newest_in(parts, fields, since_ms)

    def handed(self) -> int:
        """How often rows were handed over; a file that is missing is made, so that from now on
        whoever hands rows over counts. Raises NoFileError.
        """
        found = 0

        def read(db: sqlite3.Connection) -> None:
            nonlocal found
            found = _handed(db)

        self._file.write(read)
        return found

    def add(self, rows: Sequence[Rows], oldest_base_ms: int) -> None:
        """Rows of KEPT that the server acknowledged, in the order of their batches. Nobody asked
        since `oldest_base_ms`, and they are not kept any more. Raises NoFileError.
        """

        def write(db: sqlite3.Connection) -> None:
            db.execute("UPDATE handed SET times = times + 1")
            base = _base(db)
            if base is not None and base.at_ms >= oldest_base_ms:
                for one in rows:
                    _add(db, one)
            elif base is not None:
                db.execute("DELETE FROM base")
                db.execute("DELETE FROM part")

        if self._file.path.exists():
            self._file.write(write)

    def begin(self, base: Base, handed: int, polls: Iterable[Poll], rows: Rows) -> bool:
        """Stand on `base`, what the server told since `handed` was asked for; False where rows were
        handed over meanwhile, which it may not know. Raises NoFileError.
        """

        def write(db: sqlite3.Connection) -> None:
            for table in ("base", "polls", "part"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - see above
            _add(db, rows)
            _add_polls(db, polls)
            db.execute(
                "INSERT INTO base VALUES (?, ?, ?)", (base.server, base.at_ms, base.since_ms)
            )

        return self._unless_handed(handed, write)

    def learn(self, handed: int, polls: Collection[Poll], rows: Rows) -> bool:
        """Add `polls` of others with their `rows`; False as above. Raises NoFileError."""

        def write(db: sqlite3.Connection) -> None:
            _add(db, rows)
            _add_polls(db, polls)

        return self._unless_handed(handed, write)

    def forget(self) -> None:
        """Unlink the file, which works on a full disk too. OSError."""
        self._file.forget()

    def _unless_handed(self, handed: int, write: Callable[[sqlite3.Connection], None]) -> bool:
        done = False

        def writes(db: sqlite3.Connection) -> None:
            nonlocal done
            if _handed(db) == handed:
                write(db)
                done = True

        self._file.write(writes)
        return done


def newest_in(parts: Sequence[Rows], fields: Sequence[str], since_ms: int | None = None) -> Table:
    """The newest row of each device (not older than `since_ms`), by device; of several of one time
    the values of the last, and where it has none those of the one before. Pure.
    """
    times = list(chain.from_iterable(rows.times for rows in parts))
    devices = list(chain.from_iterable(rows.tags[0] for rows in parts))
    newest: dict[str, int] = {}
    before: dict[int, int] = {}
    for row, device in enumerate(devices):
        known = newest.setdefault(device, row)
        if known == row or times[row] < times[known]:
            continue
        if times[row] == times[known]:
            before[row] = known
        newest[device] = row
    order = sorted(newest)
    keep = [newest[device] for device in order]
    if since_ms is not None:
        keep = [row for row in keep if times[row] >= since_ms]
    found: dict[str, list[Value]] = {}
    for name in fields:
        column: list[Value] = []
        for rows in parts:
            column.extend(rows.fields.get(name) or repeat(None, len(rows.times)))
        for row, known in before.items():
            if column[row] is None:
                column[row] = column[known]
        found[name] = [column[row] for row in keep]
    return Table([times[row] for row in keep], {DEVICE: [devices[row] for row in keep]}, found)


def rows_of(table: Table) -> Rows:
    """A table of devices as rows."""
    return Rows(SCHEMA[DEVICE], table.times, (table.tags[DEVICE],), table.fields)


def _parts(db: sqlite3.Connection) -> list[Rows]:
    """Raises DamagedError."""
    found = []
    for (packed,) in db.execute("SELECT columns FROM part ORDER BY id"):
        times, devices, fields = unpacked_columns(packed)
        found.append(Rows(SCHEMA[DEVICE], times, (devices,), fields))
    return found


def _add(db: sqlite3.Connection, rows: Rows) -> None:
    if not rows.times:
        return
    if rows.measurement.name == POLL:
        told = zip(rows.times, rows.tags[0], rows.fields.get(SAYS_POLLED, ()), strict=False)
        _add_polls(db, [(at, collector) for at, collector, many in told if many is not None])
        return
    devices = blake2b("\n".join(rows.tags[0]).encode(), digest_size=16).digest()
    first_ms, last_ms = min(rows.times), max(rows.times)
    db.execute("DELETE FROM part WHERE devices = ? AND last_ms < ?", (devices, first_ms))
    _insert(db, devices, rows, first_ms, last_ms)
    [(parts, many, most)] = db.execute("SELECT COUNT(*), SUM(rows), MAX(rows) FROM part")
    if many > MOST_TIMES * most + SPARE_ROWS or parts > MOST_PARTS + many // ROWS_A_PART:
        whole = rows_of(newest_in(_parts(db), list(SCHEMA[DEVICE].fields)))
        db.execute("DELETE FROM part")
        _insert(db, b"", whole, min(whole.times), max(whole.times))


def _insert(
    db: sqlite3.Connection, devices: bytes, rows: Rows, first_ms: int, last_ms: int
) -> None:
    columns: Any = (rows.times, rows.tags[0], rows.fields)
    values = devices, first_ms, last_ms, len(rows.times), packed_columns(columns)
    db.execute(
        "INSERT INTO part (devices, first_ms, last_ms, rows, columns) VALUES (?, ?, ?, ?, ?)",
        values,
    )


def _add_polls(db: sqlite3.Connection, polls: Iterable[Poll]) -> None:
    db.executemany("INSERT OR IGNORE INTO polls VALUES (?, ?)", polls)


def _handed(db: sqlite3.Connection) -> int:
    [(times,)] = db.execute("SELECT times FROM handed")
    return int(times)


def _base(db: sqlite3.Connection) -> Base | None:
    row = db.execute("SELECT server, at_ms, since_ms FROM base").fetchone()
    return Base(*row) if row else None
