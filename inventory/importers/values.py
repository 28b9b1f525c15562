"""Reads single cells: texts, numbers, degrees, MAC addresses, host names. Pure functions.

Each returns the value and, where the cell was not written plainly, why it was read so; a cell
that could mean two things is refused, never guessed.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

Kind = Literal["degrees", "count", "measure"]
"""What a number stands for: degrees are below 1000, counts are whole."""

SPACES = " \t\r\n\f\v\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff"
_OUTER = re.compile(f"^[{SPACES}]+|[{SPACES}]+$")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INNER_SPACE = re.compile("[ \u00a0\u2009\u202f]")
_NUMBER = {
    decimal: re.compile(
        rf"([+-]?)(\d+|[1-9]\d{{0,2}}(?:{other}\d{{3}})+|[1-9]\d{{0,2}}(?:[ ]\d{{3}})+"
        rf"|[1-9]\d{{0,2}}(?:'\d{{3}})+)?(?:{re.escape(decimal)}(\d*))?",
        re.ASCII,
    )
    for decimal, other in ((".", ","), (",", r"\."))
}
_SEXAGESIMAL = re.compile(
    r"""([NSEW])?\s*(-?\d{1,3}(?:[.,]\d+)?)\s*[°º]?\s*
    (?:(\d{1,2}(?:[.,]\d+)?)\s*['′’]\s*)?(?:(\d{1,2}(?:[.,]\d+)?)\s*(?:"|″|”|''|’’)\s*)?([NSEW])?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE | re.ASCII)


def read_text(cell: object) -> tuple[str | None, str]:
    """The cell as text without outer spaces; None if empty. A whole float reads as 123, not 123.0.

    Returns the text and why it differs from the cell ("" if it does not).
    """
    if cell is None:
        return None, ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell)), ""
    if isinstance(cell, datetime | date):
        return cell.isoformat(), ""
    raw = str(cell)
    text = _OUTER.sub("", raw)
    return text or None, "outer spaces removed" if text and text != raw else ""


def number_readings(text: str) -> dict[str, float]:
    """What `text` means with a decimal point and with a decimal comma, where it can mean either.

    Thousands may be set apart by the other sign, by spaces or by apostrophes.
    """
    text = _INNER_SPACE.sub(" ", text.replace("−", "-").replace("’", "'"))
    if _PLAIN.fullmatch(text) and ("e" in text.lower()):
        return {".": float(text)}
    found: dict[str, float] = {}
    for decimal, pattern in _NUMBER.items():
        match = pattern.fullmatch(text)
        if match and (match[2] or match[3]):
            whole = re.sub(r"\D", "", match[2] or "0")
            found[decimal] = float(f"{match[1]}{whole}.{match[3] or '0'}")
    return found


def decimal_sign(cells: Iterable[object]) -> str:
    """The decimal sign a column is written with: "." or ","; "" where nothing tells or both do."""
    votes = set()
    for cell in cells:
        if isinstance(cell, str):
            readings = number_readings(_bare(cell)[0])
            if len(readings) == 1:
                votes |= set(readings)
    return votes.pop() if len(votes) == 1 else ""


def read_number(cell: object, kind: Kind = "measure", decimal: str = "") -> tuple[float, str]:
    """The cell as a finite number, and why it was read so ("" if written plainly).

    `decimal` is the column's sign (`decimal_sign`); it settles what "1,234" means. Without it
    degrees take the only reading below 1000, counts the whole one, and measures are refused.

    Raises
    ------
    ValueError
        Not a number, not finite, or it could mean two numbers.
    """
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        raise ValueError("is not a number")  # noqa: TRY004 - a fault of the data, not of the code
    if not isinstance(cell, str):
        try:
            value = float(cell)
        except OverflowError:  # a whole number of hundreds of digits
            value = math.inf
        if not math.isfinite(value):
            raise ValueError("is not a finite number")
        return value, ""
    text, whys = _bare(cell)
    if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        raise ValueError("is not a finite number")
    readings = number_readings(text)
    if not readings:
        if kind == "degrees" and (degrees := _sexagesimal(text)) is not None:
            return degrees, "degrees with minutes or a hemisphere made decimal"
        raise ValueError("is not a number")
    value = _settle(text, readings, kind, decimal)
    if not math.isfinite(value):
        raise ValueError("is not a finite number")
    if not (_PLAIN.fullmatch(text) and float(text) == value):
        used = next(sign for sign, reading in readings.items() if reading == value)
        whys.append(
            "decimal comma read as a point"
            if used == "," and "," in text
            else "minus sign read" if "−" in text
            else "thousands separators removed"
        )  # fmt: skip
    return value, "; ".join(whys)


