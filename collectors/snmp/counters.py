"""From raw counters to bytes that are safe to sum, and from uptimes to reboots. Pure functions.

A missing difference costs one interval; a wrong one draws a spike that stays in every sum. So a
difference is given only where nothing speaks against it, and never more than what really passed.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

TICKS_ROLL_OVER_S = 2**32 / 100
"""TimeTicks (RFC 2578) count hundredths of a second in 32 bits: they start again at 497 days."""
OFFSET_S = 20.0
"""A sweep may come to a device so much earlier or later than the one before."""
MAX_BYTES_PER_S = {"radio": 50e9 / 8, "uplink": 400e9 / 8}
"""No interface of that role carries more; a difference above it is not traffic."""
LEAST_TO_DOUBT_PER_S = min(MAX_BYTES_PER_S.values())
WRAP_BYTES_PER_S = 1e9 / 8
"""A 32-bit counter that falls has wrapped once, unless that means more than this."""
BOTH_WRAP_BYTES_PER_S = 100e6 / 8
"""Where both counters of an interface fall at once, it has likelier started again (a radio whose
driver was loaded anew) than wrapped twice, unless both were as near the end as this.
"""


class Clock(Enum):
    """What the uptimes of two polls tell of the time between."""

    RAN_ON = "the device ran on"
    UNKNOWN = "nothing speaks against it, and nothing proves it"
    DOUBTFUL = "its agent started again, and no other clock tells of the device"
    STARTED = "the device started again"


_STARTED = Clock.STARTED


class Uptime(NamedTuple):
    """The clocks of a device, in seconds; None is not told.

    `device_s` since the device started (hrSystemUptime), the same as `agent_s` where only the
    agent tells; `engine_boots` and `engine_s` are snmpEngineBoots and snmpEngineTime (RFC 3411).
    """

    device_s: float | None = None
    agent_s: float | None = None
    engine_boots: int | None = None
    engine_s: float | None = None


class Sample(NamedTuple):
    """Raw octet counters of an interface at `at_ms` (milliseconds since 1970), of `bits` bits.

    `discontinuity_s` is what ifCounterDiscontinuityTime was then, None if that is not known.
    """

    at_ms: int
    rx: int
    tx: int
    bits: int = 64
    discontinuity_s: float | None = None


class Difference(NamedTuple):
    """Octets received and sent in the last `interval_s` seconds."""

    rx: int
    tx: int
    interval_s: float


def restarted(
    before_s: float, now_s: float, elapsed_s: float, roll_over_s: float = TICKS_ROLL_OVER_S
) -> bool:
    """Whether an uptime started again between two readings, some `elapsed_s` apart.

    It did if it fell, unless TimeTicks rolled over, or if it is younger than the last reading
    (it started again and has already overtaken the old value). A clock of ours that jumps makes
    no device look restarted that has been up for longer than the jump.
    """
    if before_s <= now_s and elapsed_s + OFFSET_S <= now_s:
        return False
    slack_s = 5 + 0.01 * abs(elapsed_s)
    expected_s = before_s + elapsed_s
    if expected_s >= roll_over_s - slack_s - OFFSET_S:
        rolled_s = max(0.0, expected_s - roll_over_s) % roll_over_s
        if abs(now_s - rolled_s) <= slack_s + OFFSET_S:
            return False
    return now_s < before_s - 1 or now_s < min(elapsed_s - slack_s, expected_s - slack_s - OFFSET_S)


def judge(before: Uptime, now: Uptime, elapsed_s: float) -> Clock:
    """What two tellings of a device's clocks, some `elapsed_s` apart, say of the time between.

    A device whose agent ran on ran on; one whose own clock started again did so too. An agent
    that starts again alone is no reboot; where no clock but the agent's is told it is DOUBTFUL.
    """
    was_s, was_agent_s, _, _ = before
    is_s, is_agent_s, boots, _ = now
    if boots is not None and _engine_ran_on(before, now, elapsed_s):
        return Clock.RAN_ON
    if was_s is None or is_s is None:
        return Clock.UNKNOWN
    own = is_s != is_agent_s and (was_s != was_agent_s or _foreseen(was_s, is_s, elapsed_s))
    earlier, later = (was_s, is_s) if own else (was_agent_s, is_agent_s)
    if earlier is None or later is None:
        return Clock.UNKNOWN
    if restarted(earlier, later, elapsed_s):
        return Clock.STARTED if own else Clock.DOUBTFUL
    # What rolled over may have started again at the very moment.
    sure = later >= earlier and _old(earlier, elapsed_s)
    return Clock.RAN_ON if sure else Clock.UNKNOWN


def _foreseen(before_s: float, now_s: float, elapsed_s: float) -> bool:
    """Whether a clock shows what it must if it ran on."""
    return abs(before_s + elapsed_s - now_s) <= OFFSET_S + 5 + 0.01 * abs(elapsed_s)


def _old(before_s: float, elapsed_s: float) -> bool:
    """Whether a clock was old enough that it could not start again without showing it."""
    return before_s >= OFFSET_S + 5 + 0.01 * abs(elapsed_s)


def _engine_ran_on(before: Uptime, now: Uptime, elapsed_s: float) -> bool:
    """Whether the agent is known not to have started again: its engine's time does not roll over
    at 497 days. Some agents forget their boots, so that their number alone proves nothing.
    """
    if now.engine_boots != before.engine_boots:
        return False
    if now.engine_s is None or before.engine_s is None:
        return False
    return _old(before.engine_s, elapsed_s) and not restarted(
        before.engine_s, now.engine_s, elapsed_s, float("inf")
    )


def difference(
    before: Sample, now: Sample, clock: Clock, agent_s: float | None = None, role: str = "uplink"
) -> Difference | None:
    """Traffic of an interface since `before`, or None where it cannot be told safely.

    None for a duplicate or a clock of ours that went back; where the device, or the interface
    (ifCounterDiscontinuityTime, in seconds of the agent's uptime `agent_s`), started again in
    between; where a counter changed its width; where a 64-bit counter fell, and a 32-bit one
    unless the device is known to have run on: then it has wrapped once.
    """
    # Hundreds of thousands a minute: unpacking takes half the time of naming fields.
    was_ms, was_rx, was_tx, was_bits, was_broken_s = before
    at_ms, rx, tx, bits, broken_s = now
    interval_s = (at_ms - was_ms) / 1000
    if interval_s <= 0 or clock is _STARTED or was_bits != bits:
        return None
    if broken_s and broken_s != was_broken_s and _broke_off(before, now, agent_s, interval_s):
        return None
    rx -= was_rx
    tx -= was_tx
    if rx < 0 or tx < 0:
        # An agent that starts again forgets what broke off before.
        forgot = broken_s is not None and agent_s is not None and agent_s <= interval_s
        if bits != 32 or clock is not Clock.RAN_ON or forgot:
            return None
        most = (BOTH_WRAP_BYTES_PER_S if rx < 0 and tx < 0 else WRAP_BYTES_PER_S) * interval_s
        if (rx < 0 and rx + 2**32 > most) or (tx < 0 and tx + 2**32 > most):
            return None
        rx, tx = rx % 2**32, tx % 2**32
    if rx + tx > LEAST_TO_DOUBT_PER_S * interval_s:
        most = MAX_BYTES_PER_S.get(role, MAX_BYTES_PER_S["uplink"]) * interval_s
        if max(rx, tx) > most:
            return None
    return tuple.__new__(Difference, (rx, tx, interval_s))  # half the time of Difference(…)


def _broke_off(before: Sample, now: Sample, agent_s: float | None, interval_s: float) -> bool:
    """Whether counters whose last break is not the one known before broke off since; that is told
    in the agent's uptime, which may have rolled over meanwhile.
    """
    if agent_s is None or now.discontinuity_s is None:
        return False
    if before.discontinuity_s is not None and agent_s > interval_s:
        return True
    return (agent_s - now.discontinuity_s) % TICKS_ROLL_OVER_S <= interval_s + OFFSET_S
