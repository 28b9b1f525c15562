"""Settings of one city: `farola.toml` under FAROLA_HOME, read once, passed on frozen.

No secret stands in the file: `store.token` names a credential in the inventory.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from farola.errors import SettingsError

_T = TypeVar("_T")
FILE_NAME = "farola.toml"


@dataclass(frozen=True)
class City:
    """The city that this home belongs to."""

    name: str = "My city"
    timezone: str = "UTC"
    ssid: str = "Free WiFi"
    """The open SSID that residents see; impostors are looked for under this name."""
    country: str = "00"
    """ISO 3166 code of the regulatory domain; 00 is the world domain, the most cautious."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days and office hours are meant."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True)
class StoreSettings:
    """Where time series go: `sqlite` beside the inventory, or an InfluxDB server."""

    kind: str = "sqlite"
    url: str = ""
    api: str = "v2"
    """`v2` writes to /api/v2/write (1.8, 2.x, 3.x); `v1` to /write (1.6 and older)."""
    bucket: str = "farola/autogen"
    org: str = ""
    credential: str = ""
    """Name of the inventory credential that holds the user and token; empty is no sign-in."""
    auth: str = "token"
    """`token`, `basic` or `bearer`."""


@dataclass(frozen=True)
class Settings:
    """All settings of one city."""

    home: Path
    city: City = field(default_factory=City)
    store: StoreSettings = field(default_factory=StoreSettings)
    database_url: str = ""

    @property
    def inventory_url(self) -> str:
        """SQLAlchemy URL of the inventory: SQLite in the home unless the file names another."""
        return self.database_url or f"sqlite:///{self.home / 'inventory.db'}"


def default_home() -> Path:
    """FAROLA_HOME, else `.farola` in the current folder."""
    return Path(os.environ.get("FAROLA_HOME") or ".farola").absolute()


def load_settings(home: Path | None = None) -> Settings:
    """Read `farola.toml`.

    Raises
    ------
    SettingsError
        The home was never initialised, the file is not TOML, or a value is not usable.
    """
    home = (home or default_home()).absolute()
    path = home / FILE_NAME
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"no city in {home}: run `farola init` first, or set FAROLA_HOME to one that exists"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}; mend that line") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    settings = Settings(
        home=home,
        city=_section(path, data, "city", City),
        store=_section(path, data, "store", StoreSettings),
        database_url=str(data.get("inventory", {}).get("database_url", "")),
    )
    check_timezone(settings.city.timezone)
    if settings.store.kind not in {"sqlite", "influx"}:
        raise SettingsError(
            f"{path}: [store] kind is {settings.store.kind!r}; use 'sqlite' or 'influx'"
        )
    return settings


def check_timezone(name: str) -> None:
    """Raise SettingsError unless `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(
            f"unknown time zone {name!r}; use a name such as America/Mexico_City"
        ) from None


def write_settings(settings: Settings) -> Path:
    """Write `farola.toml` (readable by the owner only) and return its path."""
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / FILE_NAME
    lines = ["# Farola: one city. No secret belongs in this file.", ""]
    for name, section in (("city", settings.city), ("store", settings.store)):
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml_string(str(value))}" for key, value in vars(section).items()]
        lines.append("")
    if settings.database_url:
        lines += ["[inventory]", f"database_url = {_toml_string(settings.database_url)}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(0o600)
    return path


def _toml_string(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _section(path: Path, data: dict[str, Any], name: str, kind: type[_T]) -> _T:
    values = data.get(name, {})
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: [{name}] must be a table")
    known = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # kind is a dataclass
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingsError(
            f"{path}: [{name}] has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}"
        )
    wrong = [key for key, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise SettingsError(f"{path}: [{name}] {wrong[0]} must be text in quotes")
    return kind(**values)
