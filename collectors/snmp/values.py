"""Raw SNMP values as numbers, text, names and addresses; channels of frequencies. All pure, and
whatever a device sends, nothing here raises.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from collectors.snmp.model import Oid

MAX_NAME = 64
MAX_LINE = 255
"""Characters of a sysName (DisplayString (SIZE (0..255)) of SNMPv2-MIB)."""
MAX_OCTETS = 4096
"""Of a text; a packet could bring sixteen times as much, and every device its own."""
MAX_NUMBER = 2**64
_NUMERIC = (int, float)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(?![\w.])", re.ASCII)
_CLOCK = re.compile(r"(?:^|\s)(\d{1,9}):(\d\d)(?::(\d\d(?:\.\d+)?))?(?:\s|$)", re.ASCII)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.ASCII)
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_WORDS = {"week": "w", "day": "d", "hour": "h", "hr": "h", "minute": "m", "min": "m",
          "second": "s", "sec": "s"}  # fmt: skip
_TEXT = (bytes, str)  # `bytes | str` in a function would be made anew in each call
_BAND = re.compile(r"\d{1,2}(\.\d)?", re.ASCII)
BANDS = (  # MHz from, to, channel 0, MHz a channel, band (IEEE 802.11-2020 annex E, 802.11ay)
    (2412, 2472, 2407, 5, "2.4"),
    (5005, 5925, 5000, 5, "5"),
    (5955, 7115, 5950, 5, "6"),
    (58_320, 69_120, 56_160, 2160, "60"),
)


def oid_of(text: str) -> Oid:
    """`1.3.6.1` as a tuple; empty text is the empty prefix. ValueError for anything else."""
    return tuple(int(part) for part in str(text).strip(".").split(".") if part)


@lru_cache(maxsize=4096)
def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip(" \t\r\n\0\"'")


def text_of(value: object) -> str | None:
    """An octet string as text without quotes, NULs and blanks around it, at most 4,096 octets of
    it; None for anything else.
    """
    return _decoded(value[:MAX_OCTETS]) if isinstance(value, bytes) else None


def line_of(value: object) -> str | None:
    """An octet string as a line for people: what prints of it, at most 255 characters; None for
    anything else.
    """
    text = text_of(value)
    if text is None or (len(text) <= MAX_LINE and text.isprintable()):
        return text
    return "".join(c for c in text if c.isprintable())[:MAX_LINE].strip()


def shown(value: object) -> str:
    """Any value as text: an OID with dots, a number in digits, nothing as the empty text."""
    if isinstance(value, bytes):
        return _decoded(value[:MAX_OCTETS])
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    return "" if value is None else str(value)


def number_of(value: object) -> float | None:
    """A number from an integer, or from text that starts with one, such as `20.00 dBm`."""
    if isinstance(value, _NUMERIC):
        return value if -MAX_NUMBER <= value <= MAX_NUMBER else None
    if isinstance(value, bytes):
        if value.isdigit() and len(value) < 19:
            return int(value)
        return _number_in(value) if len(value) <= MAX_NAME else _number_at(text_of(value))
    return _number_at(value) if isinstance(value, str) else None


def _number_at(text: str | None) -> float | None:
    """The number that a text begins with."""
    match = _NUMBER.match(text) if text else None
    return number_of(float(match[0])) if match else None


@lru_cache(maxsize=4096)
def _number_in(value: bytes) -> float | None:
    return _number_at(text_of(value))


def name_of(value: object) -> str:
    """A name fit to be a tag: printable and short; empty if nothing of it is."""
    # What is remembered must be short too.
    return _name_of(value[:MAX_OCTETS] if isinstance(value, _TEXT) else value)


@lru_cache(maxsize=16_384)
def _name_of(value: object) -> str:
    text = "".join(c for c in shown(value) if c.isprintable()).strip()
    return text[:MAX_NAME].strip()


def mac_of(value: object) -> str:
    """A MAC address in lower case with colons, from six octets or from text; else empty."""
    if isinstance(value, bytes) and len(value) == 6:
        return value.hex(":")
    return "" if _is_long(value) else _mac_of(value)


@lru_cache(maxsize=16_384)
def _mac_of(value: object) -> str:
    digits = re.sub(r"[-:. ]", "", shown(value)).lower()
    return ":".join(re.findall("..", digits)) if re.fullmatch(r"[0-9a-f]{12}", digits) else ""


def address_of(value: object) -> str:
    """An IP address as text, from its octets or from text; empty for none and for 0.0.0.0."""
    return "" if _is_long(value) else _address_of(value)


@lru_cache(maxsize=16_384)
def _address_of(value: object) -> str:
    try:
        if isinstance(value, bytes) and len(value) in (4, 16) and not _looks_written(value):
            address = ipaddress.ip_address(value)
        else:
            # The name of an interface after % is anyone's text.
            address = ipaddress.ip_address(shown(value).partition("%")[0])
    except ValueError:
        return ""
    return "" if address.is_unspecified else str(address)


def _is_long(value: object) -> bool:
    """Whether a text is too long for an address of any kind."""
    return isinstance(value, _TEXT) and len(value) > MAX_NAME


def _looks_written(value: bytes) -> bool:
    return len(value) == 16 and all(byte in b"0123456789abcdefABCDEF.:" for byte in value)


def seconds_of(value: object) -> float | None:
    """Seconds in text such as `3 days, 04:05:06`, `1w2d3h`, `5 hours 2 minutes` or `42`."""
    if isinstance(value, int | float):
        return number_of(value)
    text = shown(value).lower().replace(",", " ")
    total, found = 0.0, False
    clock = _CLOCK.search(text)
    if clock:
        hours, minutes, seconds = clock.groups()
        total, found = int(hours) * 3600 + int(minutes) * 60 + float(seconds or 0), True
        text = text[: clock.start()]
    for amount, unit in _SPAN.findall(text):
        letter = _WORDS.get(unit.removesuffix("s"), unit)
        if letter not in _UNITS:
            return None
        total, found = total + float(amount) * _UNITS[letter], True
    return number_of(total) if found else number_of(text)


def band_of(value: object) -> str:
    """A band in GHz such as `2.4`, from what a map or a device says; else empty."""
    text = shown(value)
    return text if _BAND.fullmatch(text) else ""


def band_of_channel(channel: float) -> str:
    """The band of a channel number. Those of 6 GHz are odd, as are those of 5 GHz from 149 on and
    half of those of 2.4 GHz: a number that both have is taken for the older band's.
    """
    if 1 <= channel <= 14:
        return "2.4"
    if channel % 2 and not 149 <= channel <= 177:
        return "6" if channel <= 233 else ""
    return "5" if 32 <= channel <= 177 else ""


@lru_cache(maxsize=1024)
def channel_of(mhz: float) -> tuple[int | None, str]:
    """Channel and band of a centre frequency in MHz."""
    if mhz == 2484:
        return 14, "2.4"
    for low, high, start, step, band in BANDS:
        if low <= mhz <= high:
            return round((mhz - start) / step), band
    return None, ""
