"""The decoder says of every frame what scapy says: scapy runs apart and is the oracle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from collectors.airwaves.capture import read_beacons

ORACLE = Path(__file__).parent / "oracle.py"
SUITES = {1: "Enterprise", 2: "WPA2", 6: "WPA2", 8: "WPA3-SAE", 18: "OWE"}
ORDER = ("open", "OWE", "WEP", "WPA", "WPA2", "WPA3-SAE", "Enterprise")


def expected_security(answer: dict) -> str:
    kinds = {SUITES[n] for n in answer["rsn"]} | {"WPA" for n in answer["wpa"] if n == 2}
    if not kinds:
        kinds = {{"OPN": "open", "WEP": "WEP"}[answer["crypto"][0]]}
    return "/".join(kind for kind in ORDER if kind in kinds)


def expected_channel(answer: dict) -> int:
    if answer["channel"] is not None:
        return answer["channel"]
    frequency = answer["frequency"]
    return (frequency - 2407) // 5 if frequency < 3000 else (frequency - 5000) // 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_field_of_every_frame_is_what_scapy_says(tmp_path: Path, seed: int) -> None:
    capture = tmp_path / "made.pcap"
    done = subprocess.run(
        [sys.executable, str(ORACLE), "400", str(seed), str(capture)],
        capture_output=True, text=True, check=True, timeout=120, env=os.environ,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 400

    counts: Counter[str] = Counter()
    beacons = {b.frame: b for b in read_beacons(capture, counts)}

    assert set(beacons) == {n for n, answer in enumerate(answers, 1) if answer is not None}
    assert counts["other"] == sum(answer is None for answer in answers) > 50
    assert len({expected_security(a) for a in answers if a}) >= 8, "the oracle made too little"
    for number, beacon in beacons.items():
        answer = answers[number - 1]
        assert beacon._asdict() | {"fingerprint": None} == {
            "frame": number,
            "at_us": answer["at_us"],
            "bssid": answer["bssid"],
            "ssid": bytes.fromhex(answer["ssid"]) if answer["ssid"].strip("0") else b"",
            "band": "2.4" if answer["frequency"] < 3000 else "5",
            "channel": expected_channel(answer),
            "rssi_dbm": answer["rssi"],
            "security": expected_security(answer),
            "tsf_us": answer["tsf"],
            "interval_tu": answer["interval"],
            "country": answer["country"],
            "fingerprint": None,
            "probe_response": answer["probe_response"],
        }
