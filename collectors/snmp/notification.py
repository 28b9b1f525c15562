"""Reads traps and informs of v1 and v2c, and the PDUs of v3 (v1 traps become v2c ones, RFC 3584).

In two steps, so that a packet is believed before it is read: whose community it has costs some
microseconds, whatever the packet's size. With the sweep's BER: a library takes 0.1 ms a varbind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from collectors.snmp.model import Oid, RawValue, Usm
from collectors.snmp.sweep.ber import (
    ADDRESS,
    INFORM,
    OBJECT_ID,
    OCTETS,
    RESPONSE,
    SEQUENCE,
    TICKS,
    TRAP,
    TRAP_V1,
    NotSnmpError,
    content_at,
    element_at,
    enter,
    integer,
    integer_at,
    oid_of,
    pair_within,
    tlv,
    value_of,
)

MAX_PACKET = 8192
MOST_PAIRS = 64
"""Varbinds that are read of one notification; what follows them is of no use to us."""
V1, V2C, V3 = 0, 1, 3
UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
TRAP_ADDRESS: Oid = (1, 3, 6, 1, 6, 3, 18, 1, 3, 0)
"""snmpTrapAddress: who sent a trap that came through a proxy."""
_GENERIC: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5)
_ENTERPRISE_SPECIFIC = 6


class Envelope(NamedTuple):
    """What is known of a packet before its PDU, at `at`, is read. v3 has no community."""

    version: int
    community: bytes
    at: int


@dataclass(frozen=True)
class Notification:
    """A trap or inform as it was sent. `pdu` are its bytes; `response` those of the PDU that
    acknowledges an inform. `usm` is who a message of v3 has proved to be from, instead of a
    community; `reply` is the message that acknowledges an inform of v2c.
    """

    oid: Oid
    values: Mapping[Oid, RawValue]
    community: bytes = field(default=b"", repr=False)
    reply: bytes | None = field(default=None, repr=False)
    usm: Usm | None = None
    pdu: bytes = field(default=b"", repr=False)
    response: bytes | None = field(default=None, repr=False)


def envelope_of(packet: bytes) -> Envelope | None:
    """Version and community of a packet; None where it is not SNMP, or too long."""
    if len(packet) > MAX_PACKET:
        return None
    try:
        at, end = enter(packet, 0, len(packet), SEQUENCE)
        version, at = integer_at(packet, at, end)
        if version == V3:
            return Envelope(V3, b"", at)
        community, at = content_at(packet, at, end, OCTETS)
    except (NotSnmpError, IndexError):
        return None
    return Envelope(version, community, at) if version in {V1, V2C} else None


def decode_notification(packet: bytes, envelope: Envelope) -> Notification | None:
    """The notification of v1 or v2c in `packet`; None for any bytes that are not one."""
    try:
        tag, start, stop = element_at(packet, envelope.at, len(packet))
        if stop != len(packet) or (tag == TRAP_V1) != (envelope.version == V1):
            return None
        if tag == TRAP_V1:
            found = _read_v1(packet, start, stop)
        else:
            found = _read(packet, envelope.at, start, stop, tag)
    except (NotSnmpError, IndexError):
        return None
    if found is None:
        return None
    reply = None
    if found.response is not None:
        version = integer(envelope.version)
        reply = tlv(SEQUENCE, version + tlv(OCTETS, envelope.community) + found.response)
    return replace(found, community=envelope.community, reply=reply)


def scoped_pdu(data: bytes, *, padded: bool) -> tuple[bytes, bytes, bytes] | None:
    """Engine id, context and PDU of a scoped PDU (RFC 3412, 6); None if it is none. What follows
    it is padding, where it may be `padded`.
    """
    try:
        tag, at, end = element_at(data, 0, len(data))
        if tag != SEQUENCE or (end != len(data) and not padded):
            return None
        engine_id, at = content_at(data, at, end, OCTETS)
        context, at = content_at(data, at, end, OCTETS)
        tag, _, stop = element_at(data, at, end)
    except (NotSnmpError, IndexError):
        return None
    return (engine_id, context, data[at:end]) if tag & 0xE0 == 0xA0 and stop == end else None


def notification_of(pdu: bytes, usm: Usm | None = None) -> Notification | None:
    """The notification that a PDU of v2c or v3 is; None if it is none."""
    try:
        tag, start, stop = element_at(pdu, 0, len(pdu))
        found = _read(pdu, 0, start, stop, tag)
    except (NotSnmpError, IndexError):
        return None
    return found and replace(found, usm=usm)


def _read(data: bytes, begin: int, at: int, end: int, tag: int) -> Notification | None:
    """The trap or inform whose PDU begins at `begin`, its content at `at`."""
    if tag not in {TRAP, INFORM}:
        return None
    request_id, at = integer_at(data, at, end)
    _, at = integer_at(data, at, end)
    _, pairs_at = integer_at(data, at, end)
    values = _values(data, pairs_at, end)
    oid = values.get(TRAP_OID)
    if not isinstance(oid, tuple):
        return None
    response = None
    if tag == INFORM:
        response = tlv(RESPONSE, integer(request_id) + integer(0) * 2 + data[pairs_at:end])
    return Notification(oid, values, pdu=data[begin:end], response=response)


def _read_v1(data: bytes, at: int, end: int) -> Notification | None:
    """A trap of v1 as one of v2c (RFC 3584, 3.1)."""
    begin = at
    content, at = content_at(data, at, end, OBJECT_ID)
    enterprise = oid_of(content)
    address, at = content_at(data, at, end, ADDRESS)
    generic, at = integer_at(data, at, end)
    specific, at = integer_at(data, at, end)
    ticks, at = content_at(data, at, end, TICKS)
    values = _values(data, at, end)
    if enterprise is None or len(address) != 4 or not 0 <= generic <= _ENTERPRISE_SPECIFIC:
        return None
    oid = (*_GENERIC, generic + 1)
    if generic == _ENTERPRISE_SPECIFIC:
        if specific < 0:
            return None
        oid = (*enterprise, 0, specific)
    values.setdefault(TRAP_ADDRESS, address)
    uptime = value_of(TICKS, ticks)
    if uptime is not None:
        values[UPTIME] = uptime
    return Notification(oid, values, pdu=data[begin:end])


def _values(data: bytes, at: int, end: int) -> dict[Oid, RawValue]:
    """The first varbinds of a list that must fill everything up to `end`, without those that have
    no value.
    """
    at, end = enter(data, at, end, SEQUENCE)
    values: dict[Oid, RawValue] = {}
    for _ in range(MOST_PAIRS):
        if at >= end:
            break
        content, tag, start, at = pair_within(data, at, end)
        oid, value = oid_of(content), value_of(tag, data[start:at])
        if oid is None:
            raise NotSnmpError
        if value is not None:
            values[oid] = value
    return values
