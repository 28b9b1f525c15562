"""Differences that are safe to sum, and reboots told from agent restarts and roll-overs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.counters import (
    TICKS_ROLL_OVER_S,
    Difference,
    Sample,
    Uptime,
    difference,
    rebooted,
    restarted,
)

HOUR = 3600.0
UP = Uptime(10 * HOUR, 10 * HOUR)


def step(before, now, *, bits=64, seconds=60.0, reboot=False, uptime=UP, broke_off=None):
    earlier = None if before is None else Sample(1_000_000, *before)
    later = Sample(1_000_000 + int(seconds * 1000), *now)
    return difference(
        earlier, later, bits=bits, reboot=reboot, uptime=uptime, discontinuity_s=broke_off
    )


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"before": (100, 10), "now": (400, 30)}, Difference(300, 20, 60.0)),
        ({"before": (100, 10), "now": (100, 10)}, Difference(0, 0, 60.0)),
        ({"before": None, "now": (400, 30)}, None),
        ({"before": (2**32 - 10, 5), "now": (20, 6), "bits": 32}, Difference(30, 1, 60.0)),
        ({"before": (2**32 - 10, 5), "now": (20, 6), "bits": 32, "reboot": True}, None),
        ({"before": (500, 5), "now": (20, 6)}, None),
        ({"before": (2**63, 5), "now": (2**63 + 9, 6)}, Difference(9, 1, 60.0)),
        ({"before": (100, 10), "now": (400, 30), "reboot": True}, None),
        ({"before": (2**32 + 5, 10), "now": (400, 30), "bits": 32}, None),
        ({"before": (100, 10), "now": (400, 30), "broke_off": 10 * HOUR - 30}, None),
        ({"before": (100, 10), "now": (400, 30), "broke_off": 9 * HOUR}, Difference(300, 20, 60.0)),
        ({"before": (100, 10), "now": (400, 30), "broke_off": 0.0}, Difference(300, 20, 60.0)),
        ({"before": (100, 10), "now": (400, 30), "seconds": 0}, None),
        ({"before": (100, 10), "now": (400, 30), "seconds": -5}, None),
        (
            {"before": (100, 10), "now": (400, 30), "seconds": 3 * HOUR},
            Difference(300, 20, 3 * HOUR),
        ),
        ({"before": (0, 0), "now": (2**62, 30)}, None),
    ],
    ids=[
        "plain", "idle", "first sample", "32-bit wrap", "wrap-like reboot", "64-bit falls",
        "large 64-bit", "reboot", "64 became 32 bits", "discontinuity since",
        "discontinuity before",
        "never discontinued", "duplicate", "clock went back", "gap", "more than a wire carries",
    ],
)  # fmt: skip
def test_difference(given_, expected):
    assert step(**given_) == expected


@pytest.mark.parametrize(
    ("before_s", "now_s", "elapsed_s", "expected"),
    [
        (1000, 1060, 60, False),
        (1000, 5, 60, True),
        (1000, 1000, 0, False),
        (30, 300, 600, True),
        (TICKS_ROLL_OVER_S - 20, 40, 60, False),
        (TICKS_ROLL_OVER_S - 20, 3, 60, True),
        (TICKS_ROLL_OVER_S - HOUR, 30, 60, True),
        (1000, 1120, 60, False),
        (50 * HOUR, 50 * HOUR + 60, 20 * HOUR, False),
        (1000, 999.9, 0.1, False),
    ],
    ids=[
        "runs on", "fell", "same instant", "overtook in a gap", "rolled over",
        "reboot near the roll-over", "reboot an hour before the roll-over",
        "clock of ours was slow",
        "clock of ours jumped ahead", "jitter",
    ],
)  # fmt: skip
def test_restarted(before_s, now_s, elapsed_s, expected):
    assert restarted(before_s, now_s, elapsed_s) is expected


def test_an_agent_that_restarts_alone_is_no_reboot():
    assert not rebooted(Uptime(10 * HOUR, 9 * HOUR), Uptime(10 * HOUR + 60, 4.0), 60)
    assert rebooted(Uptime(10 * HOUR, 9 * HOUR), Uptime(20.0, 4.0), 60)


def test_without_an_uptime_nothing_is_called_a_reboot():
    assert not rebooted(Uptime(None, None), Uptime(5.0, 5.0), 60)
    assert not rebooted(Uptime(5.0, 5.0), Uptime(None, None), 60)


@given(
    st.integers(0, 2**64 - 1), st.integers(0, 10**9),
    st.sampled_from([32, 64]), st.integers(1, 100_000),
)  # fmt: skip
def test_a_true_step_is_found_again_through_any_wrap(start, traffic, bits, seconds):
    start %= 2**bits
    end = (start + traffic) % 2**bits
    found = step((start, 0), (end, 0), bits=bits, seconds=float(seconds))
    if found is None:
        assert bits == 64
        assert end < start
    else:
        assert found.rx == traffic


@given(
    st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.sampled_from([32, 64]),
    st.floats(-1e6, 1e6), st.booleans(),
)  # fmt: skip
def test_a_difference_is_never_negative_nor_impossible(before, now, bits, seconds, reboot):
    found = step((before, 0), (now % 2**bits, 0), bits=bits, seconds=seconds, reboot=reboot)
    if found is not None:
        assert not reboot
        assert found.interval_s > 0
        assert 0 <= found.rx <= 400e9 / 8 * found.interval_s
