"""What it is worth to reach a resident: deprivation, blended in by the planner's equity.

    weight = residents × ((1 - equity) + equity × d) × demand

d depends on rank alone, so any index of deprivation will do: with r the share of the city's
residents who live in less deprived neighbourhoods (0 best, 1 worst), d = 2·r. Its mean over
residents is 1: equity 0 counts heads, equity 1 counts the worst off twice, the middle once and
the best off not at all. Where deprivation is unknown d is 1.
"""

from __future__ import annotations

import numpy as np

from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError


def deprivation_weights(ground: Ground) -> Floats:
    """d of each neighbourhood, shape (n,): 0 for the best off to 2 for the worst."""
    weights = np.ones(len(ground.records))
    known = np.flatnonzero(np.isfinite(ground.badness) & np.isfinite(ground.population))
    residents = ground.population[known]
    if not residents.sum() > 0:
        return weights
    # Equal deprivation gets equal weight: ranks are shared, each at the middle of its residents.
    values, level = np.unique(ground.badness[known], return_inverse=True)
    at_level = np.bincount(level, weights=residents, minlength=len(values))
    middle = (np.cumsum(at_level) - at_level / 2) / residents.sum()
    weights[known] = 2 * middle[level]
    return weights


def blend(ground: Ground, equity: float) -> Floats:
    """What deprivation makes a resident of each neighbourhood count, shape (n,); mean 1."""
    return np.asarray((1 - equity) + equity * deprivation_weights(ground))


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
