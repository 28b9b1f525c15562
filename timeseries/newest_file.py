"""The newest row of every device that the server is known to have, in `spool/newest.db`: what one
answer of the server told, and all that this home has handed over since. `timeseries.newest` asks.

The file may be missing or unlinked at any moment; then the server is asked for everything.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from farola.errors import StoreError
from timeseries import tables
from timeseries.base import SCHEMA, Table
from timeseries.checking import Rows
from timeseries.sqlite_files import BESIDE, LOCK_WAIT_S, is_damage, named_faults, patiently, reading

FILE = "newest.db"
DEVICE, POLL = "device", "poll"
KEPT = (DEVICE, POLL)
SAYS_POLLED = "devices"
"""The field that every row of `poll` has."""
Poll = tuple[int, str]
"""When, and the collector."""
_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS latest.polls (
  time INTEGER NOT NULL, collector TEXT NOT NULL, PRIMARY KEY (time, collector)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest.base (
  server TEXT NOT NULL, at_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS latest.handed (times INTEGER NOT NULL);
INSERT INTO latest.handed SELECT abs(random()) >> 1 WHERE NOT EXISTS (SELECT 1 FROM latest.handed);
PRAGMA latest.user_version=1;
COMMIT;
"""


@dataclass(frozen=True)
class Base:
    """What the file stands on: which server told it, when, and from when on its polls are known;
    times in milliseconds since 1970.
    """

    server: str
    at_ms: int
    since_ms: int


class NoFileError(StoreError):
    """The file cannot be read or written; the server can do without it."""


class NewestFile:
    """The file of one home. Threads may share it, and processes the file."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the spool's. Nothing is made yet."""
        self.path = folder / FILE
        self._lock = threading.Lock()

    def base(self) -> Base | None:
        """None where there is none. Raises NoFileError."""
        with self._reading() as db:
            return _base(db) if db and _has(db, "base") else None

    def polls(self, since_ms: int) -> set[Poll]:
        """The polls since then whose rows are all in the file. Raises NoFileError."""
        with self._reading() as db:
            if not db or not _has(db, "polls"):
                return set()
            return set(db.execute("SELECT time, collector FROM polls WHERE time >= ?", (since_ms,)))

    def table(self, base: Base, fields: Sequence[str], since_ms: int | None) -> Table | None:
        """The newest row of each device; None where the file stands on another base by now.

        Raises NoFileError.
        """
        shape = SCHEMA[DEVICE]
        columns: list[list[object]] = [[] for _ in range(2 + len(fields))]
        with self._reading() as db:
            if not db:
                return None
            db.execute("BEGIN").close()
            present = tables.columns(db, shape)
            if not present or _base(db) != base:
                return None
            query, values = tables.latest(shape, fields, present, {}, since_ms)
            rows = db.execute(query, values)
            while part := rows.fetchmany(250):
                for column, some in zip(columns, zip(*part, strict=True), strict=True):
                    column.extend(some)
        return tables.to_table(shape, fields, {}, columns)

    def handed(self) -> int:
        """How often rows were handed over; a file that is missing is made, so that from now on
        whoever hands rows over counts. Raises NoFileError.
        """
        found = 0

        def read(db: sqlite3.Connection) -> None:
            nonlocal found
            found = _handed(db)

        self._write(read)
        return found

    def add(self, rows: Sequence[Rows], oldest_base_ms: int) -> None:
        """Rows of KEPT that the server acknowledged, in the order of their batches. Nobody asked
        since `oldest_base_ms`, and they are not kept any more. Raises NoFileError.
        """

        def write(db: sqlite3.Connection) -> None:
            db.execute("UPDATE latest.handed SET times = times + 1")
            base = _base(db)
            if base is not None and base.at_ms >= oldest_base_ms:
                for one in rows:
                    _upsert(db, one)
            elif base is not None:
                db.execute("DELETE FROM latest.base")

        if self.path.exists():
            self._write(write)

    def begin(self, base: Base, handed: int, polls: Iterable[Poll], rows: Rows) -> bool:
        """Stand on `base`, what the server told since `handed` was asked for; False where rows were
        handed over meanwhile, which it may not know. Raises NoFileError.
        """

        def write(db: sqlite3.Connection) -> None:
            for table in ("base", "polls", DEVICE):
                db.execute(f"DELETE FROM latest.{table}")  # noqa: S608 - see above
            _upsert(db, rows)
            _upsert_polls(db, polls)
            db.execute(
                "INSERT INTO latest.base VALUES (?, ?, ?)", (base.server, base.at_ms, base.since_ms)
            )

        return self._unless_handed(handed, write)

    def learn(self, handed: int, polls: Collection[Poll], rows: Rows) -> bool:
        """Add `polls` of others with their `rows`; False as above. Raises NoFileError."""

        def write(db: sqlite3.Connection) -> None:
            _upsert(db, rows)
            _upsert_polls(db, polls)

        return self._unless_handed(handed, write)

    def forget(self) -> None:
        """Unlink the file, which works on a full disk too. OSError."""
        for path in (self.path, *(self.path.with_name(FILE + end) for end in BESIDE)):
            path.unlink(missing_ok=True)

    def _unless_handed(self, handed: int, write: Callable[[sqlite3.Connection], None]) -> bool:
        done = False

        def writes(db: sqlite3.Connection) -> None:
            nonlocal done
            if _handed(db) == handed:
                write(db)
                done = True

        self._write(writes)
        return done

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        try:
            with reading(self.path) as db:
                yield db
        except StoreError as error:
            raise NoFileError(str(error)) from None

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        try:
            with self._lock, named_faults(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self._gone_if_damaged():
                    patiently(lambda: self._transaction(work))
        except StoreError as error:
            raise NoFileError(str(error)) from None

    def _transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        with _opened(self.path) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                work(db)
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _gone_if_damaged(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error):
                with suppress(OSError):
                    self.forget()
            raise


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Attached as `latest`, which is how `timeseries.tables` names a table of newest rows."""
    db = sqlite3.connect(":memory:", timeout=LOCK_WAIT_S, isolation_level=None)
    try:
        db.execute("ATTACH DATABASE ? AS latest", (str(path),))
        db.execute("PRAGMA latest.journal_mode=WAL")
        db.execute("PRAGMA latest.synchronous=FULL")
        if db.execute("PRAGMA latest.user_version").fetchone()[0] == 0:
            db.executescript(_TABLES)
        tables.prepare(db, "latest", SCHEMA[DEVICE])
        yield db
    finally:
        db.close()


def _upsert(db: sqlite3.Connection, rows: Rows) -> None:
    if rows.measurement.name == POLL:
        told = zip(rows.times, rows.tags[0], rows.fields.get(SAYS_POLLED, ()), strict=False)
        _upsert_polls(db, [(at, collector) for at, collector, many in told if many is not None])
        return
    statement = tables.upsert_latest(rows.measurement, tuple(rows.fields))
    values = zip(rows.times, *rows.tags, *rows.fields.values(), strict=True)
    db.executemany(statement, values)


def _upsert_polls(db: sqlite3.Connection, polls: Iterable[Poll]) -> None:
    db.executemany("INSERT OR IGNORE INTO latest.polls VALUES (?, ?)", polls)


def _has(db: sqlite3.Connection, table: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _handed(db: sqlite3.Connection) -> int:
    [(times,)] = db.execute("SELECT times FROM latest.handed")
    return int(times)


def _base(db: sqlite3.Connection) -> Base | None:
    row = db.execute("SELECT server, at_ms, since_ms FROM base").fetchone()
    return Base(*row) if row else None
