"""The spool's file: its tables, how it is opened, and what goes in and out of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from timeseries.sqlite_files import LOCK_WAIT_S, patiently

QUARTER_MS = 900_000
HAS_NO_ROOM = 2**20
"""Bytes free below which a disk counts as full."""
_TABLES = """
CREATE TABLE IF NOT EXISTS batch (
  id INTEGER PRIMARY KEY AUTOINCREMENT, made_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  quarters TEXT NOT NULL, measurements TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS waiting ON batch (made_ms) WHERE sent = 0;
CREATE INDEX IF NOT EXISTS kept ON batch (last_ms) WHERE sent = 1;
CREATE TABLE IF NOT EXISTS body (id INTEGER PRIMARY KEY, lines BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, measurement TEXT NOT NULL,
  line TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dropped (
  why TEXT PRIMARY KEY, rows INTEGER NOT NULL, batches INTEGER NOT NULL, bytes INTEGER NOT NULL,
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch as it is kept: gzipped lines, and what can be known of them without reading them.

    `quarters` are the quarters of an hour since 1970 that have rows, so that any time zone's
    hours can be told from them.
    """

    body: bytes
    rows: int
    first_ms: int
    last_ms: int
    quarters: tuple[int, ...]
    measurements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that waits; times in milliseconds since 1970, `bytes` gzipped."""

    id: int
    made_ms: int
    first_ms: int
    last_ms: int
    rows: int
    bytes: int
    quarters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line that the server refused, when, and in its words why."""

    id: int
    at_ms: int
    measurement: str
    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows that were lost, and the times between which they lay."""

    rows: int = 0
    batches: int = 0
    bytes: int = 0
    first_ms: int = 0
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a server: rows, batches, bytes on disk and the oldest row's time; what was
    dropped since `dropped_since_ms`, when that began after people last acknowledged losses; what
    is quarantined; and what hinders the sender (empty: nothing).
    """

    rows: int = 0
    batches: int = 0
    bytes: int = 0
    oldest_ms: int | None = None
    dropped_rows: int = 0
    quarantined: int = 0
    fault: str = ""
    dropped_since_ms: int | None = None


def connected(path: Path) -> sqlite3.Connection:
    """The file, made if it is missing. sqlite3.Error where it cannot be opened."""
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        patiently(lambda: db.execute("PRAGMA journal_mode=WAL").close())
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=256")  # pages: a short WAL, for a disk that fills up
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            patiently(
                lambda: db.executescript(
                    f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version=1; COMMIT;"
                ).close()
            )
    except BaseException:
        db.close()
        raise
    return db
