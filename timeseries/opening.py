"""Opens the store that `farola.toml` names; a store on a server signs in with a credential."""

from __future__ import annotations

from farola.settings import Settings
from timeseries.base import Store


def open_store(settings: Settings, token: str = "") -> Store:
    """The store of one city: SQLite in the home, or InfluxDB.

    `token` signs in to InfluxDB (for `auth = "basic"`: `user:password`); without it the
    credential that `[store] credential` names is read from the inventory and decrypted.
    Nothing is connected to or created before the first call.

    Raises
    ------
    StoreError
        The settings name no usable server.
    InventoryError, SettingsError
        The credential or the key that it was encrypted with is missing.
    """
    if settings.store.kind == "sqlite":
        from timeseries.sqlite import SqliteStore

        return SqliteStore(settings.home / "series")
    from timeseries.influx import InfluxStore

    return InfluxStore(settings.store, token or stored_token(settings))


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
