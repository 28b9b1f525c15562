"""Differences that are safe to sum, and reboots told from agent restarts and roll-overs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.counters import (
    TICKS_ROLL_OVER_S,
    Clock,
    Difference,
    Sample,
    Uptime,
    difference,
    judge,
    restarted,
)

HOUR = 3600.0
DAY = 24 * HOUR
NEAR = TICKS_ROLL_OVER_S - 20
TOP = 2**32


def step(before, now, *, bits=64, was=None, seconds=60.0, clock=Clock.RAN_ON, agent=10 * HOUR,
         broke_off=None, had_broken_off=None, role="uplink"):  # fmt: skip
    earlier = Sample(1_000_000, *before, was or bits, had_broken_off)
    later = Sample(1_000_000 + int(seconds * 1000), *now, bits, broke_off)
    return difference(earlier, later, clock, agent, role)


PLAIN = {"before": (100, 10), "now": (400, 30)}
TRAFFIC = Difference(300, 20, 60.0)
DIFFERENCES = {
    "plain": (PLAIN, TRAFFIC),
    "idle": ({"before": (100, 10), "now": (100, 10)}, Difference(0, 0, 60.0)),
    "large 64-bit": ({"before": (2**63, 5), "now": (2**63 + 9, 6)}, Difference(9, 1, 60.0)),
    "gap": (PLAIN | {"seconds": 3 * HOUR}, Difference(300, 20, 3 * HOUR)),
    "duplicate": (PLAIN | {"seconds": 0}, None),
    "our clock went back": (PLAIN | {"seconds": -5}, None),
    "reboot": (PLAIN | {"clock": Clock.STARTED}, None),
    "no clock, nothing fell": (PLAIN | {"clock": Clock.UNKNOWN}, TRAFFIC),
    "64-bit falls": ({"before": (500, 5), "now": (20, 6)}, None),
    "64-bit falls near its end": ({"before": (2**64 - 9, 5), "now": (20, 6)}, None),
    "32-bit wrap": ({"before": (TOP - 10, 5), "now": (20, 6), "bits": 32}, Difference(30, 1, 60.0)),
    "32-bit wrap of the other": (
        {"before": (5, TOP - 10), "now": (6, 20), "bits": 32}, Difference(1, 30, 60.0)),
    "32-bit wrap to the same value but one": (
        {"before": (10**9, 5), "now": (10**9 - 1, 6), "bits": 32}, Difference(TOP - 1, 1, 60.0)),
    "both wrap": (
        {"before": (TOP - 10, TOP - 5), "now": (20, 6), "bits": 32}, Difference(30, 11, 60.0)),
    "both fall from the middle: the interface started again": (
        {"before": (3 * 10**9, 10**9), "now": (900, 200), "bits": 32}, None),
    "32-bit falls after a reboot": (
        {"before": (TOP - 10, 5), "now": (20, 6), "bits": 32, "clock": Clock.STARTED}, None),
    "32-bit falls, uptime unknown": (
        {"before": (TOP - 10, 5), "now": (20, 6), "bits": 32, "clock": Clock.UNKNOWN}, None),
    "32-bit wrap faster than its wire": (
        {"before": (10**9, 5), "now": (20, 6), "bits": 32, "seconds": 5.0}, None),
    "64 became 32 bits": ({"before": (TOP + 5, 10), "now": (400, 30), "bits": 32, "was": 64}, None),
    "64 became 32 bits, and rose": (PLAIN | {"bits": 32, "was": 64}, None),
    "32 became 64 bits": ({"before": (400, 30), "now": (TOP * 9, 40), "bits": 64, "was": 32}, None),
    "discontinuity since": (PLAIN | {"broke_off": 10 * HOUR - 30}, None),
    "discontinuity before": (PLAIN | {"broke_off": 9 * HOUR}, TRAFFIC),
    "discontinuity just before, known already": (
        PLAIN | {"broke_off": 10 * HOUR - 70, "had_broken_off": 10 * HOUR - 70}, TRAFFIC),
    "another discontinuity than before": (
        PLAIN | {"broke_off": 10 * HOUR - 30, "had_broken_off": 9 * HOUR}, None),
    "never discontinued": (PLAIN | {"broke_off": 0.0}, TRAFFIC),
    "discontinuity, agent's clock unknown": (PLAIN | {"broke_off": 50.0, "agent": None}, TRAFFIC),
    "discontinuity, then the agent's clock rolled over": (
        PLAIN | {"broke_off": TICKS_ROLL_OVER_S - 10, "agent": 20.0}, None),
    "discontinuity long before the roll-over": (
        PLAIN | {"broke_off": TICKS_ROLL_OVER_S - HOUR, "agent": 20.0}, TRAFFIC),
    "discontinuity as the agent starts": (PLAIN | {"broke_off": 1.5, "agent": 20.0}, None),
    "more than a wire carries": ({"before": (0, 0), "now": (2**62, 30)}, None),
    "more than a radio carries": (
        {"before": (0, 0), "now": (10**12, 30), "role": "radio"}, None),
    "as much as a wire carries": (
        {"before": (0, 0), "now": (10**12, 30)}, Difference(10**12, 30, 60.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFERENCES)
def test_difference(case):
    given_, expected = DIFFERENCES[case]
    assert step(**given_) == expected


RESTARTS = {
    "runs on": (1000, 1060, 60, False),
    "fell": (1000, 5, 60, True),
    "same instant": (1000, 1000, 0, False),
    "jitter": (1000, 999.9, 0.1, False),
    "overtook in a gap": (30, 300, 600, True),
    "overtook between two polls": (20, 40, 60, True),
    "young, and asked earlier in the sweep than last time": (2, 50, 60, False),
    "rolled over": (NEAR, 40, 60, False),
    "rolled over in a gap of hours": (NEAR, 5 * HOUR - 20, 5 * HOUR, False),
    "not yet rolled over": (NEAR - 100, NEAR - 40, 60, False),
    "rolled over sooner than thought": (NEAR - 45, 2, 60, False),
    "reboot near the roll-over": (NEAR, 3, 60, True),
    "reboot an hour before the roll-over": (TICKS_ROLL_OVER_S - HOUR, 30, 60, True),
    "clock of ours was slow": (1000, 1120, 60, False),
    "clock of ours jumped ahead": (50 * HOUR, 50 * HOUR + 60, 20 * HOUR, False),
    "clock of ours went back": (50 * HOUR, 50 * HOUR + 60, -HOUR, False),
}  # fmt: skip


@pytest.mark.parametrize("case", RESTARTS)
def test_restarted(case):
    before_s, now_s, elapsed_s, expected = RESTARTS[case]
    assert restarted(before_s, now_s, elapsed_s) is expected


CLOCKS = {
    "both clocks run on": (Uptime(10 * HOUR, 9 * HOUR), Uptime(10 * HOUR + 60, 9 * HOUR + 60),
                           Clock.RAN_ON),
    "agent restart": (Uptime(10 * HOUR, 9 * HOUR), Uptime(10 * HOUR + 60, 4.0), Clock.RAN_ON),
    "reboot": (Uptime(10 * HOUR, 9 * HOUR), Uptime(20.0, 4.0), Clock.STARTED),
    "hrSystemUptime rolls over, sysUpTime does not": (
        Uptime(NEAR, 9 * HOUR), Uptime(40.0, 9 * HOUR + 60), Clock.UNKNOWN),
    "sysUpTime rolls over, hrSystemUptime does not": (
        Uptime(TICKS_ROLL_OVER_S / 2, NEAR), Uptime(TICKS_ROLL_OVER_S / 2 + 60, 40.0),
        Clock.RAN_ON),
    "both roll over": (Uptime(NEAR + 5, NEAR), Uptime(45.0, 40.0), Clock.UNKNOWN),
    "only the agent's clock, fell": (
        Uptime(9 * HOUR, 9 * HOUR), Uptime(4.0, 4.0), Clock.DOUBTFUL),
    "only the agent's clock, ran on": (
        Uptime(9 * HOUR, 9 * HOUR), Uptime(9 * HOUR + 60, 9 * HOUR + 60), Clock.RAN_ON),
    "only the agent's clock, rolled over": (Uptime(NEAR, NEAR), Uptime(40.0, 40.0), Clock.UNKNOWN),
    "hrSystemUptime was not told this time": (
        Uptime(90 * DAY, 9 * HOUR), Uptime(9 * HOUR + 60, 9 * HOUR + 60), Clock.RAN_ON),
    "hrSystemUptime was not told this time, agent restart": (
        Uptime(90 * DAY, 9 * HOUR), Uptime(4.0, 4.0), Clock.DOUBTFUL),
    "one clock told, another the next time": (
        Uptime(9 * HOUR, None), Uptime(4.0, 4.0), Clock.UNKNOWN),
    "nothing told before": (Uptime(), Uptime(5.0, 4.0), Clock.UNKNOWN),
    "nothing told now": (Uptime(5.0, 4.0), Uptime(), Clock.UNKNOWN),
    "too young to tell": (Uptime(5.0, 4.0), Uptime(58.0, 57.0), Clock.UNKNOWN),
    "the engine ran on through a roll-over that nobody foresaw": (
        Uptime(NEAR - HOUR, NEAR - HOUR, 3, 600 * DAY), Uptime(9.0, 9.0, 3, 600 * DAY + 60),
        Clock.RAN_ON),
    "an engine that forgets its boots": (
        Uptime(9 * HOUR, 9 * HOUR, 1, 9 * HOUR), Uptime(4.0, 4.0, 1, 4.0), Clock.DOUBTFUL),
    "an engine that started again": (
        Uptime(9 * HOUR, 9 * HOUR, 1, 9 * HOUR), Uptime(4.0, 4.0, 2, 4.0), Clock.DOUBTFUL),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOCKS)
def test_clocks(case):
    before, now, expected = CLOCKS[case]
    assert judge(before, now, 60) is expected


@given(
    st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1), st.sampled_from([32, 64]), st.floats(-1e6, 1e6),
    st.sampled_from(Clock), st.none() | st.floats(0, 1e9), st.none() | st.floats(0, 1e9),
)  # fmt: skip
def test_a_difference_is_never_negative_nor_impossible(
    rx, tx, rx_now, tx_now, bits, seconds, clock, agent, broke_off
):
    before, now = (rx % 2**bits, tx % 2**bits), (rx_now % 2**bits, tx_now % 2**bits)
    found = step(
        before, now, bits=bits, seconds=seconds, clock=clock, agent=agent, broke_off=broke_off
    )
    if found is not None:
        assert clock is not Clock.STARTED
        assert found.interval_s > 0
        assert min(found.rx, found.tx) >= 0
        assert max(found.rx, found.tx) <= 400e9 / 8 * found.interval_s
