"""Post-checks: silence is a fault only where somebody used to speak."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.records import DeviceRecord
from napalm_openwrt.uci_text import parse
from provisioning.rollout.health import (
    Seen,
    check_wave,
    judge_clients,
    judge_page,
    judge_poll,
    look,
    same_hours,
)
from provisioning.turn.settling import channels_of, linger_s, settle_s
from timeseries import Batch
from timeseries.sqlite import SqliteStore

MEXICO = ZoneInfo("America/Mexico_City")
NOW = datetime(2026, 3, 10, 18, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen", "ok"),
    [
        (Seen(answered_before=3, polls_since=2, answered_since=1), True),
        (Seen(answered_before=3, polls_since=2), False),
        (Seen(answered_before=3), None),
        (Seen(polls_since=9), None),
    ],
    ids=["answers", "silent", "no poll yet", "never watched"],
)
def test_a_device_is_held_against_its_own_past_polls(seen: Seen, ok: bool | None) -> None:
    assert judge_poll(seen).ok is ok


def with_clients(usual: float, there: float | None, weeks: int = 4) -> Seen:
    return Seen(9, 3, 3, there, (usual,) * weeks)


@pytest.mark.parametrize(
    ("seen", "ok"),
    [
        (with_clients(12, 9), True),
        (with_clients(12, 0), False),
        (with_clients(3, 0), True),
        (with_clients(12, 0, weeks=1), None),
        (with_clients(12, None), None),
    ],
    ids=["back", "empty", "empty by chance", "too few weeks", "nobody told"],
)
def test_clients_must_be_back_only_where_there_usually_are_some(
    seen: Seen, ok: bool | None
) -> None:
    assert judge_clients({"a": seen})["a"].ok is ok


def test_a_wave_that_lost_most_of_its_clients_fails_although_no_device_is_empty() -> None:
    wave = {str(i): with_clients(4, 1) for i in range(10)} | {"quiet": with_clients(0, 0)}
    found = judge_clients(wave)
    assert [found[str(i)].ok for i in range(10)] == [False] * 10
    assert "the wave has 10 where 40 are usual" in found["0"].detail
    assert found["quiet"].ok is True


@given(st.dictionaries(st.text(max_size=2), st.floats(0, 50), max_size=20))
def test_a_wave_with_its_usual_clients_never_fails(usual: dict[str, float]) -> None:
    wave = {name: with_clients(mean, max(1.0, mean)) for name, mean in usual.items()}
    assert all(check.ok for check in judge_clients(wave).values())


def test_the_same_hour_of_the_week_is_by_the_city_clock() -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    after_change = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)  # 10:30 in summer time
    hours = same_hours(after_change, lisbon)
    assert [hour.astimezone(lisbon).hour for hour in hours] == [10] * 4
    assert hours[0] == datetime(2026, 3, 25, 10, tzinfo=UTC), "winter time still"


@pytest.mark.parametrize(
    ("status", "text", "ok"),
    [
        (0, "  HTTP/1.1 302 Found\n  Location: http://portal/\n", True),
        (0, "Download completed (1024 bytes)\n", True),
        (1, "HTTP error 404\n", True),
        (1, "HTTP error 502\n", False),
        (1, "wget: download timed out\n", False),
        (127, "ash: wget: not found\n", None),
        (3, "what is this\n", None),
    ],
)
def test_any_answer_of_the_portal_but_a_broken_one_is_well(
    status: int, text: str, ok: bool | None
) -> None:
    assert judge_page(status, text).ok is ok


def test_the_series_are_read_before_and_since_the_push(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    pushed = NOW - timedelta(minutes=10)
    minutes = [-30, -20, 2, 5, 9]
    for device, clients in (("good", [4, 5, 0, 3, 6]), ("dead", [4, 5, None, None, None])):
        store.write(
            [
                Batch(
                    "device",
                    [int((pushed + timedelta(minutes=m)).timestamp() * 1000) for m in minutes],
                    {"device": [device] * 5},
                    {"answered": [c is not None for c in clients], "clients": clients},
                )
            ]
        )
    hours = [int(hour.timestamp() * 1000) for hour in same_hours(NOW, MEXICO)]
    for device in ("good", "dead"):
        store.write([
            Batch("device_hour", hours, {"device": [device] * 4},
                  {"clients_sum": [60, 120, 60, 60], "clients_count": [10] * 4})
        ])  # fmt: skip
    seen = look(store, ["good", "dead", "unknown"], pushed, settled=pushed, zone=MEXICO, now=NOW)
    store.close()
    assert seen["good"] == Seen(2, 3, 3, 6.0, (6.0, 12.0, 6.0, 6.0))
    assert seen["dead"] == Seen(2, 3, 0, None, (6.0, 12.0, 6.0, 6.0))
    assert seen["unknown"] == Seen()


def test_a_device_that_cannot_be_signed_in_to_is_named_and_the_series_are_read_all_the_same(
    tmp_path: Path,
) -> None:
    device = DeviceRecord(
        "AP-1", "AP-1", "access-point", "openwrt", None, 22, 161, None, None, None, None, "live",
        "imported", None,
    )  # fmt: skip
    store = SqliteStore(tmp_path)
    found = check_wave(
        [device], {"AP-1": NOW}, store=store, secrets={}, zone=MEXICO, portal_url="http://p/"
    )
    store.close()
    assert found["AP-1"]["ssh"].ok is False
    assert "no management address" in found["AP-1"]["ssh"].detail
    assert found["AP-1"]["portal"].ok is None
    assert found["AP-1"]["poll"].ok is None


RADIO = """package wireless

config wifi-device 'radio1'
\toption band '5g'
\toption channel '{channel}'
\toption htmode 'VHT{width}'

config wifi-iface 'a'
\toption device 'radio1'
\toption ssid '{ssid}'
"""


@pytest.mark.parametrize(
    ("channel", "width", "seconds"),
    [
        ("36", 80, 0), ("52", 20, 70), ("48", 160, 70), ("116", 20, 70), ("116", 80, 610),
        ("124", 20, 610), ("149", 80, 0), ("auto", 80, 70),
    ],
)  # fmt: skip
def test_radios_in_radar_channels_need_time_before_they_serve(
    channel: str, width: int, seconds: int
) -> None:
    before = parse(RADIO.format(channel=channel, width=width, ssid="old"))
    after = parse(RADIO.format(channel=channel, width=width, ssid="new"))
    assert settle_s(before, after) == seconds
    assert settle_s(after, after) == 0, "what does not change goes on serving"


def test_a_confirmation_waits_for_what_may_still_cut_the_device_off() -> None:
    wireless, mesh = RADIO.format(channel="36", width=20, ssid="x"), "\toption mode 'mesh'\n"
    assert linger_s("package system\n", wireless, 70, 10) == 0
    assert linger_s(wireless, wireless, 70, 10) == 10
    assert linger_s(wireless, wireless + mesh, 70, 10) == 80, "its uplink listens for radar first"
    assert linger_s("package 'network'\n", wireless + mesh, 70, 10) == 10


def test_a_wide_channel_covers_its_neighbours() -> None:
    assert channels_of(60, 80) == {52, 56, 60, 64}
    assert channels_of(128, 160) == set(range(100, 129, 4))
    assert channels_of(153, 40) == {149, 153}
