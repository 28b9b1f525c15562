"""Recordings of real devices, replayed over UDP, read as another system reads them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from collectors.snmp.decode import channel_of
from collectors.snmp.model import DeviceReading, Target
from collectors.snmp.probe import read_one
from collectors.snmp.sweep import SweepPoller

pytestmark = [pytest.mark.service, pytest.mark.realdata]


@pytest.fixture
def read(replay: int):
    def one(recording: str) -> DeviceReading:
        target = Target(recording, "127.0.0.1", replay, recording, timeout_s=5)
        return asyncio.run(read_one(SweepPoller(), target))

    return one


@pytest.fixture
def expected(testdata: Path):
    """Sensors of a recording by class: {class: {description: value}}."""

    def sensors(recording: str) -> dict[str, dict[str, float]]:
        data = json.loads((testdata / "snmprec" / f"{recording}.json").read_text())
        found: dict[str, dict[str, float]] = {}
        for row in data["wireless"]["discovery"]["wireless_sensors"]:
            found.setdefault(row["sensor_class"], {})[row["sensor_descr"]] = row["sensor_current"]
        return found

    return sensors


def memory_percent(testdata: Path, recording: str, description: str) -> float:
    data = json.loads((testdata / "snmprec" / f"{recording}.json").read_text())
    for pool in data["mempools"]["discovery"]["mempools"]:
        if pool["mempool_descr"] == description:
            return 100 * pool["mempool_used"] / pool["mempool_total"]
    raise AssertionError(description)


def test_openwrt_radios_equal_the_values_beside_the_recording(read, expected, testdata):
    reading, sensors = read("openwrt"), expected("openwrt")
    assert reading.family == "openwrt"
    radios = {radio.name: radio for radio in reading.radios}
    assert set(radios) == {"wlan0", "wlan1"}
    for name, label in (("wlan0", "wl-5G"), ("wlan1", "wl-2.4G")):
        radio = radios[name]
        assert radio.clients == sensors["clients"][label]
        assert radio.noise_dbm == sensors["noise-floor"][label]
        assert (radio.channel, radio.band) == channel_of(sensors["frequency"][label])
    assert reading.clients == sensors["clients"]["wlan"]
    assert [radio.band for radio in radios.values()] == ["5", "2.4"]
    assert reading.uptime_s == 38347746.01
    assert reading.agent_uptime_s is None  # the recording has no clock of the agent
    assert reading.cpu_pct == 2.5
    assert reading.mem_pct == pytest.approx(memory_percent(testdata, "openwrt", "Physical memory"))


def test_unifi_radios_and_networks_equal_the_values_beside_the_recording(read, expected, testdata):
    reading, sensors = read("unifi_nanohd"), expected("unifi_nanohd")
    assert reading.family == "unifi"
    radios = {radio.name: radio for radio in reading.radios}
    assert set(radios) == {"ng", "na"}
    for name, radio in radios.items():
        assert radio.clients == sensors["clients"][f"Clients ({name})"]
        assert radio.utilization_pct == sensors["utilization"][f"Total Util ({name})"]
        assert radio.tx_power_dbm == sensors["power"][f"Tx Power ({name})"]
        mhz = sensors["frequency"][f"Frequency ({name})"]
        assert (radio.channel, radio.band) == channel_of(mhz)
    for ssid in reading.ssids:
        assert ssid.clients == sensors["clients"][f"SSID: {ssid.name}"]
    assert {ssid.name for ssid in reading.ssids} == {"homewifi_ac", "vwire-d4aebb3212a82cd8"}
    assert reading.mem_pct == pytest.approx(memory_percent(testdata, "unifi_nanohd", "Memory"))
    assert reading.uptime_s == 545079.21
    assert reading.agent_uptime_s == 545023.47


def test_only_the_uplink_and_radios_in_use_are_kept_with_64_bit_counters(read, testdata):
    reading = read("unifi_nanohd")
    roles = {interface.name: interface.role for interface in reading.interfaces}
    assert roles == {
        "eth0": "uplink", "ra0": "radio", "rai0": "radio", "ra1": "radio", "rai1": "radio",
    }  # fmt: skip
    data = json.loads((testdata / "snmprec" / "unifi_nanohd.json").read_text())
    ports = {port["ifName"]: port for port in data["ports"]["poller"]["ports"]}
    for interface in reading.interfaces:
        assert interface.rx_bytes_total == ports[interface.name]["ifInOctets"]
        assert interface.tx_bytes_total == ports[interface.name]["ifOutOctets"]
        assert interface.bits == 64


@pytest.mark.parametrize("recording", ["airos", "aruba-instant", "ciscowlc_cbw240ac", "routeros"])
def test_a_family_without_a_profile_of_its_own_is_read_as_a_generic_agent(read, recording):
    reading = read(recording)
    assert reading.answered
    assert reading.family == "generic"
    assert reading.radios == ()


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
