"""Recordings of real devices, replayed over UDP, read as another system reads them: every one of
its figures of clients, channels, utilization, noise, power and access points is also ours.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from collectors.snmp.memory import Past
from collectors.snmp.model import DeviceReading, Target
from collectors.snmp.outcome import Outcome
from collectors.snmp.probe import read_one
from collectors.snmp.series import PollFigures, batches
from collectors.snmp.sweep import SweepPoller
from collectors.snmp.values import channel_of
from timeseries.tags import masked

pytestmark = [pytest.mark.service, pytest.mark.realdata]

FAMILIES = {
    "airos": "airos", "aruba-instant": "aruba-instant", "ciscowlc_cbw240ac": "cisco-wlc",
    "openwrt": "openwrt", "routeros": "routeros", "unifi_nanohd": "unifi",
}  # fmt: skip
NOT_OURS = {
    "power": ("-rx",),  # the level at which a station is heard
    "utilization": ("-rx", "-tx", "-other"),  # shares of what we give in all
}
"""Sensors by class and the end of their type that say something else than our field."""


@pytest.fixture(scope="session")
def read(replay: int):
    """The reading of a recording by its name, made once."""
    made: dict[str, DeviceReading] = {}

    def one(recording: str) -> DeviceReading:
        if recording not in made:
            target = Target(recording, "127.0.0.1", replay, recording, timeout_s=5)
            made[recording] = asyncio.run(read_one(SweepPoller(), target))
        return made[recording]

    return one


@pytest.fixture(scope="session")
def beside(testdata: Path):
    """What the other system reads from a recording."""

    def read_json(recording: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((testdata / "snmprec" / f"{recording}.json").read_text())
        return data

    return read_json


def sensors(data: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Descriptions and values by class. A frequency becomes channel and band; 0 MHz is none."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for row in data["wireless"]["discovery"]["wireless_sensors"]:
        kind, value = row["sensor_class"], row["sensor_current"]
        if value is None or row["sensor_type"].endswith(NOT_OURS.get(kind, ("no such type",))):
            continue
        if kind == "frequency":
            if not value:
                continue
            value = channel_of(value)
        found.setdefault(kind, []).append((row["sensor_descr"], value))
    return found


def figures(reading: DeviceReading) -> dict[str, list[Any]]:
    """All that a reading says, by the other system's classes."""
    aps = reading.access_points
    radios = [*reading.radios, *(radio for one in aps for radio in one.radios)]
    things = [reading, *radios, *reading.ssids]
    return {
        "ap-count": [len(aps)],
        "channel": [radio.channel for radio in radios],
        "clients": [thing.clients for thing in things],
        "frequency": [(radio.channel, radio.band) for radio in radios],
        "noise-floor": [radio.noise_dbm for radio in radios],
        "power": [radio.tx_power_dbm for radio in radios],
        "utilization": [radio.utilization_pct for radio in radios],
    }


def lacking(reading: DeviceReading, data: dict[str, Any]) -> dict[str, Counter[Any]]:
    """Figures of theirs that are not ours, by class."""
    ours, theirs = figures(reading), sensors(data)
    missing = {
        kind: Counter(value for _, value in theirs[kind]) - Counter(ours[kind])
        for kind in set(ours) & set(theirs)
    }
    return {kind: counted for kind, counted in missing.items() if counted}


@pytest.mark.parametrize("recording", FAMILIES)
def test_every_figure_beside_the_recording_is_ours_too(read, beside, recording):
    reading, data = read(recording), beside(recording)
    assert reading.family == FAMILIES[recording]
    assert not reading.error
    assert "clients" in sensors(data)
    assert lacking(reading, data) == {}


def test_further_recordings_in_the_folder_agree_as_well(read, beside, testdata):
    """Whoever adds recordings, with or without figures beside them, needs no test of his own."""
    for path in sorted((testdata / "snmprec").glob("*.snmprec")):
        reading = read(path.stem)
        assert reading.answered, path.name
        if path.with_suffix(".json").exists():
            data = beside(path.stem)
            if isinstance(data.get("wireless"), dict):
                assert lacking(reading, data) == {}, path.name


