"""What a variable's value may be: each known one is checked before anything is rendered."""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from farola.errors import ProvisioningError
from farola.regulatory import widths
from farola.snmp import MAX_USER, MIN_PASSWORD
from provisioning.intent.variables import LISTS, VARIABLES, Plain, Variable

SSID_BYTES = 32
"""IEEE 802.11, 9.4.2.2: an SSID is at most 32 octets."""
KEY_BYTES = range(8, 64)
"""IEEE 802.11, J.4: a pass-phrase; 64 hexadecimal digits are the key itself."""
HEX = "hex:"
"""Opens the spelling of an SSID byte by byte: `hex:436166e9`."""
CUSTOM = Variable("any")
"""A variable of the home's own template: text or a whole number."""
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}\.?)+")
_NAME = re.compile(r"[A-Za-z0-9_]{1,15}")
_DEVICE = re.compile(r"[A-Za-z0-9_.@-]{1,15}")


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


def spelled(name: str, value: Any) -> Plain:
    """`value`, as YAML gave it, as templates take it.

    The channel `auto` is 0, a country in capitals, a switch 1 or 0, a list a tuple, an SSID in
    `hex:` its bytes. ValueError says what it must be instead, without the value.
    """
    kind = VARIABLES.get(name, CUSTOM).kind
    if kind == "switch":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return int(value)
    if kind in LISTS:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError("must be a list of texts")
        return tuple(items)
    if kind == "choice" and value is False:
        value = "none"  # some write `no` or `off`, which YAML takes for false
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text or a whole number")  # noqa: TRY004 - of a file, not a type
    if not isinstance(value, str):
        return value
    if kind == "channel" and value.lower() == "auto":
        return 0
    if kind == "ssid" and re.fullmatch("(?i)hex:([0-9a-f]{2})+", value):
        return bytes.fromhex(value[len(HEX) :]).decode("utf-8", "surrogateescape")
    return value.upper() if kind == "country" else value


