"""How many residents are on an access point now: the diurnal curve and its noise.

Pure and without numpy: every pretend access point computes this in its own small process.
"""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

from simulator.figures import HOURS, WEEKDAYS

SLOT = timedelta(minutes=5)
"""Within a slot the number of clients stays as it is."""

BYTES_PER_CLIENT_S = 22_000.0
"""Mean traffic of a client towards it, bytes a second. Assumed."""


def diurnal(when: datetime) -> float:
    """Demand at local time `when` relative to the mean of a week (about 0.05 to 2.2)."""
    hour = when.hour + when.minute / 60 + when.second / 3600
    before, after = HOURS[int(hour) % 24], HOURS[(int(hour) + 1) % 24]
    within = hour - int(hour)
    scale = sum(HOURS) / 24 * sum(WEEKDAYS) / 7
    return (before + (after - before) * within) * WEEKDAYS[when.weekday()] / scale


def clients(mean: float, when: datetime, seed: str) -> int:
    """Clients on an access point at local time `when`.

    `mean` is its mean number of clients over a week; the count is Poisson about the curve and
    the same for the same `seed` and five-minute slot.
    """
    start = datetime(when.year, when.month, when.day, tzinfo=when.tzinfo)
    slot = start + SLOT * ((when - start) // SLOT)
    # Not for secrets: the same city must come out of the same seed.
    return _poisson(mean * diurnal(slot), random.Random(f"{seed}|{slot.isoformat()}"))  # noqa: S311


def _poisson(rate: float, source: random.Random) -> int:
    if rate <= 0:
        return 0
    if rate > 50:
        return max(0, round(source.gauss(rate, math.sqrt(rate))))
    limit, product, count = math.exp(-rate), source.random(), 0
    while product > limit:
        product *= source.random()
        count += 1
    return count
