"""The shape of a pretend city: an irregular outline cut into neighbourhoods with wavy borders.

Voronoi cells of relaxed random points, dense in the middle; each shared border is displaced
once, for both sides, so that neighbours still touch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from shapely import Polygon, get_parts, make_valid, union_all

if TYPE_CHECKING:
    from simulator.city import Neighbourhood

Points = npt.NDArray[np.float64]
"""Positions in metres east and north of the centre, shape (n, 2)."""


def make_neighbourhoods(
    seed: int, aps: int, names: Sequence[str], boroughs: Sequence[str], grades: Sequence[str]
) -> tuple[Neighbourhood, ...]:
    """Cut the city of `seed` into 46 to 56 neighbourhoods; it grows slowly with `aps`."""
    from simulator.city import Neighbourhood

    random = np.random.default_rng([seed, 0xFA501A])
    radius = 2200.0 * max(0.6, (aps / 60) ** 0.25)
    outline = _outline(random, radius)
    count = int(random.integers(46, 57))
    cells = _cells(random, outline, count)
    centres = np.array([[cell.centroid.x, cell.centroid.y] for cell in cells])
    far = np.hypot(*centres.T) / np.hypot(*centres.T).max()
    angle = np.arctan2(centres[:, 1], centres[:, 0])
    # Poverty grows towards the rim, more on one side of the city, with scatter between cells.
    lean = random.uniform(-math.pi, math.pi)
    index = 12 + 62 * far**1.3 + 14 * far * np.cos(angle - lean) + random.normal(0, 5, len(cells))
    index = np.clip(index, 1, 99)
    fifth = np.argsort(np.argsort(index)) * len(grades) // len(cells)
    # Residents per square metre: the centre is built higher, the poor rim is crowded.
    density = (
        0.011 * (1.25 - 0.75 * far) * (0.75 + index / 110) * random.lognormal(0, 0.25, len(cells))
    )
    turn = random.uniform(0, 2 * math.pi)
    return tuple(
        Neighbourhood(
            id=f"N{number + 1:02d}",
            name=names[number],
            borough=_borough(float(far[number]), float(angle[number]), turn, boroughs),
            population=round(density[number] * cell.area),
            deprivation=round(float(index[number]), 1),
            grade=grades[fifth[number]],
            polygon=cell,
        )
        for number, cell in enumerate(cells)
    )


def _borough(far: float, angle: float, turn: float, boroughs: Sequence[str]) -> str:
    """The first borough is the middle, the others are sectors around it."""
    if far < 0.38:
        return boroughs[0]
    sector = ((angle + turn) % (2 * math.pi)) / (2 * math.pi)
    return boroughs[1 + int(sector * (len(boroughs) - 1))]


def _outline(random: np.random.Generator, radius: float) -> Polygon:
    """A closed wavy line about the centre, mean distance `radius` metres."""
    angles = np.linspace(0, 2 * math.pi, 240, endpoint=False)
    reach = np.ones_like(angles)
    for wave in range(2, 12):
        phase = random.uniform(0, 2 * math.pi)
        reach += 0.26 / wave**1.1 * random.uniform(0.3, 1) * np.cos(wave * angles + phase)
    reach *= radius
    return Polygon(np.column_stack([reach * np.cos(angles), reach * np.sin(angles)]))


def _cells(random: np.random.Generator, outline: Polygon, count: int) -> list[Polygon]:
    from scipy.spatial import Voronoi

    points = _relaxed(random, outline, count)
    reach = 4 * max(abs(bound) for bound in outline.bounds)
    far = [
        (math.cos(a) * reach, math.sin(a) * reach) for a in np.linspace(0, 2 * math.pi, 12, False)
    ]
    diagram = Voronoi(np.vstack([points, far]))
    borders = {
        tuple(sorted(map(int, ridge))): _wavy(random, diagram.vertices[sorted(ridge)])
        for ridge in diagram.ridge_vertices
        if -1 not in ridge
    }
    cells = []
    for region in diagram.point_region[:count]:
        corners = [int(corner) for corner in diagram.regions[region]]
        cells.append(_cell(corners, diagram.vertices, borders))
    return _cut(cells, outline)


def _relaxed(random: np.random.Generator, outline: Polygon, count: int) -> Points:
    """Points inside the outline, closer together in the middle, none on top of another."""
    west, south, east, north = outline.bounds
    from shapely import contains_xy

    found: list[tuple[float, float]] = []
    reach = math.hypot(east - west, north - south) / 2
    apart = math.sqrt(outline.area / count) * 0.75
    while len(found) < count:
        x, y = float(random.uniform(west, east)), float(random.uniform(south, north))
        here = apart * (0.55 + 1.0 * math.hypot(x, y) / reach)
        if contains_xy(outline, x, y) and all(math.dist((x, y), p) > here for p in found):
            found.append((x, y))
        else:
            apart *= 0.9995  # where no room is left, stand closer
    return np.array(found)


def _wavy(random: np.random.Generator, ends: Points) -> Points:
    """A border between two corners, bent by halves; never beyond a tenth of its length."""
    line = ends
    bend = 0.07
    for _ in range(3):
        middle = (line[:-1] + line[1:]) / 2
        step = np.diff(line, axis=0)
        side = np.column_stack([-step[:, 1], step[:, 0]])
        middle += side * random.uniform(-bend, bend, (len(middle), 1))
        merged = np.empty((len(line) + len(middle), 2))
        merged[::2], merged[1::2] = line, middle
        line = merged
    return line


def _cell(corners: list[int], vertices: Points, borders: dict[tuple[int, ...], Points]) -> Polygon:
    ring: list[Points] = []
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        border = borders[tuple(sorted((start, end)))]
        ring.append((border if start < end else border[::-1])[:-1])
    polygon = Polygon(np.vstack(ring))
    # Bends of neighbouring borders can cross at a sharp corner: straight borders there.
    return polygon if polygon.is_valid else Polygon(vertices[corners])


def _cut(cells: list[Polygon], outline: Polygon) -> list[Polygon]:
    """Clip to the outline and give every spot to one cell; the largest part of each is kept."""
    kept: list[Polygon] = []
    for cell in cells:
        part = make_valid(cell.intersection(outline))
        if kept:
            part = part.difference(union_all(kept))
        pieces = [piece for piece in get_parts(part) if isinstance(piece, Polygon)]
        kept.append(max(pieces, key=lambda piece: piece.area))
    return kept
