"""Who poses as the city's own network, and how that is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from collectors.airwaves.impostors import judge, listen, skeleton
from collectors.airwaves.sighting import Sighting

NAME = "Free WiFi"
OURS, OTHER = "02:00:00:00:00:01", "02:99:00:00:00:01"
OWN = {OURS: "ap-1", "02:00:00:00:00:02": "ap-2"}
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
BASE = Sighting(1, NOON, OURS, NAME.encode(), 6, -60.0, "open", 19.4, -99.1)


def heard(**changes: object) -> Sighting:
    return replace(BASE, **changes)


def findings(*sightings: Sighting, own=OWN):
    return judge(listen(sightings), own, NAME).findings


def test_our_own_are_no_impostors() -> None:
    assert findings(heard(), heard(bssid="02:00:00:00:00:02")) == ()


def test_an_unknown_bssid_with_our_name_comes_with_its_evidence() -> None:
    (one,) = findings(
        heard(),
        heard(bssid=OTHER, rssi_dbm=-80.0, channel=1, security="WPA2"),
        heard(bssid=OTHER, rssi_dbm=-44.0, channel=1, security="WPA2", lat=19.5,
              at=NOON + timedelta(minutes=5)),
    )  # fmt: skip
    said = one.as_dict()
    assert said["grade"] == "impostor"
    assert (said["bssid"], said["ssid"], said["security"]) == (OTHER, NAME, "WPA2")
    assert (said["channels"], said["strongest_rssi_dbm"], said["times_heard"]) == ([1], -44.0, 2)
    assert said["first_seen"] == "2024-05-01T12:00:00+00:00"
    assert said["last_seen"] == "2024-05-01T12:05:00+00:00"
    assert said["strongest_at"] == {"lat": 19.5, "lon": -99.1}
    assert {(p["lat"], p["times"]) for p in said["where"]} == {(19.4, 1), (19.5, 1)}
    assert any("not in the inventory" in why for why in said["why"])
    assert any("its security is WPA2; ours is open" in why for why in said["why"])


def test_a_radio_next_to_ours_is_said_to_be_perhaps_ours() -> None:
    (one,) = findings(heard(bssid="02:00:00:00:00:7f"))
    assert "perhaps a radio of ours" in " ".join(one.why)


def test_one_of_ours_with_other_security_is_told() -> None:
    (one,) = findings(heard(), heard(), heard(bssid="02:00:00:00:00:02"), heard(security="WEP"))
    assert (one.grade, one.heard.bssid) == ("differs", OURS)
    assert "ap-1" in one.why[0]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("FREE WIFI", "capital and small letters"),
        ("Free WiFi ", "spaces before or after"),
        ("FreeWiFi", "spaces"),
        ("Free  WiFi", "spaces"),
        ("Frее WiFi", "look alike"),  # Cyrillic е
        ("Free W1F1", "look alike"),
        ("Free-WiFi", "look alike"),
        ("Fr\u200bee WiFi", "look alike"),
        ("Frée WiFi", "look alike"),
    ],
)
def test_a_name_made_to_look_like_ours_is_a_lesser_finding(name: str, how: str) -> None:
    (one,) = findings(heard(), heard(bssid=OTHER, ssid=name.encode()))
    assert one.grade == "look-alike"
    assert how in one.why[0]


@pytest.mark.parametrize("name", ["Free Beer", "Wifi", "Free WiFi 5G", "", "\ud7ff", "Flee WiFi"])
def test_other_names_are_left_alone(name: str) -> None:
    assert findings(heard(bssid=OTHER, ssid=name.encode())) == ()


def test_names_that_are_no_text_are_left_alone() -> None:
    assert findings(heard(bssid=OTHER, ssid=b"Free\xff WiFi")) == ()


def test_without_a_bssid_of_ours_it_says_that_it_cannot_tell() -> None:
    verdict = judge(listen([heard(bssid=OTHER), heard(bssid=OTHER, ssid=b"free wifi")]), {}, NAME)
    assert "no BSSID of our own" in verdict.cannot_tell
    assert [f.grade for f in verdict.findings] == ["look-alike"]
    assert (verdict.carriers, verdict.ours) == (1, 0)


def test_impostors_come_first_the_loudest_on_top() -> None:
    found = findings(
        heard(bssid="02:98:00:00:00:01", ssid=b"free wifi", rssi_dbm=-20.0),
        heard(bssid="02:97:00:00:00:01", rssi_dbm=-80.0),
        heard(bssid=OTHER, rssi_dbm=-40.0),
        heard(bssid="02:96:00:00:00:01", rssi_dbm=None),
    )
    assert [f.heard.bssid[:5] for f in found] == ["02:99", "02:97", "02:96", "02:98"]


def test_the_skeleton_of_a_name_without_letters_is_like_nothing() -> None:
    assert skeleton("★ ☆") == ""
    assert judge(listen([heard(bssid=OTHER, ssid="☆".encode())]), OWN, "★").findings == ()
