"""What it is worth to reach a resident: deprivation, blended in by the planner's equity.

    weight = residents × ((1 - t) + t × d) × demand,    t = equity²

d depends on rank alone, so any index of deprivation will do. Nine tenths of it go to the worst-off
fifth of the residents alike, one tenth to everybody in proportion to r, the share of the city's
residents who live in less deprived neighbourhoods: d = 0.9·5·(share in that fifth) + 0.1·2·r, whose
mean over residents is 1. Equity 0 counts heads; equity 1 serves the worst-off fifth first and then,
with what is left, the more deprived of the others. A step at the fifth brings that fifth more for
each resident given up than a weight that rises evenly with rank (docs/siting.md). The square
spreads the useful part of the scale: the knee of the trade-off lies at a quarter of it, not at a
fifteenth. Where deprivation is unknown d is 1.
"""

from __future__ import annotations

import numpy as np

from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

WORST_OFF = 0.2
"""The share of the residents that equity is for."""
STEP = 0.9
"""The part of d that they share alone."""


def deprivation_weights(ground: Ground) -> Floats:
    """d of each neighbourhood, shape (n,): 0 for the best off to 4.7 for the worst at most."""
    weights = np.ones(len(ground.records))
    known = np.flatnonzero(np.isfinite(ground.badness) & np.isfinite(ground.population))
    residents = ground.population[known]
    total = float(residents.sum())
    if not total > 0:
        return weights
    # Equal deprivation gets equal weight: ranks are shared, each at the middle of its residents.
    values, level = np.unique(ground.badness[known], return_inverse=True)
    at_level = np.bincount(level, weights=residents, minlength=len(values))
    below = np.cumsum(at_level) - at_level
    middle = (below + at_level / 2) / total
    inside = np.clip(below + at_level - (1 - WORST_OFF) * total, 0, at_level)
    fifth = np.divide(inside, at_level, out=np.zeros_like(inside), where=at_level > 0)
    weights[known] = (STEP * fifth / WORST_OFF + (1 - STEP) * 2 * middle)[level]
    return weights


def blend(ground: Ground, equity: float) -> Floats:
    """What deprivation makes a resident of each neighbourhood count, shape (n,); mean 1."""
    part = equity**2
    return np.asarray((1 - part) + part * deprivation_weights(ground))


def resident_weights(ground: Ground, equity: float, demand: Floats) -> Floats:
    """What one resident of each neighbourhood counts, shape (n,).

    Raises
    ------
    PlanningError
        `equity` is not within 0..1, or is above 0 while no deprivation was imported.
    """
    if not 0 <= equity <= 1:
        raise PlanningError(
            f"--equity {equity:g} is outside 0..1: 0 counts heads, 1 serves the most deprived"
        )
    if equity == 0:
        return demand.copy()
    if not np.isfinite(ground.badness).any():
        raise PlanningError(
            "--equity needs a deprivation value: import neighbourhoods with --deprivation COLUMN "
            "--deprivation-order high-is-worse|low-is-worse, or use --equity 0"
        )
    return np.asarray(blend(ground, equity) * demand)
