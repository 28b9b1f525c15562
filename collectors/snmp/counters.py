"""From raw counters to bytes that are safe to sum, and from uptimes to reboots. Pure functions.

A missing difference costs one interval; a wrong one draws a spike that stays in every sum. So a
difference is given only where nothing speaks against it.
"""

from __future__ import annotations

from dataclasses import dataclass

TICKS_ROLL_OVER_S = 2**32 / 100
"""TimeTicks (RFC 2578) count hundredths of a second in 32 bits: they start again at 497 days."""
MAX_BYTES_PER_S = 400e9 / 8
"""No interface carries more; a difference above it is not traffic."""


@dataclass(frozen=True)
class Uptime:
    """`device_s` since the device started, `agent_s` since its SNMP agent did; None unknown."""

    device_s: float | None
    agent_s: float | None


@dataclass(frozen=True)
class Sample:
    """Raw octet counters of an interface at `at_ms` (milliseconds since 1970)."""

    at_ms: int
    rx: int
    tx: int


@dataclass(frozen=True)
class Difference:
    """Octets received and sent in the last `interval_s` seconds."""

    rx: int
    tx: int
    interval_s: float


def restarted(before_s: float, now_s: float, elapsed_s: float) -> bool:
    """Whether an uptime started again between two readings, `elapsed_s` apart.

    It did if it fell, unless TimeTicks rolled over, or if it is younger than the last reading
    (it started again and has already overtaken the old value). A clock of ours that jumps makes
    no device look restarted that has been up for longer than the jump.
    """
    slack_s = 5 + 0.01 * abs(elapsed_s)
    expected = before_s + elapsed_s
    if expected >= TICKS_ROLL_OVER_S - slack_s:
        rolled = expected % TICKS_ROLL_OVER_S if expected >= TICKS_ROLL_OVER_S else 0.0
        if abs(now_s - rolled) <= slack_s:
            return False
    return now_s < before_s - 1 or now_s < elapsed_s - slack_s


def rebooted(before: Uptime, now: Uptime, elapsed_s: float) -> bool:
    """Whether the device itself started again: an agent that restarts alone is no reboot."""
    if before.device_s is None or now.device_s is None:
        return False
    return restarted(before.device_s, now.device_s, elapsed_s)


def difference(
    before: Sample | None,
    now: Sample,
    *,
    bits: int,
    reboot: bool,
    uptime: Uptime,
    discontinuity_s: float | None,
) -> Difference | None:
    """Traffic since `before`, or None where it cannot be told safely.

    None for a first sample, a duplicate or a clock that went back, after a reboot, where the
    agent reports a discontinuity since `before` (ifCounterDiscontinuityTime, in seconds of the
    agent's uptime), when a 64-bit counter falls, and when the width of the counter changed. A
    32-bit counter that falls has wrapped once.
    """
    if before is None or now.at_ms <= before.at_ms or reboot:
        return None
    interval_s = (now.at_ms - before.at_ms) / 1000
    if discontinuity_s and uptime.agent_s is not None:
        since_s = uptime.agent_s - discontinuity_s
        if 0 <= since_s <= interval_s:
            return None
    rx = _step(before.rx, now.rx, bits)
    tx = _step(before.tx, now.tx, bits)
    if rx is None or tx is None or max(rx, tx) > MAX_BYTES_PER_S * interval_s:
        return None
    return Difference(rx, tx, interval_s)


def _step(before: int, now: int, bits: int) -> int | None:
    if before >= 2**bits:
        return None  # it was a 64-bit counter until now
    if now >= before:
        return now - before
    return now + 2**32 - before if bits == 32 else None
