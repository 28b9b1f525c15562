"""Who is covered now: the exact union of all discs, clipped by each neighbourhood.

Residents are taken as spread evenly in their neighbourhood, so the share of its ground that is
covered is the share of its residents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coverage_maps.footprint import INNER, OUTER, check_radius, discs, distinct
from coverage_maps.ground import Ground
from coverage_maps.projection import Floats, Geometries


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the sites at `positions` leave uncovered of each of n neighbourhoods."""

    radius: float
    positions: Floats
    """Distinct positions, shape (s, 2), metres on the ground's plane."""
    uncovered: Geometries
    """Shape (n,): the rest of each neighbourhood's polygon."""
    shares: Floats
    """Shape (n,): share of each neighbourhood's ground that is covered, 0..1."""


def cover(
    ground: Ground, xy: Floats, radius: float, advance: Callable[[int], None] = lambda _n: None
) -> Coverage:
    """Cover `ground` by discs of `radius` metres at the positions `xy`, shape (s, 2).

    `advance` is called with the number of neighbourhoods done. Mexico City (27,000 positions,
    2,430 polygons) takes about 3 s.
    """
    check_radius(radius)
    xy = distinct(xy)
    uncovered = ground.polygons.copy()
    whole = _within_one_disc(ground, xy, radius)
    uncovered[whole] = shapely.Polygon()
    advance(int(whole.sum()))
    rest = np.flatnonzero(~whole)
    shapes = discs(xy, radius)
    which, disc = shapely.STRtree(shapes).query(ground.polygons[rest], predicate="intersects")
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(rest) + 1))
    for k, i in enumerate(rest):
        near = disc[order[starts[k] : starts[k + 1]]]
        if len(near):
            uncovered[i] = shapely.difference(uncovered[i], shapely.union_all(shapes[near]))
        advance(1)
    return Coverage(radius, xy, uncovered, shares_of(ground, uncovered))


def _within_one_disc(ground: Ground, xy: Floats, radius: float) -> NDArray[np.bool_]:
    """Which neighbourhoods the site nearest to their middle covers whole, shape (n,).

    With a radius of kilometres that is almost every one, and saves a union of thousands.
    """
    if not len(xy):
        return np.zeros(len(ground.polygons), dtype=bool)
    middles = shapely.get_coordinates(shapely.centroid(ground.polygons))
    nearest = xy[KDTree(xy).query(middles)[1]]
    corners, owner = shapely.get_coordinates(ground.polygons, return_index=True)
    farthest = np.zeros(len(ground.polygons))
    np.maximum.at(farthest, owner, np.hypot(*(corners - nearest[owner]).T))
    return np.asarray(farthest < INNER * radius)


def move(ground: Ground, before: Coverage, gone: Floats, new: Floats) -> Coverage:
    """`before` without the positions `gone` and with `new`, both of shape (k, 2), k from 0.

    Clips again only what is near them: some milliseconds for one site of a city. It serves the
    target "after one access point moves < 50 ms" of the design, measured by
    `benchmarks/city_coverage.py`; no command asks for it yet. A position
    that a second site shares is not gone: leave it out.
    """
    stays = np.ones(len(before.positions), dtype=bool)
    for x, y in gone:
        stays &= np.hypot(before.positions[:, 0] - x, before.positions[:, 1] - y) > 0.01
    xy = distinct(np.vstack((before.positions[stays], new)))
    changed = discs(np.vstack((gone, new)), before.radius)
    uncovered = before.uncovered.copy()
    for i in np.unique(ground.tree.query(changed, predicate="intersects")[1]):
        left, bottom, right, top = ground.polygons[i].bounds
        reach = OUTER * before.radius
        near = (
            (xy[:, 0] > left - reach) & (xy[:, 0] < right + reach)
            & (xy[:, 1] > bottom - reach) & (xy[:, 1] < top + reach)
        )  # fmt: skip
        union = shapely.union_all(discs(xy[near], before.radius))
        uncovered[i] = shapely.difference(ground.polygons[i], union)
    return replace(before, positions=xy, uncovered=uncovered, shares=shares_of(ground, uncovered))


def shares_of(ground: Ground, uncovered: Geometries) -> Floats:
    """Share of each neighbourhood that is covered, 0..1, from what is not."""
    return np.asarray(np.clip(1 - shapely.area(uncovered) / ground.areas, 0.0, 1.0))
