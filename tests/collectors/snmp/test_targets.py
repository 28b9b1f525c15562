"""Which devices are polled, and with what community."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collectors.snmp.addresses import split_host_port
from collectors.snmp.model import Usm
from collectors.targets import plan_targets
from farola.errors import InputError, SettingsError
from inventory.records import DeviceRecord


def device(id_, *, address="192.0.2.1", role="access-point", status="live", credential="city",
           name=None):  # fmt: skip
    return DeviceRecord(
        id=id_, name=name or id_, role=role, platform="openwrt", management_address=address,
        ssh_port=22, snmp_port=1161, mac=None, serial=None, credential_name=credential,
        host_key=None, status=status, source="imported", site_id=None,
    )  # fmt: skip


HELD = {"city": {"snmp_community": "s3cret"}, "ssh": {"password": "x"}}


def plan(*records):
    return plan_targets(records, HELD.__getitem__)


def test_live_devices_with_an_address_are_polled_with_their_community():
    targets = plan(device("a"), device("b", role="switch"))
    assert [(t.device_id, t.port, t.community) for t in targets.polled] == [
        ("a", 1161, "s3cret"), ("b", 1161, "s3cret"),
    ]  # fmt: skip
    assert targets.notes == ()


def test_planned_devices_and_other_things_are_no_targets():
    targets = plan(device("a", status="planned"), device("b", role="mast"))
    assert targets.polled == targets.skipped == ()


def test_devices_without_address_are_skipped_and_told():
    targets = plan(device("a", address=None), device("b", address=""))
    assert targets.skipped == ("a", "b")
    assert "no management address: 2" in targets.notes[0]


def test_public_is_used_only_without_a_credential_and_is_told():
    targets = plan(device("a", credential=None))
    assert targets.polled[0].community == "public"
    assert "'public': 1" in targets.notes[0]


def test_a_credential_without_community_is_named_not_guessed():
    targets = plan(device("a", credential="ssh"), device("b", credential="ssh"))
    assert targets.polled == ()
    assert targets.skipped == ("a", "b")
    assert "'ssh' holds no snmp_community: 2" in targets.notes[0]


def test_a_credential_that_does_not_open_costs_its_own_devices_alone():
    def values_of(name):
        if name == "old":
            raise SettingsError("a stored secret was encrypted with another key")
        return HELD[name]

    told = [device("a", credential="old"), device("b"), device("c", credential="old")]
    targets = plan_targets(told, values_of)
    assert [target.device_id for target in targets.polled] == ["b"]
    assert targets.skipped == ("a", "c")
    (line,) = targets.notes
    assert "'old' cannot be opened (a stored secret was encrypted with another key): 2" in line
    assert line.endswith("`farola device credential old`")


def test_a_device_that_its_controller_reports_is_not_skipped():
    targets = plan(replace(device("a", address=None), controller_id="c"))
    assert (targets.polled, targets.skipped, targets.reported) == ((), (), ("a",))
    assert targets.notes == ()


def test_a_controller_has_more_time_for_its_many_access_points():
    controller, other = plan(replace(device("c"), role="controller"), device("a")).polled
    assert controller.deadline_s > other.deadline_s


def test_other_addresses_that_a_device_may_answer_from_are_passed_on():
    targets = plan(replace(device("a"), snmp_answers_from="192.0.2.8 2001:db8::8"))
    assert targets.polled[0].answers_from == {"192.0.2.8", "2001:db8::8"}


def test_a_v3_credential_gives_its_user_and_no_community():
    HELD["v3"] = {"snmp_user": "watcher"}
    target = plan(device("a", credential="v3")).polled[0]
    assert (target.version, target.usm, target.community) == ("3", Usm("watcher"), "")


def test_each_credential_is_opened_once():
    opened = []

    def values_of(name):
        opened.append(name)
        return HELD[name]

    plan_targets([device(str(n)) for n in range(50)], values_of)
    assert opened == ["city"]


def test_a_name_that_two_devices_bear_tells_neither():
    targets = plan(device("a", name="Plaza"), device("b", name="Plaza"), device("c", name="Park"))
    assert targets.names == {"Park": "c"}


def test_no_community_shows_in_a_repr():
    assert "s3cret" not in repr(plan(device("a")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.0.2.1", ("192.0.2.1", 161)), ("192.0.2.1:1161", ("192.0.2.1", 1161)),
     ("ap.example:9", ("ap.example", 9)), ("[2001:db8::1]:1161", ("2001:db8::1", 1161)),
     ("[2001:db8::1]", ("2001:db8::1", 161)), ("2001:db8::1", ("2001:db8::1", 161))],
)  # fmt: skip
def test_addresses_as_people_type_them(text, expected):
    assert split_host_port(text, 161) == expected


@pytest.mark.parametrize("text", ["", ":161", "host:", "host:0", "host:99999", "host:x", "h:１"])
def test_addresses_that_are_none(text):
    with pytest.raises(InputError, match="HOST"):
        split_host_port(text, 161)
