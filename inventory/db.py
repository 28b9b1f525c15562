"""Opens the inventory's database and brings its tables up to date (Alembic)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from farola.errors import InventoryError
from farola.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(url: str) -> Engine:
    """Engine for `url`; SQLite gets WAL, foreign keys and a 10 s wait for locks."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA busy_timeout=10000")

    return engine


def upgrade(engine: Engine) -> None:
    """Create or migrate the tables to the newest revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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
            The database cannot be reached or was never initialised.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except OperationalError as error:
            raise InventoryError(
                f"inventory {self.engine.url.render_as_string()}: {error.orig}; "
                "run `farola init` to create or migrate it"
            ) from None

    def close(self) -> None:
        """Release the database's connections."""
        self.engine.dispose()


def open_inventory(settings: Settings) -> Inventory:
    """Open the inventory that `settings` names."""
    return Inventory(settings)
