"""Levels on a grid, tile by tile: for footprints that are not round.

A field says what one emitter's signal is at any place: its antenna's pattern, the walls on the
way, and what walks measured. Tiles take the best emitter of each cell; only one tile is in memory
at a time, and only emitters that reach into it are asked, so a city costs time and not memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from coverage_maps.cover.emitters import Emitter
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from coverage_maps.propagation import Link, lawful
from coverage_maps.radio.measured import Correction, Levels, correction
from coverage_maps.radio.path_loss import model
from coverage_maps.radio.street import Street
from coverage_maps.radio.walls import BEARINGS, Budget, Obstacles, Rays, budget, plain_budget, rays

CELL_M = 2.0
TILE_CELLS = 256
FURTHER = 1.5
"""Walks may find a signal so many times farther than the model."""


@dataclass(frozen=True, eq=False)
class Field:
    """The signal of one emitter."""

    emitter: Emitter
    link: Link
    budget: Budget
    lines: Rays | None
    measured: Correction | None = None

    @property
    def farthest_m(self) -> float:
        """Beyond this nothing is looked for."""
        return float(self.budget.metres[-1])

    def spare_db(self, xy: Floats) -> Floats:
        """dB above what the service needs, both ways and with the margin, at places (m, 2)."""
        metres, ray = self._towards(xy)
        walls = np.zeros(len(xy)) if self.lines is None else self.lines.behind_db(ray, metres)
        spare = self.budget.spare_db(metres, walls, self._pattern(xy, metres))
        if self.measured is None:
            return np.where(metres <= self.farthest_m, spare, -np.inf)
        more, unknown = self.measured.at(xy)
        margin = self.budget.margin_db(metres)
        return np.asarray(
            np.where(metres <= self.farthest_m, spare + more + margin * (1 - unknown), -np.inf)
        )

    def median_dbm(self, xy: Floats) -> Floats:
        """Median level that a phone hears at places (m, 2), without what was measured."""
        metres, ray = self._towards(xy)
        walls = np.zeros(len(xy)) if self.lines is None else self.lines.behind_db(ray, metres)
        spare = self.budget.spare_db(metres, walls, self._pattern(xy, metres))
        down = max(self.link.power_dbm - self.link.phone_dbm, 0.0)
        needed = self.link.needed_dbm + self.link.interference_db
        return np.asarray(spare + self.budget.margin_db(metres) + needed + down)

    def _towards(self, xy: Floats) -> tuple[Floats, NDArray[np.intp]]:
        east, north = xy[:, 0] - self.emitter.x, xy[:, 1] - self.emitter.y
        bearing = np.degrees(np.arctan2(east, north)) % 360
        ray = np.rint(bearing * BEARINGS / 360).astype(np.intp) % BEARINGS
        return np.hypot(east, north), ray

    def _pattern(self, xy: Floats, metres: Floats) -> Floats:
        bearing = np.degrees(np.arctan2(xy[:, 0] - self.emitter.x, xy[:, 1] - self.emitter.y))
        rise = self.link.height_m - self.link.terminal_m
        down = np.degrees(np.arctan2(rise, np.maximum(metres, 0.01)))
        return self.link.antenna.loss_db(bearing, down)


def field(
    emitter: Emitter, link: Link, obstacles: Obstacles | None = None, levels: Levels | None = None
) -> Field:
    """The field of an emitter among `obstacles`, corrected by the `levels` that were measured not
    farther than `FURTHER` times its reach.
    """
    link, _ = lawful(link)
    spending, lines = plain_budget(link), None
    if obstacles is not None and len(obstacles):
        walled = budget(link)
        lines = rays(obstacles, emitter, link, float(walled.metres[-1]) * FURTHER)
        spending = walled if lines is not None else spending
    if levels is None:
        return Field(emitter, link, spending, lines)
    reaching = float(spending.metres[-1]) * FURTHER
    away = np.hypot(levels.xy[:, 0] - emitter.x, levels.xy[:, 1] - emitter.y)
    levels = Levels(levels.xy[away <= reaching], levels.dbm[away <= reaching])
    spend = plain_budget if lines is None else budget
    outdoors = replace(link, indoor=False)  # where walks are
    there = Field(emitter, outdoors, spend(outdoors, reaching), lines)
    more = correction(levels, there.median_dbm(levels.xy), _sigma(link))
    return Field(emitter, link, spend(link, reaching), lines, more)


def _sigma(link: Link) -> float:
    if link.tuning is not None:
        return link.tuning.sigma_db
    branches = model(link.environment).branches(np.array([50.0]), link.path)
    return max(branch.sigma_db for branch in branches)


@dataclass(frozen=True, eq=False)
class Tile:
    """Cells of a grid: `left` and `bottom` of the tile in metres, and what each cell has to spare,
    shape (rows from the south, columns), -inf where nothing is heard.
    """

    left: float
    bottom: float
    cell_m: float
    spare_db: NDArray[np.float32]

    def middles(self) -> Floats:
        """Middles of the cells, shape (rows × columns, 2)."""
        return _middles(self.left, self.bottom, self.cell_m, self.spare_db.shape)

    def covered(self) -> BaseGeometry:
        """The cells that have something to spare, as one shape."""
        return _shape(self.spare_db >= 0, self.left, self.bottom, self.cell_m)


def tiles(
    bounds: tuple[float, float, float, float],
    fields: Sequence[Field],
    *,
    cell_m: float = CELL_M,
    tile_cells: int = TILE_CELLS,
) -> Iterator[Tile]:
    """Tiles that cut `bounds` (left, bottom, right, top), from the south-west, row by row.

    The best field counts in each cell. A tile that nothing reaches is left out.
    """
    reach = [
        shapely.box(
            f.emitter.x - f.farthest_m, f.emitter.y - f.farthest_m,
            f.emitter.x + f.farthest_m, f.emitter.y + f.farthest_m,
        )
        for f in fields
    ]  # fmt: skip
    tree = shapely.STRtree(reach)
    left, bottom, right, top = bounds
    side = cell_m * tile_cells
    for row in range(max(1, math.ceil((top - bottom) / side))):
        for column in range(max(1, math.ceil((right - left) / side))):
            x, y = left + column * side, bottom + row * side
            near = tree.query(shapely.box(x, y, x + side, y + side))
            if len(near):
                some = [fields[k] for k in np.sort(near).tolist()]
                yield _tile(x, y, cell_m, tile_cells, some)


def _tile(x: float, y: float, cell_m: float, cells: int, fields: Iterable[Field]) -> Tile:
    best = np.full((cells, cells), -np.inf, dtype=np.float32)
    for f in fields:
        # Only the window of cells that this one can reach.
        low = np.floor((np.array([f.emitter.x, f.emitter.y]) - f.farthest_m - (x, y)) / cell_m)
        high = np.ceil((np.array([f.emitter.x, f.emitter.y]) + f.farthest_m - (x, y)) / cell_m)
        (c0, r0), (c1, r1) = np.clip(low, 0, cells).astype(int), np.clip(high, 0, cells).astype(int)
        if c0 >= c1 or r0 >= r1:
            continue
        shape = (int(r1 - r0), int(c1 - c0))
        xy = _middles(x + c0 * cell_m, y + r0 * cell_m, cell_m, shape)
        window = best[r0:r1, c0:c1]
        np.maximum(window, f.spare_db(xy).reshape(shape), out=window, casting="same_kind")
    return Tile(x, y, cell_m, best)


def _middles(left: float, bottom: float, cell_m: float, shape: tuple[int, ...]) -> Floats:
    rows, columns = shape
    x, y = np.meshgrid(
        left + (np.arange(columns) + 0.5) * cell_m, bottom + (np.arange(rows) + 0.5) * cell_m
    )
    return np.column_stack((x.ravel(), y.ravel()))


def footprint(f: Field, cell_m: float = CELL_M) -> BaseGeometry:
    """What one field covers, as a shape of cells."""
    reach = f.farthest_m + cell_m
    cells = 2 * math.ceil(reach / cell_m)
    left, bottom = f.emitter.x - cells / 2 * cell_m, f.emitter.y - cells / 2 * cell_m
    spare = f.spare_db(_middles(left, bottom, cell_m, (cells, cells))).reshape(cells, cells)
    return _shape(spare >= 0, left, bottom, cell_m)


def with_measured(
    street: Street, levels: Mapping[str, Levels], obstacles: Obstacles | None = None
) -> Street:
    """`street` with a footprint of cells for each emitter that walks heard."""
    emitters = []
    count = 0
    for emitter in street.emitters:
        heard = levels.get(emitter.id)
        if heard is None:
            emitters.append(emitter)
            continue
        found = footprint(field(emitter, street.links[emitter.id], obstacles, heard))
        count += 1
        kind = f"{emitter.kind}, measured"
        if found.is_empty:
            emitters.append(replace(emitter, range_m=0.0, ranges_m=(), kind=kind))
        else:
            emitters.append(replace(emitter, footprint=found, kind=kind))
    return replace(street, emitters=emitters, measured=count)


def _shape(covered: NDArray[np.bool_], left: float, bottom: float, cell_m: float) -> BaseGeometry:
    """Runs of cells in a row as boxes, united."""
    edges = np.diff(np.pad(covered, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    boxes = shapely.box(
        left + start * cell_m, bottom + row * cell_m, left + end * cell_m,
        bottom + (row + 1) * cell_m,
    )  # fmt: skip
    return shapely.union_all(boxes)


def shares(ground: Ground, fields: Sequence[Field], cell_m: float = CELL_M) -> Floats:
    """Share of each neighbourhood's ground that is covered, 0..1, by counting cells."""
    inside = np.zeros(len(ground.polygons))
    covered = np.zeros(len(ground.polygons))
    left, bottom, right, top = shapely.total_bounds(ground.polygons).tolist()
    for tile in tiles((left, bottom, right, top), fields, cell_m=cell_m):
        side = cell_m * len(tile.spare_db)
        here = shapely.box(tile.left, tile.bottom, tile.left + side, tile.bottom + side)
        x, y = tile.middles().T
        good = tile.spare_db.ravel() >= 0
        for k in ground.tree.query(here, predicate="intersects").tolist():
            shapely.prepare(ground.polygons[k])
            member = shapely.contains_xy(ground.polygons[k], x, y)
            inside[k] += member.sum()
            covered[k] += (member & good).sum()
    whole = np.maximum(ground.areas / cell_m**2, inside)
    return np.asarray(covered / np.maximum(whole, 1))
