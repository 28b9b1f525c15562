"""How the city stands before and after a plan: who is covered, and how fairly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import grouping, summarise
from coverage_maps.cover.projection import Floats
from coverage_maps.plan.effect import Effect
from coverage_maps.plan.equity import Equity, assess
from coverage_maps.plan.plans import Change
from farola.errors import PlanningError


def shares_after(ground: Ground, before: Coverage, effects: Sequence[Effect]) -> Floats:
    """Share of each neighbourhood's residents covered once all sites stand, shape (n,)."""
    gained = np.zeros(len(ground.records))
    for effect in effects:
        for i, people in effect.by_neighbourhood.items():
            gained[i] += people
    residents = ground.residents
    share = np.divide(gained, residents, out=np.zeros_like(gained), where=residents > 0)
    return np.asarray(np.clip(before.shares + share, 0.0, 1.0))


def changes(ground: Ground, before: Floats, after: Floats) -> dict[str, tuple[Change, ...]]:
    """Residents covered before and after by `fifth` and by `grade`, where those are known."""
    told: dict[str, tuple[Change, ...]] = {}
    for by in ("fifth", "grade"):
        try:
            groups = grouping(ground, by)
        except PlanningError:  # no grades, or no deprivation, were imported
            continue
        pairs = zip(
            summarise(ground, before, groups)[1], summarise(ground, after, groups)[1], strict=True
        )
        told[by] = tuple(
            Change(old.group, old.population, old.covered_population, new.covered_population)
            for old, new in pairs
        )
    return told


def fairness(ground: Ground, before: Floats, after: Floats) -> tuple[Equity, Equity]:
    """Measures of the coverage shares of neighbourhoods, before and after, by one kappa."""
    badness = ground.badness if np.isfinite(ground.badness).any() else None
    first = assess(before, ground.residents, badness)
    return first, assess(after, ground.residents, badness, kappa=first.kappa)
