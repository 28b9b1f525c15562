"""What building at a candidate costs, from its parts: hardware, power, backhaul, the pole's fee."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial import KDTree

from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError
from inventory.records import SiteRecord

PARTS = ("hardware", "power", "backhaul", "fee")
BY_DISTANCE = "backhaul-km"
"""Price of a kilometre of backhaul, counted to the nearest live site."""


def check_prices(prices: Mapping[str, float]) -> None:
    """Raise PlanningError unless every price is of a part and an amount from 0 up."""
    known = ("hardware", "power", "backhaul", BY_DISTANCE, "fee")
    for part, price in prices.items():
        if part not in known:
            raise PlanningError(f"--price {part}: the parts are {', '.join(known)}")
        if not (math.isfinite(price) and price >= 0):
            raise PlanningError(f"--price {part}={price:g}: give an amount from 0 up")


def costs_of(
    records: Sequence[SiteRecord],
    xy: Floats,
    live: Floats,
    prices: Mapping[str, float],
    default: float | None,
) -> tuple[Floats, dict[str, Floats]]:
    """Cost of each candidate, shape (c,), nan where unknown; and its parts, 0 where none.

    A candidate's own `cost` goes first, then the sum of its parts: its own, else those of `prices`.
    Without either it costs `default`. `records` may be empty, for candidates that are only points
    `xy`, shape (c, 2); `live` are the positions of live sites, all in metres.

    Raises
    ------
    PlanningError
        A price by distance, and no live site to count it to.
    """
    count = len(xy)
    own: list[Mapping[str, float]] = [r.cost_parts for r in records] or [{}] * count
    prices = dict(prices)
    priced = {part: np.full(count, prices.get(part, 0.0)) for part in PARTS}
    if BY_DISTANCE in prices:
        if not len(live):
            raise PlanningError(
                f"--price {BY_DISTANCE} counts to the nearest live site, and there is none"
            )
        priced["backhaul"] += KDTree(live).query(xy)[0] / 1000 * prices[BY_DISTANCE]
    parts = {
        part: np.array([own[k].get(part, priced[part][k]) for k in range(count)]) for part in PARTS
    }
    summed = np.sum(list(parts.values()), axis=0)
    fallback = np.nan if default is None else default
    told = np.array([bool(prices) or bool(own[k]) for k in range(count)])
    given = np.array([np.nan if r.cost is None else r.cost for r in records] or [np.nan] * count)
    cost = np.where(np.isfinite(given), given, np.where(told, summed, fallback))
    # The parts of a cost that was given whole are only those it came with.
    whole = np.isfinite(given)
    for part in PARTS:
        came = np.array([own[k].get(part, 0.0) for k in range(count)])
        parts[part] = np.where(whole, came, np.where(told, parts[part], 0.0))
    return cost, {part: amounts for part, amounts in parts.items() if amounts.any()}
