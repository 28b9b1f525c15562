"""State, reboots and traffic over several polls, as the series will tell them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collectors.snmp.memory import Past
from collectors.snmp.model import DeviceReading, InterfaceReading
from collectors.snmp.outcome import settle
from collectors.snmp.state import needs_probe, next_state

MINUTE = 60_000


def reading(uptime=None, agent=None, rx=None, tx=0, bits=64, answered=True):
    interfaces = () if rx is None else (InterfaceReading("eth0", "uplink", rx, tx, bits),)
    return DeviceReading(
        "ap", answered, uptime_s=uptime, agent_uptime_s=agent, interfaces=interfaces
    )


DEAD = reading(answered=False)


def play(*polls):
    """Outcomes of polls a minute apart; a pair is a reading and its re-probe."""
    past, outcomes = Past(), []
    for number, poll in enumerate(polls):
        one, probe = poll if isinstance(poll, tuple) else (poll, None)
        outcomes.append(settle(one, past, number * MINUTE, probe))
        past = outcomes[-1].past
    return outcomes


def test_down_needs_three_misses_and_a_failed_probe():
    alive = reading(100)
    states = [o.state for o in play(alive, DEAD, DEAD, (DEAD, False), DEAD, reading(500))]
    assert states == ["up", "up", "up", "down", "down", "up"]


def test_a_device_that_answers_the_probe_stays_up():
    outcomes = play(reading(100), DEAD, DEAD, (DEAD, True), (DEAD, False))
    assert [o.state for o in outcomes] == ["up", "up", "up", "up", "down"]
    assert not outcomes[3].reading.answered


def test_a_device_never_seen_is_unknown_until_it_is_down():
    states = [o.state for o in play(DEAD, DEAD, (DEAD, False))]
    assert states == ["unknown", "unknown", "down"]


def test_a_device_that_only_refuses_lives_and_is_never_down():
    refused = replace(DEAD, rtt_ms=1.5, error="SNMPv3: wrong key (wrongDigests)")
    outcomes = play(reading(100), *[refused] * 5, DEAD, DEAD, (DEAD, False), refused)
    states = [o.state for o in outcomes]
    assert states == ["up", *["unknown"] * 7, "down", "unknown"]
    assert [o.past.misses for o in outcomes] == [0] * 6 + [1, 2, 3, 0]


@pytest.mark.parametrize("misses", range(6))
def test_nothing_is_down_without_a_probe(misses):
    assert next_state(False, misses, "up", None) == "up"
    assert next_state(False, misses, "unknown", None) == "unknown"


@pytest.mark.parametrize(
    ("answered", "misses", "before", "expected"),
    [(True, 9, "up", False), (False, 1, "up", False), (False, 2, "up", True),
     (False, 2, "unknown", True), (False, 7, "down", False)],
)  # fmt: skip
def test_only_the_doubtful_are_asked_again(answered, misses, before, expected):
    assert needs_probe(answered, misses, before) is expected


def test_a_reboot_is_counted_once_and_its_counters_start_over():
    outcomes = play(reading(9000, 9000, rx=500), reading(20, 15, rx=80), reading(80, 75, rx=100))
    assert [o.reboots for o in outcomes] == [0, 1, 1]
    assert [dict(o.differences) for o in outcomes[:2]] == [{}, {}]
    assert outcomes[2].differences["eth0"].rx == 20


def test_an_agent_restart_loses_no_traffic():
    outcomes = play(reading(9000, 9000, rx=500), reading(9060, 3, rx=800))
    assert outcomes[1].reboots == 0
    assert outcomes[1].differences["eth0"].rx == 300


def test_a_missed_poll_loses_no_traffic():
    outcomes = play(reading(9000, rx=500), DEAD, DEAD, reading(9180, rx=900))
    assert outcomes[3].differences["eth0"].rx == 400
    assert outcomes[3].differences["eth0"].interval_s == 180


def test_a_reboot_during_missed_polls_is_still_seen():
    outcomes = play(reading(9000, rx=500), DEAD, DEAD, reading(100, rx=900))
    assert outcomes[3].reboots == 1
    assert dict(outcomes[3].differences) == {}


def test_a_reboot_in_a_poll_without_counters_draws_no_wrap():
    high = 2**32 - 100
    outcomes = play(
        reading(9000, rx=high, bits=32), reading(20), reading(80, rx=50, bits=32),
        reading(140, rx=60, bits=32),
    )  # fmt: skip
    assert [o.reboots for o in outcomes] == [0, 1, 1, 1]
    assert dict(outcomes[2].differences) == {}
    assert outcomes[3].differences["eth0"].rx == 10
