"""Turns uncovered, inhabited ground into points: demand points that stand for residents, and
generated candidates for sites where nobody gave a list of places to build at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import KDTree
from shapely.geometry.base import BaseGeometry

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.footprint import discs
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats, Geometries

MOST_DEMAND_POINTS = 600_000
"""About how finely a city is cut: 26 m on Mexico City's 420 uncovered km². At 50 m the points
inside a disc of 80 m vary by a third with where it lies, and the choice chases that."""
MOST_CANDIDATES = 200_000


@dataclass(frozen=True, eq=False)
class Points:
    """m points on the plane and the neighbourhood each belongs to."""

    xy: Floats
    """Shape (m, 2), metres."""
    owner: NDArray[np.intp]
    """Shape (m,): index of the neighbourhood."""
    residents: Floats
    """Shape (m,): residents that the point stands for."""
    spacing: float
    """Metres between points."""


def demand_points(
    ground: Ground, before: Coverage, candidates: Floats, grid: float | None = None
) -> Points:
    """A grid of the uncovered, inhabited ground that a site at one of `candidates` would reach.

    Points are a sixth of the radius apart, or wider where that would make more than
    `MOST_DEMAND_POINTS`. Where candidates stand on a `grid` of so many metres, the points divide
    it evenly: every disc then holds the same pattern of them, and no candidate looks better than
    its neighbour by how it happens to lie. Residents are spread evenly on what is uncovered of a
    neighbourhood.
    """
    reachable = before.uncovered
    possible = len(candidates) * math.pi * before.radius**2
    if possible < float(shapely.area(reachable).sum()):
        # Few candidates: cut only the ground around them, and that the finer.
        reachable = reachable.copy()
        shapes = discs(candidates, before.radius)
        tree = shapely.STRtree(shapes)
        for i, whole in enumerate(reachable):
            near = tree.query(whole, predicate="intersects")
            reachable[i] = shapely.intersection(whole, shapely.union_all(shapes[near]))
    spacing = _spacing(ground, reachable, before.radius / 6, MOST_DEMAND_POINTS)
    if grid is not None:
        spacing = grid / max(1, round(grid / spacing))
    return _grid(ground, reachable, spacing)


def generated_candidates(ground: Ground, before: Coverage) -> Points:
    """Places for a site on a grid of the uncovered, inhabited ground.

    They are 0.3 radii apart, or wider where that would make more than `MOST_CANDIDATES` (about
    50 m in Mexico City).
    """
    spacing = _spacing(ground, before.uncovered, before.radius * 0.3, MOST_CANDIDATES)
    points = _grid(ground, before.uncovered, spacing)
    # Where neighbourhoods overlap, the same place was found twice.
    _, first = np.unique(np.round(points.xy, 2), axis=0, return_index=True)
    first.sort()
    return Points(points.xy[first], points.owner[first], points.residents[first], points.spacing)


def inhabited_grid(ground: Ground, polygons: Geometries, spacing: float) -> Points:
    """Points every `spacing` metres on `polygons`, the inhabited part of each neighbourhood."""
    return _grid(ground, polygons, spacing)


def covers_matrix(candidates: Floats, demand: Floats, radius: float) -> csr_array:
    """Which candidate reaches which demand point: boolean, shape (candidates, demand points)."""
    shape = (len(candidates), len(demand))
    if 0 in shape:
        return csr_array(shape, dtype=bool)
    pairs = KDTree(candidates).sparse_distance_matrix(KDTree(demand), radius, output_type="ndarray")
    ones = np.ones(len(pairs), dtype=bool)
    return csr_array((ones, (pairs["i"], pairs["j"])), shape=shape)


def _inhabited(ground: Ground, polygons: Geometries) -> tuple[NDArray[np.intp], Floats]:
    """Neighbourhoods where somebody lives on `polygons` (one a neighbourhood), and all areas."""
    areas = shapely.area(polygons)
    return np.flatnonzero((ground.residents > 0) & (areas > 0)), areas


def _spacing(ground: Ground, polygons: Geometries, finest: float, most: int) -> float:
    wanted, areas = _inhabited(ground, polygons)
    return max(finest, math.sqrt(float(areas[wanted].sum()) / most), 0.01)


def _grid(ground: Ground, polygons: Geometries, spacing: float) -> Points:
    wanted, open_ground = _inhabited(ground, polygons)
    xy, owner, residents = [np.empty((0, 2))], [np.empty(0, np.intp)], [np.empty(0)]
    for i in wanted:
        inside = _grid_points(polygons[i], spacing)
        count = len(inside)
        xy.append(inside)
        owner.append(np.full(count, i, dtype=np.intp))
        people = ground.population[i] * open_ground[i] / ground.areas[i]
        residents.append(np.full(count, people / count))
    return Points(np.concatenate(xy), np.concatenate(owner), np.concatenate(residents), spacing)


def _grid_points(polygon: BaseGeometry, spacing: float) -> Floats:
    """Points of the city's common grid inside `polygon`; one of its own if it holds none."""
    left, bottom, right, top = polygon.bounds
    columns = np.arange(math.ceil(left / spacing), math.floor(right / spacing) + 1)
    rows = np.arange(math.ceil(bottom / spacing), math.floor(top / spacing) + 1)
    x, y = (a.ravel() * spacing for a in np.meshgrid(columns, rows))
    shapely.prepare(polygon)
    inside = shapely.contains_xy(polygon, x, y)
    if inside.any():
        return np.column_stack((x[inside], y[inside]))
    return np.asarray(shapely.get_coordinates(shapely.point_on_surface(polygon)))
