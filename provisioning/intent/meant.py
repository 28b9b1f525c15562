"""What a device shall be: its variables, each with the level that it comes from.

City settings, then `variables.yaml` of the home at city, borough, group, site and device level;
the more particular wins. Values are checked here, so that a wrong one is named by its field
before anything is rendered.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from farola import regulatory
from farola.errors import ProvisioningError
from farola.settings import Settings
from inventory.records import DeviceRecord, Secrets, SiteRecord
from napalm_openwrt.uci_merge import SECRET_OPTION
from provisioning.intent.levels import (
    DEFAULT_FIELD,
    REFERENCE,
    VARIABLES_FILE,
    levels_of,
    read_levels,
    unknown_names,
)
from provisioning.intent.together import derived, refuse_contradictions
from provisioning.intent.values import channels, check, host_name, spelled
from provisioning.intent.variables import BANDS, SECRETS, VARIABLES, Plain

__all__ = ["Intent", "Value", "gather", "is_secret", "posix_timezone", "read_levels",
           "unknown_names"]  # fmt: skip

CHANNELS_2G = (1, 6, 11)
"""The three that do not overlap."""
CHANNELS_5G = (36, 40, 44, 48)
"""Free of radar: no listening before service."""
POWER_DBM = 20
"""Default, at most what the country allows on the channel."""
MASK = "•••"
FROM_CREDENTIAL = (
    "snmp_community", "snmp_user", "snmp_auth_protocol", "snmp_auth_password",
    "snmp_priv_protocol", "snmp_priv_password",
)  # fmt: skip
"""Variables that the device's own credential sets."""


@dataclass(frozen=True, repr=False)
class Value:
    """A variable's value, where it was set, and what it took the place of."""

    value: Plain
    source: str
    overridden: tuple[Value, ...] = ()
    """The more general ones that it won over, the nearest first."""
    secret: bool = False

    def __repr__(self) -> str:
        """Without a secret."""
        return f"Value({MASK if self.secret else repr(self.value)}, {self.source!r})"


Intent = Mapping[str, Value]
"""All variables of one device by name."""


class _Put(Protocol):
    """Sets a variable; what it was before is kept as overridden."""

    def __call__(self, name: str, value: Plain, source: str, *, secret: bool = False) -> None: ...


def gather(
    settings: Settings,
    device: DeviceRecord,
    site: SiteRecord | None,
    *,
    secrets: Mapping[str, str] | None = None,
    levels: Mapping[str, Any] | None = None,
    groups: Sequence[str] = (),
    vault: Mapping[str, Secrets] | None = None,
) -> Intent:
    """Collect and check the variables of `device`.

    Parameters
    ----------
    secrets
        Its credential in the clear; what SNMP needs is taken from it.
    levels
        What `read_levels` returned.
    groups
        Names of the groups that it is in.
    vault
        Credentials that values refer to, in the clear, by name.

    Raises
    ------
    ProvisioningError
        A value cannot be used; the message names the device and the field.
    """
    chains: dict[str, list[Value]] = {}

    def put(name: str, value: Plain, source: str, *, secret: bool = False) -> None:
        before = tuple(chains.get(name, ()))
        found = Value(value, source, before, secret or is_secret(name))
        chains[name] = [found, *before]

    for name, variable in VARIABLES.items():
        if variable.default is not None:
            put(name, variable.default, "default")
    _from_city(put, settings, device, site)
    _from_credentials(put, device, secrets or {}, vault or {})
    given = set(chains) - {name for name, one in VARIABLES.items() if one.default is not None}
    for source, part in levels_of(levels or {}, device, site, groups):
        for name, raw in part.items():
            value, secret = _resolved(source, name, raw, vault or {})
            put(name, value, source, secret=secret)
            given.add(name)
    _radio_defaults(put, chains, device)
    for name, chain in chains.items():
        one = chain[0]
        check(device.id, name, one.value, one.source, secret=one.secret)
    _timezone(put, chains, device)
    made = derived({name: chain[0].value for name, chain in chains.items()}, frozenset(given))
    for name, (value, source) in made.items():
        secret = any(chains[s][0].secret for s in source.split(", ") if s in chains)
        put(name, value, f"follows from {source}", secret=secret)
    values = {name: chain[0] for name, chain in chains.items()}
    refuse_contradictions(
        device.id,
        {name: one.value for name, one in values.items()},
        {name: one.source for name, one in values.items()},
    )
    return values


def _from_city(
    put: _Put, settings: Settings, device: DeviceRecord, site: SiteRecord | None
) -> None:
    city = settings.city
    put("ssid", spelled("ssid", city.ssid), "city settings")
    put("country", city.country.upper(), "city settings")
    put("zonename", city.timezone, "city settings")
    put("hostname", host_name(device.name or device.id), "device name")
    put("location", site.name if site else city.name, "site" if site else "city settings")


