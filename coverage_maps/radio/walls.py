"""What building outlines do to a radio's reach: towards each bearing it ends sooner behind a wall.

A clear line has the loss of a line of sight. Behind a building it is what its walls let through, or
what finds a way around it by the environment's own model, whichever is stronger: so outlines say
*where* it is dark, the environment *how* dark. Once a line is blocked it stays blocked, so every
place on it is reached before those behind it, and a footprint is a polygon of ranges by bearing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from coverage_maps.cover.emitters import Emitter
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats, Geometries
from coverage_maps.propagation import Link, lawful, loss_not_exceeded_db
from inventory.records import BuildingRecord

BEARINGS = 120
"""Every 3°: 3 m at 60 m."""
STEPS = 300
CLEAR = {
    "residential": "los", "high-rise": "los", "los": "los", "umi": "umi-los",
    "umi-nlos": "umi-los", "umi-los": "umi-los", "log-distance": "log-distance",
}  # fmt: skip
"""The model of a clear line in each environment."""


def wall_db(material: str, ghz: float) -> float:
    """Loss through one outer wall in dB, by 3GPP TR 38.901 table 7.4.3-1: glass 2 + 0.2f, coated
    glass 23 + 0.3f, concrete 5 + 4f, wood 4.85 + 0.12f. What is not known, or of brick, is its
    ordinary façade of 30 % glass and 70 % concrete, 5 dB for slanting paths included.
    """
    glass, concrete = 2 + 0.2 * ghz, 5 + 4 * ghz
    if material == "glass":
        return glass
    if material in {"coated glass", "metal", "steel"}:
        return 23 + 0.3 * ghz
    if material in {"concrete", "stone"}:
        return concrete
    if material == "wood":
        return 4.85 + 0.12 * ghz
    through = 0.3 * 10 ** (-glass / 10) + 0.7 * 10 ** (-concrete / 10)
    return float(5 - 10 * np.log10(through))


@dataclass(frozen=True, eq=False)
class Obstacles:
    """Buildings on the ground's plane."""

    shapes: Geometries
    heights_m: Floats
    """Shape (n,); infinite where it is not known."""
    materials: tuple[str, ...]
    tree: shapely.STRtree

    def __len__(self) -> int:
        """How many."""
        return len(self.shapes)


def obstacles(ground: Ground, buildings: Sequence[BuildingRecord]) -> Obstacles:
    """`buildings` laid on the plane."""
    shapes = ground.plane.flatten([b.geometry for b in buildings])
    heights = [np.inf if b.height_m is None else b.height_m for b in buildings]
    return Obstacles(
        shapes, np.array(heights), tuple(b.wall for b in buildings), shapely.STRtree(shapes)
    )


@dataclass(frozen=True, eq=False)
class Rays:
    """What stands on the lines from an emitter: for each of `BEARINGS` where a line leaves its
    buildings, in metres, nearest first and infinite past the last, and the walls' loss from there.
    """

    exits: Floats
    """Shape (BEARINGS, k)."""
    walls_db: Floats
    """Shape (BEARINGS, k): of all buildings up to and with this one."""

    def behind_db(self, ray: NDArray[np.intp], metres: Floats) -> Floats:
        """Loss of the walls before places `metres` away on rays of those numbers; 0 is clear."""
        if not self.exits.shape[1]:
            return np.zeros(np.broadcast_shapes(ray.shape, metres.shape))
        passed = (self.exits[ray] < metres[..., None]).sum(axis=-1)
        table = np.concatenate((np.zeros((len(self.walls_db), 1)), self.walls_db), axis=1)
        return np.asarray(table[ray, passed])


def rays(obstacles: Obstacles, emitter: Emitter, link: Link, farthest_m: float) -> Rays | None:
    """The lines from an emitter up to `farthest_m`; None where no building stands within that.

    A building that is lower than the line to a phone just behind it, where that line is nearest
    to the emitter, does not block.
    """
    here = shapely.Point(emitter.x, emitter.y)
    near = obstacles.tree.query(here, predicate="dwithin", distance=farthest_m)
    if not len(near):
        return None
    shapes = obstacles.shapes[near]
    # An antenna on a roof or a façade is drawn inside its own building.
    apart = ~shapely.intersects(shapes, here)
    near, shapes = near[apart], shapes[apart]
    exits = _exits(shapes, emitter.x, emitter.y, farthest_m)
    rise = link.height_m - link.terminal_m
    line = link.height_m - rise * _nearest(shapes, here)[None, :] / np.maximum(exits, 1e-9)
    exits = np.where(obstacles.heights_m[near][None, :] > line, exits, np.inf)
    exits = np.where(np.isnan(exits), np.inf, exits)
    most = int(np.isfinite(exits).sum(axis=1).max()) if len(near) else 0
    order = np.argsort(exits, axis=1)[:, :most]
    twice = np.array([2 * wall_db(obstacles.materials[k], link.ghz) for k in near.tolist()])
    found = np.take_along_axis(exits, order, axis=1)
    walls = np.cumsum(np.where(np.isfinite(found), twice[order] if most else 0.0, 0.0), axis=1)
    return Rays(found, walls)


def _nearest(shapes: Geometries, here: shapely.Point) -> Floats:
    return np.asarray(shapely.distance(shapes, here))


