"""What a reading means in the light of the polls before: state, reboots, traffic. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from collectors.snmp.counters import Clock, Difference, Sample, Uptime, difference, judge
from collectors.snmp.memory import Past
from collectors.snmp.model import DeviceReading
from collectors.snmp.state import is_refusal, next_state

_NOTHING: Mapping[str, Difference] = {}
_UNKNOWN, _DOUBTFUL, _STARTED = Clock.UNKNOWN, Clock.DOUBTFUL, Clock.STARTED
AHEAD_MS = 86_400_000
"""A clock that was wrong by more is not waited for, in milliseconds."""


class Outcome(NamedTuple):
    """A device after a poll, ready to be stored; `past` is what the next poll starts from."""

    reading: DeviceReading
    state: str
    reboots: int
    differences: Mapping[str, Difference]
    past: Past


def settle(
    reading: DeviceReading, past: Past, at_ms: int, probe_answered: bool | None = None
) -> Outcome:
    """What `reading`, taken at `at_ms`, means after `past`.

    `probe_answered` tells how the re-probe went, None if there was none.
    """
    was, misses, reboots, uptime, uptime_at_ms, counters = past
    answered = reading.answered
    refused = not answered and is_refusal(reading)
    if refused:
        state = "unknown"
    else:
        state = "up" if answered else next_state(answered, misses, was, probe_answered)
    clock = _UNKNOWN
    told = reading.uptime_s is not None or reading.engine_s is not None
    if told and not (uptime_at_ms is not None and _behind(at_ms, uptime_at_ms)):
        before, uptime = (
            uptime,
            Uptime(
                reading.uptime_s, reading.agent_uptime_s, reading.engine_boots, reading.engine_s
            ),
        )
        if uptime_at_ms is not None:
            clock = judge(before, uptime, (at_ms - uptime_at_ms) / 1000)
        uptime_at_ms = at_ms
    samples = _samples(reading, at_ms, counters) if reading.interfaces else {}
    if clock is _DOUBTFUL:
        clock = _weighed(counters, samples)
    differences = _NOTHING
    if clock is _STARTED:
        counters, reboots = samples, reboots + 1
    elif samples:
        if counters:
            differences = _differences(reading, counters, samples, clock)
        counters = samples if counters.keys() <= samples.keys() else {**counters, **samples}
    misses = 0 if answered or refused else misses + 1
    return Outcome(
        reading, state, reboots, differences,
        Past(state, misses, reboots, uptime, uptime_at_ms, counters),
    )  # fmt: skip


def _behind(at_ms: int, before_ms: int) -> bool:
    """Whether another collector's newer poll, or a clock of ours that was set back, has left
    something from after `at_ms`: it stays what the next poll starts from, so that nothing is
    counted twice. What lies days ahead was a wrong clock.
    """
    return 0 <= before_ms - at_ms < AHEAD_MS


def _samples(reading: DeviceReading, at_ms: int, before: Mapping[str, Sample]) -> dict[str, Sample]:
    """Samples by the interface's name; a name that two interfaces share stands for neither."""
    samples = {}
    for one in reading.interfaces:
        name = one.name
        earlier = before.get(name)
        if earlier is None or earlier.at_ms < at_ms or not _behind(at_ms, earlier.at_ms):
            samples[name] = Sample(
                at_ms, one.rx_bytes_total, one.tx_bytes_total, one.bits, one.discontinuity_s
            )
    if len(samples) < len(reading.interfaces):
        names = [one.name for one in reading.interfaces]
        return {name: one for name, one in samples.items() if names.count(name) == 1}
    return samples


def _differences(
    reading: DeviceReading,
    before: Mapping[str, Sample],
    samples: Mapping[str, Sample],
    clock: Clock,
) -> dict[str, Difference]:
    differences = {}
    for one in reading.interfaces:
        earlier, now = before.get(one.name), samples.get(one.name)
        if earlier is not None and now is not None:
            moved = difference(earlier, now, clock, reading.agent_uptime_s, one.role)
            if moved is not None:
                differences[one.name] = moved
    return differences


def _weighed(before: Mapping[str, Sample], samples: Mapping[str, Sample]) -> Clock:
    """Whether a device started again whose agent did, and that has no other clock: a reboot sets
    all counters back, while an agent's start leaves them alone. The heavier counters decide.

    Counters that lived on give a difference that is safe either way: what a counter passed since
    its last zero did pass.
    """
    lived = fell = 0
    for name, now in samples.items():
        earlier = before.get(name)
        if earlier is None:
            continue
        for was, became in ((earlier.rx, now.rx), (earlier.tx, now.tx)):
            if became >= was:
                lived += was
            else:
                fell += was
    return Clock.UNKNOWN if lived > fell else Clock.STARTED
