"""BER of SNMP v1 and v2c (RFC 3417, section 8): what requests are made of, and a reading of any
legal response. Bytes that are not one give None, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from collectors.snmp.model import Oid, RawValue

INTEGER, OCTETS, NULL, OBJECT_ID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
ADDRESS, COUNTER32, GAUGE32, TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_OBJECT, NO_INSTANCE, END_OF_VIEW = 0x80, 0x81, 0x82
GET, GET_NEXT, RESPONSE, GET_BULK = 0xA0, 0xA1, 0xA2, 0xA5
TRAP_V1, INFORM, TRAP = 0xA4, 0xA6, 0xA7
_MAX_ARCS = 128
_MAX_ARC = 2**32 - 1
_MAX_OID = 5 * _MAX_ARCS


class Pair(NamedTuple):
    """A varbind. The value is None for NULL, the exceptions of RFC 3416, a type that SNMP does not
    have, or a number outside the range of its type.
    """

    oid: Oid
    tag: int
    value: RawValue | None


class Message(NamedTuple):
    """A response: `version` 0 is v1, 1 is v2c; `status` is the error-status
    and `place` the error-index of RFC 3416."""

    version: int
    community: bytes
    request_id: int
    status: int
    place: int
    pairs: Sequence[Pair]


class NotSnmpError(Exception):
    """Bytes that are no response."""


def header(tag: int, length: int) -> bytes:
    """Tag and length in the shortest form."""
    if length < 128:
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def tlv(tag: int, content: bytes) -> bytes:
    """An element with its tag and length."""
    return header(tag, len(content)) + content


def integer(value: int) -> bytes:
    """An INTEGER element."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid_content(oid: Oid) -> bytes:
    """The content octets of an OID of two arcs or more; ValueError if SNMP has none like it."""
    if len(oid) < 2 or len(oid) > _MAX_ARCS or oid[0] > 2 or (oid[0] < 2 and oid[1] > 39):
        raise ValueError(f"{oid} is not an object identifier")
    return arcs_content((40 * oid[0] + oid[1], *oid[2:]))


def arcs_content(arcs: Oid) -> bytes:
    """Arcs in base 128, as they follow the first two of an OID."""
    out = bytearray()
    for arc in arcs:
        if arc < 128:
            out.append(arc)
            continue
        last = len(out)
        left = arc
        while left:
            out.insert(last, left & 0x7F | 0x80)
            left >>= 7
        out[-1] &= 0x7F
    return bytes(out)


def arcs_of(content: bytes) -> Oid | None:
    """The arcs that `content` encodes; None if it encodes none."""
    if content.isascii():  # no octet above 127: each is an arc
        return tuple(content)
    if content[-1] & 0x80:
        return None
    arcs, arc, begun = [], 0, False
    for octet in content:
        if octet == 0x80 and not begun:
            return None
        arc = arc << 7 | octet & 0x7F
        begun = octet & 0x80 != 0
        if arc > _MAX_ARC:
            return None
        if not begun:
            arcs.append(arc)
            arc = 0
    return tuple(arcs)


def oid_of(content: bytes) -> Oid | None:
    """The OID that `content` encodes; None if it encodes none that SNMP has."""
    return _oid_of(content) if len(content) <= _MAX_OID else None


