"""What a reading means in the light of the polls before: state, reboots, traffic. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from collectors.snmp.counters import (
    LEAST_TO_DOUBT_PER_S,
    Clock,
    Difference,
    Sample,
    Uptime,
    difference,
    judge,
)
from collectors.snmp.memory import Past
from collectors.snmp.model import DeviceReading
from collectors.snmp.state import is_refusal, next_state

_NOTHING: Mapping[str, Difference] = {}
_UNKNOWN, _DOUBTFUL, _STARTED = Clock.UNKNOWN, Clock.DOUBTFUL, Clock.STARTED
_Pair = tuple[str, str, Sample, Sample]
"""An interface's name and role, and its counters before and now."""
_NO_SAMPLES: Mapping[str, Sample] = {}
_NO_PAIRS: Sequence[_Pair] = ()
# A named tuple without the call that names its fields: a city needs 300,000 of them a minute.
_tuple = tuple.__new__
_USUAL_BYTES_PER_S = LEAST_TO_DOUBT_PER_S // 2
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
    uptime_s, engine_s = reading.uptime_s, reading.engine_s
    if (uptime_s is not None or engine_s is not None) and not (
        uptime_at_ms is not None and _behind(at_ms, uptime_at_ms)
    ):
        before = uptime
        uptime = _tuple(Uptime, (uptime_s, reading.agent_uptime_s, reading.engine_boots, engine_s))
        if uptime_at_ms is not None:
            clock = judge(before, uptime, (at_ms - uptime_at_ms) / 1000)
        uptime_at_ms = at_ms
    samples, pairs = _NO_SAMPLES, _NO_PAIRS
    differences = _NOTHING
    if reading.interfaces:
        samples, pairs = _samples(reading, at_ms, counters)
    if clock is _DOUBTFUL:
        clock = _weighed(pairs)
    if pairs and clock is not _STARTED:
        differences = _differences(pairs, clock, reading.agent_uptime_s)
    if clock is _STARTED:
        counters, reboots = samples, reboots + 1
    elif samples:
        # With a pair for each that was known, none is missing now.
        counters = samples if len(pairs) == len(counters) else {**counters, **samples}
    misses = 0 if answered or refused else misses + 1
    now = _tuple(Past, (state, misses, reboots, uptime, uptime_at_ms, counters))
    return _tuple(Outcome, (reading, state, reboots, differences, now))


def _behind(at_ms: int, before_ms: int) -> bool:
    """Whether another collector's newer poll, or a clock of ours that was set back, has left
    something from after `at_ms`: it stays what the next poll starts from, so that nothing is
    counted twice. What lies days ahead was a wrong clock.
    """
    return 0 <= before_ms - at_ms < AHEAD_MS


def _samples(
    reading: DeviceReading, at_ms: int, before: Mapping[str, Sample]
) -> tuple[Mapping[str, Sample], Sequence[_Pair]]:
    """Samples by the interface's name, and those that have one from before in a pair with it; a
    name that two interfaces share stands for neither.
    """
    samples: dict[str, Sample] = {}
    pairs: list[_Pair] = []
    known = before.get
    for name, role, rx, tx, bits, discontinuity_s in reading.interfaces:
        earlier = known(name)
        if earlier is None:
            samples[name] = _tuple(Sample, (at_ms, rx, tx, bits, discontinuity_s))
        elif earlier[0] < at_ms or not _behind(at_ms, earlier[0]):
            now = samples[name] = _tuple(Sample, (at_ms, rx, tx, bits, discontinuity_s))
            pairs.append((name, role, earlier, now))
    if len(samples) < len(reading.interfaces):
        names = Counter([one.name for one in reading.interfaces])
        samples = {name: one for name, one in samples.items() if names[name] == 1}
        pairs = [pair for pair in pairs if names[pair[0]] == 1]
    return samples, pairs


def _differences(
    pairs: Iterable[_Pair], clock: Clock, agent_s: float | None
) -> dict[str, Difference]:
    differences = {}
    for name, role, earlier, now in pairs:
        was_ms, was_rx, was_tx, was_bits, _ = earlier
        at_ms, rx, tx, bits, broken_s = now
        if (
            not broken_s and was_bits == bits and at_ms > was_ms and rx >= was_rx and tx >= was_tx
            and 1000 * (rx - was_rx + tx - was_tx) < _USUAL_BYTES_PER_S * (at_ms - was_ms)
        ):  # fmt: skip
            # As nearly all are: what `difference` says of it, without the call.
            differences[name] = _tuple(
                Difference, (rx - was_rx, tx - was_tx, (at_ms - was_ms) / 1000)
            )
            continue
        moved = difference(earlier, now, clock, agent_s, role)
        if moved is not None:
            differences[name] = moved
    return differences


def _weighed(pairs: Iterable[_Pair]) -> Clock:
    """Whether a device started again whose agent did, and that has no other clock: a reboot sets
    all counters back, while an agent's start leaves them alone. The heavier counters decide.

    Counters that lived on give a difference that is safe either way: what a counter passed since
    its last zero did pass.
    """
    lived = fell = 0
    for _, _, earlier, now in pairs:
        for was, became in ((earlier.rx, now.rx), (earlier.tx, now.tx)):
            if became >= was:
                lived += was
            else:
                fell += was
    return _UNKNOWN if lived > fell else _STARTED
