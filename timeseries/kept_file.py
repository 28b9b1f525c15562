"""A file beside the spool that holds what a server told, so that it need not be asked again. It may
be missing, damaged or unlinked at any moment; then the server is asked for everything.
"""

from __future__ import annotations

import marshal
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from farola.errors import StoreError
from timeseries.sqlite_files import (
    BESIDE,
    LOCK_WAIT_S,
    is_damage,
    named_faults,
    patiently,
    reading,
)

_CRC_BYTES = 4


class NoFileError(StoreError):
    """The file cannot be read or written; the server can do without it."""


class KeptFile:
    """One file (SQLite, WAL). Threads may share it, and processes the file."""

    def __init__(self, path: Path, version: int, tables: str) -> None:
        """`tables` makes what is missing in a file of another `version`, and forgets what that
        held. Nothing is made yet.
        """
        self.path = path
        self._version, self._tables = version, tables
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """What is there now, as one state of it; None without a file, or where it is of another
        version. Raises NoFileError; a damaged file is unlinked then.
        """
        with self._gone_if_damaged(), reading(self.path) as db:
            if db is not None:
                db.execute("BEGIN").close()
            known = db and db.execute("PRAGMA user_version").fetchone()[0] == self._version
            yield db if known else None

    def write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do `work` in one transaction; a file that is missing is made. Raises NoFileError; a
        damaged file is unlinked then.
        """
        with self._lock, self._gone_if_damaged(), named_faults(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            patiently(lambda: self._transaction(work))

    def forget(self) -> None:
        """Unlink the file, which works on a full disk too. OSError."""
        for path in (self.path, *(self.path.with_name(self.path.name + end) for end in BESIDE)):
            path.unlink(missing_ok=True)

    def _transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        with closing(sqlite3.connect(self.path, LOCK_WAIT_S, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL").close()
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN IMMEDIATE")
            try:
                if db.execute("PRAGMA user_version").fetchone()[0] != self._version:
                    for statement in self._tables.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version={self._version}")
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
        except (StoreError, DamagedError) as error:  # SQLite's own have been named by now
            if isinstance(error, DamagedError) or is_damage(error):
                with suppress(OSError):
                    self.forget()
            raise NoFileError(str(error)) from None


class DamagedError(ValueError):
    """What was kept is not what was put there."""


def packed_columns(columns: Any) -> bytes:
    """Lists of plain values as bytes, ten times as fast as rows of a table."""
    body = marshal.dumps(columns)
    return zlib.crc32(body).to_bytes(_CRC_BYTES, "big") + body


def unpacked_columns(packed: bytes) -> Any:
    """The opposite of `packed_columns`. Raises DamagedError."""
    body = memoryview(packed)[_CRC_BYTES:]
    if zlib.crc32(body) != int.from_bytes(packed[:_CRC_BYTES], "big"):
        raise DamagedError("rows that are kept there are damaged")
    try:
        return marshal.loads(body)  # noqa: S302 - made by us in our own home, and whole
    except (ValueError, EOFError, TypeError) as error:  # of another version of Python
        raise DamagedError(f"rows that are kept there cannot be read: {error}") from None