@lru_cache(maxsize=4096)
def _oid_of(content: bytes) -> Oid | None:
    arcs = arcs_of(content)
    if not arcs or len(arcs) >= _MAX_ARCS:
        return None
    first = min(arcs[0] // 40, 2)
    return (first, arcs[0] - 40 * first, *arcs[1:])


def _signed(content: bytes) -> int | None:
    value = int.from_bytes(content, "big", signed=True)
    return value if content and -(2**31) <= value < 2**31 else None


def _unsigned(bits: int) -> Callable[[bytes], int | None]:
    whole = bits // 8

    def read(content: bytes) -> int | None:
        # Some agents leave out the zero octet before a value whose highest bit is set: of full
        # width, that has only one meaning (net-snmp reads it so too).
        if not content or (content[0] & 0x80 and len(content) != whole):
            return None
        value = int.from_bytes(content, "big")
        return value if value < 1 << bits else None

    return read


def _address(content: bytes) -> bytes | None:
    return content if len(content) == 4 else None


_VALUES: dict[int, Callable[[bytes], RawValue | None]] = {
    INTEGER: _signed,
    OCTETS: bytes,
    OBJECT_ID: oid_of,
    ADDRESS: _address,
    COUNTER32: _unsigned(32),
    GAUGE32: _unsigned(32),
    TICKS: _unsigned(32),
    OPAQUE: bytes,
    COUNTER64: _unsigned(64),
}


def value_of(tag: int, content: bytes) -> RawValue | None:
    """A value as int, bytes or arcs; None where there is none that can be used."""
    read = _VALUES.get(tag)
    return None if read is None else read(content)


def decode_response(data: bytes) -> Message | None:
    """The response in `data`; None for any other bytes, also where something follows it."""
    try:
        return _message(data)
    except (NotSnmpError, IndexError):
        return None


def _message(data: bytes) -> Message:
    at, end = enter(data, 0, len(data), SEQUENCE)
    version, at = integer_at(data, at, end)
    community, at = content_at(data, at, end, OCTETS)
    at, _ = enter(data, at, end, RESPONSE)
    request_id, at = integer_at(data, at, end)
    status, at = integer_at(data, at, end)
    index, at = integer_at(data, at, end)
    at, _ = enter(data, at, end, SEQUENCE)
    pairs = []
    while at < end:
        content, tag, start, at = pair_within(data, at, end)
        oid = oid_of(content)
        if oid is None:
            raise NotSnmpError
        pairs.append(Pair(oid, tag, value_of(tag, data[start:at])))
    return Message(version, community, request_id, status, index, pairs)


def pair_at(data: bytes, at: int) -> tuple[bytes, int, int, int] | None:
    """Content of the OID, tag of the value, start and stop of its content, of the varbind at `at`;
    None if there is none.
    """
    try:
        return pair_within(data, at, len(data))
    except (NotSnmpError, IndexError):
        return None


def pair_within(data: bytes, at: int, end: int) -> tuple[bytes, int, int, int]:
    """The same of one that must end by `end`; raises what `element_at` does."""
    tag, start, stop = element_at(data, at, end)
    if tag != SEQUENCE:
        raise NotSnmpError
    content, at = content_at(data, start, stop, OBJECT_ID)
    tag, start, at = element_at(data, at, stop)
    if at != stop:
        raise NotSnmpError
    return content, tag, start, stop


def is_foreign(tag: int) -> bool:
    """Whether a tag is of several octets, or the reserved one: SNMP has none such."""
    return tag & 0x1F == 0x1F or tag & 0xDF == 0


def element_at(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, start and stop of the content of the element at `at`, which must end by `end`.

    Raises NotSnmpError, or IndexError where the bytes end before; so do the others below.
    """
    tag, length = data[at], data[at + 1]
    if is_foreign(tag):
        raise NotSnmpError
    start = at + 2
    if length & 0x80:
        size = length & 0x7F
        if size in {0, 0x7F}:  # the indefinite form is not SNMP's
            raise NotSnmpError
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > end:
        raise NotSnmpError
    return tag, start, start + length


def enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Start and stop of an element that must fill everything up to `end`."""
    found, start, stop = element_at(data, at, end)
    if found != tag or stop != end:
        raise NotSnmpError
    return start, stop


def content_at(data: bytes, at: int, end: int, tag: int) -> tuple[bytes, int]:
    """Content of the element at `at`, which must have this tag, and where it stops."""
    found, start, stop = element_at(data, at, end)
    if found != tag:
        raise NotSnmpError
    return data[start:stop], stop


def integer_at(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The INTEGER at `at`, of 32 bits, and where it stops."""
    content, stop = content_at(data, at, end, INTEGER)
    value = _signed(content)
    if value is None:
        raise NotSnmpError
    return value, stop
