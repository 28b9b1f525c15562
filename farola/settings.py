"""Settings of one city: `farola.toml` under FAROLA_HOME, read once, passed on frozen.

No secret stands in the file: `store.credential` names a credential in the inventory.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from farola.errors import SettingsError
from farola.files import written_whole

_T = TypeVar("_T")
FILE_NAME = "farola.toml"
MOST_KEPT = {"raw_days": 1e10, "raw_gb": 1e12, "hour_days": 1e10, "spool_gb": 1e12}
"""Days, or gigabytes: more than there will ever be, and few enough to reckon with (in SQLite's
milliseconds too).
"""


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
    rollup_bucket: str = ""
    """Where rollups go on InfluxDB, as `farola/rollups`; empty is `bucket`."""
    ca_file: str = ""
    """Certificates that the server's must be signed by, beside the machine's own."""
    raw_days: int = 30
    """Days that raw rows are kept (SQLite; an InfluxDB server has its own retention)."""
    raw_gb: float = 20.0
    """Gigabytes that raw rows may take (SQLite): the oldest days go first."""
    hour_days: int = 92
    """Days that hourly rollups are kept; daily ones stay."""
    spool_gb: float = 20.0
    """Gigabytes that may wait for an InfluxDB server that is away; beyond, the oldest go."""


@dataclass(frozen=True)
class InventorySettings:
    """Where the inventory is kept, if not beside the settings."""

    database_url: str = ""


@dataclass(frozen=True)
class ChecksSettings:
    """Checks as a client feels them (docs/checks.md); one whose text is empty is not made."""

    interval_s: float = 300.0
    timeout_s: float = 5.0
    interface: str = ""
    """The collector's interface to ask an address on, and to make all its checks from."""
    namespace: str = ""
    """The network namespace that it is in."""
    source: str = ""
    """Address to make the collector's checks from."""
    dns_name: str = ""
    dns_server: str = ""
    """Empty: the one that DHCP offered, else the machine's own."""
    portal_url: str = ""
    expect: str = "either"
    """What is well: `portal` (it is in the way), `internet` (204), or `either`."""
    aps: int = 0
    """Access points that make the checks themselves each time, over SSH, in turn."""
    ap_interface: str = ""
    """Their interface to ask an address on."""


@dataclass(frozen=True)
class ProvisioningSettings:
    """How changes are rolled out (docs/provisioning.md)."""

    require_approval: bool = False
    """Whether a person other than the author must approve each change before it is pushed."""
    waves: str = "1, 5, 25, 125, 625"
    """Devices of each wave, the canary first; the last number holds for all that follow."""
    site_share: float = 0.5
    """Share of a site's devices that one wave may touch; one device always may."""
    stop_count: int = 2
    """A rollout halts when so many devices of its waves have failed, or …"""
    stop_share: float = 0.02
    """… such a share of those tried, once `stop_sample` were tried. One failure in a wave of fewer
    than `stop_sample` devices always halts it.
    """
    stop_sample: int = 20
    confirm_s: int = 120
    """Seconds in which a device that was not confirmed goes back to what it ran."""
    linger_s: int = 10
    """Seconds between the reload of what may cut a device off (network, wireless, firewall,
    dropbear) and the new connection that confirms: what services do takes effect after they say so.
    Where the uplink is a radio, listening for radar comes on top.
    """
    bake_s: int = 120
    """Seconds that a wave is watched before it is judged and the next begins; listening for
    radar comes on top.
    """
    windows: str = ""
    """When a push may run, on the city's clock: `Mon-Fri 01:00-05:00; Sat 01:00-07:00`. Empty is
    any time.
    """
    queue_days: int = 7
    """Days that a device that was offline when its turn came still gets the change."""
    nightly: str = "03:30"
    """When all configs are fetched and audited, on the city's clock; empty is never."""


SECTIONS = {
    "city": City, "store": StoreSettings, "inventory": InventorySettings, "checks": ChecksSettings,
    "provisioning": ProvisioningSettings,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """All settings of one city."""

    home: Path
    city: City = field(default_factory=City)
    store: StoreSettings = field(default_factory=StoreSettings)
    checks: ChecksSettings = field(default_factory=ChecksSettings)
    provisioning: ProvisioningSettings = field(default_factory=ProvisioningSettings)
    database_url: str = field(default="", repr=False)
    """May hold a password, so it is never shown."""

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
    except RecursionError:
        raise SettingsError(f"{path}: not valid TOML: it is nested too deep") from None
    except ValueError as error:  # not TOML, not UTF-8, or a number too long to be one
        raise SettingsError(f"{path}: not valid TOML: {error}; mend that line") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    unknown = next((name for name in data if name not in SECTIONS), None)
    if unknown is not None:
        raise SettingsError(f"{path}: no section [{unknown}]{_instead(unknown, SECTIONS)}")
    settings = Settings(
        home=home,
        city=_section(path, data, "city", City),
        store=_section(path, data, "store", StoreSettings),
        checks=_section(path, data, "checks", ChecksSettings),
        provisioning=_section(path, data, "provisioning", ProvisioningSettings),
        database_url=_section(path, data, "inventory", InventorySettings).database_url,
    )
    check_timezone(settings.city.timezone)
    if settings.store.kind not in {"sqlite", "influx"}:
        raise SettingsError(
            f"{path}: [store] kind is {settings.store.kind!r}; use 'sqlite' or 'influx'"
        )
    for key, most in MOST_KEPT.items():
        value = getattr(settings.store, key)
        if not 0 < value <= most:  # nor is `nan`
            raise SettingsError(
                f"{path}: [store] {key} is {value}; use a number above 0, at most {int(most):,}"
            )
    return settings


def check_timezone(name: str) -> None:
    """Raise SettingsError unless `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder, such as America
        raise SettingsError(
            f"unknown time zone {name!r}; use a name such as America/Mexico_City"
        ) from None


def write_settings(settings: Settings) -> Path:
    """Write `farola.toml` whole or not at all, readable by the owner only; return its path."""
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / FILE_NAME
    lines = ["# Farola: one city. No secret belongs in this file.", ""]
    sections: list[tuple[str, object]] = [("city", settings.city), ("store", settings.store)]
    if settings.checks != ChecksSettings():
        sections.append(("checks", settings.checks))
    if settings.provisioning != ProvisioningSettings():
        sections.append(("provisioning", settings.provisioning))
    for name, section in sections:
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in vars(section).items()]
        lines.append("")
    if settings.database_url:
        lines += ["[inventory]", f"database_url = {_toml_string(settings.database_url)}", ""]
    with written_whole(path) as out:
        out.write("\n".join(lines).encode())
    return path


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _toml_string(str(value))


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
            f"{path}: [{name}] has no setting {unknown[0]!r}{_instead(unknown[0], known)}"
        )
    for key, value in values.items():
        default = getattr(kind, key)
        if isinstance(default, bool):
            if not isinstance(value, bool):
                raise SettingsError(f"{path}: [{name}] {key} must be true or false")
            continue
        number = isinstance(default, int | float)
        wanted = type(default) if isinstance(default, int | str) else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            whole = type(default) is int
            is_what = ("a whole number" if whole else "a number") if number else "text in quotes"
            raise SettingsError(f"{path}: [{name}] {key} must be {is_what}")
    return kind(**values)


def _instead(name: str, known: Iterable[str]) -> str:
    """What there is instead of `name`: the nearest, then all."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" There are {', '.join(names)}"