def host_name(name: str) -> str:
    """`name` as RFC 1123 allows it: ASCII letters, digits and hyphens, at most 63."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:63].strip("-") or "ap"


def check(device_id: str, name: str, value: Plain, source: str, *, secret: bool) -> None:
    """Refuse what a device cannot hold.

    Raises
    ------
    ProvisioningError
        It names device, variable, the level `source` that it comes from, and the value unless it
        is `secret`.
    """
    where = f"{device_id}: {name} (from {source})"
    variable = VARIABLES.get(name, CUSTOM)
    for text in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
        _no_control(where, variable.kind, text)
    shown = "" if secret else f" is {_shown(value):.80}"
    if reason := _fault(variable, name, value):
        raise ProvisioningError(f"{where}{shown}: {reason}")


def _shown(value: Plain) -> str:
    return ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)


def _no_control(where: str, kind: str, value: str) -> None:
    refused = {"Cc"} if kind == "ssid" else {"Cc", "Cs"}
    bad = next((c for c in value if unicodedata.category(c) in refused), None)
    if bad is not None:
        raise ProvisioningError(
            f"{where} holds the control character U+{ord(bad):04X}: take it out"
        )


def _fault(variable: Variable, name: str, value: Plain) -> str:
    """What is wrong with `value`, and what to give instead; "" where nothing is."""
    kind = variable.kind
    if kind in {"any", "switch"}:
        return ""
    if kind in {"channel", "width", "whole"}:
        return _number_fault(variable, name, value)
    if isinstance(value, int):
        return "it must be text: put it in quotes"
    if kind == "choice":
        return "" if value in variable.choices else f"give one of {', '.join(variable.choices)}"
    items = value if isinstance(value, tuple) else (value,)
    found = (_TEXTS[kind](item) for item in items) if kind in _TEXTS else iter(())
    return next((reason for reason in found if reason), "")


def _number_fault(variable: Variable, name: str, value: Plain) -> str:
    if variable.kind == "whole":
        unit = "whole dBm" if name.startswith("tx_power") else "a whole number"
        right = isinstance(value, int) and variable.low <= value <= variable.high
        return "" if right else f"give {unit} from {variable.low} to {variable.high}"
    band = name.rpartition("_")[2].removesuffix("g")
    if variable.kind == "width":
        listed = ", ".join(map(str, widths(band)))
        return "" if value in widths(band) else f"give MHz: {listed}"
    listed = ", ".join("auto" if one == 0 else str(one) for one in channels(band))
    return "" if value in channels(band) else f"the channels of {band} GHz are {listed}"


def _ssid(value: str) -> str:
    length = len(value.encode("utf-8", "surrogateescape"))
    if 1 <= length <= SSID_BYTES:
        return ""
    return f"it is {length} bytes long, 802.11 allows 1 to {SSID_BYTES}: shorten it"


def _wifi_key(value: str) -> str:
    if len(value.encode()) in KEY_BYTES or re.fullmatch("[0-9A-Fa-f]{64}", value):
        return ""
    return "a Wi-Fi key has 8 to 63 bytes, or 64 hexadecimal digits"


def _by(expression: re.Pattern[str], words: str) -> Callable[[str], str]:
    return lambda value: "" if expression.fullmatch(value) else words


def _parses(reader: Callable[[str], object], words: str) -> Callable[[str], str]:
    def fault(value: str) -> str:
        try:
            reader(value)
        except ValueError:
            return words
        return ""

    return fault


def _host(value: str) -> str:
    if _HOST.fullmatch(value) or not _TEXTS["address"](value):
        return ""
    return "give a host name or an IP address"


def _interface(value: str) -> str:
    words = "give an address with its prefix, such as 10.20.0.1/24"
    try:
        found = ipaddress.ip_interface(value)
    except ValueError:
        return words
    if "/" not in value:
        return words
    inner = found.network
    if inner.num_addresses > 2 and found.ip in {inner.network_address, inner.broadcast_address}:
        return f"that is no device's address in {inner}"
    return ""


def _wireguard(value: str) -> str:
    try:
        right = len(base64.b64decode(value, validate=True)) == 32
    except (binascii.Error, ValueError):
        right = False
    return "" if right else "a WireGuard key is 32 bytes in Base64, 44 characters"


def _snmp_password(value: str) -> str:
    # They stand between double quotes in snmpd.conf, which has no escape.
    if len(value) < MIN_PASSWORD or set(value) & set('"\\'):
        return f'give {MIN_PASSWORD} characters or more, without " and \\'
    return ""


_TEXTS: dict[str, Callable[[str], str]] = {
    "ssid": _ssid,
    "wifi-key": _wifi_key,
    "hostname": lambda value: (
        "" if host_name(value) == value else "a host name has letters, digits and hyphens, at "
        "most 63"
    ),
    "country": lambda value: (
        "" if value in countries() else "give the two letters of ISO 3166, such as MX, or 00"
    ),
    "name": _by(_NAME, "give letters, digits and _, at most 15"),
    "device": _by(_DEVICE, "give the name of a network device, such as br-lan"),
    "host": _host,
    "hosts": _host,
    "address": _parses(ipaddress.ip_address, "give an IP address"),
    "addresses": _parses(ipaddress.ip_address, "give IP addresses"),
    "networks": _parses(ipaddress.ip_network, "give networks such as 10.0.0.0/8"),
    "interface": _interface,
    "url": _by(re.compile(r"https?://[!-~]+"), "give an address that opens with https://"),
    "path": _by(re.compile(r"/[!-~]*"), "give a path that opens with /"),
    "community": _by(re.compile(r"[^\s]+"), "net-snmp takes no blank in a community"),
    "snmp-name": lambda value: (
        "" if re.fullmatch(r"[!-~]+", value) and len(value) <= MAX_USER
        else f"give 1 to {MAX_USER} printable ASCII characters without blanks"
    ),
    "snmp-password": _snmp_password,
    "wireguard-key": _wireguard,
    "wireguard-secret": _wireguard,
    "secret": lambda value: "" if value else "it is empty",
}  # fmt: skip
