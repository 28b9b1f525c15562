"""What the fault runs measure, worked out anew from a seed and a poll's number, so that a ledger of
numbers is enough to know every point; and what must be in the store at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from timeseries import SCHEMA, Batch

START = 1_700_000_000_000
MINUTE = 60_000
DEVICES = (*(f"ap-{n:02}" for n in range(10)), 'plaza, "Sol" = 1', "kiosco\\norte ñ")
RADIOS = (("radio0", "2.4"), ("radio1", "5"))
MEASUREMENTS = ("device", "radio", "interface")

Key = tuple[str, int, tuple[str, ...]]
"""Measurement, time in milliseconds, tags in the schema's order."""
Point = tuple[Key, Mapping[str, Any]]


def poll(seed: int, number: int) -> list[Batch]:
    """One poll: a row for most devices, its radios and uplinks; some come late, and some rows of
    earlier polls are written again with other values.
    """
    chance = Random(f"{seed}/{number}")
    now = START + number * MINUTE
    here = [name for name in DEVICES if chance.random() < 0.9]
    rows = [(now, name) for name in here]
    for back in range(1, min(number, 5) + 1):
        if chance.random() < 0.15:
            rows += [(now - back * MINUTE, name) for name in chance.sample(DEVICES, 3)]
    n = len(rows)
    device = Batch(
        "device",
        [at for at, _ in rows],
        {"device": [name for _, name in rows]},
        {
            "answered": [chance.random() < 0.95 for _ in rows],
            "state": [chance.choice(["up", "down", 'odd "state", \\ =']) for _ in rows],
            "clients": [number] * n,
            "rtt_ms": [chance.choice([None, chance.random() * 100]) for _ in rows],
        },
    )
    pairs = [(name, *radio) for name in here for radio in RADIOS]
    radio = Batch(
        "radio",
        [now] * len(pairs),
        {tag: [pair[i] for pair in pairs] for i, tag in enumerate(SCHEMA["radio"].tags)},
        {"clients": [number] * len(pairs), "channel": [chance.randrange(1, 166) for _ in pairs]},
    )
    interface = Batch(
        "interface",
        [now] * len(here),
        {"device": here, "interface": ["eth0"] * len(here)},
        {
            "rx_bytes_total": [chance.randrange(2**62) for _ in here],
            "uplink": [True] * len(here),
        },
    )
    return [device, radio, interface]


def points(batches: Sequence[Batch]) -> Iterator[Point]:
    """The points of some batches, in the order in which they are written."""
    for batch in batches:
        shape = SCHEMA[batch.measurement]
        for i, at in enumerate(batch.times):
            values = {name: column[i] for name, column in batch.fields.items()}
            key = (batch.measurement, at, tuple(str(batch.tags[tag][i]) for tag in shape.tags))
            yield key, {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Verdict:
    """How many points were acknowledged, and what is not as it must be, each told in a line."""

    points: int
    lost: Sequence[str]
    wrong: Sequence[str]
    invented: Sequence[str]
    double: Sequence[str]

    @property
    def faultless(self) -> bool:
        return not (self.lost or self.wrong or self.invented or self.double)


def judge(seed: int, made: set[int], acknowledged: set[int], found: Sequence[Point]) -> Verdict:
    """Hold what a store has against what was written to it.

    A value must be that of the last acknowledged poll that wrote it, or of one made after that
    whose writer was killed or refused before it was told; every point must be there once.
    """
    history: dict[tuple[Key, str], list[tuple[int, Any]]] = defaultdict(list)
    told: set[Key] = set()
    for number in sorted(made):
        for key, values in points(poll(seed, number)):
            if number in acknowledged:
                told.add(key)
            for name, value in values.items():
                history[key, name].append((number, value))
    kept: dict[Key, dict[str, Any]] = {}
    double = []
    for key, values in found:
        if key in kept:
            double.append(f"{key} is there twice")
        kept.setdefault(key, {}).update(values)
    lost = {key for key in told if key not in kept}
    wrong = []
    for (key, name), writes in history.items():
        got = kept.get(key, {}).pop(name, None)
        last = max(
            (i for i, (number, _) in enumerate(writes) if number in acknowledged), default=-1
        )
        allowed = [value for _, value in writes[max(last, 0) :]]
        if key not in lost and got not in (allowed if last >= 0 else [*allowed, None]):
            wrong.append(f"{key} {name} is {got!r}, written {writes}, acknowledged up to {last}")
    invented = [f"{key} {values}" for key, values in kept.items() if values]
    return Verdict(len(told), [str(key) for key in sorted(lost)], wrong, invented, double)
