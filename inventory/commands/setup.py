"""`farola init`: makes a city's home, or brings an old one up to date."""

from __future__ import annotations

import ssl
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from farola.errors import SettingsError
from farola.output import json_option, plain, print_json

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from farola.settings import Settings, StoreSettings


NEW_BUCKETS = {"bucket": "farola/raw", "rollup_bucket": "farola/rollups"}
"""Apart, so that raw rows can be forgotten and rollups kept."""
SSID_BYTES = 32
"""What 802.11 allows."""


@click.command()
@click.option("--name", help="The city's name.")
@click.option("--timezone", help="The city's time zone, such as America/Mexico_City.")
@click.option("--ssid", help="The open network that residents see.")
@click.option("--country", help="ISO 3166 code of the regulatory domain, such as MX.")
@click.option("--influx", "url", metavar="URL", help="Keep time series in this InfluxDB server.")
@click.option("--sqlite", is_flag=True, help="Keep time series in SQLite files in the home again.")
@click.option("--influx-api", "api", type=click.Choice(["v1", "v2"]), help="v2 unless ≤ 1.6.")
@click.option(
    "--influx-bucket", "bucket", help="Bucket, or database/retention policy; farola/raw if new."
)
@click.option(
    "--influx-rollup-bucket",
    "rollup_bucket",
    help="The same for rollups, which are kept longer; farola/rollups if new.",
)
@click.option("--influx-org", "org", help="Organisation, on InfluxDB 2.")
@click.option(
    "--influx-auth",
    "auth",
    type=click.Choice(["token", "basic", "bearer"]),
    help="How to sign in; Token by default.",
)
@click.option("--influx-credential", "credential", help="Stored credential to sign in with.")
@click.option("--influx-no-credential", "no_credential", is_flag=True, help="Sign in with none.")
@click.option(
    "--influx-ca-file",
    "ca_file",
    help="Certificates (PEM) that sign the server's, beside the machine's own.",
)
@click.option("--influx-no-ca-file", "no_ca_file", is_flag=True, help="The machine's own alone.")
@json_option
def init(
    *, name: str | None, timezone: str | None, ssid: str | None, country: str | None,
    url: str | None, api: str | None, bucket: str | None, rollup_bucket: str | None,
    org: str | None, auth: str | None, credential: str | None, ca_file: str | None,
    no_credential: bool, no_ca_file: bool, sqlite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Make a home for a city in FAROLA_HOME; run again, it upgrades and keeps every setting."""
    from farola.keys import create_key
    from farola.settings import (
        FILE_NAME,
        Settings,
        check_timezone,
        default_home,
        load_settings,
        write_settings,
    )
    from inventory import audit_log

    home = default_home()
    fresh = not (home / FILE_NAME).exists()
    settings = Settings(home) if fresh else load_settings(home)
    if timezone:
        check_timezone(timezone)
    if country:
        country = country.upper()
        if not (country == "00" or (len(country) == 2 and country.isalpha())):
            raise SettingsError(f"--country {country}: use a code of two letters such as MX, or 00")
    city = {"name": name, "timezone": timezone, "ssid": ssid, "country": country}
    if name is not None and not (name.strip() and name.isprintable()):
        raise SettingsError("--name: give the city's name, on one line")
    if ssid is not None and not (0 < len(ssid.encode()) <= SSID_BYTES and ssid.isprintable()):
        raise SettingsError(
            f"--ssid {ssid!r}: a network's name has 1 to {SSID_BYTES} bytes of UTF-8 and no "
            f"control characters; this has {len(ssid.encode())}"
        )
    store = {
        "api": api, "bucket": bucket, "rollup_bucket": rollup_bucket, "org": org, "auth": auth,
        "credential": "" if no_credential else credential,
        "ca_file": "" if no_ca_file else ca_file,
    }  # fmt: skip
    if (credential and no_credential) or (ca_file and no_ca_file):
        raise SettingsError("--influx-no-… and what it drops: give one of them")
    if fresh and credential:
        raise SettingsError(
            f"--influx-credential {credential}: a new home has no credentials; run `farola init`, "
            f"then `farola device credential {credential}`, then this again"
        )
    settings = replace(
        settings,
        city=replace(settings.city, **{k: v for k, v in city.items() if v is not None}),
        store=_store(
            settings.store, url, {k: v for k, v in store.items() if v is not None}, sqlite=sqlite
        ),
    )
    try:
        _make_private(home)
        log_begins, shown = _make_tables(settings, home, credential)
        key = create_key(home)
        if log_begins:
            audit_log.begin(home)
        path = write_settings(settings)
    except OSError as error:
        where = error.filename or home
        raise SettingsError(f"{where} cannot be written: {error.strerror}; mend that") from None
    if as_json:
        print_json({
            "home": str(home), "created": fresh, "settings": str(path), "key_file": str(key),
            "inventory": shown, "store": settings.store.kind,
            "city": vars(settings.city),
        })  # fmt: skip
        return
    click.echo(
        f"{'made' if fresh else 'upgraded'} the home of {plain(settings.city.name)} in {home}"
    )
    click.echo(f"settings: {path}")
    click.echo(f"key:      {key} (back it up apart from the home; without it secrets are lost)")
    click.echo(f"series:   {settings.store.url if settings.store.kind == 'influx' else 'SQLite'}")
    if url:
        click.echo("next:     farola store prepare makes the buckets there, and tries them")


def _store(
    now: StoreSettings, url: str | None, given: dict[str, str], *, sqlite: bool
) -> StoreSettings:
    """The settings of the store with what was `given` for InfluxDB, or of SQLite again."""
    if sqlite:
        if url or given:
            raise SettingsError("--sqlite goes without --influx and --influx-… options")
        return replace(now, kind="sqlite")
    for option, key in (("--influx-bucket", "bucket"), ("--influx-rollup-bucket", "rollup_bucket")):
        if given.get(key, "").count("/") > 1:
            raise SettingsError(
                f"{option} {given[key]}: use DATABASE/POLICY with one slash, or a bucket's name"
            )
    if given.get("ca_file"):
        given = {**given, "ca_file": _certificates(given["ca_file"])}
    if not url:
        if given and now.kind != "influx":
            raise SettingsError("--influx-… options need --influx URL")
        return replace(now, **given)  # type: ignore[arg-type]  # all of them are text
    check_influx_url(url)
    if now.kind != "influx" and not given.keys() & NEW_BUCKETS.keys():
        given = {**given, **NEW_BUCKETS}
    return replace(now, kind="influx", url=url.rstrip("/"), **given)  # type: ignore[arg-type]


def _make_private(home: Path) -> None:
    """Make `home`, its owner's alone; a folder that all share (/tmp) keeps its mode."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not home.stat().st_mode & stat.S_ISVTX:
        home.chmod(0o700)


def _certificates(name: str) -> str:
    """The absolute path of a file of certificates; SettingsError if it holds none."""
    path = Path(name).resolve()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise SettingsError(
            f"--influx-ca-file {path} holds no certificate: it must be PEM, as "
            "-----BEGIN CERTIFICATE-----"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"--influx-ca-file {path} cannot be read: {error.strerror}; name another"
        ) from None
    return str(path)


def _check_credential(engine: Engine, name: str) -> None:
    """Refuse to name a credential that is not stored."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from inventory.models import Credential

    with Session(engine) as session:
        if session.scalar(select(Credential.name).where(Credential.name == name)) is None:
            raise SettingsError(
                f"--influx-credential {name}: no such credential is stored; store it first with "
                f"`farola device credential {name}`"
            )


def check_influx_url(url: str) -> None:
    """SettingsError unless `url` is an HTTP address without user and password."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_fine = urlsplit(""), False
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise SettingsError(
            "--influx: the address holds a user and password, which must not be written down: "
            "store them with `farola device credential influx --username USER`, which asks for the "
            "password, and give --influx http://HOST:8086 --influx-credential influx "
            "--influx-auth basic"
        )
    if parts.query or parts.fragment:
        raise SettingsError(
            "--influx: give the address alone, without ?… or #…: secrets go into a credential "
            "(`farola device credential`), the bucket into --influx-bucket"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise SettingsError(f"--influx {url}: use an address such as http://127.0.0.1:8086")


def _make_tables(settings: Settings, home: Path, credential: str | None) -> tuple[bool, str]:
    """Bring the inventory up to date; whether its audit log begins with that, and its URL without
    the password.
    """
    from inventory.db import guard_file, open_engine, upgrade

    engine = open_engine(settings.inventory_url)
    try:
        guard_file(engine)
        begins = upgrade(engine)
        _check_key(engine, home)
        if credential:
            _check_credential(engine, credential)
    finally:
        engine.dispose()
    return begins, engine.url.render_as_string()


def _check_key(engine: Engine, home: Path) -> None:
    """Refuse to make a new key where secrets are stored under one that is missing."""
    from sqlalchemy import func, select
    from sqlalchemy.orm import Session

    from farola.keys import key_path
    from inventory.models import Credential

    path = key_path(home)
    if path.exists():
        return
    with Session(engine) as session:
        if session.scalar(select(func.count()).select_from(Credential)):
            raise SettingsError(
                f"secrets are stored in this home but its key {path} is missing: restore it from "
                "your backup or set FAROLA_KEY_FILE; a new key could not read them"
            )
