"""What each site of a plan brings in residents, measured exactly on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

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

    Of each counts what no live site and no site before it covers, so the effects sum to the
    residents covered by all of them less those covered before.
    """
    shapes = discs(xy, before.radius)
    tree = shapely.STRtree(shapes)
    density = ground.residents / ground.areas
    single = groups.by == "neighbourhood"
    names = ("all",) if single else groups.names
    loose = not single and bool(((groups.index < 0) & (ground.residents > 0)).any())
    effects = []
    for k, shape in enumerate(shapes):
        near = tree.query(shape, predicate="intersects")
        own = shapely.difference(shape, shapely.union_all(shapes[near[near < k]]))
        by_group = np.zeros(len(names) + 1)
        for i in ground.tree.query(shape, predicate="intersects"):
            # One neighbourhood may be a whole city: first cut out the corner that matters.
            corner = shapely.clip_by_rect(before.uncovered[i], *shape.bounds)
            gained = float(shapely.area(shapely.intersection(_valid(corner), own)))
            by_group[0 if single else groups.index[i]] += gained * density[i]
        told = dict(zip(names, by_group[:-1].tolist(), strict=True))
        if loose:
            told[UNGROUPED] = float(by_group[-1])
        effects.append(Effect(float(by_group.sum()), told))
    return effects


def _valid(shape: BaseGeometry) -> BaseGeometry:
    """Clipping by a rectangle is fast but may leave a ring that touches itself."""
    return shape if shapely.is_valid(shape) else shapely.make_valid(shape)