def _exits(shapes: Geometries, x: float, y: float, farthest_m: float) -> Floats:
    """Where each ray leaves each shape, shape (BEARINGS, shapes); nan where they do not meet."""
    out = np.full((BEARINGS, len(shapes)), np.nan)
    corners, owner = shapely.get_coordinates(
        shapely.get_exterior_ring(shapely.get_parts(shapes)), return_index=True
    )
    part_of = shapely.get_parts(shapes, return_index=True)[1]
    corners = corners - (x, y)
    follows = owner[1:] == owner[:-1]
    a, b = corners[:-1][follows], corners[1:][follows]
    building = part_of[owner[:-1][follows]]
    angle = np.radians(np.arange(BEARINGS) * 360 / BEARINGS)
    east, north = np.sin(angle)[:, None], np.cos(angle)[:, None]
    # On which side of the ray each end is, and how far along it the edge is crossed.
    side_a, side_b = east * a[:, 1] - north * a[:, 0], east * b[:, 1] - north * b[:, 0]
    along_a, along_b = east * a[:, 0] + north * a[:, 1], east * b[:, 0] + north * b[:, 1]
    crosses = (side_a > 0) != (side_b > 0)
    gap = np.where(crosses, side_a - side_b, 1.0)
    metres = along_a + (along_b - along_a) * side_a / gap
    ray, edge = np.nonzero(crosses & (metres > 0) & (metres < farthest_m))
    np.fmax.at(out, (ray, building[edge]), metres[ray, edge])
    return out


@dataclass(frozen=True, eq=False)
class Budget:
    """What a link can lose on the way, and what it loses, by distance."""

    metres: Floats
    """Shape (s,)."""
    clear_db: Floats
    """On a clear line, shape (s,)."""
    around_db: Floats
    """Behind buildings at most."""
    margin: Floats
    """What of `clear_db` is kept for the reliability, shape (s,)."""
    allowed_db: float

    def margin_db(self, metres: Floats) -> Floats:
        """What is kept for the reliability at places so far away."""
        log = np.log(np.maximum(metres, self.metres[0]))
        return np.asarray(np.interp(log, np.log(self.metres), self.margin))

    def spare_db(self, metres: Floats, walls_db: Floats, pattern_db: Floats) -> Floats:
        """dB to spare at places so far away, behind so much of walls, so far off the peak."""
        log = np.log(np.maximum(metres, self.metres[0]))
        clear = np.interp(log, np.log(self.metres), self.clear_db)
        around = np.interp(log, np.log(self.metres), self.around_db)
        blocked = np.minimum(clear + walls_db, np.maximum(around, clear))
        return np.asarray(self.allowed_db - pattern_db - np.where(walls_db > 0, blocked, clear))


@functools.lru_cache(maxsize=4096)
def budget(link: Link, farthest_m: float | None = None) -> Budget:
    """The budget of a link, up to its farthest reach on a clear line (or as far as said).

    In sight alone where no building is in the way, by its environment behind one.
    """
    sending, _ = lawful(link)
    clear = replace(sending, environment=CLEAR[link.environment], tuning=None)
    walled = CLEAR[link.environment] == link.environment and link.tuning is None
    return _budget(sending, clear, farthest_m, blocked=np.inf if walled else None)


@functools.lru_cache(maxsize=4096)
def plain_budget(link: Link, farthest_m: float | None = None) -> Budget:
    """The budget of a link where nothing is known of buildings: its environment everywhere."""
    sending, _ = lawful(link)
    return _budget(sending, sending, farthest_m, blocked=None)


def _budget(sending: Link, clear: Link, farthest_m: float | None, blocked: float | None) -> Budget:
    weaker = min(sending.power_dbm, sending.phone_dbm) + sending.antenna.dbi
    allowed = weaker - sending.needed_dbm - sending.interference_db
    if farthest_m is None:
        coarse = np.geomspace(1.0, 50_000.0, 257)
        fits = coarse[loss_not_exceeded_db(clear, coarse) <= allowed]
        farthest_m = float(fits[-1]) * 1.05 if len(fits) else 0.0
    metres = np.geomspace(1.0, max(farthest_m, 2.0), STEPS)
    kept = loss_not_exceeded_db(clear, metres)
    around = (
        loss_not_exceeded_db(sending, metres) if blocked is None
        else np.full(STEPS, blocked)  # nothing is known of ways around
    )  # fmt: skip
    margin = kept - loss_not_exceeded_db(clear, metres, 0.5)
    return Budget(metres, kept, around, margin, allowed)


def behind_walls(
    emitter: Emitter, link: Link, budget: Budget, obstacles: Obstacles
) -> Emitter | None:
    """`emitter` with ranges by bearing; None where no building stands within its reach, and the
    environment's own model is all that is known.
    """
    if budget.allowed_db == -np.inf:
        return None
    lines = rays(obstacles, emitter, link, float(budget.metres[-1]))
    if lines is None:
        return None
    ray = np.arange(BEARINGS)[:, None]
    metres = np.broadcast_to(budget.metres, (BEARINGS, STEPS))
    spare = budget.spare_db(metres, lines.behind_db(ray, metres), pattern(link, ray, metres))
    good = spare >= 0
    last = np.where(good.any(axis=1), STEPS - 1 - np.argmax(good[:, ::-1], axis=1), -1)
    after = np.clip(last + 1, 1, STEPS - 1)
    number = np.arange(BEARINGS)
    a, b = spare[number, after - 1], spare[number, after]
    part = np.clip(np.divide(a, a - b, out=np.ones_like(a), where=a > b), 0.0, 1.0)
    found = budget.metres[after - 1] ** (1 - part) * budget.metres[after] ** part
    found = np.where(last < 0, 0.0, found)
    return replace(
        emitter, range_m=float(found.max()), ranges_m=tuple(found.tolist()),
        kind=f"{emitter.kind} with walls",
    )  # fmt: skip


def pattern(link: Link, ray: NDArray[np.intp], metres: Floats) -> Floats:
    """dB below the antenna's peak towards places on those rays."""
    down = np.degrees(np.arctan2(link.height_m - link.terminal_m, metres))
    return link.antenna.loss_db(ray * (360 / BEARINGS), down)
