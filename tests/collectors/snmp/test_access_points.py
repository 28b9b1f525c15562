"""Access points of controllers are devices of their own, each counted once."""

from __future__ import annotations

from collectors.snmp.access_points import told_of
from collectors.snmp.model import AccessPointReading, DeviceReading, RadioReading, SsidReading

RADIO = (RadioReading("0", "5", 9, 36),)


def lamp(number, up=True, clients=9):
    mac = f"02:fa:01:00:00:{number:02x}"
    return AccessPointReading(
        mac, f"lamp-{number}", mac, up=up, uptime_s=7200.0, clients=clients, radios=RADIO
    )


def controller(*told, name="wlc", error="", **more):
    return DeviceReading(name, True, error=error, family="f", access_points=told, **more)


def tell(*readings, ids=None, polled=("wlc",), looked_after=None, last=None):
    return told_of(readings, ids or {}, set(polled), looked_after or {}, last or {})


def by_id(told):
    return {one.device_id: one for one in told.readings}


KNOWN = {"wlc": {lamp(1).key: "ap-1", lamp(2).key: "ap-2"}}


def test_those_of_the_inventory_have_its_ids_and_others_are_named_after_their_controller():
    told = tell(controller(lamp(1), lamp(2), lamp(3)), ids=KNOWN)
    assert set(by_id(told)) == {"ap-1", "ap-2", "wlc/02:fa:01:00:00:03"}
    assert told.unknown == ("wlc/02:fa:01:00:00:03",)
    one = by_id(told)["ap-1"]
    assert (one.answered, one.uptime_s, one.clients, one.radios) == (True, 7200.0, 9, RADIO)


def test_one_that_is_down_was_missed_and_keeps_no_old_figures():
    one = by_id(tell(controller(lamp(1, up=False)), ids=KNOWN))["ap-1"]
    assert (one.answered, one.clients, one.radios, one.uptime_s) == (False, None, (), None)


def test_one_of_which_the_state_is_not_told_is_there():
    assert by_id(tell(controller(lamp(1, up=None)), ids=KNOWN))["ap-1"].answered


def test_of_a_silent_controller_s_access_points_nothing_is_known():
    silent = DeviceReading("wlc", False)
    assert tell(silent, looked_after={"wlc": ["ap-1"]}, last={"ap-1": "wlc"}).readings == ()


def test_one_that_the_controller_no_longer_tells_of_was_missed():
    told = tell(controller(lamp(1)), ids=KNOWN, looked_after={"wlc": ["ap-1", "ap-2"]})
    assert not by_id(told)["ap-2"].answered
    # Even the last one, of a controller that told of some before.
    told = tell(controller(), looked_after={"wlc": ["ap-2"]}, last={"ap-1": "wlc"})
    assert not by_id(told)["ap-2"].answered


def test_half_a_table_misses_nobody():
    told = tell(controller(lamp(1), error="cut"), ids=KNOWN, looked_after={"wlc": ["ap-2"]})
    assert set(by_id(told)) == {"ap-1"}


def test_a_device_that_never_told_of_any_is_no_controller():
    assert tell(controller(), looked_after={"wlc": ["ap-1"]}).readings == ()


def test_a_device_that_is_polled_itself_has_told_more():
    told = tell(controller(lamp(1), lamp(2)), ids=KNOWN, polled=("wlc", "ap-1"))
    assert set(by_id(told)) == {"ap-2"}


def test_of_two_controllers_the_one_where_it_is_up_is_right():
    ids = KNOWN | {"spare": KNOWN["wlc"]}
    here, there = controller(lamp(1, up=False)), controller(lamp(1), name="spare")
    for order in ((here, there), (there, here)):
        told = tell(*order, ids=ids, polled=("wlc", "spare"))
        assert by_id(told)["ap-1"].answered
        assert told.told_by["ap-1"] == "spare"


def test_one_that_has_moved_to_a_controller_that_is_silent_now_was_not_missed():
    told = tell(
        controller(lamp(2)), DeviceReading("spare", False), ids=KNOWN,
        looked_after={"wlc": ["ap-1"]}, last={"ap-1": "spare", "ap-2": "wlc"},
    )  # fmt: skip
    assert set(by_id(told)) == {"ap-2"}


def test_sums_over_devices_count_nobody_twice():
    networks = (SsidReading("City Free", 18),)
    own = controller(lamp(1), lamp(2), clients=18, radios=RADIO, ssids=networks)
    kept = tell(own, ids=KNOWN).controllers["wlc"]
    assert (kept.clients, kept.radios, kept.ssids) == (None, (), networks)


def test_what_access_points_do_not_tell_stays_with_the_controller():
    bare = AccessPointReading("a", up=True)
    kept = tell(controller(bare, clients=18, radios=RADIO)).controllers["wlc"]
    assert (kept.clients, kept.radios) == (18, RADIO)


def test_a_controller_that_is_an_access_point_itself_keeps_its_own():
    both = controller(lamp(1, clients=4), lamp(2), clients=13, radios=RADIO * 2)
    told = tell(both, ids={"wlc": {lamp(1).key: "wlc", lamp(2).key: "ap-2"}})
    assert set(by_id(told)) == {"ap-2"}
    assert (told.controllers["wlc"].clients, told.controllers["wlc"].radios) == (4, RADIO)
