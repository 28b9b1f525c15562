"""A city's home: made once, brought up to date ever after; secrets go in and never out."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from farola.keys import Keyring
from farola.settings import load_settings
from inventory import (
    change_models,  # noqa: F401 - its tables are in Base.metadata
    queries,
)
from inventory.db import open_engine, upgrade
from inventory.models import Base


def test_init_makes_a_home_and_again_keeps_every_setting(cli, home) -> None:
    first = cli("init", "--name", "Ñandú", "--timezone", "America/Mexico_City", "--ssid", "Free",
                "--country", "mx", "--json").json  # fmt: skip
    assert first["created"] is True
    settings = load_settings(home)
    again = cli("init", "--json").json
    assert again["created"] is False
    assert load_settings(home) == settings
    assert settings.city.country == "MX"
    cli("device", "credential", "influx", stdin="secret\n")
    cli("init", "--influx", "http://127.0.0.1:8086/", "--influx-credential", "influx",
        "--influx-api", "v1", "--influx-bucket", "farola", "--influx-auth", "basic")  # fmt: skip
    cli("init", "--ssid", "Other")
    settings = load_settings(home)
    assert settings.city.name == "Ñandú"
    assert settings.city.ssid == "Other"
    store = settings.store
    assert (store.kind, store.url, store.api) == ("influx", "http://127.0.0.1:8086", "v1")
    assert (store.bucket, store.auth, store.credential) == ("farola", "basic", "influx")
    assert store.rollup_bucket == ""


def test_a_new_influxdb_keeps_rollups_apart_from_raw_rows(cli, home, tmp_path) -> None:
    said = cli("init", "--influx", "https://influx.example").out
    assert "farola store prepare" in said
    store = load_settings(home).store
    assert (store.bucket, store.rollup_bucket) == ("farola/raw", "farola/rollups")
    authority = tmp_path / "ca.pem"
    authority.write_text(certificate())
    cli("init", "--influx-rollup-bucket", "other/long", "--influx-ca-file", authority)
    cli("init", "--influx", "https://other.example")
    store = load_settings(home).store
    assert (store.url, store.bucket) == ("https://other.example", "farola/raw")
    assert (store.rollup_bucket, store.ca_file) == ("other/long", str(authority))
    cli("init", "--influx-no-ca-file", "--influx-no-credential")
    assert load_settings(home).store == replace(store, ca_file="")
    assert "SQLite" in cli("init", "--sqlite").out
    assert load_settings(home).store == replace(store, ca_file="", kind="sqlite")


def certificate() -> str:
    """A certificate in PEM, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Farola test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--influx-ca-file", "rubbish.pem"), "holds no certificate"),
        (("--influx-ca-file", "absent.pem"), "cannot be read: No such file"),
        (("--influx-bucket", "a/b/c"), "with one slash"),
        (("--influx-rollup-bucket", "a/b/c"), "with one slash"),
        (("--influx-credential", "nobody"), "farola device credential nobody"),
    ],
)
def test_what_a_store_could_not_use_is_refused_at_once(
    cli, home, tmp_path, monkeypatch, options, part
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rubbish.pem").write_text("no certificate\n")
    cli("init", "--influx", "https://influx.example")
    before = load_settings(home)
    told = cli("init", *options, code=1).err
    assert options[0] in told
    assert part in told
    assert load_settings(home) == before


def test_a_way_back_to_sqlite_goes_alone(cli) -> None:
    assert "--sqlite" in cli("init", "--sqlite", "--influx", "http://x", code=1).err


def test_home_and_key_are_the_owners_alone(cli, home, tmp_path) -> None:
    cli("init")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in (home / "farola.toml", tmp_path / "keys" / "farola.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--influx", "http://me:hunter2@127.0.0.1:8086"), "farola device credential"),
        (("--influx", "http://hunter2@127.0.0.1:8086"), "farola device credential"),
        (("--influx", "http://127.0.0.1:8086?token=hunter2"), "--influx-bucket"),
        (("--influx", "127.0.0.1:8086"), "http://127.0.0.1:8086"),
        (("--influx", "http://127.0.0.1:port"), "http://127.0.0.1:8086"),
        (("--influx", "http://me:hunter2@127.0.0.1:8086"), "--influx-auth basic"),
        (("--influx", "http://x", "--influx-credential", "influx"), "a new home has no"),
        (("--influx-bucket", "b"), "--influx URL"),
        (("--timezone", "Mars/Olympus"), "America/Mexico_City"),
        (("--country", "Mexico"), "two letters"),
    ],
)
def test_init_refuses_what_it_cannot_keep_and_writes_nothing(cli, home, options, part) -> None:
    done = cli("init", *options, code=1)
    assert part in done.err
    assert "hunter2" not in done.err
    assert not (home / "farola.toml").exists()


def test_init_does_not_make_a_new_key_where_secrets_need_the_old_one(cli, tmp_path) -> None:
    cli("init")
    cli("device", "credential", "ssh", stdin="hunter2\n")
    key = tmp_path / "keys" / "farola.key"
    kept = key.read_bytes()
    key.unlink()
    assert "restore it" in cli("init", code=1).err
    key.write_bytes(kept)
    key.chmod(0o600)
    cli("init")


def test_models_and_migrations_say_the_same(tmp_path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_engine(f"sqlite:///{tmp_path / 'm.db'}")
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        connection.execute(text("ALTER TABLE site DROP COLUMN cost"))
        assert compare_metadata(context, Base.metadata) != [], "the comparison would notice"
    engine.dispose()


def test_a_secret_goes_in_and_never_out(cli, home, db) -> None:
    cli("init")
    done = cli("device", "credential", "ssh", "--username", "root", stdin="hunter2\n")
    cli("device", "credential", "ssh", "--field", "private_key", stdin="-----BEGIN\nx\n")
    again = cli("device", "credential", "ssh", "--field", "token", "--json", stdin="t0ken\n")
    assert again.json == {
        "name": "ssh", "username": "root", "fields": ["password", "private_key", "token"],
    }  # fmt: skip
    assert "hunter2" not in done.out + done.err + again.out
    for path in home.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path
    with db() as session:
        secrets = queries.secrets(session, "ssh", Keyring(load_settings(home).home))
        events = queries.events(session, kind="credential.stored")
    assert secrets.values == {
        "password": "hunter2", "private_key": "-----BEGIN\nx\n", "token": "t0ken",
    }  # fmt: skip
    assert len(events) == 3
    assert "hunter2" not in str(events) + repr(secrets)


@pytest.mark.parametrize("secret", ["", "\n", "  \n"])
def test_an_empty_secret_is_refused(cli, secret) -> None:
    cli("init")
    assert "empty" in cli("device", "credential", "ssh", stdin=secret, code=1).err


def test_commands_before_init_say_what_to_do(cli, files) -> None:
    path = files.text("a.csv", "lat,lon\n1,2\n")
    assert "farola init" in cli("import", "sites", path, code=1).err
    assert "farola init" in cli("device", "credential", "x", stdin="y", code=1).err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--ssid", "x" * 33),
        ("--ssid", "ñ" * 17),
        ("--ssid", ""),
        ("--ssid", "a\tb"),
        ("--name", " "),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_made(run, home, option, value):
    done = run("init", option, value, code=1 if value.strip() else 2)
    assert option in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not home.exists()


def test_a_secret_of_two_lines_is_refused(run):
    run("init")
    done = run("device", "credential", "poles", "--field", "snmp_community", input="a\nb\n", code=1)
    assert "line break" in done.stderr