def _bare(cell: str) -> tuple[str, list[str]]:
    text = _OUTER.sub("", cell)
    trimmed = re.sub(f"[,;{SPACES}]+$", "", text)
    if trimmed != text:
        return trimmed, ["trailing comma removed"]
    return text, ["outer spaces removed"] if text != cell else []


def _settle(text: str, readings: dict[str, float], kind: Kind, decimal: str) -> float:
    values = set(readings.values())
    if len(values) == 1:
        return values.pop()
    point, comma = readings["."], readings[","]
    if kind == "degrees":
        return min(point, comma, key=abs)
    if decimal:
        return readings[decimal]
    if kind == "count":
        return max(point, comma, key=abs)
    if "," in text:
        raise ValueError(f"could mean {point:g} or {comma:g}: write it without separators")
    return point


def _sexagesimal(text: str) -> float | None:
    match = _SEXAGESIMAL.fullmatch(text)
    if not match or (match[1] and match[5]):
        return None
    degrees, minutes, seconds = (
        float((match[n] or "0").replace(",", ".")) for n in (2, 3, 4)
    )  # fmt: skip
    letter = (match[1] or match[5] or "").upper()
    if minutes >= 60 or seconds >= 60 or (letter and degrees < 0):
        return None
    size = abs(degrees) + minutes / 60 + seconds / 3600
    return -size if letter in {"S", "W"} or match[2].startswith("-") else size


def read_mac(text: str) -> tuple[str, str]:
    """A MAC address in lower case with colons, and why it was changed.

    Raises
    ------
    ValueError
        Not 12 hexadecimal digits, or an address that no single interface has.
    """
    digits = re.sub(r"[:.\-\s]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError("is not a MAC address: 12 hexadecimal digits are needed")
    if digits == "0" * 12 or int(digits[:2], 16) & 1:
        raise ValueError("is no interface's own MAC address (all zeros, broadcast or multicast)")
    mac = ":".join(digits[n : n + 2] for n in range(0, 12, 2))
    return mac, "" if mac == text else "written in lower case with colons"


def read_host(text: str) -> str:
    """A management address: an IP address or a host name, without port or scheme.

    Raises
    ------
    ValueError
        Neither, with what to do.
    """
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        pass
    else:
        if address.is_unspecified or address.is_multicast:
            raise ValueError("is no address a device can be reached at")
        return str(address)
    if "://" in text or "@" in text:
        raise ValueError("must be a host alone, without scheme or user")
    if "/" in text:
        raise ValueError("must be a host alone, without a prefix length or path")
    if ":" in text:
        raise ValueError("must be a host alone: give ports with --ssh-port and --snmp-port")
    labels = text.removesuffix(".").split(".")
    if (
        len(text) > 253
        or not all(_HOST_LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()
    ):
        raise ValueError("is neither an IP address nor a host name")
    return text.lower()


def read_port(cell: object) -> int:
    """A TCP or UDP port; ValueError unless it is a whole number from 1 to 65535."""
    value, _ = read_number(cell, "count")
    if not value.is_integer() or not 1 <= value <= 65535:
        raise ValueError("is not a port: a whole number from 1 to 65535 is needed")
    return int(value)
