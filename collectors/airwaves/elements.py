"""Reads the elements of a beacon or probe response: network name, channel, security, country
and a fingerprint (IEEE 802.11-2020, 9.4.2). Bytes in, a record or None out; nothing is guessed.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

SSID, RATES, DSSS, TIM, COUNTRY, LOAD, HT_CAPABILITIES = 0, 1, 3, 5, 7, 11, 45
RSN, MORE_RATES, HT_OPERATION, WAPI, MORE_CAPABILITIES, VHT_CAPABILITIES = 48, 50, 61, 68, 127, 191
VENDOR, EXTENDED = 221, 255
HE_OPERATION = b"\x24"
MICROSOFT_WPA = b"\x00\x50\xf2\x01"

STEADY = frozenset({RATES, HT_CAPABILITIES, RSN, MORE_RATES, MORE_CAPABILITIES, VHT_CAPABILITIES})
"""Elements whose content an access point keeps from beacon to beacon."""

VOLATILE = frozenset({TIM, LOAD})
"""Elements that change from beacon to beacon and say nothing of what is read here."""

ORDER = ("open", "OWE", "WEP", "WPA", "WPA2", "WPA3-SAE", "Enterprise", "unknown")

RSN_SUITES = {
    **dict.fromkeys((1, 3, 5, 11, 12, 13, 14, 15, 16, 17, 22, 23), "Enterprise"),
    **dict.fromkeys((2, 4, 6, 19, 20), "WPA2"),
    **dict.fromkeys((8, 9, 24, 25), "WPA3-SAE"),
    18: "OWE",
}
"""Table 9-151, authentication and key management suites of 00-0F-AC."""
WPA_SUITES = {1: "Enterprise", 2: "WPA"}


class Announced(NamedTuple):
    """What the elements of a frame announce."""

    ssid: bytes
    channel: int | None
    six_ghz: bool
    security: str
    country: str | None
    fingerprint: str


class Walk(NamedTuple):
    """The elements of a frame, found by walking over them."""

    first: dict[int, bytes]
    """Content of the first element of each kind."""
    wpa: bytes | None
    he_operation: bytes | None
    digest: bytes
    """What stays the same from beacon to beacon."""
    volatile: tuple[int, ...]
    """Start and end of the contents that do not, one after the other: what is read from the
    frame does not depend on them."""


def _walk(elements: bytes) -> Walk | None:
    """Walk over `elements`; None when a length runs over the end."""
    first: dict[int, bytes] = {}
    wpa: bytes | None = None
    he_operation: bytes | None = None
    digest = bytearray()
    volatile: list[int] = []
    at, end = 0, len(elements)
    while at < end:
        if at + 2 > end:
            return None
        kind, start = elements[at], at + 2
        at = start + elements[at + 1]
        if at > end:
            return None
        if kind in STEADY:
            digest += elements[start - 2 : at]
        elif kind in (VENDOR, EXTENDED):
            head = elements[start : min(start + (4 if kind == VENDOR else 1), at)]
            digest.append(kind)
            digest += head
            if head == MICROSOFT_WPA and wpa is None:
                wpa = elements[start + 4 : at]
            elif kind == EXTENDED and head == HE_OPERATION and he_operation is None:
                he_operation = elements[start + 1 : at]
        elif kind != TIM:
            digest.append(kind)
        if kind in VOLATILE:
            volatile += (start, at)
        elif kind not in first:
            first[kind] = elements[start:at]
    return Walk(first, wpa, he_operation, bytes(digest), tuple(volatile))


def announced(elements: bytes, privacy: bool) -> Announced | None:
    """Read `elements`; `privacy` is that bit of the capability field.

    None when a length runs over the end, when there is no network name or one above 32 bytes,
    or when a security element contradicts itself.
    """
    walk = _walk(elements)
    return None if walk is None else _announced(walk, privacy)


def _announced(walk: Walk, privacy: bool) -> Announced | None:
    first = walk.first
    ssid = first.get(SSID)
    if ssid is None or len(ssid) > 32:
        return None
    security = _security(first.get(RSN), walk.wpa, WAPI in first, privacy)
    if security is None:
        return None
    six = _six_ghz_channel(walk.he_operation)
    return Announced(
        ssid if ssid.strip(b"\0") else b"",
        _byte(first.get(DSSS)) or _byte(first.get(HT_OPERATION)) or six,
        six is not None,
        security,
        _country(first.get(COUNTRY)),
        blake2b(walk.digest, digest_size=8).hexdigest(),
    )


_MEMORY = 8192
_layouts: dict[tuple[bytes, int], tuple[int, ...]] = {}
_known: dict[tuple[tuple[int, ...], bool, tuple[bytes, ...]], Announced] = {}


def remembered(elements: bytes, privacy: bool, sender: bytes) -> Announced | None:
    """What `announced` says, remembered: an access point sends the same elements ten times a
    second but for its traffic map and load.

    A frame that agrees with an earlier one in every byte outside those two contents (their kinds
    and lengths count as outside) has the same elements in the same places, so it says the same.
    """
    where = sender, len(elements)
    layout = _layouts.get(where)
    if layout is not None:
        found = _known.get((layout, privacy, _steady(elements, layout)))
        if found is not None:
            return found
    walk = _walk(elements)
    said = None if walk is None else _announced(walk, privacy)
    if walk is not None and said is not None:
        if len(_known) >= _MEMORY:
            _known.clear()
            _layouts.clear()
        _layouts[where] = walk.volatile
        _known[walk.volatile, privacy, _steady(elements, walk.volatile)] = said
    return said


def _steady(elements: bytes, volatile: tuple[int, ...]) -> tuple[bytes, ...]:
    """The bytes outside the volatile contents."""
    if not volatile:
        return (elements,)
    if len(volatile) == 4:  # a traffic map and a load: what most access points send
        a, b, c, d = volatile
        return elements[:a], elements[b:c], elements[d:]
    edges = (0, *volatile, len(elements))
    return tuple(elements[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))


def _byte(content: bytes | None) -> int | None:
    return content[0] if content else None


def _country(content: bytes | None) -> str | None:
    """Two capital letters, or None: some access points send blanks or zeros."""
    if content is None or not content[:2].isalpha() or not content[:2].isupper():
        return None
    return content[:2].decode("ascii") if len(content) >= 3 else None


def _six_ghz_channel(operation: bytes | None) -> int | None:
    """Primary channel in the 6 GHz operation information (9.4.2.249), where it is present."""
    if operation is None or len(operation) < 6:
        return None
    parameters = int.from_bytes(operation[:3], "little")
    if not parameters & 1 << 17:
        return None
    at = 6 + (3 if parameters & 1 << 14 else 0) + (1 if parameters & 1 << 15 else 0)
    return operation[at] if at + 5 <= len(operation) else None


def _security(rsn: bytes | None, wpa: bytes | None, wapi: bool, privacy: bool) -> str | None:
    kinds: set[str] = set()
    for content, oui, suites, default in (
        (rsn, b"\x00\x0f\xac", RSN_SUITES, "Enterprise"),
        (wpa, b"\x00\x50\xf2", WPA_SUITES, "Enterprise"),
    ):
        if content is not None:
            found = _suites(content, oui, suites, default)
            if found is None:
                return None
            kinds |= found
    if wapi:
        kinds.add("unknown")
    if not kinds:
        return "WEP" if privacy else "open"
    return "/".join(kind for kind in ORDER if kind in kinds)


def _suites(content: bytes, oui: bytes, suites: dict[int, str], default: str) -> set[str] | None:
    """How one may join by an RSN or WPA element; None if its counts run over its end.

    The element may stop after any whole field; what is left out has the standard's default
    (802.1X, that is Enterprise).
    """
    if len(content) < 2 or content[:2] != b"\x01\x00":
        return {"unknown"} if len(content) >= 2 else None
    at = 2
    if len(content) == at:
        return {default}
    at += 4
    if len(content) <= at:
        return {default} if len(content) == at else None
    pairwise = int.from_bytes(content[at : at + 2], "little")
    at += 2 + 4 * pairwise
    if len(content) <= at:
        return {default} if len(content) == at else None
    count = int.from_bytes(content[at : at + 2], "little")
    at += 2
    if len(content) < at + 4 * count or len(content) < at:
        return None
    listed = [content[at + 4 * n : at + 4 * n + 4] for n in range(count)]
    kinds = {suites.get(s[3], "unknown") if s[:3] == oui else "unknown" for s in listed}
    return kinds or {"unknown"}
