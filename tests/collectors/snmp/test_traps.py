"""Traps: who sent it, does it count, is it the same again; and no bytes that break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api
from pysnmp.proto.proxy import rfc2576

from collectors.snmp import notification, traps
from collectors.snmp.book import SYS_NAME
from collectors.snmp.model import Target
from collectors.snmp.notification import (
    MAX_PACKET,
    MOST_PAIRS,
    TRAP_ADDRESS,
    TRAP_OID,
    UPTIME,
    decode_notification,
    envelope_of,
)
from collectors.snmp.senders import Senders, plain_address
from collectors.snmp.sweep.ber import value_of
from collectors.snmp.traps import CHANGES, IN_ALL, PER_ADDRESS, STRANGERS, TrapFilter
from operations.reactor import reactor
from tests.collectors.snmp.pysnmp_values import plain_pairs

v1 = api.PROTOCOL_MODULES[api.SNMP_VERSION_1]
v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]

COLD_START = (1, 3, 6, 1, 6, 3, 1, 1, 5, 1)
LINK_DOWN, LINK_UP = (1, 3, 6, 1, 6, 3, 1, 1, 5, 3), (1, 3, 6, 1, 6, 3, 1, 1, 5, 4)
CONFIG_CHANGED = (1, 3, 6, 1, 4, 1, 9, 9, 43, 2, 0, 1)
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
    data = packet(community="one-secret")
    assert "one-secret" not in repr(decode_notification(data, envelope_of(data)))
    assert "one" not in repr(SENDERS).replace("Senders", "")


def test_devices_that_share_an_address_are_told_by_name():
    named = [(SYS_NAME, v2c.OctetString(b"Twin B"))]
    assert judge(packet(more=named), "192.0.2.9").event.device_id == "twin-b"
    assert judge(packet(), "192.0.2.9").event.device_id is None
    # A name cannot make a device out of another one's address.
    assert judge(packet(more=named), "192.0.2.1").event.device_id == "ap-1"


def test_a_forwarded_trap_names_the_address_it_came_from():
    more = [(TRAP_ADDRESS, v2c.IpAddress("192.0.2.2"))]
    forwarded = judge(packet(community="two", more=more), "198.51.100.1")
    assert forwarded.event.device_id == "ap-2"
    assert judge(packet(more=more), "198.51.100.1").event.device_id is None


def test_a_name_counts_only_with_the_community_of_the_device_that_has_it():
    named = [(SYS_NAME, v2c.OctetString(b"Plaza"))]
    own = judge(packet(community="one", more=named), "198.51.100.1")
    another = judge(packet(community="two", more=named), "198.51.100.1")
    assert (own.event.device_id, another.event.device_id) == ("ap-1", None)
    senders = Senders.of(
        [
            Target("twin-a", "192.0.2.9", community="a"),
            Target("twin-b", "192.0.2.9", community="b"),
        ],
        {"Twin B": "twin-b"},
    )
    named = [(SYS_NAME, v2c.OctetString(b"Twin B"))]
    for community, device in (("a", None), ("b", "twin-b")):
        verdict = judge(
            packet(community=community, more=named), "192.0.2.9", by=TrapFilter(senders)
        )
        assert verdict.event.device_id == device


def test_the_same_again_within_a_short_time_is_one():
    keep = TrapFilter(SENDERS)
    outcomes = [judge(packet(request_id=n), now=at, by=keep).outcome for n, at in
                ((1, 0.0), (2, 3.0), (3, 30.0))]  # fmt: skip
    assert outcomes == ["stored", "duplicate", "stored"]
    assert judge(packet(LINK_DOWN), now=30.0, by=keep).outcome == "stored"


def told(keep, *said):
    """Outcomes of (time in s, OID, interface) of ap-1, each a notification of its own."""
    return [
        judge(packet(oid, request_id=n, more=[((*IF_INDEX, port), v2c.Integer32(port))]),
              now=at, by=keep).outcome
        for n, (at, oid, port) in enumerate(said)
    ]  # fmt: skip


IF_INDEX = (1, 3, 6, 1, 2, 1, 2, 2, 1, 1)


def test_of_a_link_that_flaps_the_last_state_is_stored():
    keep = TrapFilter(SENDERS)
    flapping = told(keep, (0, LINK_DOWN, 3), (1, LINK_UP, 3), (2, LINK_DOWN, 3), (2.1, LINK_UP, 4),
                    (3, LINK_DOWN, 3))  # fmt: skip
    assert flapping == ["stored", "stored", "stored", "stored", "duplicate"]
    again = told(TrapFilter(SENDERS), *((n / 5, LINK_DOWN, 3) for n in range(50)))
    assert again == ["stored"] + ["duplicate"] * 49


def test_no_change_of_the_config_is_lost_to_the_one_before():
    keep = TrapFilter(SENDERS)
    changes = told(keep, *((at, CONFIG_CHANGED, 0) for at in (0, 0.3, 0.9, 1.0, 8.0, 9.9)))
    assert changes == ["stored", "duplicate", "duplicate", "stored", "stored", "stored"]
    # Nor to other notifications, which have used up what the device may send.
    loud = TrapFilter(SENDERS)
    told(loud, *((0, (1, 3, 6, 1, 4, 1, 55555, 0, n), 0) for n in range(30)))
    assert told(loud, (0, LINK_DOWN, 1), (0, CONFIG_CHANGED, 0)) == ["rate_limited", "stored"]
    restarts = told(keep, (20, COLD_START, 0), (23, COLD_START, 0), (28, COLD_START, 0))
    assert restarts == ["stored", "duplicate", "stored"]


def test_changes_are_the_same_for_less_than_the_reactor_waits():
    (quiet_s,) = (one.default for one in reactor.params if one.name == "quiet_s")
    assert max(CHANGES.values()) < quiet_s


def test_a_repeated_inform_is_no_new_state():
    keep = TrapFilter(SENDERS)
    down, up = (packet(oid, inform=True, request_id=n) for n, oid in ((1, LINK_DOWN), (2, LINK_UP)))
    outcomes = [judge(data, now=at, by=keep).outcome
                for at, data in ((0, down), (1, up), (15, down), (16, up))]  # fmt: skip
    assert outcomes == ["stored", "stored", "duplicate", "duplicate"]
    assert judge(packet(LINK_DOWN, inform=True, request_id=3), now=17, by=keep).outcome == "stored"


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
    long = packet(more=[((1, 3, 6, 1, 4, 1, 9, 1), v2c.OctetString(bytes(MAX_PACKET)))])
    for data in (b"", b"0", b"rubbish", packet() + b"\0", packet()[:-1], bytes(9000), long,
                 encoder.encode(message)):  # fmt: skip
        assert judge(data).outcome == "malformed"


def test_a_packet_is_not_read_before_its_community_is_believed(monkeypatch):
    read = []
    monkeypatch.setattr(traps, "decode_notification", lambda *_: read.append(1))
    many = [((*IF_INDEX, n), v2c.Integer32(n)) for n in range(380)]
    for source in ("192.0.2.1", "198.51.100.1"):
        assert judge(packet(community="wrong", more=many), source).outcome == "wrong_community"
    assert read == []


def test_no_more_varbinds_are_read_than_a_notification_needs(monkeypatch):
    read = []
    monkeypatch.setattr(
        notification, "value_of", lambda tag, data: read.append(1) or value_of(tag, data)
    )
    many = [((*IF_INDEX, n), v2c.Integer32(n)) for n in range(1, 381)]
    verdict = judge(packet(LINK_DOWN, more=many, inform=True))
    assert (verdict.outcome, verdict.event.detail["interface"]) == ("stored", "1")
    assert len(read) == MOST_PAIRS
    answer, _ = decoder.decode(verdict.reply, asn1Spec=v2c.Message())
    assert len(v2c.apiPDU.get_varbinds(v2c.apiMessage.get_pdu(answer))) == 382  # acknowledged whole


NAMES = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9).map(lambda t: (1, 3, *t))
VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(v2c.Integer32),
    st.binary(max_size=200).map(v2c.OctetString), NAMES.map(v2c.ObjectIdentifier),
    st.integers(0, 2**32 - 1).map(v2c.TimeTicks),
    st.integers(0, 2**64 - 1).map(v2c.Counter64),
)  # fmt: skip


@given(NAMES, st.lists(st.tuples(NAMES, VALUES), max_size=9), st.booleans(),
       st.integers(-(2**31), 2**31 - 1))  # fmt: skip
def test_what_pysnmp_writes_is_read_and_acknowledged_as_pysnmp_does(oid, more, inform, request_id):
    data = packet(oid, inform=inform, request_id=request_id, more=more)
    found = decode_notification(data, envelope_of(data))
    message, _ = decoder.decode(data, asn1Spec=v2c.Message())
    pairs = plain_pairs(v2c.apiTrapPDU.get_varbinds(v2c.apiMessage.get_pdu(message)))
    assert (found.oid, found.values) == (dict(pairs)[TRAP_OID], dict(pairs))
    if inform:
        answer, rest = decoder.decode(found.reply, asn1Spec=v2c.Message())
        pdu = v2c.apiMessage.get_pdu(answer)
        assert (rest, pdu.tagSet) == (b"", v2c.ResponsePDU.tagSet)
        assert v2c.apiPDU.get_request_id(pdu) == request_id
        assert plain_pairs(v2c.apiPDU.get_varbinds(pdu)) == pairs
        assert len(found.reply) == len(data)
    else:
        assert found.reply is None


@given(NAMES, st.integers(0, 6), st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1))
def test_a_trap_of_version_1_is_what_pysnmp_makes_of_it(enterprise, generic, specific, ticks):
    pdu = v1.TrapPDU()
    v1.apiTrapPDU.set_defaults(pdu)
    v1.apiTrapPDU.set_enterprise(pdu, enterprise)
    v1.apiTrapPDU.set_generic_trap(pdu, generic)
    v1.apiTrapPDU.set_specific_trap(pdu, specific)
    v1.apiTrapPDU.set_timestamp(pdu, ticks)
    v1.apiTrapPDU.set_agent_address(pdu, "192.0.2.77")
    v1.apiTrapPDU.set_varbinds(pdu, [((*IF_INDEX, 4), v1.Integer(4))])
    message = v1.Message()
    v1.apiMessage.set_defaults(message)
    v1.apiMessage.set_community(message, "one")
    v1.apiMessage.set_pdu(message, pdu)
    data = encoder.encode(message)
    found = decode_notification(data, envelope_of(data))
    wanted = dict(plain_pairs(v2c.apiTrapPDU.get_varbinds(rfc2576.v1_to_v2(pdu))))
    assert found.oid == wanted[TRAP_OID]
    assert found.values.items() <= wanted.items()
    assert {(*IF_INDEX, 4), TRAP_ADDRESS, UPTIME} == set(found.values)


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


def test_one_address_cannot_crowd_out_the_others():
    keep = TrapFilter(SENDERS)
    flood = [judge(b"rubbish", "192.0.2.2", 0.0, keep).outcome for n in range(2 * int(IN_ALL[1]))]
    assert flood.count("malformed") == PER_ADDRESS[1] < IN_ALL[1]
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
