"""SNMPv3 messages as bytes (RFC 3412, 6) and back: pure, strict, and never raising anything but
MalformedError, whatever the bytes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from collectors.snmp.model import Oid, RawValue
from collectors.snmp.sweep.ber import integer, oid_content, oid_of, tlv

AUTH, PRIV, REPORTABLE = 1, 2, 4
GET, RESPONSE, GETBULK, REPORT = 0xA0, 0xA2, 0xA5, 0xA8
MAX_SIZE = 1472
"""What we take in one packet: agents that heed it send no fragments over an Ethernet."""
MAX_PACKET = 65_507
_INTEGER, _STRING, _NULL, _OID, _SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
_UNSIGNED = {0x41: 4, 0x42: 4, 0x43: 4, 0x46: 8, 0x47: 4}
"""Counter32, Gauge32, TimeTicks, Counter64, UInteger32: bytes of value."""
_ADDRESS, _OPAQUE = 0x40, 0x44
_NOTHING = {_NULL, 0x80, 0x81, 0x82}
USM = 3


class MalformedError(ValueError):
    """Not an SNMPv3 message."""


@dataclass(slots=True)
class Header:
    """What a message says of itself; `salt` are the privacy parameters."""

    msg_id: int
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    salt: bytes = b""

    @property
    def level(self) -> int:
        """AUTH and PRIV of its flags."""
        return self.flags & (AUTH | PRIV)


@dataclass(slots=True, kw_only=True)
class Message(Header):
    """A message as it came. `data` is the scoped PDU, or its ciphertext if `flags` has PRIV."""

    packet: bytes
    digest: bytes
    digest_at: int
    data: bytes

    def without_digest(self) -> bytes:
        """The message that the digest was made of."""
        at, size = self.digest_at, len(self.digest)
        return self.packet[:at] + bytes(size) + self.packet[at + size :]


@dataclass(slots=True)
class Pdu:
    """What was answered; a value of None is noSuchObject, noSuchInstance, endOfMibView, NULL."""

    kind: int
    request_id: int
    status: int
    index: int
    varbinds: list[tuple[Oid, RawValue | None]]


def encode_pdu(kind: int, request_id: int, first: int, second: int, oids: Sequence[Oid]) -> bytes:
    """A request; `first` and `second` are non-repeaters and max-repetitions of a GETBULK."""
    return tlv(kind, integer(request_id) + integer(first) + integer(second) + _names(tuple(oids)))


def encode_report(oid: Oid, count: int) -> bytes:
    """A report that tells one Counter32."""
    counter = b"\x41" + integer(count % 2**32)[1:]
    pair = tlv(_SEQUENCE, tlv(_OID, oid_content(oid)) + counter)
    return tlv(REPORT, integer(0) * 3 + tlv(_SEQUENCE, pair))


def encode_scoped(engine_id: bytes, pdu: bytes, context: bytes = b"") -> bytes:
    """A PDU for a context of the engine, by default its own."""
    return tlv(_SEQUENCE, tlv(_STRING, engine_id) + tlv(_STRING, context) + pdu)


def encode_message(
    header: Header, digest_size: int, data: bytes, max_size: int = MAX_SIZE
) -> tuple[bytes, int]:
    """The packet, with zeroes for a digest, and where that stands; `max_size` are the bytes that
    we take in one packet.
    """
    general = tlv(
        _SEQUENCE,
        integer(header.msg_id) + integer(max_size) + bytes((_STRING, 1, header.flags))
        + integer(USM),
    )  # fmt: skip
    behind = tlv(_STRING, header.salt)
    security = tlv(
        _STRING,
        tlv(
            _SEQUENCE,
            tlv(_STRING, header.engine_id) + integer(header.boots) + integer(header.time_s)
            + tlv(_STRING, header.user) + tlv(_STRING, bytes(digest_size)) + behind,
        ),
    )  # fmt: skip
    if header.flags & PRIV:
        data = tlv(_STRING, data)
    packet = tlv(_SEQUENCE, b"\x02\x01\x03" + general + security + data)
    return packet, len(packet) - len(data) - len(behind) - digest_size


def decode_message(packet: bytes) -> Message:
    """The outer form of a packet. Raises MalformedError."""
    at, end = _expect(packet, _SEQUENCE, 0, len(packet))
    if end != len(packet):
        raise MalformedError("bytes after the message")
    version, at = _read_number(packet, at, end)
    if version != 3:
        raise MalformedError("not version 3")
    inner, header_end = _expect(packet, _SEQUENCE, at, end)
    msg_id, inner = _read_number(packet, inner, header_end)
    _, inner = _read_number(packet, inner, header_end)
    flags, inner = _read_string(packet, inner, header_end)
    model, inner = _read_number(packet, inner, header_end)
    if len(flags) != 1 or model != USM or inner != header_end:
        raise MalformedError("not a message of the user-based security model")
    if flags[0] & (AUTH | PRIV) == PRIV:
        raise MalformedError("privacy without authentication")
    start, security_end = _expect(packet, _STRING, header_end, end)
    inner, stop = _expect(packet, _SEQUENCE, start, security_end)
    engine_id, inner = _read_string(packet, inner, stop)
    boots, inner = _read_number(packet, inner, stop)
    time_s, inner = _read_number(packet, inner, stop)
    user, inner = _read_string(packet, inner, stop)
    digest, inner = _read_string(packet, inner, stop)
    digest_at = inner - len(digest)
    salt, inner = _read_string(packet, inner, stop)
    if inner != stop or stop != security_end or not (0 <= boots < 2**31 and 0 <= time_s < 2**31):
        raise MalformedError("security parameters out of range")
    if flags[0] & PRIV:
        data, at = _read_string(packet, security_end, end)
    else:
        data, at = packet[security_end:end], end
    if at != end:
        raise MalformedError("bytes after the data")
    return Message(
        msg_id, flags[0], engine_id, boots, time_s, user, salt,
        packet=packet, digest=digest, digest_at=digest_at, data=data,
    )  # fmt: skip


def decode_scoped(data: bytes) -> Pdu:
    """The PDU of a scoped PDU; what follows it is padding. Raises MalformedError."""
    at, end = _expect(data, _SEQUENCE, 0, len(data))
    _, at = _read_string(data, at, end)
    _, at = _read_string(data, at, end)
    kind, at, stop = _open(data, at, end)
    if kind not in {RESPONSE, REPORT} or stop != end:
        raise MalformedError("neither response nor report")
    request_id, at = _read_number(data, at, stop)
    status, at = _read_number(data, at, stop)
    index, at = _read_number(data, at, stop)
    at, last = _expect(data, _SEQUENCE, at, stop)
    if last != stop:
        raise MalformedError("bytes after the varbinds")
    return Pdu(kind, request_id, status, index, _varbinds(data, at, last))


def _varbinds(data: bytes, at: int, last: int) -> list[tuple[Oid, RawValue | None]]:
    found: list[tuple[Oid, RawValue | None]] = []
    while at < last:
        short = data[at : at + 4]
        oid_at, oid_end = at + 4, at + 4 + short[-1]
        if (  # all lengths in one byte, as nearly always
            len(short) == 4 and short[0] == _SEQUENCE and short[1] < 0x80
            and short[2] == _OID and short[3] < 0x80 and oid_end + 2 <= last
            and (next_at := at + 2 + short[1]) <= last
            and data[oid_end + 1] < 0x80 and oid_end + 2 + data[oid_end + 1] == next_at
        ):  # fmt: skip
            tag, value_at, value_end = data[oid_end], oid_end + 2, next_at
        else:
            inner, next_at = _expect(data, _SEQUENCE, at, last)
            oid_at, oid_end = _expect(data, _OID, inner, next_at)
            tag, value_at, value_end = _open(data, oid_end, next_at)
            if value_end != next_at:
                raise MalformedError("bytes after a value")
        found.append((_oid(data[oid_at:oid_end]), _value(tag, data[value_at:value_end])))
        at = next_at
    return found


def _value(tag: int, content: bytes) -> RawValue | None:
    if tag in _UNSIGNED:
        size = _UNSIGNED[tag]
        if not content or len(content) > size + 1 or (len(content) > size and content[0]):
            raise MalformedError("a counter of the wrong size")
        return int.from_bytes(content)
    if tag in {_STRING, _OPAQUE}:
        return content
    if tag == _INTEGER:
        if not 0 < len(content) <= 8:
            raise MalformedError("a number of the wrong size")
        return int.from_bytes(content, signed=True)
    if tag == _OID:
        return _oid(content)
    if tag == _ADDRESS and len(content) == 4:
        return content
    if tag in _NOTHING and not content:
        return None
    raise MalformedError(f"a value of an unknown type {tag:#x}")


def _open(buffer: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, start and end of the content that stands at `at`."""
    if at + 2 > end:
        raise MalformedError("cut short")
    tag, size = buffer[at], buffer[at + 1]
    at += 2
    if size >= 0x80:
        count = size & 0x7F
        if not 0 < count <= 4 or at + count > end:
            raise MalformedError("a length without end")
        size = int.from_bytes(buffer[at : at + count])
        at += count
    if at + size > end:
        raise MalformedError("cut short")
    return tag, at, at + size


def _expect(buffer: bytes, tag: int, at: int, end: int) -> tuple[int, int]:
    found, start, stop = _open(buffer, at, end)
    if found != tag:
        raise MalformedError(f"tag {found:#x} where {tag:#x} belongs")
    return start, stop


def _read_number(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    start, stop = _expect(buffer, _INTEGER, at, end)
    if not 0 < stop - start <= 8:
        raise MalformedError("a number of the wrong size")
    return int.from_bytes(buffer[start:stop], signed=True), stop


def _read_string(buffer: bytes, at: int, end: int) -> tuple[bytes, int]:
    start, stop = _expect(buffer, _STRING, at, end)
    return buffer[start:stop], stop


@lru_cache(maxsize=1024)
def _names(oids: tuple[Oid, ...]) -> bytes:
    """The varbinds of a request: OIDs without values."""
    return tlv(
        _SEQUENCE,
        b"".join(tlv(_SEQUENCE, tlv(_OID, oid_content(oid)) + b"\x05\x00") for oid in oids),
    )


def _oid(content: bytes) -> Oid:
    oid = oid_of(content)
    if oid is None:
        raise MalformedError("not an object identifier")
    return oid
