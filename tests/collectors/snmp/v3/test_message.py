"""SNMPv3 messages as bytes: as pysnmp writes and reads them, and whatever else may come."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.proto.api import v2c
from pysnmp.proto.mpmod.rfc3412 import ScopedPDU, SNMPv3Message
from pysnmp.proto.secmod.rfc3414.service import UsmSecurityParameters

from collectors.snmp.model import Usm
from collectors.snmp.v3.message import (
    AUTH,
    GET,
    GETBULK,
    PRIV,
    Header,
    MalformedError,
    decode_message,
    decode_scoped,
    encode_message,
    encode_pdu,
    encode_report,
    encode_scoped,
)
from collectors.snmp.v3.session import DistrustError, Session, unseal

oids = st.tuples(st.integers(0, 2), st.integers(0, 39), *[st.integers(0, 2**32 - 1)] * 4)
headers = st.builds(
    Header, st.integers(0, 2**31 - 1), st.sampled_from([0, AUTH, AUTH | PRIV]),
    st.binary(max_size=32), st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1),
    st.binary(max_size=32), st.sampled_from([b"", b"12345678"]),
)  # fmt: skip


def response(varbinds, request_id=7, status=0, kind=rfc1905.ResponsePDU):
    """A scoped PDU as pysnmp writes it."""
    pdu = kind()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    v2c.apiPDU.set_error_status(pdu, status)
    v2c.apiPDU.set_varbinds(pdu, varbinds)
    scoped = ScopedPDU()
    scoped[0], scoped[1] = b"engine", b""
    scoped[2].setComponentByType(pdu.tagSet, pdu, verifyConstraints=False, matchTags=False)
    return bytes(encoder.encode(scoped))


VALUES = [
    (rfc1902.Integer32(-5), -5), (rfc1902.OctetString(b"\x00post"), b"\x00post"),
    (rfc1902.ObjectIdentifier((1, 3, 6, 1)), (1, 3, 6, 1)),
    (rfc1902.IpAddress("192.0.2.7"), bytes([192, 0, 2, 7])),
    (rfc1902.Counter32(2**32 - 1), 2**32 - 1), (rfc1902.Gauge32(3), 3),
    (rfc1902.TimeTicks(2**31), 2**31), (rfc1902.Counter64(2**64 - 1), 2**64 - 1),
    (rfc1902.Opaque(b"\x9f"), b"\x9f"), (rfc1905.noSuchObject, None),
    (rfc1905.noSuchInstance, None), (rfc1905.endOfMibView, None),
]  # fmt: skip


def test_values_are_read_as_pysnmp_writes_them():
    oid = (1, 3, 6, 1, 4, 1, 2**32 - 1, 0)
    pdu = decode_scoped(response([(oid, written) for written, _ in VALUES]))
    assert (pdu.request_id, pdu.status) == (7, 0)
    assert pdu.varbinds == [(oid, value) for _, value in VALUES]


@given(headers, st.binary(min_size=1, max_size=300), st.sampled_from([0, 12, 48]))
def test_a_message_is_read_as_it_was_written_and_as_pysnmp_reads_it(header, content, size):
    data = (
        content if header.flags & PRIV else encode_scoped(b"engine", encode_pdu(GET, 1, 0, 0, []))
    )
    packet, at = encode_message(header, size, data)
    mine = decode_message(packet)
    for name in Header.__slots__:
        assert getattr(mine, name) == getattr(header, name)
    assert (mine.digest, mine.digest_at, mine.data) == (bytes(size), at, data)
    assert mine.without_digest() == packet
    theirs, rest = decoder.decode(packet, asn1Spec=SNMPv3Message())
    params, more = decoder.decode(theirs[2], asn1Spec=UsmSecurityParameters())
    assert (rest, more) == (b"", b"")
    assert (int(theirs[1][0]), bytes(params[0]), bytes(params[3])) == (
        header.msg_id, header.engine_id, header.user,
    )  # fmt: skip


@given(st.lists(oids, max_size=20), st.integers(0, 2**31 - 1), st.integers(0, 100))
def test_pysnmp_reads_what_is_asked(asked, request_id, repetitions):
    data = encode_scoped(b"engine", encode_pdu(GETBULK, request_id, 0, repetitions, asked))
    scoped, rest = decoder.decode(data, asn1Spec=ScopedPDU())
    pdu = scoped[2].getComponent()
    assert rest == b""
    assert (int(pdu[0]), int(pdu[2])) == (request_id, repetitions)
    assert [tuple(pair[0]) for pair in pdu[3]] == asked


@given(oids, st.integers(0, 2**33))
def test_a_report_is_what_pysnmp_writes(oid, count):
    theirs = response([(oid, rfc1902.Counter32(count % 2**32))], 0, kind=rfc1905.ReportPDU)
    assert encode_scoped(b"engine", encode_report(oid, count)) == theirs


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_malformed(packet):
    for read in (decode_message, decode_scoped):
        with contextlib.suppress(MalformedError):
            read(packet)


WELL_FORMED = [
    response([((1, 3, 6, 1, 2, 1, 1, 5, 0), rfc1902.OctetString(b"lamp"))]),
    encode_message(Header(9, AUTH, b"engine", 1, 2, b"u", b""), 12, response([]))[0],
]


@settings(max_examples=300)
@given(st.sampled_from(WELL_FORMED), st.data())
def test_damaged_messages_are_malformed_or_distrusted(packet, data):
    damaged = bytearray(packet)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(1, len(packet)))])
    with contextlib.suppress(MalformedError, DistrustError):
        session = Session(Usm("u", "sha1", "p" * 8, "aes128", "p" * 8), b"engine")
        unseal(session, decode_message(cut), AUTH | PRIV, 7, 0.0)
        raise AssertionError("believed")
    with contextlib.suppress(MalformedError):
        decode_scoped(cut)


@pytest.mark.parametrize("cut", range(1, len(WELL_FORMED[1])))
def test_a_message_cut_short_is_malformed(cut):
    with pytest.raises(MalformedError):
        decode_message(WELL_FORMED[1][:cut])


@pytest.mark.parametrize(
    "packet",
    [WELL_FORMED[1] + b"\0", b"", b"\x30\x80\x02\x01\x03\0\0", b"\x30\x84\xff\xff\xff\xff",
     WELL_FORMED[1].replace(b"\x02\x01\x03", b"\x02\x01\x01", 1),
     encode_message(Header(9, PRIV, b"engine", 1, 2, b"u"), 0, b"12345678")[0]],
    ids=["more behind", "nothing", "length without end", "huge length", "version 2c",
         "privacy without authentication"],
)  # fmt: skip
def test_other_forms_are_malformed(packet):
    with pytest.raises(MalformedError):
        decode_message(packet)
