"""Opens the store that `farola.toml` names; one on a server signs in with a credential and stands
behind the spool.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from farola.output import note
from farola.settings import Settings
from timeseries.base import Store

if TYPE_CHECKING:
    from timeseries.spool import Spool

GB = 10**9


def open_store(settings: Settings, token: str = "", *, hasty: bool = False) -> Store:
    """The store of one city: SQLite in the home, or InfluxDB behind a spool in the home.

    `token` signs in to InfluxDB (for `auth = "basic"`: `user:password`); without it the
    credential that `[store] credential` names is read from the inventory and decrypted,
    and read again where the server refuses it. With `hasty`, for a look at how things are, a server
    that does not answer is given up after seconds.
    Nothing is connected to or created before the first call.

    Raises
    ------
    StoreError
        The settings name no usable server.
    InventoryError, SettingsError
        The credential or the key that it was encrypted with is missing.
    """
    from timeseries.marks import Marks

    marks = Marks(settings.home / "series", settings.city.zone)
    if settings.store.kind == "sqlite":
        from timeseries.sqlite import SqliteStore

        return SqliteStore(settings.home / "series", marks)
    from timeseries.influx import InfluxStore
    from timeseries.spooled import SpooledStore

    return SpooledStore(
        InfluxStore(
            settings.store,
            token or stored_token(settings),
            None if token else lambda: stored_token(settings),
            hasty=hasty,
        ),
        spool_folder(settings),
        int(settings.store.spool_gb * GB),
        marking=marks.writing,
        tell=lambda kind, text: _tell(settings, kind, text),
        identity=f"{settings.store.url} {settings.store.bucket} {settings.store.org}",
    )


def spool_folder(settings: Settings) -> Path:
    """Where what waits for a server lies."""
    return settings.home / "spool"


def open_spool(settings: Settings) -> Spool:
    """The spool alone, whatever the store is now; nothing is made."""
    from timeseries.spool import Spool

    return Spool(spool_folder(settings), int(settings.store.spool_gb * GB))


def _tell(settings: Settings, kind: str, text: str) -> None:
    """A line on stderr and an event, which must not hinder the rows if it cannot be kept."""
    from inventory.db import open_inventory
    from inventory.events import record

    note(f"farola: {text}")
    if not settings.database_url and not (settings.home / "inventory.db").exists():
        return
    with contextlib.suppress(Exception):
        inventory = open_inventory(settings)
        try:
            with inventory.session() as session:
                record(session, kind, text)
        finally:
            inventory.close()


def stored_token(settings: Settings) -> str:
    """What the named credential holds: its token, else `user:password`; empty without a name."""
    name = settings.store.credential
    if not name:
        return ""
    from farola.keys import Keyring
    from inventory.db import open_inventory
    from inventory.queries import secrets

    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            found = secrets(session, name, Keyring(settings.home))
    finally:
        inventory.close()
    pair = f"{found.username}:{found.values.get('password', '')}"
    if settings.store.auth == "basic":
        return pair
    return found.values.get("token") or pair