@pytest.mark.parametrize("recording", FAMILIES)
def test_what_is_named_beside_the_recording_has_that_name_here(read, beside, recording):
    """Networks by their SSID, radios of access points by its serial number and their number."""
    reading, named = read(recording), 0
    clients = {f"SSID: {one.name}": one.clients for one in reading.ssids}
    clients |= {f"SSID {one.name} Clients": one.clients for one in reading.ssids}
    ours = {"clients": clients, "frequency": {}, "noise-floor": {}, "power": {}, "utilization": {}}
    for one in reading.access_points:
        for radio in one.radios:
            name = f"{one.serial} Radio {radio.name}"
            ours["clients"][name] = radio.clients
            ours["frequency"][name] = (radio.channel, radio.band)
            ours["noise-floor"][name] = radio.noise_dbm
            ours["power"][f"{name}: Tx Power"] = radio.tx_power_dbm
            ours["utilization"][name] = radio.utilization_pct
    theirs = sensors(beside(recording))
    # Two networks of one SSID are one of ours: together they have its clients.
    together: dict[str, int] = {}
    for description, value in theirs["clients"]:
        together[description] = together.get(description, 0) + value
    theirs["clients"] = list(together.items())
    for kind, known in ours.items():
        for description, value in theirs.get(kind, ()):
            if description in known:
                assert known[description] == value, f"{kind} of {description}"
                named += 1
    assert named or recording in {"airos", "openwrt"}


@pytest.mark.parametrize("recording", FAMILIES)
def test_processor_and_memory_are_those_beside_the_recording(read, beside, recording):
    reading, data = read(recording), beside(recording)
    if recording == "aruba-instant":  # it tells of each access point, not of itself
        assert (reading.cpu_pct, reading.mem_pct) == (None, None)
        return
    usage = [row["processor_usage"] for row in data["processors"]["discovery"]["processors"]]
    assert reading.cpu_pct == pytest.approx(sum(usage) / len(usage), abs=0.5)
    pools = data.get("mempools", {}).get("discovery", {}).get("mempools", [])
    ram = [p for p in pools if p["mempool_descr"] in {"Memory", "main memory", "Physical memory"}]
    assert (reading.mem_pct is None) == (not ram)
    for pool in ram:
        expected = 100 * pool["mempool_used"] / pool["mempool_total"]
        assert reading.mem_pct == pytest.approx(expected, abs=0.01)


def test_openwrt_radios_have_their_own_figures(read, beside):
    reading, theirs = read("openwrt"), sensors(beside("openwrt"))
    radios = {radio.name: radio for radio in reading.radios}
    assert set(radios) == {"wlan0", "wlan1"}
    for name, label in (("wlan0", "wl-5G"), ("wlan1", "wl-2.4G")):
        radio = radios[name]
        assert radio.clients == dict(theirs["clients"])[label]
        assert radio.noise_dbm == dict(theirs["noise-floor"])[label]
        assert (radio.channel, radio.band) == dict(theirs["frequency"])[label]
    assert reading.clients == dict(theirs["clients"])["wlan"]
    assert reading.uptime_s == 38347746.01
    assert reading.agent_uptime_s is None  # the recording has no clock of the agent


def test_unifi_radios_have_their_own_figures(read, beside):
    reading, theirs = read("unifi_nanohd"), sensors(beside("unifi_nanohd"))
    radios = {radio.name: radio for radio in reading.radios}
    assert set(radios) == {"ng", "na"}
    for name, radio in radios.items():
        assert radio.clients == dict(theirs["clients"])[f"Clients ({name})"]
        assert radio.utilization_pct == dict(theirs["utilization"])[f"Total Util ({name})"]
        assert radio.tx_power_dbm == dict(theirs["power"])[f"Tx Power ({name})"]
        assert (radio.channel, radio.band) == dict(theirs["frequency"])[f"Frequency ({name})"]
    assert {ssid.name for ssid in reading.ssids} == {"homewifi_ac", "vwire-d4aebb3212a82cd8"}
    assert (reading.uptime_s, reading.agent_uptime_s) == (545079.21, 545023.47)


