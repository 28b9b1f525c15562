"""Proposals: what a found thing is recognised by, and what a poll of a controller costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from collectors.discovery.acceptance import accept, chosen, ignore
from collectors.discovery.matching import Found, Known
from collectors.discovery.proposals import propose_access_points
from collectors.snmp.access_points import access_point_key
from collectors.snmp.model import AccessPointReading
from farola.errors import InventoryError
from inventory.models import Device, Discovered, Event, utcnow
from inventory.queries import devices

MAC = "00:00:5e:00:53:{:02x}"


def reading(number: int, **more: object) -> AccessPointReading:
    mac = MAC.format(number)
    return AccessPointReading(**{"key": mac, "mac": mac, "name": f"ap-{number}", **more})


@pytest.fixture
def session(city, db):
    with db() as opened:
        opened.add(Device(id="wlc", name="wlc", role="controller"))
        opened.add(Device(id="lamp", name="lamp", mac=MAC.format(7), serial="SN-7",
                          management_address="10.2.0.7"))  # fmt: skip
        opened.flush()
        yield opened


def statements(session, call: Callable[[], object]) -> list[str]:
    """SQL that `call` runs."""
    ran: list[str] = []

    def note(_connection, _cursor, statement, *_more) -> None:
        ran.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    call()
    event.remove(engine, "before_cursor_execute", note)
    return ran


def test_access_points_of_a_controller_are_proposed_once_and_cost_one_query_after(session):
    told = [reading(n) for n in range(1, 10)]
    assert propose_access_points(session, "wlc", told) == {MAC.format(7): "lamp"}
    (said,) = session.query(Event).where(Event.kind == "discovery.access-points")
    assert said.text == "wlc tells of access points that the inventory lacks: 8"
    ran = statements(session, lambda: propose_access_points(session, "wlc", told))
    assert len(ran) == 1
    assert ran[0].startswith("SELECT")
    assert propose_access_points(session, "wlc", told) == {MAC.format(7): "lamp"}
    assert session.query(Event).where(Event.kind == "discovery.access-points").count() == 1


def test_an_accepted_access_point_is_known_by_its_controller_also_when_renamed(session):
    propose_access_points(session, "wlc", [reading(1)])
    (row,) = chosen(session, [access_point_key("wlc", MAC.format(1))], all_new=False)
    (done,) = accept(session, [row])
    device = session.get(Device, done.device_id)
    assert (device.id, device.controller_id, device.management_address) == ("ap-1", "wlc", None)
    assert (device.mac, device.source) == (MAC.format(1), "discovered")
    for _ in range(2):
        told = [reading(1, name="Fountain"), reading(2, name="ap-1")]
        assert propose_access_points(session, "wlc", told)[MAC.format(1)] == "ap-1"
    session.expire_all()
    assert session.get(Discovered, row.key).name == "Fountain"


def test_ignored_stays_ignored_and_can_be_taken_back(session):
    propose_access_points(session, "wlc", [reading(1)])
    key = access_point_key("wlc", MAC.format(1))
    assert ignore(session, chosen(session, [key], all_new=False)) == [key]
    session.execute(Discovered.__table__.update().values(last_seen=utcnow() - timedelta(days=1)))
    assert propose_access_points(session, "wlc", [reading(1)]) == {}
    session.expire_all()
    assert session.get(Discovered, key).status == "ignored"
    assert chosen(session, (), all_new=True) == []
    (done,) = accept(session, chosen(session, [key], all_new=False))
    assert done.what == "new"
    with pytest.raises(InventoryError, match="a device of the inventory"):
        ignore(session, chosen(session, [key], all_new=False))


def test_what_is_imported_later_becomes_known_and_a_retired_device_unknown(session):
    propose_access_points(session, "wlc", [reading(1)])
    session.add(Device(id="imported", name="x", mac=MAC.format(1)))
    old = Discovered.__table__.update().values(last_seen=utcnow() - timedelta(hours=1))
    session.execute(old)
    assert propose_access_points(session, "wlc", [reading(1)]) == {MAC.format(1): "imported"}
    session.get(Device, "imported").status = "retired"
    session.flush()
    session.execute(old)
    assert propose_access_points(session, "wlc", [reading(1)]) == {}


def test_keys_fit_the_table_and_stay_apart():
    long = [access_point_key("wlc", "n" * 300 + str(n)) for n in range(2)]
    assert all(len(key) <= 200 for key in long)
    assert long[0] != long[1]


def found(**more: object) -> Found:
    return Found(**{"key": "k", "address": "10.9.9.9", **more})


def test_a_thing_is_recognised_by_address_then_hardware_then_name(session):
    known = Known(devices(session))
    mac, other = MAC.format(7), MAC.format(8)
    assert known.match(found(address="10.2.0.7")).by == "address"
    assert known.match(found(address="10.2.0.7", port=1161)).device_id is None
    by_mac = known.match(found(mac=other, macs=frozenset({mac, other})))
    assert (by_mac.device_id, by_mac.by) == ("lamp", "MAC address")
    assert by_mac.remark == "the inventory has it at 10.2.0.7, SNMP port 161"
    assert known.match(found(serial="sn-7")).by == "serial number"
    assert known.match(found(name="LAMP.example.net")).by == "name"
    assert known.match(found(name="lamp"), name_is_unique=False).device_id is None
    replaced = known.match(found(address="10.2.0.7", mac=other, macs=frozenset({other})))
    assert replaced.device_id == "lamp"
    assert "replaced?" in replaced.remark


def test_hardware_goes_before_an_address_that_was_handed_out_anew(session):
    session.add(Device(id="bench", name="bench", management_address="10.2.0.8"))
    session.flush()
    match = Known(devices(session)).match(found(address="10.2.0.8", mac=MAC.format(7)))
    assert (match.device_id, match.by) == ("lamp", "MAC address")


def test_what_two_devices_share_tells_nothing(session):
    session.add(Device(id="twin", name="lamp", mac=MAC.format(7), serial="SN-7"))
    session.flush()
    known = Known(devices(session))
    thing = found(mac=MAC.format(7), serial="SN-7", name="lamp")
    assert known.match(thing).device_id is None
    assert known.match(replace(thing, name="twin")).device_id == "twin"
