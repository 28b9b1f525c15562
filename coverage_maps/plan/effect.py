"""What each site of a plan brings in residents, measured exactly on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.footprint import discs
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import Grouping
from coverage_maps.cover.projection import Floats

UNGROUPED = "unknown"


@dataclass(frozen=True)
class Effect:
    """Residents that a site newly covers, beside the live sites and those ranked above it."""

    residents: float
    by_group: dict[str, float]
    """Every group's name, worst first; `unknown` where some belong to none."""
    by_neighbourhood: dict[int, float]
    """Residents by index of the neighbourhood."""
    alone: float
    """Residents it would newly cover if none of the others were built."""
    only: float
    """Residents whom none of the others reaches."""


def measure(ground: Ground, before: Coverage, xy: Floats, groups: Grouping) -> list[Effect]:
    """The effect of the sites at `xy`, shape (p, 2), one after another.

    Of each counts what no live site and no site before it covers, so the effects sum to the
    residents covered by all of them less those covered before.
    """
    shapes = discs(xy, before.radius)
    tree = shapely.STRtree(shapes)
    single = groups.by == "neighbourhood"
    names = ("all",) if single else groups.names
    loose = not single and bool(((groups.index < 0) & (ground.residents > 0)).any())
    effects = []
    for k, shape in enumerate(shapes):
        open_ground = _open(ground, before, shape)
        near = tree.query(shape, predicate="intersects")
        gained = _people(open_ground, _without(shape, shapes[near[near < k]]))
        by_group = np.zeros(len(names) + 1)
        for i, people in gained.items():
            by_group[0 if single else groups.index[i]] += people
        told = dict(zip(names, by_group[:-1].tolist(), strict=True))
        if loose:
            told[UNGROUPED] = float(by_group[-1])
        only = _people(open_ground, _without(shape, shapes[near[near != k]]))
        effects.append(
            Effect(
                float(by_group.sum()), told, gained,
                alone=sum(_people(open_ground, shape).values()), only=sum(only.values()),
            )
        )  # fmt: skip
    return effects


def in_place_of(
    ground: Ground, before: Coverage, chosen: Floats, swaps: Sequence[tuple[int, Floats]]
) -> list[float]:
    """For each (k, place): residents newly covered by a site at `place` instead of chosen[k].

    Whom the other chosen sites reach is not counted; `chosen` is of shape (p, 2), metres.
    """
    shapes = discs(chosen, before.radius)
    tree = shapely.STRtree(shapes)
    found = []
    for k, place in swaps:
        shape = discs(place[np.newaxis, :], before.radius)[0]
        near = tree.query(shape, predicate="intersects")
        own = _without(shape, shapes[near[near != k]])
        found.append(sum(_people(_open(ground, before, shape), own).values()))
    return found


def _open(
    ground: Ground, before: Coverage, shape: BaseGeometry
) -> list[tuple[int, float, BaseGeometry]]:
    """Index, residents per square metre and open ground of each neighbourhood around `shape`."""
    around = []
    for i in ground.tree.query(shape, predicate="intersects").tolist():
        # One neighbourhood may be a whole city: first cut out the corner that matters.
        corner = _valid(shapely.clip_by_rect(before.uncovered[i], *shape.bounds))
        if not shapely.is_empty(corner) and ground.residents[i] > 0:
            around.append((i, float(ground.residents[i] / ground.areas[i]), corner))
    return around


def _people(
    open_ground: Sequence[tuple[int, float, BaseGeometry]], shape: BaseGeometry
) -> dict[int, float]:
    return {
        i: float(shapely.area(shapely.intersection(corner, shape))) * density
        for i, density, corner in open_ground
    }


def _without(shape: BaseGeometry, others: Sequence[BaseGeometry]) -> BaseGeometry:
    return shapely.difference(shape, shapely.union_all(others)) if len(others) else shape


def _valid(shape: BaseGeometry) -> BaseGeometry:
    """Clipping by a rectangle is fast but may leave a ring that touches itself."""
    return shape if shapely.is_valid(shape) else shapely.make_valid(shape)
