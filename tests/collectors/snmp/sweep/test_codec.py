"""The decoder against pysnmp and pyasn1: what it reads, they read too."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ
from pysnmp.proto import api, rfc1905

from collectors.snmp.sweep import ber
from collectors.snmp.sweep.fast import open_envelope, read_values
from collectors.snmp.sweep.shapes import Scalars
from tests.collectors.snmp.pysnmp_values import plain_pairs
from tests.collectors.snmp.sweep.oracle import (
    EXPECTED,
    FRAME,
    KEYS,
    check_against_pyasn1,
    check_fast_rows,
    check_fast_scalars,
)

V1, V2C = (api.PROTOCOL_MODULES[n] for n in (api.SNMP_VERSION_1, api.SNMP_VERSION_2C))
ids = st.integers(-(2**31), 2**31 - 1)
arcs = st.integers(0, 200) | st.integers(0, 2**32 - 1)
oids = st.builds(
    lambda first, second, rest: (first, second, *rest),
    st.integers(0, 2), st.integers(0, 39), st.lists(arcs, min_size=1, max_size=14),
)  # fmt: skip
octets = st.binary(max_size=20) | st.binary(min_size=100, max_size=300)
u32 = st.integers(0, 300) | st.integers(0, 2**32 - 1)


def values_of(module):
    kinds = [
        st.builds(module.Integer if module is V1 else module.Integer32, ids),
        st.builds(module.OctetString, octets),
        st.builds(module.ObjectIdentifier, oids),
        st.builds(module.IpAddress, st.binary(min_size=4, max_size=4)),
        st.builds(module.TimeTicks, u32),
        st.builds(module.Opaque, octets),
        st.just(module.Null("")),
    ]
    if module is V1:
        kinds += [st.builds(module.Counter, u32), st.builds(module.Gauge, u32)]
    else:
        kinds += [
            st.builds(module.Counter32, u32),
            st.builds(module.Gauge32, u32),
            st.builds(module.Counter64, st.integers(0, 2**64 - 1) | u32),
            st.sampled_from([rfc1905.noSuchObject, rfc1905.noSuchInstance, rfc1905.endOfMibView]),
        ]
    return st.one_of(kinds)


class Sample(NamedTuple):
    version: int
    packet: bytes


@st.composite
def samples(draw, keys=None):
    """A response; with `keys` to a request of the sweep's own for these OIDs, without an error."""
    version = 1 if keys else draw(st.integers(0, 1))
    module = (V1, V2C)[version]
    pdu = module.GetResponsePDU()
    module.apiPDU.set_defaults(pdu)
    module.apiPDU.set_request_id(pdu, draw(st.integers(2**30, 2**31 - 1) if keys else ids))
    if not keys and draw(st.booleans()):
        module.apiPDU.set_error_status(pdu, draw(st.integers(0, 18)))
        module.apiPDU.set_error_index(pdu, draw(st.integers(0, 9)))
    names = keys or draw(st.lists(oids, max_size=6))
    pairs = [(name, draw(values_of(module))) for name in names]
    module.apiPDU.set_varbinds(pdu, pairs)
    message = module.Message()
    module.apiMessage.set_defaults(message)
    module.apiMessage.set_community(message, b"public" if keys else draw(octets))
    module.apiMessage.set_pdu(message, pdu)
    return Sample(version, encoder.encode(message))


def agrees(found: ber.Message, sample: Sample) -> None:
    """`found` says what pysnmp decodes from the packet."""
    module = (V1, V2C)[sample.version]
    message, rest = decoder.decode(sample.packet, asn1Spec=module.Message())
    pdu = module.apiMessage.get_pdu(message)
    assert not rest
    assert found.version == int(module.apiMessage.get_version(message))
    assert found.community == bytes(module.apiMessage.get_community(message))
    assert found.request_id == int(module.apiPDU.get_request_id(pdu))
    assert (found.status, found.place) == (int(pdu[1]), int(pdu[2]))
    pairs = plain_pairs(module.apiPDU.get_varbinds(pdu))
    assert [(pair.oid, pair.value) for pair in found.pairs] == pairs


@given(samples())
def test_every_well_formed_response_is_read_as_pysnmp_reads_it(sample):
    found = ber.decode_response(sample.packet)
    assert found is not None
    agrees(found, sample)


