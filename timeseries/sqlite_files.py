"""The embedded store's files: where they lie, how they are opened to read or to write, and what is
said of one that is damaged, full, locked or gone.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

from farola.errors import StoreError

DAY_MS = 86_400_000
LOCK_WAIT_S = 30.0
LATEST = "latest.db"
"""The newest row of each combination of tags of the raw measurements."""
ROLLUPS = "rollups.db"
"""All rows of the rollups."""
BESIDE = ("-wal", "-shm")
"""Endings of the files that SQLite keeps beside one while it is in use."""
DAMAGED = "the file is damaged: move it away, or restore it from a backup"


def date_of(day: int) -> date:
    """The date of a day counted from 1970 (UTC)."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date()


def day_path(folder: Path, day: int) -> Path:
    """The file of the raw rows of `day`, counted from 1970 (UTC)."""
    return folder / f"raw-{date_of(day).isoformat()}.db"


def days_in(folder: Path) -> list[tuple[int, Path]]:
    """The raw files there are: day (days since 1970, UTC) and path, oldest first."""
    found = []
    for path in folder.glob("raw-*.db"):
        try:
            day = datetime.strptime(path.stem, "raw-%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append((int(day.timestamp()) * 1000 // DAY_MS, path))
    return sorted(found)


def size_of(path: Path) -> int:
    """Bytes of a database with the files beside it; what is not there has none."""
    return sum(
        part.stat().st_size
        for part in (path, *(path.with_name(path.name + ending) for ending in BESIDE))
        if part.exists()
    )


def nearest_folder(folder: Path) -> Path:
    """`folder`, or what there is of the way to it. StoreError where a file is in the way."""
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if not nearest.is_dir():
        raise StoreError(f"{nearest} is a file, not a folder: move it away")
    return nearest


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection that cannot write, or None where nothing was written yet."""
    with named_faults(path):
        connection = _opened_to_read(path)
        if connection is None:
            nearest_folder(path.parent)
            yield None
            return
        with closing(connection):
            yield connection


def _opened_to_read(path: Path) -> sqlite3.Connection | None:
    """None where there is no such file, or it was forgotten in this very moment: then a part of it
    may have been there still.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    while (inode := _inode_of(path)) is not None:
        with ExitStack() as opened:
            try:
                connection = sqlite3.connect(uri, uri=True, timeout=LOCK_WAIT_S)
                opened.callback(connection.close)
                # The first look may meet a last writer that is closing; later ones cannot.
                patiently(partial(_look, connection))
            except sqlite3.OperationalError:
                if _inode_of(path) == inode:
                    raise
                continue
            if _inode_of(path) == inode:
                opened.pop_all()
                return connection
    return None


def _look(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM sqlite_master").close()


def _inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


class Writer:
    """A file that is open to write, perhaps with another attached, both in WAL mode and fsynced at
    each commit. Made when first used.
    """

    def __init__(self, path: Path, latest: Path | None = None) -> None:
        """`latest` is attached under that name. Raises sqlite3.Error and OSError."""
        self.path = path
        nearest_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(
            path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            for schema, file in (("main", path), ("latest", latest)):
                if file is None:
                    continue
                with _damage_named(file):
                    if schema == "latest":
                        self.connection.execute("ATTACH DATABASE ? AS latest", (str(file),))
                    self.connection.execute(f"PRAGMA {schema}.journal_mode=WAL")
                self.connection.execute(f"PRAGMA {schema}.synchronous=FULL")
                self.connection.execute(f"PRAGMA {schema}.cache_size=-65536")
            self._inode = path.stat().st_ino
        except BaseException:
            self.connection.close()
            raise

    def in_place(self) -> bool:
        """Whether the file that is open is still the one of that name (and not forgotten)."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, of which nothing stays after an error.

        Raises MovedError where the file was forgotten before the transaction began.
        """
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self._stay()
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def _stay(self) -> None:
        if not self.in_place():
            raise MovedError(str(self.path))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class MovedError(Exception):
    """The file that was opened is no longer there: open it again."""


def forget(path: Path) -> None:
    """Unlink a database with the files beside it, while nobody writes to it.

    A writer that waits for it finds out (`Writer.transaction`) and makes a new file; a reader that
    has it open reads on. Raises sqlite3.Error, OSError.
    """
    with closing(sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None)) as connection:
        damaged = False
        try:
            patiently(partial(_begin, connection))
        except sqlite3.DatabaseError as error:
            damaged = is_damage(error)
            if not damaged:
                raise
        for part in (path, *(path.with_name(path.name + ending) for ending in BESIDE)):
            part.unlink(missing_ok=True)
        if not damaged:
            connection.execute("ROLLBACK")


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line that says which file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text:
            remedy = "free space on that disk; the batch was not kept"
        elif "locked" in text:
            remedy = f"another process has held it for {LOCK_WAIT_S:.0f} s: end that one"
        elif is_damage(error):
            remedy = DAMAGED
        else:
            remedy = "check that the folder exists and belongs to you"
        raise StoreError(f"{path}: {text}; {remedy}") from None
    except OSError as error:
        raise StoreError(
            f"{path.parent}: {error.strerror}; check that the folder belongs to you"
        ) from None


def is_damage(error: Exception) -> bool:
    """Whether SQLite, in its own words or named, found the file itself at fault."""
    return any(word in str(error) for word in ("not a database", "malformed"))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Say of two files that are opened together which is damaged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise StoreError(f"{path}: {error}; {DAMAGED}") from None


def patiently(action: Callable[[], None]) -> None:
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
