"""The batches of a poll have the shape that the store's schema fixes."""

from __future__ import annotations

from dataclasses import replace

from collectors.snmp.counters import Difference
from collectors.snmp.memory import Past
from collectors.snmp.model import DeviceReading, InterfaceReading, RadioReading, SsidReading
from collectors.snmp.outcome import Outcome
from collectors.snmp.series import PollFigures, batches
from timeseries.base import SCHEMA

FIGURES = PollFigures(2, 1, 1, 0, 1.5, 0.2)
ALIVE = Outcome(
    DeviceReading(
        "ap-b", True, 3.5, uptime_s=90.0, agent_uptime_s=80.0, clients=7, cpu_pct=2.0, mem_pct=40.0,
        radios=(RadioReading("wlan0", "5", 7, 36, 12.0, -95.0, 20.0),),
        ssids=(SsidReading("City Free", 7),),
        interfaces=(
            InterfaceReading("eth0", "uplink", 1000, 500),
            InterfaceReading("wlan0", "radio", 10, 5),
        ),
    ),
    "up", 2, {"eth0": Difference(100, 50, 60.0)}, Past(),
)  # fmt: skip
DEAD = Outcome(DeviceReading("ap-a", False, error="no answer"), "down", 0, {}, Past())


def made():
    return {batch.measurement: batch for batch in batches([ALIVE, DEAD], FIGURES, 42, "noc")}


def test_every_batch_has_the_tags_of_the_schema_and_fields_of_its_types():
    for name, batch in made().items():
        shape = SCHEMA[name]
        assert set(batch.tags) == set(shape.tags)
        assert set(batch.fields) <= set(shape.fields)
        assert all(set(values) != {None} for values in batch.fields.values())
        for column in (*batch.tags.values(), *batch.fields.values()):
            assert len(column) == len(batch.times)
        for field, values in batch.fields.items():
            kind = shape.fields[field]
            assert all(value is None or type(value) is kind for value in values)


def test_one_poll_has_one_timestamp():
    assert {time for batch in made().values() for time in batch.times} == {42}


def test_a_dead_device_is_told_and_has_no_values():
    device = made()["device"]
    assert device.tags["device"] == ["ap-a", "ap-b"]
    row = {name: values[0] for name, values in device.fields.items()}
    assert row == {
        "answered": False, "state": "down", "reboots": 0, "rtt_ms": None, "uptime_s": None,
        "agent_uptime_s": None, "clients": None, "cpu_pct": None, "mem_pct": None,
    }  # fmt: skip


def test_raw_counters_stand_also_where_a_difference_does_not():
    interface = made()["interface"]
    assert interface.tags["interface"] == ["eth0", "wlan0"]
    assert interface.fields["rx_bytes_total"] == [1000, 10]
    assert interface.fields["rx_bytes"] == [100, None]
    assert interface.fields["interval_s"] == [60.0, None]


def test_a_city_that_is_silent_has_only_devices_and_the_poll():
    found = {batch.measurement for batch in batches([DEAD], FIGURES, 42, "noc")}
    assert found == {"device", "poll"}


def test_an_ssid_of_hostile_bytes_does_not_make_a_store_refuse_the_poll(home):
    from farola.settings import Settings
    from timeseries import open_store

    hostile = replace(ALIVE.reading, ssids=(SsidReading("two\nlines\\", 1),))
    home.mkdir()
    store = open_store(Settings(home))
    store.write(batches([ALIVE._replace(reading=hostile)], FIGURES, 42, "noc"))
    assert store.latest("ssid").tags["ssid"] == ["two\\x0alines\\x5c"]
    store.close()