def _from_credentials(
    put: _Put, device: DeviceRecord, secrets: Mapping[str, str], vault: Mapping[str, Secrets]
) -> None:
    version = secrets.get("snmp_version", "2c")
    for name in FROM_CREDENTIAL:
        wanted = version in {"1", "2c"} if name == "snmp_community" else version == "3"
        if secrets.get(name) and wanted:
            put(name, secrets[name], f"credential {device.credential_name}")
    own = vault.get(wireguard_credential(device.id))
    if own is not None and own.values.get(DEFAULT_FIELD):
        put("wireguard_private_key", own.values[DEFAULT_FIELD], f"credential {own.name}")


def wireguard_credential(device_id: str) -> str:
    """Name of the credential that holds a device's own WireGuard key."""
    return f"wireguard-{device_id}"


def _resolved(source: str, name: str, raw: Any, vault: Mapping[str, Secrets]) -> tuple[Plain, bool]:
    """The value that `raw` stands for, and whether it is a secret from a credential."""
    where = f"{VARIABLES_FILE}: {source}: {name}"
    if (
        isinstance(raw, Mapping)
        and set(raw) <= REFERENCE
        and isinstance(raw.get("credential"), str)
    ):
        if not is_secret(name):
            raise ProvisioningError(
                f"{where} is shown wherever it is used, so it must not hold a secret: write the "
                "value itself"
            )
        known = vault.get(raw["credential"])
        field = str(raw.get("field", DEFAULT_FIELD))
        if known is None:
            raise ProvisioningError(
                f"{where}: no credential {raw['credential']!r}: store it with `farola device "
                f"credential {raw['credential']} --field {field}`"
            )
        if not known.values.get(field):
            raise ProvisioningError(
                f"{where}: credential {known.name!r} has no field {field!r}: store it with "
                f"`farola device credential {known.name} --field {field}`"
            )
        return known.values[field], True
    if is_secret(name) and name != "snmp_user":
        raise ProvisioningError(
            f"{where} is a secret and must not stand in this file: store it with `farola device "
            f"credential NAME --field {DEFAULT_FIELD}` and write {{credential: NAME, field: "
            f"{DEFAULT_FIELD}}}"
        )
    try:
        return spelled(name, raw), False
    except ValueError as error:
        raise ProvisioningError(f"{where} {error}, not {raw!r:.60}") from None


def _radio_defaults(put: _Put, chains: Mapping[str, list[Value]], device: DeviceRecord) -> None:
    """Channel and power of each band where nobody chose them, as the country allows."""
    country = str(chains["country"][0].value)
    pick = crc32(device.id.encode())
    for name, wanted in (("2g", CHANNELS_2G), ("5g", CHANNELS_5G), ("6g", ())):
        known = regulatory.allowed(country, name[0])
        free = [one for one in wanted if one in known] or [
            one for one, rule in known.items() if not rule.radar and one in channels(name[0])
        ]
        if f"channel_{name}" not in chains and wanted:
            spread = free[pick % len(free)] if free else 0
            put(f"channel_{name}", spread, "spread by device id")
        if f"tx_power_{name}" not in chains:
            channel = chains.get(f"channel_{name}", [Value(0, "")])[0].value
            rule = known.get(channel) if isinstance(channel, int) else None
            cap = rule.power if rule else min((one.power for one in known.values()), default=0)
            source = "default" if cap >= POWER_DBM else f"default, as {country} allows no more"
            put(f"tx_power_{name}", min(POWER_DBM, cap), source)


def _timezone(put: _Put, chains: Mapping[str, list[Value]], device: DeviceRecord) -> None:
    """The POSIX form that the device wants, from the zone's name, wherever that is set."""
    zone = chains["zonename"][0]
    if "timezone" in chains:
        return
    try:
        put("timezone", posix_timezone(str(zone.value)), zone.source)
    except ProvisioningError as error:
        raise ProvisioningError(f"{device.id}: zonename (from {zone.source}): {error}") from None


def notices(intent: Intent) -> list[str]:
    """What is allowed and still worth a person's look: channels for indoor use only, and a radio
    that may refuse to serve without a country.
    """
    country, found = str(intent["country"].value), []
    if not regulatory.is_listed(country):
        found.append(
            f"country is {country}: radios may refuse to serve on 5 GHz; set [city] country"
        )
    for name in BANDS:
        channel = intent[f"channel_{name}"].value if f"channel_{name}" in intent else 0
        rule = regulatory.allowed(country, name[0]).get(channel) if intent[f"radio_{name}"].value \
            and isinstance(channel, int) else None  # fmt: skip
        if rule is not None and rule.indoors:
            found.append(f"channel_{name} is {channel}: {country} allows it indoors only")
    return found


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
    """Whether a variable's value must not be shown: by its kind, or as its name is that of a
    secret option.
    """
    known = VARIABLES.get(variable)
    if known is not None:
        return known.kind in SECRETS
    return SECRET_OPTION.fullmatch(variable) is not None
