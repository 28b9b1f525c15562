"""Opens the inventory's database and brings its tables up to date (Alembic)."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from farola.errors import InventoryError, SettingsError
from farola.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
NO_TABLES = frozenset({"42P01", "42703"})
"""PostgreSQL's codes of a table and a column that are not there."""
STATE_CLASSES = ("08", "25", "53", "57")
"""Classes of its codes that tell of the server and not of the statement: connection, transaction
state (a server that is read-only since a failover), resources, intervention (it shuts down)."""
LEAST_FREE = 100_000
"""Bytes on its disk that SQLite needs for its side files."""
READ_ONLY, NO_RIGHT = "25006", "42501"


def open_engine(url: str) -> Engine:
    """Engine for `url`; SQLite gets WAL, foreign keys and a 10 s wait for locks. A server's
    connections are tried before use: one that has restarted meanwhile is connected to again.

    Raises
    ------
    SettingsError
        `url` names no database, or one whose driver is not installed. The URL is never shown: it
        may hold a password.
    """
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        if engine.dialect.name == "sqlite" and isinstance(engine.pool, QueuePool):
            # A file takes any number of connections: who waits for its lock does not wait for one.
            engine = create_engine(url, max_overflow=-1)
    except ImportError as error:
        raise SettingsError(
            f"[inventory] database_url: the database's driver {error.name!r} is not installed: "
            "for PostgreSQL run `pip install 'farola[postgres]'` and write postgresql+psycopg://…"
        ) from None
    except (ArgumentError, ValueError):
        raise SettingsError(
            "[inventory] database_url is no address of a database: use one such as "
            "sqlite:////srv/farola/inventory.db or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA busy_timeout=10000")

    return engine


def upgrade(engine: Engine) -> bool:
    """Create or migrate the tables to the newest revision; whether the audit log begins with it,
    so that the caller is to seal it (`audit_log.begin`).

    Raises
    ------
    InventoryError
        The database cannot be reached or is none, or a newer Farola made it.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    _connect(engine)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            begins = not inspect(connection).has_table("audit_entry")
            command.upgrade(config, "head")
    except CommandError as error:
        raise InventoryError(
            f"{_named(engine)} cannot be migrated ({error}): was it made by a newer Farola?"
        ) from None
    except DBAPIError as error:
        raise _told(engine, error) from None
    return begins


def guard_file(engine: Engine) -> None:
    """Make an SQLite inventory its owner's alone, before anything is written to it: it holds
    credentials and what passwords hash to. SQLite gives its side files the same mode.
    """
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:" or "file:" in name:
        return
    path = Path(name)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    for beside in (path, Path(f"{name}-wal"), Path(f"{name}-shm")):
        if beside.exists():
            beside.chmod(0o600)


class Inventory:
    """The inventory of one home: sessions on its database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = open_engine(settings.inventory_url)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error.

        Raises
        ------
        InventoryError
            The database cannot be reached, is damaged or was never initialised. What the caller's
            own statements violate (IntegrityError …) is passed on as it is.
        """
        _connect(self.engine)
        try:
            with self._open() as session, session.begin():
                yield session
        except DBAPIError as error:
            if _is_state(error):
                raise _told(self.engine, error) from None
            raise

    def _open(self) -> Session:
        """The home goes with it: the audit log's seal stands there."""
        return Session(self.engine, expire_on_commit=False, info={"home": self.settings.home})

    def close(self) -> None:
        """Release the database's connections."""
        self.engine.dispose()


def open_inventory(settings: Settings) -> Inventory:
    """Open the inventory that `settings` names."""
    return Inventory(settings)


def _connect(engine: Engine) -> None:
    """InventoryError unless a connection can be had (from the pool, once there is one)."""
    try:
        engine.connect().close()
    except DBAPIError as error:
        raise _told(engine, error) from None
    except (TypeError, ValueError, OSError, UnicodeError) as error:
        raise InventoryError(
            f"inventory {_named(engine)} cannot be opened ({type(error).__name__}): check "
            "[inventory] database_url in farola.toml"
        ) from None


def _is_state(error: DBAPIError) -> bool:
    """Whether the database's own state is at fault, and not the statement that met it."""
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return "no such" in str(error.orig)  # else the statement's own syntax is wrong
    code = getattr(error.orig, "sqlstate", None) or ""
    # What SQLite calls an interface error is a parameter that it cannot take.
    of_server = not isinstance(error.orig, sqlite3.Error)
    return (
        isinstance(error, OperationalError)
        or (of_server and isinstance(error, InterfaceError | InternalError))
        or type(error) is DatabaseError
        or code in NO_TABLES
        or code == NO_RIGHT
        or code[:2] in STATE_CLASSES
    )


def _told(engine: Engine, error: DBAPIError) -> InventoryError:
    """What the database said, in one line without its password, and what to do."""
    said = str(error.orig).strip().split("\n")[0]
    if engine.url.password:
        said = said.replace(str(engine.url.password), "***")
    if "no such" in said or getattr(error.orig, "sqlstate", None) in NO_TABLES:
        advice = "run `farola init` to create or migrate it"
    elif "not a database" in said or "malformed" in said:
        advice = "restore it from your backup, or move it away and run `farola init`"
    elif getattr(error.orig, "sqlstate", None) == READ_ONLY:
        advice = "is it a standby? let [inventory] database_url name the server that writes"
    elif _is_disk_full(engine, said):
        advice = "free space on that disk"
    elif "locked" in said:
        advice = "another process holds it: try again, or stop that one"
    else:
        advice = "check that it is there, and [inventory] database_url in farola.toml"
    return InventoryError(f"inventory {_named(engine)}: {said}; {advice}")


def _is_disk_full(engine: Engine, said: str) -> bool:
    """SQLite on a full disk may also say that a file cannot be opened, or that I/O failed."""
    name = engine.url.database
    if "disk is full" in said:
        return True
    if engine.dialect.name != "sqlite" or not name:
        return False
    try:
        return shutil.disk_usage(Path(name).parent).free < LEAST_FREE
    except OSError:
        return False


def _named(engine: Engine) -> str:
    """The database's address without password and options, which may hold one too."""
    return engine.url.set(query={}).render_as_string(hide_password=True)
