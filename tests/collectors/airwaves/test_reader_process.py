"""Captures are read by a process of their own, for scapy's licence keeps it apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.airwaves.capture import read_beacons
from farola.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
APART = {"ansible", "ansible_runner", "netjsonconfig", "napalm", "napalm_openwrt", "netmiko"}
"""Packages whose licence (GPL-3.0, Apache-2.0) does not mix with GPL-2.0-only, and their users."""


def python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_reader_imports_scapy_and_nothing_it_does_not_mix_with(
    tmp_path, make_beacon, pcap
) -> None:
    capture = pcap(tmp_path / "a.pcap", [make_beacon()])
    code = """
import json, runpy, sys
sys.argv = ["reader", sys.argv[1]]
try:
    runpy.run_module("collectors.airwaves.reader", run_name="__main__", alter_sys=True)
except SystemExit as stop:
    assert stop.code == 0, stop.code
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""
    done = python(code, capture)
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert "scapy" in modules
    assert not modules & APART
    rooms = modules & {"farola", "inventory", "provisioning", "timeseries", "web", "simulator"}
    assert not rooms, "the reader is lean: it needs no other room"
    assert json.loads(done.stdout.splitlines()[-1])["counts"]["beacons"] == 1


def test_the_parent_never_imports_scapy(tmp_path, make_beacon, pcap) -> None:
    capture = pcap(tmp_path / "a.pcap", [make_beacon()] * 3)
    code = """
import sys
from pathlib import Path
import collectors.airwaves.scan_commands
import collectors.airwaves.survey_commands
from collectors.airwaves.hearing import sightings
from inventory.importers.report import Report
path = Path(sys.argv[1])
assert len(list(sightings(path, Report("survey", path)))) == 3
assert not [name for name in sys.modules if name.split(".")[0] == "scapy"]
"""
    python(code, capture)


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_pcap_and_pcapng_say_the_same(tmp_path, make_beacon, pcap, pcapng, kind) -> None:
    frames = [make_beacon(signal=-50 - n) for n in range(12)] + [make_beacon(subtype=0x40)]
    path = {"pcap": pcap, "pcapng": pcapng}[kind](tmp_path / f"a.{kind}", frames)
    counts: dict[str, int] = {}
    beacons = list(read_beacons(path, counts))
    assert [b.rssi_dbm for b in beacons] == [-50 - n for n in range(12)]
    assert [b.at_us for b in beacons] == [1_700_000_000_000_000 + n * 100_000 for n in range(12)]
    assert counts == {"frames": 13, "beacons": 12, "other": 1}


def test_a_capture_without_radiotap_has_no_level(tmp_path, make_beacon, pcap) -> None:
    frame = make_beacon()
    path = pcap(tmp_path / "a.pcap", [frame[frame[2] :]], link=105)
    (beacon,) = read_beacons(path, {})
    assert (beacon.rssi_dbm, beacon.channel, beacon.band) == (None, 6, "2.4")


def test_a_capture_of_a_wire_is_refused_in_one_line(tmp_path, make_beacon, pcap) -> None:
    path = pcap(tmp_path / "wire.pcap", [make_beacon()], link=1)
    with pytest.raises(InputError, match=r"link type is 1, not Wi-Fi in monitor mode"):
        list(read_beacons(path, {}))


@pytest.mark.parametrize("content", [b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a\x00", b"\x1f\x8bxx"])
def test_a_damaged_head_is_refused_in_one_line(tmp_path, content: bytes) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a pcap or pcapng capture"):
        list(read_beacons(path, {}))


def test_a_capture_that_breaks_off_keeps_what_came_before(tmp_path, make_beacon, pcap) -> None:
    path = pcap(tmp_path / "a.pcap", [make_beacon()] * 5)
    path.write_bytes(path.read_bytes()[:-20])
    counts: dict[str, int] = {}
    assert len(list(read_beacons(path, counts))) == 4
    assert counts["truncated"] == 1


DAMAGE = """
import sys
from collections import Counter
from pathlib import Path
from collectors.airwaves.reader import beacons

whole, broken = Path(sys.argv[1]).read_bytes(), Path(sys.argv[1] + ".broken")
found = refused = 0
for at in range(24, len(whole), 3):
    broken.write_bytes(whole[:at] + b"\\xff\\xff\\xff" + whole[at + 3 :])
    try:
        for beacon in beacons(broken, Counter()):
            found += 1
            assert (beacon.ssid, beacon.bssid) == (b"Free WiFi", "02:00:00:00:00:01"), beacon
    except ValueError as error:  # the one exception the reader turns into a line
        refused += 1
        assert "capture" in str(error), error
print(found, refused)
"""


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_damage_anywhere_loses_frames_but_says_nothing_false(
    tmp_path, make_beacon, pcap, pcapng, kind
) -> None:
    frames = [make_beacon(checksum=True)] * 8
    path = {"pcap": pcap, "pcapng": pcapng}[kind](tmp_path / "whole", frames)
    found, refused = map(int, python(DAMAGE, path).stdout.split())
    assert found > 1000
    assert refused < 10


def test_stopping_early_leaves_no_process(tmp_path, make_beacon, pcap) -> None:
    path = pcap(tmp_path / "a.pcap", [make_beacon()] * 20_000)
    reading = read_beacons(path, {})
    next(reading)
    reading.close()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if children.exists():
        names = [Path(f"/proc/{pid}/cmdline") for pid in children.read_text().split()]
        assert not [n for n in names if n.exists() and b"airwaves.reader" in n.read_bytes()]
