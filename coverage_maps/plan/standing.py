"""How the city stands before and after a plan: who is covered, and how fairly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array

from coverage_maps.cover.cells import Points
from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import grouping, summarise
from coverage_maps.cover.projection import Floats
from coverage_maps.plan.effect import Effect
from coverage_maps.plan.equity import Equity, assess, kolm_pollak, kolm_pollak_kappa
from coverage_maps.plan.plans import Alternative, Change
from coverage_maps.siting import Indices
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


def measuring(
    ground: Ground, before: Floats, points: Points, covers: csr_array
) -> Callable[[str, Indices], Alternative]:
    """What measures a choice of candidates on the points, so that choices compare."""
    kappa = kolm_pollak_kappa(before, ground.residents)
    worst = None
    if np.isfinite(ground.badness).any():
        worst = (grouping(ground, "fifth").index == 0)[points.owner]

    def measured(name: str, chosen: Indices) -> Alternative:
        reached = np.zeros(len(points.owner), dtype=bool)
        reached[covers[chosen].indices] = True
        new = np.where(reached, points.residents, 0.0)
        gained = np.bincount(points.owner, weights=new, minlength=len(before))
        people = ground.residents
        share = np.divide(gained, people, out=np.zeros_like(gained), where=people > 0)
        after = np.clip(before + share, 0.0, 1.0)
        theirs = None if worst is None else float(new[worst].sum())
        worth = kolm_pollak(after, people, kappa=kappa)
        return Alternative(name, float(new.sum()), theirs, worth)

    return measured
