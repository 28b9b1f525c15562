"""The spool: batches of line protocol on their way to a server, on disk before they count as
measured. One SQLite file in WAL mode with `synchronous=FULL`: what `add` returned from survives a
kill and a power cut. `timeseries.sender` empties it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from farola.errors import StoreError
from timeseries.read_lines import measurement_of
from timeseries.spool_file import (
    HAS_NO_ROOM,
    Backlog,
    Dropped,
    Packed,
    Quarantined,
    Waiting,
    connected,
)
from timeseries.sqlite_files import named_faults

FILE = "spool.db"
BALLAST = "ballast"
BALLAST_BYTES = 16 * 2**20
"""Kept free for the moment when the disk is full: to delete what was sent takes room too, as much
as the WAL had grown to."""
MOST_QUARANTINED = 100_000
"""Lines; of beyond, their batches wait."""
SHRINK_BYTES = 64 * 2**20
"""An empty spool gives more unused room in its file back to the disk."""
PAGE_BYTES = 4096
LOST_SINCE, SET_ASIDE = "lost_since", "set_aside"
"""What `state` keeps beside `fault`."""
_WAITING = "SELECT id, made_ms, first_ms, last_ms, rows, bytes, quarters FROM batch WHERE sent = 0"


class Spool:
    """Batches of one city that wait. Threads may share it, and processes the file."""

    def __init__(self, folder: Path, most_bytes: int = 5 * 10**9) -> None:
        """Nothing is made before the first batch. Beyond `most_bytes` the oldest go."""
        self.folder = folder
        self.path = folder / FILE
        self._most_bytes = most_bytes
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None

    def exists(self) -> bool:
        """Whether anything was ever spooled here."""
        return self.path.exists()

    def add(self, batches: Sequence[Packed]) -> Dropped:
        """Keep `batches` in one transaction; on return they are on disk.

        Returns what had to go to make room for them. Raises StoreError, and nothing is kept then.
        """
        now = _now_ms()
        with self._writing() as db:
            dropped = self._make_room(db, sum(len(one.body) for one in batches), now)
            for one in batches:
                cursor = db.execute(
                    "INSERT INTO batch (made_ms, first_ms, last_ms, rows, bytes, quarters, "
                    "measurements) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        now, one.first_ms, one.last_ms, one.rows, len(one.body),
                        json.dumps(one.quarters), " ".join(one.measurements),
                    ),
                )  # fmt: skip
                db.execute("INSERT INTO body VALUES (?, ?)", (cursor.lastrowid, one.body))
        return dropped

    def next(self, live_since_ms: int) -> Waiting | None:
        """The batch to send now; None where nothing waits.

        The newest poll, if it was made since `live_since_ms` and all its times are newer than all
        that waits from before it, so that rows written twice still arrive in order; else the
        oldest batch.
        """
        with self._reading() as db:
            if db is None:
                return None
            oldest = db.execute(f"{_WAITING} ORDER BY id LIMIT 1").fetchone()
            if oldest is None or oldest[1] >= live_since_ms:
                return _waiting(oldest)
            recent = db.execute(
                f"{_WAITING} AND made_ms >= ? ORDER BY +id", (live_since_ms,)
            ).fetchall()
            if not recent:
                return _waiting(oldest)
            [(newest_before,)] = db.execute(
                "SELECT MAX(last_ms) FROM batch WHERE sent = 0 AND id < ?", (recent[0][0],)
            )
        chosen = oldest
        for row in recent:
            if row[2] > newest_before:
                chosen = row
            newest_before = max(newest_before, row[3])
        return _waiting(chosen)

    def waits(self, measurement: str, made_before_ms: int) -> bool:
        """Whether rows of `measurement` wait that were spooled before then."""
        query = f"{_WAITING} AND made_ms < ? AND ' ' || measurements || ' ' LIKE ?"
        with self._reading() as db:
            values = made_before_ms, f"% {measurement} %"
            return db is not None and db.execute(query, values).fetchone() is not None

    def body(self, batch_id: int) -> bytes | None:
        """The gzipped lines of a batch; None if it had to go meanwhile."""
        with self._reading() as db:
            row = db and db.execute("SELECT lines FROM body WHERE id = ?", (batch_id,)).fetchone()
        return bytes(row[0]) if row else None

    def acknowledged(
        self, batch: Waiting, rejected: Sequence[tuple[str, str]] = (), expired: int = 0
    ) -> None:
        """Forget a batch that the server has; keep its `rejected` lines with their reasons, and
        count those that are `expired`. The newest of each measurement stays, for a collector that
        restarts while the server is away.

        Raises StoreError where quarantine is full: the batch waits then.
        """
        with self._freeing() as db:
            _forget(db, _done_with(db, batch))
            db.execute("DELETE FROM state WHERE key = 'fault'")
            now = _now_ms()
            db.executemany(
                "INSERT INTO quarantine (at_ms, measurement, line, reason) VALUES (?, ?, ?, ?)",
                ((now, measurement_of(line)[:60], line, why) for line, why in rejected),
            )
            if rejected:
                _check_quarantine(db)
            if expired:
                gone = Dropped(expired, 0, 0, batch.first_ms, batch.last_ms)
                _count(db, "older than the server keeps", gone, now)

    def backlog(self) -> Backlog:
        """What waits, what was lost and what hinders; StoreError where the file cannot be read."""
        with self._reading() as db:
            if db is None:
                return Backlog()
            [(rows, batches, size, oldest)] = db.execute(
                "SELECT COALESCE(SUM(rows), 0), COUNT(*), COALESCE(SUM(bytes), 0), MIN(first_ms) "
                "FROM batch WHERE sent = 0"
            )
            [(dropped, last_ms)] = db.execute(
                "SELECT COALESCE(SUM(rows), 0), MIN(at_ms) FROM dropped"
            )
            since = db.execute("SELECT value FROM state WHERE key = ?", (LOST_SINCE,)).fetchone()
            [(quarantined,)] = db.execute("SELECT COUNT(*) FROM quarantine")
            fault = db.execute("SELECT value FROM state WHERE key = 'fault'").fetchone()
        return Backlog(
            rows, batches, size, oldest, dropped, quarantined, fault[0] if fault else "",
            dropped_since_ms=int(since[0]) if since else last_ms,
        )  # fmt: skip

    def set_fault(self, text: str) -> None:
        """Tell other processes what hinders the sender, until something is acknowledged."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO state VALUES ('fault', ?)", (text,))

    def give_up_reserve(self) -> None:
        """Where the disk is full, free what is kept in reserve: whatever must be written before
        the spool can be emptied finds room then.
        """
        with self._lock, named_faults(self.path):
            if not self.exists() or shutil.disk_usage(self.folder).free >= HAS_NO_ROOM:
                return
            (self.folder / BALLAST).unlink(missing_ok=True)
            with contextlib.suppress(sqlite3.Error):
                self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def newest_first(self, measurement: str, since_ms: int) -> Iterator[tuple[int, int, bytes]]:
        """(last time, rows, gzipped lines) of batches with rows of `measurement`, newest first: all
        that wait and the newest poll that was sent.
        """
        with self._reading() as db:
            found = db.execute(
                "SELECT id, last_ms, rows FROM batch WHERE last_ms >= ? "
                "AND ' ' || measurements || ' ' LIKE ? ORDER BY last_ms DESC, id DESC",
                (since_ms, f"% {measurement} %"),
            ).fetchall() if db else []  # fmt: skip
        for batch_id, last_ms, rows in found:
            body = self.body(batch_id)
            if body is not None:
                yield last_ms, rows, body

    def quarantined(self, most: int, *, newest_first: bool = True) -> list[Quarantined]:
        """At most `most` lines that the server refused."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT id, at_ms, measurement, line, reason FROM quarantine "  # noqa: S608 - one of two words
                f"ORDER BY id {'DESC' if newest_first else 'ASC'} LIMIT ?",
                (most,),
            ).fetchall() if db else []  # fmt: skip
        return [Quarantined(*row) for row in rows]

    def forget_quarantined(self, ids: Sequence[int] | None = None) -> int:
        """Forget these lines, or all; returns how many there were."""
        if not self.exists():
            return 0
        with self._freeing() as db:
            if ids is None:
                return db.execute("DELETE FROM quarantine").rowcount
            return db.executemany(
                "DELETE FROM quarantine WHERE id = ?", [(one,) for one in ids]
            ).rowcount

    def set_aside(self) -> int:
        """Let what waits now go to quarantine, as far as the server refuses it, even if that is
        most of it; how many rows wait.
        """
        rows = self.backlog().rows
        if rows:
            with self._writing() as db:
                db.execute(
                    "INSERT OR REPLACE INTO state SELECT ?, MAX(id) FROM batch", (SET_ASIDE,)
                )
        return rows

    def set_aside_until(self) -> int:
        """The last batch for which that was said."""
        with self._reading() as db:
            row = (
                db and db.execute("SELECT value FROM state WHERE key = ?", (SET_ASIDE,)).fetchone()
            )
        return int(row[0]) if row else 0

    def acknowledge_losses(self) -> int:
        """People know of the rows that were dropped: count anew; how many they were."""
        dropped = self.backlog().dropped_rows
        if dropped:
            with self._freeing() as db:
                db.execute("DELETE FROM dropped")
                db.execute("DELETE FROM state WHERE key = ?", (LOST_SINCE,))
        return dropped

    def tidy(self) -> None:
        """To be called when nothing waits: gives room back to the disk, and keeps some in reserve
        for a disk that becomes full.
        """
        with self._lock, named_faults(self.path):
            if not self.exists():
                return
            db = self._connection()
            [(pages,)] = db.execute("PRAGMA freelist_count")
            scarce = not (self.folder / BALLAST).exists()
            if pages * PAGE_BYTES > (HAS_NO_ROOM if scarce else SHRINK_BYTES):
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._keep_ballast()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _make_room(self, db: sqlite3.Connection, wanted: int, now: int) -> Dropped:
        [(used,)] = db.execute("SELECT COALESCE(SUM(bytes), 0) FROM batch WHERE sent = 0")
        over = used + wanted - self._most_bytes
        if over <= 0:
            return Dropped()
        gone: list[tuple[int, ...]] = []
        oldest = db.execute(
            "SELECT id, rows, bytes, first_ms, last_ms FROM batch WHERE sent = 0 ORDER BY id"
        )
        for row in oldest:
            if over <= 0:
                break
            gone.append(row)
            over -= row[2]
        oldest.close()
        if not gone:
            return Dropped()
        _forget(db, [(row[0],) for row in gone])
        dropped = Dropped(
            sum(row[1] for row in gone), len(gone), sum(row[2] for row in gone),
            min(row[3] for row in gone), max(row[4] for row in gone),
        )  # fmt: skip
        _count(db, "no room in the spool", dropped, now)
        return dropped

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None or not self.path.exists():
            self.close()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._keep_ballast()
            self._opened = connected(self.path)
        return self._opened

    def _keep_ballast(self) -> None:
        """Some disks cannot reserve room, or have none just then: rows are kept without."""
        ballast = self.folder / BALLAST
        with contextlib.suppress(OSError):
            room = min(BALLAST_BYTES, shutil.disk_usage(self.folder).free // 4)
            if room < 2 * HAS_NO_ROOM or ballast.exists():
                return
            try:
                with ballast.open("wb") as out:
                    os.posix_fallocate(out.fileno(), 0, room)
            except OSError:
                ballast.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock, named_faults(self.path):
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _freeing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that leaves less in the spool than before; where the disk is full, the
        room kept in reserve is given up for it.
        """
        self.give_up_reserve()
        with self._writing() as db:
            yield db

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to read from; None where nothing was ever spooled."""
        with self._lock, named_faults(self.path):
            yield self._connection() if self.exists() else None


def _check_quarantine(db: sqlite3.Connection) -> None:
    [(lines,)] = db.execute("SELECT COUNT(*) FROM quarantine")
    if lines > MOST_QUARANTINED:
        raise StoreError(
            f"quarantine is full ({MOST_QUARANTINED:,} rows that the server refused): what is "
            "refused now waits in the spool; `farola store quarantine` tells why: mend that and "
            "--retry, or --forget them"
        )


def _waiting(row: tuple[int, int, int, int, int, int, str] | None) -> Waiting | None:
    return Waiting(*row[:6], tuple(json.loads(row[6]))) if row else None


def _done_with(db: sqlite3.Connection, batch: Waiting) -> list[tuple[int]]:
    """The sent batches that go now that `batch` is sent too, which stays if it is the newest. Of
    one kind of rows nothing newer of another tells: checks do not replace a poll.
    """
    row = db.execute("SELECT measurements FROM batch WHERE id = ?", (batch.id,)).fetchone()
    if row is None:  # it had to go meanwhile
        return []
    own = set(row[0].split())
    sent = [
        (one, first, last)
        for one, first, last, names in db.execute(
            "SELECT id, first_ms, last_ms, measurements FROM batch WHERE sent = 1"
        )
        if own.intersection(names.split())
    ]
    if any(first > batch.last_ms for _, first, _ in sent):
        return [(batch.id,)]
    db.execute("UPDATE batch SET sent = 1 WHERE id = ?", (batch.id,))
    return [(one,) for one, _, last in sent if last < batch.first_ms]


def _forget(db: sqlite3.Connection, ids: Sequence[tuple[int]]) -> None:
    db.executemany("DELETE FROM body WHERE id = ?", ids)
    db.executemany("DELETE FROM batch WHERE id = ?", ids)


def _count(db: sqlite3.Connection, why: str, gone: Dropped, now: int) -> None:
    db.execute("INSERT OR IGNORE INTO state VALUES (?, ?)", (LOST_SINCE, str(now)))
    db.execute(
        "INSERT INTO dropped (why, rows, batches, bytes, first_ms, last_ms, at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (why) DO UPDATE SET rows = rows + excluded.rows, "
        "batches = batches + excluded.batches, bytes = bytes + excluded.bytes, "
        "first_ms = MIN(first_ms, excluded.first_ms), last_ms = MAX(last_ms, excluded.last_ms), "
        "at_ms = excluded.at_ms",
        (why, gone.rows, gone.batches, gone.bytes, gone.first_ms, gone.last_ms, now),
    )


def _now_ms() -> int:
    return int(time.time() * 1000)
