"""An inventory that cannot be used is one line that says what to do and shows no password."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from contextlib import ExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from farola.errors import InventoryError
from farola.keys import create_key
from farola.settings import Settings, load_settings, write_settings
from inventory.db import open_engine, open_inventory, upgrade
from inventory.models import Site

COMMANDS = [
    ("init",), ("status",), ("coverage",), ("device", "credential", "ssh"),
    ("import", "sites", "sites.csv"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("nonsense hunter2", "no address of a database"),
        ("oracleofdelphi://me:hunter2@h/db", "no address of a database"),
        ("postgresql://me:hunter2@127.0.0.1:port/db", "no address of a database"),
        ("postgresql://me:hunter2@127.0.0.1:1/db", "farola[postgres]"),
        ("postgresql+asyncpg://me:hunter2@127.0.0.1:1/db", "farola[postgres]"),
        ("sqlite:///{home}/x.db?timeout=hunter2", "database_url"),
        ("sqlite:////nowhere/at/all.db", "/nowhere/at/all.db"),
    ],
)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_database_url_that_leads_nowhere(cli, home, files, monkeypatch, words, url, part) -> None:
    files.text("sites.csv", "lat,lon\n1,2\n")
    monkeypatch.chdir(files.folder)
    for driver in ("psycopg", "psycopg2", "asyncpg"):  # as where the extra was not installed
        monkeypatch.setitem(sys.modules, driver, None)
    create_key(home)
    write_settings(Settings(home, database_url=url.replace("{home}", str(home))))
    done = cli(*words, stdin="secret\n", code=1)
    assert part in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert "hunter2" not in done.err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_inventory_that_is_no_database(cli, home, files, monkeypatch, words) -> None:
    files.text("sites.csv", "lat,lon\n1,2\n")
    monkeypatch.chdir(files.folder)
    create_key(home)
    write_settings(Settings(home))
    (home / "inventory.db").write_bytes(b"This is a letter to the mayor.\n" * 200)
    done = cli(*words, stdin="secret\n", code=1)
    assert "not a database" in done.err
    assert "backup" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_damaged_inventory_is_told(cli, home) -> None:
    cli("init")
    path = home / "inventory.db"
    with sqlite3.connect(path) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    done = cli("status", code=1)
    assert "malformed" in done.err
    assert "backup" in done.err


def test_an_inventory_without_tables_and_one_of_a_newer_farola(cli, home) -> None:
    write_settings(Settings(home))
    assert "farola init" in cli("coverage", code=1).err
    cli("init")
    with sqlite3.connect(home / "inventory.db") as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
    opened.close()
    assert "newer Farola" in cli("init", code=1).err


def test_a_programmers_slip_keeps_its_own_name(cli, home) -> None:
    cli("init")
    inventory = open_inventory(load_settings(home))
    with inventory.session() as session:
        session.add(Site(id="a", name="a", lat=1, lon=1))
    with pytest.raises(IntegrityError), inventory.session() as session:
        session.execute(text("INSERT INTO site SELECT * FROM site"))
    with pytest.raises(OperationalError, match="syntax"), inventory.session() as session:
        session.execute(text("SELECT FROM WHERE"))
    with pytest.raises(StatementError), inventory.session() as session:
        session.execute(text("SELECT :missing"), {})
    with pytest.raises(ZeroDivisionError), inventory.session():
        1 / 0  # noqa: B018 - a slip in the caller's own code
    with pytest.raises(InventoryError, match="no such table"), inventory.session() as session:
        session.execute(text("SELECT * FROM absent"))
    inventory.close()


def test_the_home_and_all_that_init_writes_are_the_owners_alone(cli, home) -> None:
    old = os.umask(0)
    try:
        home.mkdir(mode=0o755)
        cli("init")
        (home / "inventory.db").chmod(0o644)
        cli("init")
        engine = open_engine(load_settings(home).inventory_url)
        upgrade(engine)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO fact VALUES ('a', '{}')"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
        engine.dispose()
    finally:
        os.umask(old)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {"farola.toml", "inventory.db", "inventory.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_init_where_nothing_can_be_written_is_one_line(cli, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("FAROLA_HOME", str(folder))
        done = cli("init", code=1)
        assert str(tmp_path / "file") in done.err
        assert len(done.err.strip().splitlines()) == 1


def test_who_waits_for_the_lock_of_a_file_leaves_others_a_connection(tmp_path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'inventory.db'}")
    with ExitStack() as many:
        for _ in range(40):
            many.enter_context(engine.connect())
    engine.dispose()
