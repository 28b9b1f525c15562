"""`open_store` on settings alone, with the credential read from the inventory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farola.errors import InventoryError, SettingsError, StoreError
from farola.keys import Keyring, create_key, key_path
from farola.settings import Settings, StoreSettings, load_settings
from inventory.db import open_inventory, upgrade
from inventory.queries import store_secrets
from timeseries import Batch, open_store
from timeseries.influx import prepare
from timeseries.spooled import SpooledStore

POLL = [Batch("poll", [1_700_000_000_000], {"collector": ["main"]}, {"devices": [3]})]


def with_credential(home: Path, username: str, **values: str) -> Settings:
    """Settings of a city whose inventory holds the credential `influx`."""
    settings = Settings(home)
    home.mkdir(parents=True)
    create_key(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    with inventory.session() as session:
        store_secrets(session, "influx", username, values, Keyring(home))
    inventory.close()
    return settings


def test_the_default_is_sqlite_in_the_home(home: Path) -> None:
    store = open_store(Settings(home))
    assert store.write(POLL) == 1
    store.close()
    assert (home / "series" / "latest.db").is_file()


def test_an_address_that_is_missing_is_told(home: Path) -> None:
    with pytest.raises(StoreError, match=r"\[store\] url"):
        open_store(Settings(home, store=StoreSettings("influx")))


@pytest.mark.service
@pytest.mark.parametrize("how", ["basic", "token", "direct"])
def test_the_credential_comes_from_the_inventory(home: Path, nginx: Any, how: str) -> None:
    settings = with_credential(
        home, "farola", password="not so secret", token="test-token-of-farola"
    )
    store_settings = StoreSettings(
        "influx", nginx.url, "v2", f"opened-{how}/autogen", credential="influx",
        auth="basic" if how == "basic" else "token",
    )  # fmt: skip
    token = "test-token-of-farola" if how == "direct" else ""
    if how == "direct":
        store_settings = replace(store_settings, credential="")
    settings = replace(settings, store=store_settings)
    prepare(replace(settings, store=replace(store_settings, auth="basic")), "farola:not so secret")

    store = open_store(settings, token)
    assert isinstance(store, SpooledStore)
    assert store.write(POLL) == 1
    assert store.flush(30)
    assert store.latest("poll", ["devices"]).fields == {"devices": [3]}
    store.close()


def test_a_credential_that_is_missing(home: Path) -> None:
    settings = with_credential(home, "farola", password="x")
    with pytest.raises(InventoryError, match="farola device credential other"):
        open_store(replace(settings, store=StoreSettings("influx", "http://x", credential="other")))


def test_a_key_that_is_missing(home: Path) -> None:
    settings = with_credential(home, "farola", password="x")
    key_path(home).unlink()
    with pytest.raises(SettingsError, match="restore it"):
        open_store(
            replace(settings, store=StoreSettings("influx", "http://x", credential="influx"))
        )


@pytest.mark.service
def test_the_guides_way_to_influxdb(home: Path, run: Any, influxd_with_users: str) -> None:
    run("init")
    run("device", "credential", "influx", "--username", "farola", input="not so secret\n")
    run(
        "init", "--influx", influxd_with_users, "--influx-api", "v1", "--influx-bucket",
        "guide/autogen", "--influx-credential", "influx", "--influx-auth", "basic",
    )  # fmt: skip
    assert "guide" in run("store", "prepare", code=0).stdout
    settings = load_settings(home)
    store = open_store(settings)
    assert isinstance(store, SpooledStore)
    assert store.write(POLL) == 1
    assert store.flush(30)
    assert store.health().ok
    store.close()
    assert "secret" not in (home / "farola.toml").read_text().replace("No secret belongs", "")
    assert json.loads(run("status", "--json").stdout)["last_poll"]["devices"] == 3
