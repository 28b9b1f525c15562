"""What each site of a plan brings in residents, measured exactly on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from coverage_maps.coverage import Coverage
from coverage_maps.footprint import discs
from coverage_maps.ground import Ground
from coverage_maps.groups import Grouping
from coverage_maps.projection import Floats

UNGROUPED = "unknown"


@dataclass(frozen=True)
class Effect:
    """Residents that a site newly covers, beside the live sites and those ranked above it."""

    residents: float
    by_group: dict[str, float]
    """Every group's name, worst first; `unknown` where some belong to none."""


def measure(ground: Ground, before: Coverage, xy: Floats, groups: Grouping) -> list[Effect]:
    """The effect of the sites at `xy`, shape (p, 2), one after another.

    Each clips what those before it left uncovered, so the effects sum to the residents covered
    by all of them less those covered before.
    """
    left = before.uncovered.copy()
    shapes = discs(xy, before.radius)
    density = ground.residents / ground.areas
    single = groups.by == "neighbourhood"
    names = ("all",) if single else groups.names
    loose = not single and bool(((groups.index < 0) & (ground.residents > 0)).any())
    effects = []
    for shape in shapes:
        by_group = np.zeros(len(names) + 1)
        for i in ground.tree.query(shape, predicate="intersects"):
            gained = float(shapely.area(shapely.intersection(left[i], shape)))
            if gained > 0:
                by_group[0 if single else groups.index[i]] += gained * density[i]
                left[i] = shapely.difference(left[i], shape)
        told = dict(zip(names, by_group[:-1].tolist(), strict=True))
        if loose:
            told[UNGROUPED] = float(by_group[-1])
        effects.append(Effect(float(by_group.sum()), told))
    return effects