def respelled(packet: bytes, draw) -> bytes:
    """The same message with some lengths in longer forms than needed, which BER allows."""
    kind, length = packet[0], packet[1]
    begin = 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(packet[2:begin], "big")
    content, rest = packet[begin : begin + length], packet[begin + length :]
    if kind in (0x30, 0xA2):
        content = respelled(content, draw) if content else b""
    extra = draw(st.integers(0, 3))
    head = ber.header(kind, len(content))
    if extra:
        head = bytes((kind, 0x80 | extra + 1)) + len(content).to_bytes(extra + 1, "big")
    return head + content + (respelled(rest, draw) if rest else b"")


@given(samples(), st.data())
def test_lengths_in_longer_forms_make_no_difference(sample, data):
    packet = respelled(sample.packet, data.draw)
    found = ber.decode_response(packet)
    assert found == ber.decode_response(sample.packet)
    agrees(found, Sample(sample.version, packet))


kinds_of_damage = st.sampled_from(["change", "add", "cut"])
changes = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255), kinds_of_damage),
    min_size=1,
    max_size=4,
)


def damaged(packet: bytes, how) -> bytes:
    body = bytearray(packet)
    for where, octet, what in how:
        at = int(where * len(body))
        if what == "change":
            body[at : at + 1] = [octet]
        elif what == "add":
            body[at:at] = [octet]
        else:
            del body[at : at + 1 + octet % 8]
    return bytes(body)


@given(samples(), changes)
@example(Sample(1, b"\x30\x80\x00\x00"), [])
def test_nothing_is_read_from_damaged_packets_that_is_not_in_them(sample, how):
    check_against_pyasn1(damaged(sample.packet, how))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_raise(packet):
    check_against_pyasn1(packet)
    open_envelope(packet)


@given(samples(keys=KEYS), changes | st.just([]))
def test_the_fast_reading_of_scalars_says_what_the_general_one_says(sample, how):
    packet = damaged(sample.packet, how)
    assert check_fast_scalars(packet) or how


def test_the_fast_reading_takes_what_agents_usually_send():
    pdu = V2C.GetResponsePDU()
    V2C.apiPDU.set_defaults(pdu)
    V2C.apiPDU.set_request_id(pdu, 0x41424344)
    said = [V2C.OctetString(b"x" * 60), V2C.TimeTicks(2**31), V2C.Counter64(2**63)]
    V2C.apiPDU.set_varbinds(pdu, list(zip(KEYS, said, strict=True)))
    message = V2C.Message()
    V2C.apiMessage.set_defaults(message)
    V2C.apiMessage.set_pdu(message, pdu)
    packet = encoder.encode(message)
    head, request_id, begin = open_envelope(packet)
    assert (head, request_id) == (b"\x02\x01\x01\x04\x06public", b"ABCD")
    assert read_values(packet, begin, EXPECTED) == [b"x" * 60, 2**31, 2**63]


cells = st.builds(
    lambda column, index: (1, 3, 6, 1, 9, column, *index),
    st.integers(1, 3), st.lists(st.integers(0, 300), max_size=3),
)  # fmt: skip


@given(st.lists(cells, min_size=1, max_size=12), st.data())
def test_the_fast_reading_of_rows_says_what_the_general_one_says(names, data):
    sample = data.draw(samples(keys=names))
    packet = damaged(sample.packet, data.draw(changes | st.just([])))
    check_fast_rows(packet)


@given(oids)
def test_an_oid_is_encoded_as_pyasn1_encodes_it(oid):
    content = ber.oid_content(oid)
    assert ber.tlv(ber.OBJECT_ID, content) == encoder.encode(univ.ObjectIdentifier(oid))
    assert ber.oid_of(content) == oid


def test_what_is_no_oid_is_refused():
    for oid in ((), (1,), (3, 1), (1, 40), tuple([1] * 129)):
        try:
            ber.oid_content(oid)
        except ValueError:
            continue
        raise AssertionError(oid)


def test_the_oracle_does_refuse_something():
    try:
        decoder.decode(b"\x30\x03\x02\x01", asn1Spec=FRAME)
    except PyAsn1Error:
        return
    raise AssertionError("pyasn1 took a message that is cut short")


def test_a_number_too_large_for_its_type_is_none_the_second_time_too():
    oid = ber.oid_content((1, 3, 6, 1, 2, 1, 2, 2, 1, 10, 1))
    value = ber.tlv(ber.COUNTER32, b"\x01\0\0\0\0")
    data = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OBJECT_ID, oid) + value)
    scalars = Scalars([oid])
    assert [scalars.read(data, 0) for _ in range(2)] == [[None], [None]]
