"""Traps: who sent it, does it count, is it the same again; and no bytes that break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api

from collectors.snmp.book import SYS_NAME
from collectors.snmp.model import Target
from collectors.snmp.notification import TRAP_OID, decode_notification
from collectors.snmp.senders import TRAP_ADDRESS, Senders, plain_address
from collectors.snmp.traps import STRANGERS, TrapFilter

v1 = api.PROTOCOL_MODULES[api.SNMP_VERSION_1]
v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]

COLD_START = (1, 3, 6, 1, 6, 3, 1, 1, 5, 1)
LINK_DOWN = (1, 3, 6, 1, 6, 3, 1, 1, 5, 3)
COMMUNITY_IN_TRAP = (1, 3, 6, 1, 6, 3, 18, 1, 4, 0)

SENDERS = Senders.of(
    [
        Target("ap-1", "192.0.2.1", community="one"),
        Target("ap-2", "192.0.2.2", community="two"),
        Target("twin-a", "192.0.2.9", community="one"),
        Target("twin-b", "192.0.2.9", community="one"),
    ],
    {"Plaza": "ap-1", "Twin A": "twin-a", "Twin B": "twin-b"},
)


def packet(oid=COLD_START, community="one", *, inform=False, request_id=7, more=()) -> bytes:
    pdu = v2c.InformRequestPDU() if inform else v2c.TrapPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    v2c.apiTrapPDU.set_varbinds(
        pdu,
        [((1, 3, 6, 1, 2, 1, 1, 3, 0), v2c.TimeTicks(1234)),
         (TRAP_OID, v2c.ObjectIdentifier(oid)), *more],
    )  # fmt: skip
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, community)
    v2c.apiMessage.set_pdu(message, pdu)
    return encoder.encode(message)


def judge(data: bytes, source="192.0.2.1", now=0.0, by=None):
    return (by or TrapFilter(SENDERS)).judge(data, source, now)


@pytest.mark.parametrize(
    ("oid", "kind"),
    [
        ("1.3.6.1.6.3.1.1.5.1", "trap.cold-start"),
        ("1.3.6.1.6.3.1.1.5.2", "trap.warm-start"),
        ("1.3.6.1.6.3.1.1.5.3", "trap.link-down"),
        ("1.3.6.1.6.3.1.1.5.4", "trap.link-up"),
        ("1.3.6.1.6.3.1.1.5.5", "trap.authentication-failure"),
        ("1.3.6.1.4.1.8072.4.0.3", "trap.agent-restart"),
        ("1.3.6.1.4.1.9.9.43.2.0.1", "trap.config-changed"),
        ("1.3.6.1.4.1.55555.0.1", "trap.other"),
    ],
)
def test_known_traps_have_a_kind_of_their_own(oid, kind):
    verdict = judge(packet(tuple(map(int, oid.split(".")))))
    assert verdict.outcome == "stored"
    assert verdict.event.kind == kind
    assert verdict.event.device_id == "ap-1"
    assert verdict.event.detail["oid"] == oid
    assert verdict.event.detail["agent_uptime_s"] == 12.34


def test_a_link_trap_names_its_interface():
    more = [((1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 4), v2c.Integer32(4))]
    assert judge(packet(LINK_DOWN, more=more)).event.detail["interface"] == "4"
    more.append(((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, 4), v2c.OctetString(b"wlan0")))
    event = judge(packet(LINK_DOWN, more=more)).event
    assert (event.detail["interface"], event.text) == ("wlan0", "link down: wlan0")


def test_the_community_must_be_the_device_s_own():
    assert judge(packet(community="wrong")).outcome == "wrong_community"
    assert judge(packet(community="two")).outcome == "wrong_community"
    assert judge(packet(community="two"), "192.0.2.2").outcome == "stored"
    assert judge(packet(community="two"), "198.51.100.1").outcome == "stored"
    assert judge(packet(), by=TrapFilter()).outcome == "wrong_community"


def test_no_community_gets_into_an_event():
    more = [(COMMUNITY_IN_TRAP, v2c.OctetString(b"one-secret"))]
    verdict = judge(packet(more=more))
    assert "one-secret" not in repr(verdict)
    assert "one-secret" not in repr(decode_notification(packet(community="one-secret")))
    assert "one" not in repr(SENDERS).replace("Senders", "")


def test_devices_that_share_an_address_are_told_by_name():
    named = [(SYS_NAME, v2c.OctetString(b"Twin B"))]
    assert judge(packet(more=named), "192.0.2.9").event.device_id == "twin-b"
    assert judge(packet(), "192.0.2.9").event.device_id is None
    # A name cannot make a device out of another one's address.
    assert judge(packet(more=named), "192.0.2.1").event.device_id == "ap-1"


def test_a_forwarded_trap_names_the_address_it_came_from():
    more = [(TRAP_ADDRESS, v2c.IpAddress("192.0.2.2"))]
    assert judge(packet(more=more), "198.51.100.1").event.device_id == "ap-2"


def test_the_same_again_within_a_short_time_is_one():
    keep = TrapFilter(SENDERS)
    outcomes = [judge(packet(request_id=n), now=at, by=keep).outcome for n, at in
                ((1, 0.0), (2, 3.0), (3, 30.0))]  # fmt: skip
    assert outcomes == ["stored", "duplicate", "stored"]
    assert judge(packet(LINK_DOWN), now=30.0, by=keep).outcome == "stored"


def test_one_device_cannot_flood_the_events():
    keep = TrapFilter(SENDERS)
    oids = [(1, 3, 6, 1, 4, 1, 55555, 0, n) for n in range(100)]
    outcomes = [judge(packet(oid), now=0.0, by=keep).outcome for oid in oids]
    assert outcomes == ["stored"] * 20 + ["rate_limited"] * 80
    assert judge(packet(community="two"), "192.0.2.2", 0.0, keep).outcome == "stored"
    assert judge(packet(oids[99]), now=5.0, by=keep).outcome == "stored"


def test_an_inform_is_acknowledged_also_when_it_is_repeated():
    keep = TrapFilter(SENDERS)
    first, again = (judge(packet(inform=True), now=at, by=keep) for at in (0.0, 1.0))
    assert (first.outcome, again.outcome) == ("stored", "duplicate")
    assert first.reply == again.reply
    message, _ = decoder.decode(first.reply, asn1Spec=v2c.Message())
    pdu = v2c.apiMessage.get_pdu(message)
    assert pdu.tagSet == v2c.ResponsePDU.tagSet
    assert v2c.apiPDU.get_request_id(pdu) == 7
    assert judge(packet()).reply is None


def test_a_trap_of_version_1_is_read_too():
    pdu = v1.TrapPDU()
    v1.apiTrapPDU.set_defaults(pdu)
    v1.apiTrapPDU.set_generic_trap(pdu, "linkDown")
    message = v1.Message()
    v1.apiMessage.set_defaults(message)
    v1.apiMessage.set_community(message, "one")
    v1.apiMessage.set_pdu(message, pdu)
    assert judge(encoder.encode(message)).event.kind == "trap.link-down"


def test_what_is_no_notification_is_malformed():
    request = v2c.GetRequestPDU()
    v2c.apiPDU.set_defaults(request)
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, "one")
    v2c.apiMessage.set_pdu(message, request)
    for data in (b"", b"0", b"rubbish", packet() + b"\0", packet()[:-1], bytes(9000),
                 encoder.encode(message)):  # fmt: skip
        assert judge(data).outcome == "malformed"


@given(st.binary(max_size=300))
def test_no_bytes_make_the_filter_raise(data):
    assert judge(data).outcome == "malformed"


SOUND = packet(LINK_DOWN, inform=True, more=[(SYS_NAME, v2c.OctetString(b"Plaza"))])


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=4),
       st.integers(0, len(SOUND)))  # fmt: skip
def test_no_damaged_packet_makes_the_filter_raise(changes, end):
    damaged = bytearray(SOUND)
    for position, value in changes:
        damaged[position] = value
    for data in (bytes(damaged), bytes(damaged[:end])):
        assert judge(data).outcome in {"stored", "malformed", "wrong_community"}


def test_strangers_cannot_crowd_out_the_devices():
    keep = TrapFilter(SENDERS)
    flood = [judge(b"rubbish", f"198.51.100.{n % 250}", 0.0, keep).outcome for n in range(5000)]
    assert flood.count("malformed") == STRANGERS[1]
    assert judge(packet(), "192.0.2.1", 0.0, keep).outcome == "stored"


@pytest.mark.parametrize(
    ("shown", "device"),
    [("::ffff:192.0.2.1", "ap-1"), ("2001:DB8:0::7%eth0", "ap-6"), ("not an address", None)],
)
def test_a_device_is_known_in_every_form_of_its_address(shown, device):
    senders = Senders.of(
        [Target("ap-1", "192.0.2.1", community="one"), Target("ap-6", "2001:db8::7")], {}
    )
    assert senders.by_address.get(plain_address(shown), (None,)) == (device,)
