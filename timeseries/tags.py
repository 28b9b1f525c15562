"""What may be a tag: text that every store can keep, and nothing that tells one client or session
from another. A tag costs a server memory for ever, and a client's address is nobody's to keep.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

MAX_TAG = 1000
"""Characters; an SSID has 32 bytes at most, an inventory id 200."""
OWN = frozenset({"device", "site", "collector", "kind", "group"})
"""Tags that hold ids of the city's own things, from its inventory and settings: an access point's
may be its hardware address. Every other tag holds what a device called something."""
MASK = "(MAC)"
"""Stands where text from a device held a hardware address or the id of a session."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ADDRESS = re.compile(
    # Twelve hexadecimal digits or more: an address without its colons, a digest, a UUID's end.
    r"[0-9a-f]{12,}"
    # aa:bb:cc:dd:ee:ff, with any one separator.
    r"|[0-9a-f]{2}([:\-._ ])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}"
    # 0:1b:2:c3:4:5, as net-snmp prints it.
    r"|[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}"
    # aabb.ccdd.eeff, a UUID, an IPv6 address.
    r"|[0-9a-f]{4,}(?:[:\-._][0-9a-f]{4,}){2,}"
    # aabbcc-ddeeff, a RADIUS session 5f3a1b2c-00000012.
    r"|[0-9a-f]{6,}[:\-._][0-9a-f]{6,}"
    # The address in the lower half of an IPv6 address.
    r"|[0-9a-f]{0,4}:?[0-9a-f]{0,2}ff:fe[0-9a-f]{2}:[0-9a-f]{1,4}"
    # Six octets as an SNMP index.
    r"|\d{1,3}(?:\.\d{1,3}){5}",
    re.IGNORECASE,
)


def clean_tag(text: str) -> str:
    """Text from outside as a tag that every store takes.

    What InfluxDB's line protocol cannot carry (control characters, a backslash at the end) is
    written out, as in `\\x0a`; text is cut at 1,000 characters.
    """
    text = _CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}", text)[: MAX_TAG - 3]
    return text[:-1] + "\\x5c" if text.endswith("\\") else text


def masked(text: str) -> str:
    """`text` with `(MAC)` for all that looks like a hardware address or the id of a session."""
    return _ADDRESS.sub(MASK, text)


# The same devices, interfaces and networks come with every poll.
@lru_cache(maxsize=2**18)
def _clean_own(text: str) -> str:
    return clean_tag(text)


@lru_cache(maxsize=2**16)
def _clean_told(text: str) -> str:
    return masked(clean_tag(text))


def clean_tags(name: str, column: list[str]) -> list[str]:
    """The values of the tag `name` as every store takes them; those that a device told, masked."""
    clean = _clean_own if name in OWN else _clean_told
    cleaned = {text: clean(text) for text in set(column)}
    if all(text == tag for text, tag in cleaned.items()):
        return column
    return [cleaned[text] for text in column]


def fault_of_tag(name: str, value: str) -> str:
    """Why no store takes `value` as the tag `name`; empty if all do."""
    if _CONTROL.search(value):
        return "has a control character"
    if value.endswith("\\"):
        return "ends with a backslash"
    if len(value) > MAX_TAG:
        return f"is longer than {MAX_TAG} characters"
    if name not in OWN and _ADDRESS.search(value):
        return "looks like a hardware address or a session's id"
    return ""


def are_tags(name: str, values: Sequence[str]) -> bool:
    """Whether every store takes all of `values` as the tag `name`."""
    distinct = set(values)
    if name in OWN and max(map(len, distinct), default=0) <= MAX_TAG:
        # All at once: a poll names a city's devices.
        text = " ".join(distinct)
        if "\\" not in text and not _CONTROL.search(text):
            return True
    return not any(fault_of_tag(name, value) for value in distinct)