def test_a_controller_tells_of_its_access_points(read):
    instant = {one.name: one for one in read("aruba-instant").access_points}
    one = instant["instant-ap-src-1"]
    assert (one.key, one.serial, one.model) == ("70:3a:0e:c9:c2:46", "CNBJHMV0WN", "225")
    assert (one.address, one.up, one.uptime_s) == ("10.128.0.11", True, 865_175.0)
    assert [(r.name, r.band, r.channel) for r in one.radios] == [("0", "5", 116), ("1", "2.4", 6)]
    six = instant["ECA-Ultimo-L11-AP06"].radios[2]
    assert (six.band, six.channel) == ("6", 53)  # which the other system gives as no frequency
    wireless = read("ciscowlc_cbw240ac")
    assert [one.name for one in wireless.access_points] == ["ap1", "ap2", "ap3", "ap4"]
    assert [one.clients for one in wireless.access_points] == [1, 8, 9, 5]
    assert wireless.clients == sum(one.clients for one in wireless.access_points) == 23
    assert wireless.radios == ()


def test_only_the_uplink_and_radios_in_use_are_kept_with_64_bit_counters(read, beside):
    reading = read("unifi_nanohd")
    roles = {interface.name: interface.role for interface in reading.interfaces}
    assert roles == {
        "eth0": "uplink", "ra0": "radio", "rai0": "radio", "ra1": "radio", "rai1": "radio",
    }  # fmt: skip
    ports = {port["ifName"]: port for port in beside("unifi_nanohd")["ports"]["poller"]["ports"]}
    for interface in reading.interfaces:
        assert interface.rx_bytes_total == ports[interface.name]["ifInOctets"]
        assert interface.tx_bytes_total == ports[interface.name]["ifOutOctets"]
        assert interface.bits == 64


def test_probe_prints_the_keys_of_the_contract(run, replay):
    done = run("snmp", "probe", f"127.0.0.1:{replay}", "--community", "unifi_nanohd", "--json")
    printed = json.loads(done.stdout)
    assert {
        "family", "profile", "sys_name", "uptime_s", "clients", "radios", "ssids", "access_points",
    } <= set(printed)  # fmt: skip
    assert printed["clients"] == 18
    assert printed["radios"][0] == {
        "name": "ng", "band": "2.4", "channel": 6, "clients": 4, "utilization_pct": 0.0,
        "noise_dbm": None, "tx_power_dbm": 23.0,
    }  # fmt: skip
    assert {"name": "homewifi_ac", "clients": 18} in printed["ssids"]
    assert printed["access_points"] == []


def test_probe_prints_a_controller_s_access_points(run, replay):
    done = run("snmp", "probe", f"127.0.0.1:{replay}", "--community", "ciscowlc_cbw240ac", "--json")
    printed = json.loads(done.stdout)
    assert (printed["clients"], printed["radios"]) == (23, [])
    second = printed["access_points"][1]
    assert set(second) == {
        "key", "name", "mac", "serial", "model", "address", "up", "uptime_s", "clients", "radios",
        "ssids",
    }  # fmt: skip
    assert (second["key"], second["name"], second["clients"]) == ("a0:0f:37:1a:08:80", "ap2", 8)
    assert second["radios"][1] == {
        "name": "1", "band": "5", "channel": 36, "clients": 5, "utilization_pct": 7.0,
        "noise_dbm": None, "tx_power_dbm": None,
    }  # fmt: skip


@pytest.mark.parametrize("recording", FAMILIES)
def test_tags_of_a_real_device_are_few_and_as_it_calls_its_parts(recording, read):
    reading = read(recording)
    outcome = Outcome(reading, "up", 0, {}, Past())
    written = {
        one.measurement: one
        for one in batches([outcome], PollFigures(1, 1, 0, 0, 1.0, 0.1), 1_000, "noc")
    }
    for measurement, things in (
        ("radio", reading.radios), ("ssid", reading.ssids), ("interface", reading.interfaces)
    ):  # fmt: skip
        tags = written[measurement].tags[measurement] if things else []
        names = [one.name for one in things]
        assert list(tags) == [masked(name) for name in names]
        assert len(set(tags)) == len(set(names)) == len(tags)
        # UniFi's own mesh network ends in sixteen hexadecimal digits.
        loses = [name for name in names if masked(name) != name]
        assert len(loses) == (measurement == "ssid" and recording == "unifi_nanohd")
