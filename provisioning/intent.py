"""What a device shall be: its variables, each with the level that it comes from.

City settings, then `variables.yaml` of the home at city, borough, site and device level; the
more particular wins. Values are checked here, so that a wrong one is named by its field before
anything is rendered.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from farola.errors import ProvisioningError, SettingsError
from farola.settings import Settings
from inventory.records import DeviceRecord, SiteRecord
from napalm_openwrt.uci_merge import SECRET_OPTION
from provisioning.values import check, host_name, spelled

VARIABLES_FILE = "variables.yaml"
LEVELS = frozenset({"city", "boroughs", "sites", "devices"})
SECRET_VARIABLES = frozenset({"snmp_community"})
CHANNELS_2G = (1, 6, 11)
"""The three that do not overlap."""
CHANNELS_5G = (36, 40, 44, 48)
"""Free of radar: no listening before service."""

Text = str | int


@dataclass(frozen=True)
class Value:
    """A variable's value, and where it was set."""

    value: Text
    source: str


Intent = Mapping[str, Value]
"""All variables of one device by name."""


def gather(
    settings: Settings,
    device: DeviceRecord,
    site: SiteRecord | None,
    *,
    secrets: Mapping[str, str] | None = None,
    levels: Mapping[str, Any] | None = None,
) -> Intent:
    """Collect and check the variables of `device`.

    Parameters
    ----------
    secrets
        Its credential in the clear; `snmp_community` is taken from it.
    levels
        What `read_levels` returned.

    Raises
    ------
    ProvisioningError
        A value cannot be used; the message names the device and the field.
    """
    city = settings.city
    pick = crc32(device.id.encode())
    values: dict[str, Value] = {
        "ssid": Value(city.ssid, "city settings"),
        "country": Value(city.country.upper(), "city settings"),
        "zonename": Value(city.timezone, "city settings"),
        "hostname": Value(host_name(device.name or device.id), "device name"),
        "location": Value(site.name if site else city.name, "site" if site else "city settings"),
        "network": Value("lan", "default"),
        "ntp_server_1": Value("0.openwrt.pool.ntp.org", "default"),
        "ntp_server_2": Value("1.openwrt.pool.ntp.org", "default"),
        "channel_2g": Value(CHANNELS_2G[pick % 3], "spread by device id"),
        "channel_5g": Value(CHANNELS_5G[pick % 4], "spread by device id"),
        "tx_power_2g": Value(20, "default"),
        "tx_power_5g": Value(20, "default"),
    }
    if secrets and secrets.get("snmp_community"):
        source = f"credential {device.credential_name}"
        values["snmp_community"] = Value(secrets["snmp_community"], source)
    for source, given in _levels_of(levels or {}, device, site):
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, str | int):
                shown = "" if is_secret(name) else f", not {value!r:.60}"
                raise ProvisioningError(
                    f"{VARIABLES_FILE}: {source}: {name} must be text or a whole number{shown}"
                )
            values[name] = Value(spelled(name, value), source)
    for name, found in values.items():
        check(device.id, name, found.value, found.source, secret=is_secret(name))
    # The POSIX form that the device wants is derived from the zone's name, wherever that is set.
    zone = values["zonename"]
    if "timezone" not in values:
        try:
            values["timezone"] = Value(posix_timezone(str(zone.value)), zone.source)
        except ProvisioningError as error:
            raise ProvisioningError(
                f"{device.id}: zonename (from {zone.source}): {error}"
            ) from None
    return values


def _levels_of(
    levels: Mapping[str, Any], device: DeviceRecord, site: SiteRecord | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parts of `variables.yaml` that hold for `device`, the general ones first."""
    keys = [("city", None), ("devices", device.id)]
    if site is not None:
        keys[1:1] = [("boroughs", site.borough), ("sites", site.id)]
    for level, key in keys:
        part = levels.get(level) or {}
        if level != "city":
            part = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping):
            yield (level if key is None else f"{level} {key}"), part


def unknown_names(
    levels: Mapping[str, Any], devices: Collection[str], sites: Collection[SiteRecord]
) -> list[str]:
    """What `variables.yaml` names that the inventory does not have, as `devices AP-9999`."""
    known: dict[str, Collection[str | None]] = {
        "boroughs": {site.borough for site in sites},
        "sites": {site.id for site in sites},
        "devices": devices,
    }
    return [
        f"{level} {name}"
        for level, names in known.items()
        for name in levels.get(level) or {}
        if name not in names
    ]


def read_levels(home: Path) -> dict[str, Any]:
    """`variables.yaml` of the home: `city`, `boroughs`, `sites`, `devices`; {} without one.

    Keys are text, levels and what they name mappings; SettingsError otherwise.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes keys as they are written: an id `0101` or `1001` is text, never a number."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            for key, _value in node.value:
                if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                    key.tag = "tag:yaml.org,2002:str"
            found: dict[Any, Any] = super().construct_mapping(node, deep)
            return found

    path = home / VARIABLES_FILE
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    return _checked_levels(path, {} if data is None else data)


def _checked_levels(path: Path, data: Any) -> dict[str, Any]:
    """`data` with all keys as text; SettingsError names the level and key that is no mapping."""
    unknown = sorted(map(str, set(data) - LEVELS)) if isinstance(data, dict) else []
    if not isinstance(data, dict) or unknown:
        raise SettingsError(
            f"{path}: its keys are city, boroughs, sites and devices, not {unknown or data!r}"
        )

    def mapping(part: Any, where: str, of: str) -> dict[str, Any]:
        if part is None:
            return {}
        if not isinstance(part, dict):
            raise SettingsError(f"{path}: {where}: must be a mapping of {of}, not {part!r:.60}")
        return {str(key): value for key, value in part.items()}

    levels = {}
    for level, part in data.items():
        of = "variables" if level == "city" else "names or ids, each with its variables"
        levels[level] = mapping(part, level, of)
        if level != "city":
            levels[level] = {
                key: mapping(value, f"{level} {key}", "variables")
                for key, value in levels[level].items()
            }
    return levels


def posix_timezone(name: str) -> str:
    """The POSIX TZ text of an IANA zone, from the last line of its tzfile (RFC 8536, 3.3)."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / name
        if path.is_file():
            data = path.read_bytes()
            break
    else:
        try:
            from importlib.resources import files

            data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
        except (ModuleNotFoundError, FileNotFoundError):
            raise ProvisioningError(
                f"time zone {name!r} is unknown here: correct [city] timezone, or install tzdata"
            ) from None
    text = data.rsplit(b"\n", 2)[-2].decode("ascii", "replace")
    if not data.startswith(b"TZif") or not text:
        raise ProvisioningError(f"time zone {name!r} has no POSIX form; choose another")
    return text


def is_secret(variable: str) -> bool:
    """Whether a variable's value must not be shown: its name is that of a secret option."""
    return variable in SECRET_VARIABLES or SECRET_OPTION.fullmatch(variable) is not None
