"""What a variable's value may be: each known one is checked before anything is rendered."""

from __future__ import annotations

import functools
import re
import unicodedata

from farola.errors import ProvisioningError

SSID_BYTES = 32
"""IEEE 802.11, 9.4.2.2: an SSID is at most 32 octets."""
TX_POWER_DBM = range(31)
"""More than 1 W, 30 dBm, no city access point may send."""
TEXTS = frozenset({
    "ssid", "country", "zonename", "timezone", "hostname", "location", "network",
    "ntp_server_1", "ntp_server_2", "snmp_community",
})  # fmt: skip
"""Variables that are text even where they look like a number."""
CHANNEL = re.compile(r"channel_([256])g")
TX_POWER = re.compile(r"tx_power_[256]g")


@functools.cache
def channels(band: str) -> tuple[int, ...]:
    """Channels of the band `2`, `5` or `6` that netjsonconfig takes; 0 is automatic."""
    from netjsonconfig.backends.openwrt.schema import schema

    found = schema["definitions"][f"radio_{band}ghz_channels"]["properties"]["channel"]["enum"]
    return tuple(found)


@functools.cache
def countries() -> frozenset[str]:
    """Country codes that netjsonconfig takes; 00 is the whole world."""
    from netjsonconfig.backends.openwrt.schema import schema

    base = schema["definitions"]["base_radio_settings"]
    return frozenset(base["properties"]["country"]["enum"])


def spelled(name: str, value: str | int) -> str | int:
    """`value` as the template takes it: the channel `auto` is 0, a country in capitals."""
    if isinstance(value, str) and CHANNEL.fullmatch(name) and value.lower() == "auto":
        return 0
    return value.upper() if isinstance(value, str) and name == "country" else value


def host_name(name: str) -> str:
    """`name` as RFC 1123 allows it: ASCII letters, digits and hyphens, at most 63."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:63].strip("-") or "ap"


def check(device_id: str, name: str, value: str | int, source: str, *, secret: bool) -> None:
    """Refuse what a device cannot hold.

    Raises
    ------
    ProvisioningError
        It names device, variable, the level `source` that it comes from, and the value unless it
        is `secret`.
    """
    where = f"{device_id}: {name} (from {source})"
    shown = "" if secret else f" is {value!r:.80}"
    if band := CHANNEL.fullmatch(name):
        allowed = channels(band[1])
        if value not in allowed:
            listed = ", ".join("auto" if channel == 0 else str(channel) for channel in allowed)
            raise ProvisioningError(f"{where}{shown}: the channels of {band[1]} GHz are {listed}")
    elif TX_POWER.fullmatch(name):
        if value not in TX_POWER_DBM:
            raise ProvisioningError(f"{where}{shown}: give whole dBm from 0 to {TX_POWER_DBM[-1]}")
    elif name in TEXTS and isinstance(value, int):
        raise ProvisioningError(f"{where}{shown}: it must be text: put it in quotes")
    if isinstance(value, str):
        _check_text(where, name, value)


def _check_text(where: str, name: str, value: str) -> None:
    bad = next((c for c in value if unicodedata.category(c) in {"Cc", "Cs"}), None)
    if bad is not None:
        raise ProvisioningError(
            f"{where} holds the control character U+{ord(bad):04X}: take it out"
        )
    if name == "ssid":
        length = len(value.encode())
        if not 1 <= length <= SSID_BYTES:
            raise ProvisioningError(
                f"{where} is {length} bytes long, 802.11 allows 1 to {SSID_BYTES}: shorten it"
            )
    elif name == "hostname" and host_name(value) != value:
        raise ProvisioningError(
            f"{where} is {value!r}: a host name has letters, digits and hyphens, at most 63"
        )
    elif name == "country" and value not in countries():
        raise ProvisioningError(
            f"{where} is {value!r}: give the two letters of ISO 3166, such as MX, or 00"
        )
