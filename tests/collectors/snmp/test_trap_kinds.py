"""What notifications mean: those of vendors and controllers, made up from their MIBs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysnmp.proto import api

from collectors.snmp.model import Target
from collectors.snmp.senders import Senders
from collectors.snmp.trap_kinds import TrapEvent, known_traps, mac_of
from collectors.snmp.traps import PER_CONTROLLER, TrapFilter
from tests.collectors.snmp.test_traps import packet

v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
SENDERS = Senders.of(
    [Target("wlc", "192.0.2.5", community="one")],
    {"Plaza 1": "ap-1"},
    {"02:00:00:00:00:02": "ap-2"},
)
KINDS = {"cold-start", "warm-start", "link-down", "link-up", "authentication-failure",
         "agent-start", "agent-shutdown", "agent-restart", "config-changed", "ap-down",
         "ap-up"}  # fmt: skip
CISCO_LOST, RUCKUS_LOST = (
    (1, 3, 6, 1, 4, 1, 14179, 2, 6, 3, 8),
    (1, 3, 6, 1, 4, 1, 25053, 2, 2, 1, 5),
)
CISCO_MAC, CISCO_NAME = (
    (1, 3, 6, 1, 4, 1, 14179, 2, 6, 2, 20, 0),
    (1, 3, 6, 1, 4, 1, 14179, 2, 2, 1, 1, 3),
)
RUCKUS_POINT = (1, 3, 6, 1, 4, 1, 25053, 2, 2, 2, 18, 0)


def event(oid, values, by=None, now=0.0):
    more = [(name, v2c.OctetString(value)) for name, value in values]
    verdict = (by or TrapFilter(SENDERS)).judge(packet(oid, more=more), "192.0.2.5", now)
    return verdict.event or verdict.outcome


def test_every_line_has_a_known_kind_and_its_mib():
    for oid, kind in known_traps().items():
        assert kind.kind in KINDS, oid
        assert len(kind.mib.split()) == 2, oid
        assert bool(kind.mac or kind.name) == (kind.kind in {"ap-down", "ap-up"}), oid


@pytest.mark.parametrize(("oid", "kind"), [(o, k) for o, k in known_traps().items()],
                         ids=lambda v: getattr(v, "mib", ""))  # fmt: skip
def test_each_vendor_notification_becomes_its_event(oid, kind):
    found = event(oid, [((*column, 0), b"\x02\0\0\0\0\x02") for column in kind.mac])
    assert found.kind == f"trap.{kind.kind}"
    assert found.device_id == ("ap-2" if kind.mac else None if kind.name else "wlc")


def test_the_access_point_that_a_controller_lost_is_found_by_mac_then_by_name():
    by_mac = event(CISCO_LOST, [(CISCO_MAC, b"\x02\0\0\0\0\x02"), ((*CISCO_NAME, 9), b"Plaza 1")])
    assert (by_mac.kind, by_mac.device_id) == ("trap.ap-down", "ap-2")
    assert by_mac.detail["access_point"] == {"mac": "02:00:00:00:00:02", "name": "Plaza 1"}
    assert by_mac.detail["controller"] == "wlc"
    by_name = event(CISCO_LOST, [(CISCO_MAC, b"\x06\0\0\0\0\x09"), ((*CISCO_NAME, 9), b"Plaza 1")])
    assert by_name.device_id == "ap-1"
    unknown = event(CISCO_LOST, [(CISCO_MAC, b"\x06\0\0\0\0\x09")])
    assert unknown.device_id is None
    assert unknown.text == "access point lost: 06:00:00:00:00:09"
    assert event(CISCO_LOST, []).text == "access point lost: it does not say which"


@pytest.mark.parametrize(
    ("told", "point"),
    [
        (b"02:00:00:00:00:02", {"mac": "02:00:00:00:00:02"}),
        (b"AP[Plaza 9@02-00-00-00-00-AB]", {"mac": "02:00:00:00:00:ab"}),
        (b"Plaza 1", {"name": "Plaza 1"}),
        (b"\xff\xfe", {"name": "\ufffd\ufffd"}),
        (b"", {}),
    ],
)
def test_an_access_point_told_in_words(told, point):
    assert event(RUCKUS_LOST, [(RUCKUS_POINT, told)]).detail["access_point"] == point


def test_a_v1_trap_of_a_vendor_is_known_with_its_zero():
    assert event((*CISCO_LOST[:-1], 0, CISCO_LOST[-1]), []).kind == "trap.ap-down"


def test_no_other_address_in_a_trap_is_kept():
    client = (1, 3, 6, 1, 4, 1, 25053, 2, 2, 2, 15, 0)
    found = event(RUCKUS_LOST, [(client, b"aa:bb:cc:dd:ee:ff"), (RUCKUS_POINT, b"Plaza 1")])
    assert "aa:bb" not in repr(found)
    other = event((1, 3, 6, 1, 4, 1, 25053, 2, 2, 1, 99), [(client, b"aa:bb:cc:dd:ee:ff")])
    assert other.kind == "trap.other"
    assert "aa:bb" not in repr(other)


def test_a_controller_may_lose_a_district_at_once():
    keep = TrapFilter(SENDERS)
    found = [
        event(CISCO_LOST, [(CISCO_MAC, b"\x02\0\0\1" + n.to_bytes(2))], keep) for n in range(3000)
    ]
    assert sum(isinstance(one, TrapEvent) for one in found) == 3000 == PER_CONTROLLER[1]
    assert event(CISCO_LOST, [(CISCO_MAC, b"\x02\0\0\1\0\1")], keep, 5.0) == "duplicate"


def test_who_is_not_known_says_nothing_of_access_points():
    more = [(CISCO_MAC, v2c.OctetString(b"\x02\0\0\0\0\x02"))]
    verdict = TrapFilter(SENDERS).judge(packet(CISCO_LOST, more=more), "198.51.100.1", 0.0)
    assert (verdict.outcome, verdict.event.device_id) == ("stored", None)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_mac_or_none(data):
    mac = mac_of(data)
    assert mac == "" or len(bytes.fromhex(mac.replace(":", ""))) == 6
