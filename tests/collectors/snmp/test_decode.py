"""What devices say becomes readings; what makes no sense becomes None."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.book import oid_of, packaged
from collectors.snmp.decode import decode
from collectors.snmp.fields import LIMITS
from collectors.snmp.model import Reply, Target
from collectors.snmp.profile import IDENTITY, compile_profile
from collectors.snmp.values import channel_of

LINE, TEXT = oid_of("1.3.6.1.4.1.8072.1.3.2.3.1.1"), oid_of("1.3.6.1.4.1.8072.1.3.2.3.1.2")
PROFILES = {profile.name: profile for profile in packaged().profiles}
LAMP = oid_of("1.3.6.1.4.1.99999")


def extend(name: str, column=LINE):
    return (*column, len(name), *name.encode())


@pytest.fixture
def read(said):
    def reading(values, profile="openwrt", address_index=None, without=None):
        known = PROFILES[profile] if isinstance(profile, str) else profile
        if without is not None:
            known = known.variant(frozenset(without))
        return decode(Target("ap", "192.0.2.7"), known, said(known.question, values), address_index)

    return reading


def scripts(**values: str):
    return {extend(name.replace("_", "-")): value.encode() for name, value in values.items()}


def lamp(**sections):
    """A family of our own, of the sections that a test is about."""
    return compile_profile(
        "lamp",
        {"family": "lamp", "title": "Lamp", "match": {"sys_object_id": ["1.3.6.1.4.1.99999"]},
         **sections},
    )  # fmt: skip


def column(number: int) -> str:
    return ".".join(map(str, (*LAMP, 1, 1, number)))


def cells(number: int, **rows):
    """Cells of a column: `i1_2=5` is 5 in the row 1.2."""
    return {
        (*LAMP, 1, 1, number, *map(int, name[1:].split("_"))): value for name, value in rows.items()
    }


def test_scripts_report_radios_and_networks(read):
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


def test_the_listing_tells_which_rows_are_radios(read):
    values = scripts(clients_wlan="3", clients_wlan0="3", clients_eth9="8")
    values[extend("interfaces", TEXT)] = b'"wlan0,wl-5G\n"'
    assert [radio.name for radio in read(values).radios] == ["wlan0"]


def test_without_scripts_there_are_no_radios_and_no_made_up_zero(read):
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
def test_a_value_that_cannot_be_is_none(read, field, name, text):
    values = {extend("frequency-wlan0"): b"5180", extend(name): text.encode()}
    (radio,) = read(values).radios
    assert getattr(radio, field) is None


def interface_table(*rows):
    told = PROFILES["generic"].data["tables"]["interfaces"]
    columns = {name: oid_of(oid) for name, oid in told.items()}
    return {
        (*columns[name], index): value
        for index, row in enumerate(rows, 1)
        for name, value in row.items()
    }


def port(name, kind=6, status=1, rx=1, tx=2):
    return {"name": name.encode(), "type": kind, "status": status, "rx64": rx, "tx64": tx}


def test_the_uplink_is_where_the_management_address_is(read):
    values = interface_table(port("lo", 24), port("eth0"), port("mgmt7"))
    kept = read(values, "generic", address_index=3).interfaces
    assert [(one.name, one.role) for one in kept] == [("mgmt7", "uplink")]


def test_the_loopback_is_never_the_uplink(read):
    values = interface_table(port("lo", 24), port("eth0", status=2), port("eth1"))
    kept = read(values, "generic", address_index=1).interfaces
    assert [one.name for one in kept] == ["eth1"]


def test_32_bit_counters_and_descriptions_are_what_a_variant_asks_for(read):
    row = {"description": b"eth0", "type": 6, "rx32": 7, "tx32": 8}
    values = interface_table(row)
    assert read(values, "generic").interfaces == ()
    (kept,) = read(values, "generic", without=["interfaces.rx64", "interfaces.tx64"]).interfaces
    assert (kept.name, kept.rx_bytes_total, kept.tx_bytes_total, kept.bits) == ("eth0", 7, 8, 32)


def test_wifi_is_kept_by_type_or_name_and_each_name_once(read):
    values = interface_table(
        port("eth0"), port("air", 71), port("wlan0"), port("gre0", 131), port("wlan0", rx=9)
    )
    kept = {one.name: (one.role, one.rx_bytes_total) for one in read(values, "generic").interfaces}
    assert kept == {"eth0": ("uplink", 1), "air": ("radio", 1), "wlan0": ("radio", 1)}


def test_columns_with_holes_keep_their_rows_apart(read):
    values = interface_table(port("eth0", rx=5), port("wlan0", rx=6), port("wlan1", rx=7))
    columns = PROFILES["generic"].data["tables"]["interfaces"]
    del values[(*oid_of(columns["type"]), 1)]
    del values[(*oid_of(columns["status"]), 2)]
    kept = {one.name: one.rx_bytes_total for one in read(values, "generic").interfaces}
    assert kept == {"eth0": 5, "wlan0": 6, "wlan1": 7}


def test_uptime_falls_back_to_the_agent_s(read):
    ticks = {oid_of("1.3.6.1.2.1.1.3.0"): 4200}
    assert read(ticks).uptime_s == 42.0
    assert read({**ticks, oid_of("1.3.6.1.2.1.25.1.1.0"): 990_000}).uptime_s == 9900.0


def test_memory_comes_from_ucd_where_there_is_no_storage_table(read):
    memory = oid_of("1.3.6.1.4.1.2021.4")
    values = {(*memory, 5, 0): 1000, (*memory, 6, 0): 500, (*memory, 15, 0): 100}
    assert read(values).mem_pct == 40.0
    assert read({(*memory, 5, 0): 1000}).mem_pct is None


def test_an_airos_station_has_no_clients_of_its_own(read):
    airmax = oid_of("1.3.6.1.4.1.41112.1.4")
    values = {(*airmax, 1, 1, 4, 1): 5745, (*airmax, 5, 1, 15, 1): 1}
    assert read({**values, (*airmax, 1, 1, 2, 1): 2}, "airos").radios[0].clients == 1
    assert read({**values, (*airmax, 1, 1, 2, 1): 1}, "airos").radios[0].clients is None


def test_stations_are_counted_by_radio_without_being_kept(read):
    profile = lamp(
        tables={
            "radio": {"index": {"radio": 1}, "frequency": column(2)},
            "station": {"index": {"radio": 1, "mac": 6}, "signal": column(3)},
        },
        radios=[
            {"table": "radio", "key": "radio", "fields": {
                "frequency_mhz": {"column": "frequency", "scale": 0.001},
                "clients": {"from": "station", "count": "rows", "by": "radio"},
            }},
        ],
    )  # fmt: skip
    values = {
        **cells(2, i1=2_412_000, i2=5_180_000),
        **cells(3, i1_10_0_0_0_0_1=-60, i1_10_0_0_0_0_2=-61),
    }
    reading = read(values, profile)
    assert [(r.name, r.channel, r.clients) for r in reading.radios] == [("1", 1, 2), ("2", 36, 0)]
    assert reading.clients == 2
    assert "0a:00" not in repr(reading)


CONTROLLER = {
    "tables": {
        "ap": {"index": {"ap": 6}, "name": column(2), "status": column(3), "uptime": column(4)},
        "radio": {"index": {"ap": 6, "slot": 1}, "channel": column(5), "clients": column(6)},
        "bss": {"index": {"ap": 6, "slot": 1, "ssid": "counted"}, "clients": column(7)},
    },
    "access_points": [
        {
            "table": "ap",
            "fields": {
                "mac": {"column": "ap"}, "name": {"column": "name"},
                "up": {"column": "status", "map": {1: True, "*": False}},
                "uptime_s": {"column": "uptime", "to": "seconds"},
            },
            "radios": [
                {"table": "radio", "access_point": "ap", "key": "slot", "fields": {
                    "channel": {"column": "channel", "extract": r"\d+", "mask": 255},
                    "band": {"column": "channel", "extract": r"\d+", "mask": 255, "to": "band"},
                    "clients": {"column": "clients"},
                }},
            ],
            "ssids": [
                {"table": "bss", "access_point": "ap", "key": "ssid",
                 "fields": {"clients": {"column": "clients"}}},
            ],
        }
    ],
}  # fmt: skip


def test_a_controller_s_access_points_have_their_radios_and_networks(read):
    values = {
        **cells(2, i2_0_0_0_0_1=b"plaza norte", i2_0_0_0_0_2=b"mercado"),
        **cells(3, i2_0_0_0_0_1=1, i2_0_0_0_0_2=4),
        **cells(4, i2_0_0_0_0_1=b"3 days, 01:00:00", i2_0_0_0_0_2=b"soon"),
        **cells(5, i2_0_0_0_0_1_0=b"116E", i2_0_0_0_0_1_1=388, i2_0_0_0_0_9_0=1),
        **cells(6, i2_0_0_0_0_1_0=3, i2_0_0_0_0_1_1=4, i2_0_0_0_0_9_0=50),
        **cells(7, i2_0_0_0_0_1_0_4_99_105_116_121=2, i2_0_0_0_0_1_1_4_99_105_116_121=5),
    }
    first, second = read(values, lamp(**CONTROLLER)).access_points
    assert (first.key, first.name, first.up) == ("02:00:00:00:00:01", "plaza norte", True)
    assert first.uptime_s == 262_800.0
    assert [(r.name, r.channel, r.band, r.clients) for r in first.radios] == [
        ("0", 116, "5", 3), ("1", 132, "5", 4),
    ]  # fmt: skip
    assert [(s.name, s.clients) for s in first.ssids] == [("city", 7)]
    assert first.clients == 7
    assert (second.up, second.uptime_s, second.clients, second.radios) == (False, None, None, ())


def test_a_table_that_broke_off_makes_no_sum_of_what_is_left(read):
    profile = lamp(**CONTROLLER)
    tables = [None if name == "radio" else [{} for _ in columns]
              for name, columns in profile.tables.items()]  # fmt: skip
    ap = list(profile.tables).index("ap")
    tables[ap] = [{(2, 0, 0, 0, 0, 1): b"plaza"}] * len(profile.tables["ap"])
    reading = decode(Target("wlc", "192.0.2.1"), profile, Reply([None] * 4, tables, "broke off"))
    (one,) = reading.access_points
    assert (one.name, one.clients, one.radios) == ("plaza", None, ())
    assert reading.clients is None
    assert reading.error == "broke off"


def test_access_points_of_one_name_stay_apart(read):
    named = {**CONTROLLER["access_points"][0], "fields": {"name": {"column": "name"}}}
    profile = lamp(tables=CONTROLLER["tables"], access_points=[named])
    values = cells(2, i2_0_0_0_0_1=b"ap", i2_0_0_0_0_2=b"ap")
    keys = [one.key for one in read(values, profile).access_points]
    assert len(set(keys)) == 2
    assert keys[0] == "ap"


def test_alternatives_sums_and_conditions(read):
    def scalar(number):
        return {"oid": f"1.3.6.1.4.1.99999.{number}.0"}

    profile = lamp(
        device={
            "cpu_pct": [{**scalar(1), "unknown": [255]}, {**scalar(2), "offset": 100, "scale": -1}],
            "mem_pct": {"percent": {"total": scalar(3), "free": {"sum": [scalar(4), scalar(5)]}}},
            "clients": {**scalar(6), "when": {"value": scalar(7), "is": {"matches": "^ap"}}},
        }
    )

    def values(**told):
        return {(*LAMP, int(name[1:]), 0): value for name, value in told.items()}

    reading = read(values(v1=255, v2=30, v3=200, v4=40, v5=10, v6=5, v7=b"ap bridge"), profile)
    assert (reading.cpu_pct, reading.mem_pct, reading.clients) == (70.0, 75.0, 5)
    reading = read(values(v1=20, v2=30, v3=0, v4=40, v6=5, v7=b"station"), profile)
    assert (reading.cpu_pct, reading.mem_pct, reading.clients) == (20.0, None, None)


def test_a_radio_made_of_scalars_exists_only_if_the_device_speaks_of_it(read):
    profile = lamp(
        radios=[
            {"key": {"value": "radio0"}, "fields": {
                "band": {"value": "5"}, "channel": {"oid": "1.3.6.1.4.1.99999.1.0"},
            }},
        ]
    )  # fmt: skip
    assert read({}, profile).radios == ()
    (radio,) = read({(*LAMP, 1, 0): 40}, profile).radios
    assert (radio.name, radio.band, radio.channel) == ("radio0", "5", 40)


raw = st.one_of(
    st.integers(), st.integers(-200, 9000), st.binary(max_size=80),
    st.sampled_from([b"6", b"5180", b"-91", b"ng", b"City", b"5ghz-ax", b"116E", b"wlan0"]),
    st.lists(st.integers(0, 9)).map(tuple),
)  # fmt: skip
indexes = st.one_of(
    st.just((1,)), st.just((2, 0, 0, 0, 0, 1)), st.just((2, 0, 0, 0, 0, 1, 0)),
    st.lists(st.integers(0, 300), max_size=20).map(tuple),
    st.sampled_from(["clients", "frequency", "noise-floor", "ssid"]).map(
        lambda one: extend(f"{one}-wlan0", ())
    ),
)  # fmt: skip


@given(st.sampled_from(sorted(PROFILES)), st.booleans(), st.data())
def test_no_answer_raises_or_leaves_the_limits(name, usual, data):
    profile = PROFILES[name] if usual else PROFILES[name].variant(frozenset())
    question = profile.question
    column = st.dictionaries(indexes, raw, max_size=4)
    reply = Reply(
        data.draw(st.lists(st.none() | raw, min_size=len(question.scalars),
                           max_size=len(question.scalars))),
        [data.draw(st.none() | st.lists(column, min_size=len(c), max_size=len(c)))
         for c in question.tables],
    )  # fmt: skip
    reading = decode(Target("ap", "192.0.2.7"), profile, reply, data.draw(st.none() | st.just(1)))
    profile.learned(reply, lambda one, told: decode(Target("ap", "192.0.2.7"), one, told))
    aps = reading.access_points
    radios = [*reading.radios, *(radio for one in aps for radio in one.radios)]
    ssids = [*reading.ssids, *(ssid for one in aps for ssid in one.ssids)]
    for thing in (reading, *radios, *ssids, *aps):
        for field, (low, high) in LIMITS.items():
            value = getattr(thing, field, None)
            if value is not None and (field != "clients" or thing not in (reading, *aps)):
                assert math.isfinite(value)
                assert low <= value <= high
    for thing in (*radios, *ssids, *reading.interfaces):
        assert thing.name.isprintable()
        assert 0 < len(thing.name) <= 64
    for radio in radios:
        assert radio.band == "" or float(radio.band) > 0
    assert len({one.key for one in aps}) == len(aps)
    assert len({one.name for one in reading.interfaces}) == len(reading.interfaces)


def test_every_question_begins_with_the_identity():
    for profile in PROFILES.values():
        assert profile.question.scalars[: len(IDENTITY)] == IDENTITY
        assert profile.question is profile.question
        assert all(profile.question.tables)


def test_channels_of_frequencies_are_those_of_the_reading(read):
    values = scripts(frequency_wlan0="5955")
    (radio,) = read(values).radios
    assert (radio.channel, radio.band) == channel_of(5955) == (1, "6")
