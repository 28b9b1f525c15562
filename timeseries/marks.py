"""Which hours have raw rows that no rollup counts yet, kept in `series/marks.db` of a home.

Whoever writes raw rows marks their hours first, and holds a lock from before that until the rows
are in the store. Who takes hours waits until nobody holds it, or leaves the marks of these hours
in place: so late rows reopen their hour by themselves, whatever is killed in between.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from farola.files import locked_by_many, locked_if_free
from timeseries.sqlite_files import LOCK_WAIT_S, named_faults, patiently
from timeseries.windows import Window, day_of, hour_of

T = TypeVar("T")
FILE_NAME = "marks.db"
WRITING = "writing.lock"
PATIENCE_S, LOOK_AGAIN_S = 5.0, 0.01
"""How long who takes hours waits for those who write, and how often it looks."""
STAYS = -1
"""The version of a mark that was taken while somebody wrote: none in the file has it."""
ROLLED_UP = frozenset({"device", "interface", "radio"})
"""The measurements whose rows are rolled up: times of others need no mark."""
_TABLES = """
CREATE TABLE IF NOT EXISTS hour (start INTEGER PRIMARY KEY, end INTEGER, version INTEGER);
CREATE TABLE IF NOT EXISTS day (start INTEGER PRIMARY KEY, end INTEGER, version INTEGER);
CREATE TABLE IF NOT EXISTS seen (what TEXT PRIMARY KEY, version INTEGER);
"""
_MARK = (
    "INSERT INTO {} VALUES (?, ?, (SELECT version FROM seen WHERE what = 'mark')) "
    "ON CONFLICT (start) DO UPDATE SET version = excluded.version"
)


class Mark(NamedTuple):
    """A window whose rollup is due, as it was marked last; with STAYS it will be once more."""

    window: Window
    version: int


class Marks:
    """The marks of one home. Threads may share it, processes may use the same file at once.

    Every method raises StoreError where the file cannot be read or written.
    """

    def __init__(self, folder: Path, zone: ZoneInfo) -> None:
        """`folder` is that of the series; nothing is made there before the first mark."""
        self._path = folder / FILE_NAME
        self._zone = zone
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._marked: set[Window] = set()
        self._version_seen = -1

    @contextmanager
    def writing(self, times: Iterable[int]) -> Iterator[None]:
        """Around writing raw rows of these `times` (milliseconds): their hours are marked before.
        Who takes one meanwhile, and so may not see the rows, leaves its mark.
        """
        with ExitStack() as held:
            with named_faults(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked_by_many(self._path.with_name(WRITING)))
            self.mark(times)
            yield

    def mark(self, times: Iterable[int]) -> frozenset[Window]:
        """Mark the hours of `times`; tells which. One that is marked already costs no write."""
        hours: set[Window] = set()
        last = Window(0, 0)
        for at in sorted(set(times)):
            if not last.start <= at < last.end:
                last = hour_of(at, self._zone)
                hours.add(last)
        self._mark(hours)
        return frozenset(hours)

    def due(self, before_ms: int) -> list[Mark]:
        """The marked hours that were over at `before_ms`, oldest first. They count as taken: who
        writes from now on marks them again, and who was about to has written, or they will stay.
        """
        taken = self._take("hour", before_ms)
        if not taken or self._nobody_writes():
            return taken
        return [Mark(mark.window, STAYS) for mark in taken]

    def due_days(self, before_ms: int) -> list[Mark]:
        """The days that were over at `before_ms` of which an hour was done since."""
        return self._take("day", before_ms)

    def done(self, mark: Mark) -> bool:
        """The hour's rollup is written: forget the mark, unless somebody marked it again, and mark
        its day.
        """
        day = day_of(mark.window.start, self._zone)

        def forget(connection: sqlite3.Connection) -> bool:
            _next_version(connection)
            connection.execute(_MARK.format("day"), day)
            return _forget(connection, "hour", mark)

        return self._transaction(forget)

    def done_day(self, mark: Mark) -> bool:
        """The day's rollup is written: forget the mark, unless it was marked again."""
        return self._transaction(lambda connection: _forget(connection, "day", mark))

    def open(self) -> list[Window]:
        """The hours that are marked, over or not, oldest first."""
        if not self._path.exists():
            return []
        found = self._transaction(
            lambda connection: connection.execute(
                "SELECT start, end FROM hour ORDER BY start"
            ).fetchall()
        )
        return [Window(*row) for row in found]

    @property
    def knows_past(self) -> bool:
        """Whether the hours of rows are marked that were there before there were marks."""
        return self._transaction(
            lambda connection: (
                connection.execute("SELECT 1 FROM seen WHERE what = 'past'").fetchone() is not None
            )
        )

    def learn_past(self, times: Iterable[int]) -> None:
        """Mark the hours of `times`, the first that there are marks."""
        self.mark(times)
        self._transaction(
            lambda connection: connection.execute("INSERT OR IGNORE INTO seen VALUES ('past', 1)")
        )

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _mark(self, hours: Collection[Window]) -> None:
        if not hours:
            return
        with named_faults(self._path), self._lock:
            connection = self._opened()
            # Another process may have taken hours since: then its commit shows.
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != self._version_seen:
                self._version_seen = version
                self._marked.clear()
            new = set(hours) - self._marked
            if not new:
                return

            def write(connection: sqlite3.Connection) -> None:
                _next_version(connection)
                connection.executemany(_MARK.format("hour"), sorted(new))

            _committed(connection, write)
            self._marked |= new

    def _nobody_writes(self) -> bool:
        """Whether there was a moment in which nobody did; waits a little for one."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            with named_faults(self._path), locked_if_free(self._path.with_name(WRITING)) as free:
                if free:
                    return True
            if time.monotonic() >= give_up:
                return False
            time.sleep(LOOK_AGAIN_S)

    def _take(self, table: str, before_ms: int) -> list[Mark]:
        if not self._path.exists():
            return []

        def take(connection: sqlite3.Connection) -> list[Mark]:
            rows = connection.execute(
                f"SELECT start, end, version FROM {table} "  # noqa: S608 - `hour` or `day`
                "WHERE end <= ? ORDER BY start",
                (before_ms,),
            ).fetchall()
            if rows:
                # A write, so that others see that these are no longer as good as marked.
                connection.execute(
                    "INSERT INTO seen VALUES ('taken', 1) "
                    "ON CONFLICT (what) DO UPDATE SET version = version + 1"
                )
            return [Mark(Window(start, end), version) for start, end, version in rows]

        return self._transaction(take, forget_marked=True)

    def _transaction(
        self, work: Callable[[sqlite3.Connection], T], *, forget_marked: bool = False
    ) -> T:
        with named_faults(self._path), self._lock:
            if forget_marked:
                self._marked.clear()
            return _committed(self._opened(), work)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._path.exists():
            return self._connection
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._marked.clear()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").close())
            connection.execute("PRAGMA synchronous=FULL")
            patiently(lambda: connection.executescript(_TABLES).close())
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection


def _next_version(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO seen VALUES ('mark', 1) ON CONFLICT (what) DO UPDATE SET version = version + 1"
    )


def _forget(connection: sqlite3.Connection, table: str, mark: Mark) -> bool:
    done = connection.execute(
        f"DELETE FROM {table} WHERE start = ? AND version = ?",  # noqa: S608 - `hour` or `day`
        (mark.window.start, mark.version),
    )
    return done.rowcount > 0


def _committed(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do `work` in one transaction."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE").close())
    try:
        found = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found
