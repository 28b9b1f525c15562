"""pyasn1 as judge of what the sweep's decoder reads from any bytes.

Only the frame of a response is asked of it, so that a value out of range does not hide what the
others are.
"""

from __future__ import annotations

from pyasn1.codec.ber import decoder
from pyasn1.type import namedtype, tag, univ

from collectors.snmp.sweep import ber
from collectors.snmp.sweep.fast import Expected, open_envelope, read_values
from collectors.snmp.sweep.requests import TablePlan, head_of
from collectors.snmp.sweep.shapes import Scalars
from collectors.snmp.sweep.tables import Walk


def sequence(**parts):
    named = (namedtype.NamedType(name, kind) for name, kind in parts.items())
    return univ.Sequence(componentType=namedtype.NamedTypes(*named))


VARBIND = sequence(name=univ.ObjectIdentifier(), value=univ.Any())
PDU = sequence(
    id=univ.Integer(), status=univ.Integer(), place=univ.Integer(),
    pairs=univ.SequenceOf(componentType=VARBIND),
).subtype(implicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, 2))  # fmt: skip
FRAME = sequence(version=univ.Integer(), community=univ.OctetString(), pdu=PDU)
WIDTH = {ber.COUNTER32: 32, ber.GAUGE32: 32, ber.TICKS: 32, ber.COUNTER64: 64}

KEYS = ((1, 3, 6, 1, 2, 1, 1, 1, 0), (1, 3, 6, 1, 2, 1, 1, 3, 0), (1, 3, 6, 1, 4, 1, 99999, 7))
EXPECTED = [Expected(ber.oid_content(key)) for key in KEYS]
SCALARS = Scalars([ber.oid_content(key) for key in KEYS])
"""Shared by all examples, as one Question's is by all devices."""
HEAD = head_of(1, "public")
PLAN = TablePlan([(1, 3, 6, 1, 9, 1), (1, 3, 6, 1, 9, 2)])


def allowed(raw: bytes) -> object:
    """What a value may be read as, from its element."""
    if raw[0] in (ber.OCTETS, ber.OPAQUE, ber.ADDRESS):
        return bytes(decoder.decode(bytes([ber.OCTETS]) + raw[1:], asn1Spec=univ.OctetString())[0])
    if raw[0] == ber.OBJECT_ID:
        return tuple(decoder.decode(raw, asn1Spec=univ.ObjectIdentifier())[0])
    if raw[0] == ber.INTEGER or raw[0] in WIDTH:
        number = int(decoder.decode(bytes([ber.INTEGER]) + raw[1:], asn1Spec=univ.Integer())[0])
        width = WIDTH.get(raw[0])
        # A counter of full width without the zero octet before its highest bit: see `ber`.
        return number % (1 << width) if width and -(1 << width - 1) <= number < 0 else number
    return None


def check_against_pyasn1(packet: bytes) -> None:
    """Whatever is read from `packet`, pyasn1 reads too."""
    found = ber.decode_response(packet)
    if found is None:
        return
    frame, rest = decoder.decode(packet, asn1Spec=FRAME)
    assert not rest
    pdu = frame["pdu"]
    assert found[:2] == (int(frame["version"]), bytes(frame["community"]))
    assert found[2:5] == tuple(int(pdu[name]) for name in ("id", "status", "place"))
    assert len(found.pairs) == len(pdu["pairs"])
    for pair, known in zip(found.pairs, pdu["pairs"], strict=True):
        assert pair.oid == tuple(known["name"])
        assert pair.value is None or pair.value == allowed(bytes(known["value"]))


def opened(packet: bytes):
    """The envelope, if it is that of an answer to a v2c request with the community `public`."""
    envelope = open_envelope(packet)
    return envelope if envelope and envelope[0] == HEAD else None


def check_fast_scalars(packet: bytes) -> bool:
    """Whatever the fast reading of KEYS takes, the general one reads too; says if it took it."""
    envelope = opened(packet)
    values = envelope and read_values(packet, envelope[2], EXPECTED)
    assert not envelope or SCALARS.read(packet, envelope[2]) == values
    assert not envelope or SCALARS.read(packet, envelope[2]) == values  # by its shape
    if not values:
        return False
    found = ber.decode_response(packet)
    assert found is not None
    assert (found.version, found.community) == (1, b"public")
    assert int.from_bytes(envelope[1], "big", signed=True) == found.request_id
    assert (found.status, found.place) == (0, 0)
    assert [(pair.oid, pair.value) for pair in found.pairs] == list(zip(KEYS, values, strict=True))
    return True


def check_fast_rows(packet: bytes) -> bool:
    """The same for the rows of PLAN."""
    envelope = opened(packet)
    rows = envelope and Walk(PLAN, 20).read(packet, envelope[2])
    if not rows:
        return False
    found = ber.decode_response(packet)
    assert found is not None
    assert rows == Walk(PLAN, 20).read_pairs(found.pairs)
    return True
