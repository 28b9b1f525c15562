"""What devices say becomes readings; what makes no sense becomes None."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.book import oid_of, packaged
from collectors.snmp.decode import LIMITS, channel_of, decode, number_of
from collectors.snmp.model import Answer, Target

LINE, TEXT = oid_of("1.3.6.1.4.1.8072.1.3.2.3.1.1"), oid_of("1.3.6.1.4.1.8072.1.3.2.3.1.2")
PROFILES = {profile.name: profile for profile in packaged().profiles}


def extend(name: str, column=LINE):
    return (*column, len(name), *name.encode())


def read(values, profile="openwrt", address="127.0.0.1"):
    return decode(Answer(Target("ap", address), True, 1.0, values), PROFILES[profile])


def scripts(**values: str):
    return {extend(name.replace("_", "-")): value.encode() for name, value in values.items()}


def test_scripts_report_radios_and_networks():
    reading = read(
        scripts(
            clients_wlan="9", clients_wlan0="4", clients_wlan1="5", frequency_wlan0="5500",
            frequency_wlan1="2412", noise_floor_wlan0="-92", txpower_wlan0="20.00 dBm",
            utilization_wlan1="12", ssid_wlan0="City Free", ssid_wlan1="City Free",
        )
    )  # fmt: skip
    first, second = reading.radios
    assert (first.name, first.band, first.channel, first.clients) == ("wlan0", "5", 100, 4)
    assert (first.noise_dbm, first.tx_power_dbm, first.utilization_pct) == (-92.0, 20.0, None)
    assert (second.band, second.channel, second.utilization_pct) == ("2.4", 1, 12.0)
    assert [(ssid.name, ssid.clients) for ssid in reading.ssids] == [("City Free", 9)]
    assert reading.clients == 9


def test_the_listing_tells_which_rows_are_radios():
    values = scripts(clients_wlan="3", clients_wlan0="3", clients_eth9="8")
    values[extend("interfaces", TEXT)] = b'"wlan0,wl-5G\n"'
    assert [radio.name for radio in read(values).radios] == ["wlan0"]


def test_without_scripts_there_are_no_radios_and_no_made_up_zero():
    reading = read({})
    assert reading.radios == ()
    assert reading.clients is None


@pytest.mark.parametrize(
    ("field", "name", "text"),
    [
        ("clients", "clients-wlan0", "-1"),
        ("clients", "clients-wlan0", "no such device"),
        ("clients", "clients-wlan0", ""),
        ("noise_dbm", "noise-floor-wlan0", "40"),
        ("noise_dbm", "noise-floor-wlan0", "unknown"),
        ("utilization_pct", "utilization-wlan0", "255"),
        ("tx_power_dbm", "txpower-wlan0", "9999"),
        ("channel", "frequency-wlan0", "17"),
    ],
)
def test_a_value_that_cannot_be_is_none(field, name, text):
    values = {extend("frequency-wlan0"): b"5180", extend(name): text.encode()}
    (radio,) = read(values).radios
    assert getattr(radio, field) is None


@pytest.mark.parametrize(
    ("mhz", "expected"),
    [(2412, (1, "2.4")), (2462, (11, "2.4")), (2484, (14, "2.4")), (5180, (36, "5")),
     (5785, (157, "5")), (5955, (1, "6")), (7115, (233, "6")), (900, (None, "")),
     (2400, (None, "")), (0, (None, ""))],
)  # fmt: skip
def test_channels_of_frequencies(mhz, expected):
    assert channel_of(mhz) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(5, 5), (b"-90", -90), (b' "12" ', 12), (b"20.00 dBm", 20.0), (b"7\n", 7), (b"", None),
     (b"abc", None), (b"12abc", None), (b"1.2.3", None), (None, None), ((1, 3), None),
     (b"\xff\xfe", None)],
)  # fmt: skip
def test_numbers_out_of_what_scripts_print(raw, expected):
    assert number_of(raw) == expected


def interface_table(*rows):
    columns = PROFILES["generic"].tables["interfaces"]
    return {
        (*columns[column], index): value
        for index, row in enumerate(rows, 1)
        for column, value in row.items()
    }


def port(name, kind=6, status=1, rx=1, tx=2):
    return {"name": name.encode(), "type": kind, "status": status, "rx64": rx, "tx64": tx}


def test_the_uplink_is_where_the_management_address_is():
    values = interface_table(port("lo", 24), port("eth0"), port("mgmt7"))
    values[oid_of("1.3.6.1.2.1.4.20.1.2.192.0.2.7")] = 3
    kept = read(values, "generic", "192.0.2.7").interfaces
    assert [(one.name, one.role) for one in kept] == [("mgmt7", "uplink")]


def test_the_loopback_is_never_the_uplink():
    values = interface_table(port("lo", 24), port("eth0", status=2), port("eth1"))
    values[oid_of("1.3.6.1.2.1.4.20.1.2.127.0.0.1")] = 1
    assert [one.name for one in read(values, "generic").interfaces] == ["eth1"]


def test_counters_of_32_bits_are_used_where_there_are_no_others():
    row = {"description": b"eth0", "type": 6, "rx32": 7, "tx32": 8}
    (kept,) = read(interface_table(row), "generic").interfaces
    assert (kept.name, kept.rx_bytes_total, kept.tx_bytes_total, kept.bits) == ("eth0", 7, 8, 32)


def test_wifi_is_kept_by_type_or_name():
    values = interface_table(port("eth0"), port("air", 71), port("wlan0"), port("gre0", 131))
    kept = {one.name: one.role for one in read(values, "generic").interfaces}
    assert kept == {"eth0": "uplink", "air": "radio", "wlan0": "radio"}


def test_uptime_falls_back_to_the_agent_s():
    ticks = {oid_of("1.3.6.1.2.1.1.3.0"): 4200}
    assert read(ticks).uptime_s == 42.0
    assert read({**ticks, oid_of("1.3.6.1.2.1.25.1.1.0"): 990_000}).uptime_s == 9900.0


def test_memory_comes_from_ucd_where_there_is_no_storage_table():
    memory = oid_of("1.3.6.1.4.1.2021.4")
    values = {(*memory, 5, 0): 1000, (*memory, 6, 0): 500, (*memory, 15, 0): 100}
    assert read(values).mem_pct == 40.0
    assert read({(*memory, 5, 0): 1000}).mem_pct is None


raw = st.one_of(st.integers(), st.binary(max_size=80), st.lists(st.integers(0, 9)).map(tuple))


@given(st.sampled_from(sorted(PROFILES)), st.data())
def test_no_answer_raises_or_leaves_the_limits(name, data):
    profile = PROFILES[name]
    known = [*profile.question.scalars, *(c for table in profile.question.tables for c in table)]
    index = st.lists(st.integers(0, 130), max_size=20).map(tuple)
    oids = st.tuples(st.sampled_from(known), index).map(lambda pair: pair[0] + pair[1])
    named = st.sampled_from(["clients", "frequency", "noise-floor", "ssid"]).map(
        lambda one: extend(f"{one}-wlan0")
    )
    values = data.draw(st.dictionaries(oids | st.sampled_from(known) | named, raw, max_size=30))
    reading = read(values, name)
    things = [reading, *reading.radios]
    for thing in things:
        for field, (low, high) in LIMITS.items():
            value = getattr(thing, field, None)
            if value is not None and thing is not reading:
                assert low <= value <= high
                assert math.isfinite(value)
    for named_thing in (*reading.radios, *reading.ssids, *reading.interfaces):
        assert named_thing.name.isprintable()
        assert 0 < len(named_thing.name) <= 64
