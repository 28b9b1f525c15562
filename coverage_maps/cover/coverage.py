"""Who is covered now: the exact union of all discs, clipped by each neighbourhood.

Residents are taken as spread evenly in their neighbourhood, so the share of its ground that is
covered is the share of its residents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coverage_maps.cover.emitters import INNER, OUTER, Emitter, checked, discs, outermost, shapes
from coverage_maps.cover.footprint import changed, check_radius, distinct
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats, Geometries

NEAREST = 4
"""So many discs about a neighbourhood's middle are asked whether one alone covers it."""

FEW = 3
"""Up to so many shapes are cut off one by one; more are united first."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the sites at `positions` leave uncovered of each of n neighbourhoods."""

    radius: float
    """Reach of each site in metres; where they differ that of a further one."""
    positions: Floats
    """Distinct positions, shape (s, 2), metres on the ground's plane."""
    uncovered: Geometries
    """Shape (n,): the rest of each neighbourhood's polygon."""
    shares: Floats
    """Shape (n,): share of each neighbourhood's ground that is covered, 0..1."""
    emitters: tuple[Emitter, ...] = ()
    """What sends, where each has a reach of its own."""
    extents: Floats = field(default_factory=lambda: np.empty((0, 4)))
    """Shape (len(emitters), 4): left, bottom, right and top of what each reaches."""


def cover(
    ground: Ground, xy: Floats, radius: float, advance: Callable[[int], None] = lambda _n: None
) -> Coverage:
    """Cover `ground` by discs of `radius` metres at the positions `xy`, shape (s, 2).

    `advance` is called with the number of neighbourhoods done. Mexico City (27,000 positions,
    2,430 polygons) takes about 3 s.
    """
    check_radius(radius)
    xy = distinct(xy)
    whole = _within_one_disc(ground, xy, np.full(len(xy), radius))
    uncovered = _unite(ground, discs(xy, radius), whole, advance)
    return Coverage(radius, xy, uncovered, shares_of(ground, uncovered))


def cover_emitters(
    ground: Ground,
    emitters: Sequence[Emitter],
    *,
    radius: float = 0.0,
    advance: Callable[[int], None] = lambda _n: None,
) -> Coverage:
    """Cover `ground` by what each emitter reaches: discs of any range, sectors, footprints.

    `radius` (metres) is kept as the reach of a further site; the largest range if not given.
    PlanningError where a range cannot be.
    """
    sending = checked(emitters)
    seen = outermost(sending)
    round_ones = [e for e in seen if e.footprint is None and not e.ranges_m]
    xy = np.array([(e.x, e.y) for e in round_ones]).reshape(-1, 2)
    whole = _within_one_disc(ground, xy, np.array([e.range_m for e in round_ones]))
    uncovered = _unite(ground, shapes(seen), whole, advance)
    return of_emitters(sending, radius, uncovered, shares_of(ground, uncovered))


def of_emitters(
    sending: Sequence[Emitter], radius: float, uncovered: Geometries, shares: Floats
) -> Coverage:
    """The coverage by emitters of which it is known what they leave `uncovered`."""
    return Coverage(
        radius or max((e.range_m for e in sending), default=0.0),
        distinct(_pairs((e.x, e.y) for e in sending)),
        uncovered,
        shares,
        tuple(sending),
        shapely.bounds(shapes(sending)).reshape(-1, 4),
    )


def _unite(
    ground: Ground, reached: Geometries, whole: NDArray[np.bool_], advance: Callable[[int], None]
) -> Geometries:
    """What the shapes `reached` leave of each neighbourhood; nothing of those that are `whole`."""
    uncovered = ground.polygons.copy()
    uncovered[whole] = shapely.Polygon()
    advance(int(whole.sum()))
    rest = np.flatnonzero(~whole)
    which, shape = shapely.STRtree(reached).query(ground.polygons[rest], predicate="intersects")
    order = np.argsort(which, kind="stable")
    shape = shape[order]
    starts = np.searchsorted(which[order], np.arange(len(rest) + 1))
    count = np.diff(starts)
    few = count <= FEW
    for turn in range(FEW):  # one call for all polygons at once
        now = np.flatnonzero(few & (count > turn))
        cut = reached[shape[starts[now] + turn]]
        uncovered[rest[now]] = shapely.difference(uncovered[rest[now]], cut)
    advance(int(few.sum()))
    for k in np.flatnonzero(~few):
        union = shapely.union_all(reached[shape[starts[k] : starts[k + 1]]])
        uncovered[rest[k]] = shapely.difference(uncovered[rest[k]], union)
        advance(1)
    return uncovered


def _within_one_disc(ground: Ground, xy: Floats, ranges: Floats) -> NDArray[np.bool_]:
    """Which neighbourhoods one of the discs nearest to their middle covers whole, shape (n,).

    With a radius of kilometres that is almost every one, and saves a union of thousands.
    """
    whole = np.zeros(len(ground.polygons), dtype=bool)
    if not len(xy):
        return whole
    middles = shapely.get_coordinates(shapely.centroid(ground.polygons))
    corners, owner = shapely.get_coordinates(ground.polygons, return_index=True)
    several = min(NEAREST if np.ptp(ranges) > 0 else 1, len(xy))
    for nearest in KDTree(xy).query(middles, np.arange(1, several + 1))[1].T:
        farthest = np.zeros(len(ground.polygons))
        np.maximum.at(farthest, owner, np.hypot(*(corners - xy[nearest][owner]).T))
        whole |= farthest < INNER * ranges[nearest]
    return whole


def move(ground: Ground, before: Coverage, gone: Floats, new: Floats) -> Coverage:
    """`before` without the positions `gone` and with `new`, both of shape (k, 2), k from 0.

    Clips again only what is near them: some milliseconds for one site of a city. It serves the
    target "after one access point moves < 50 ms" of the design, measured by
    `benchmarks/city_coverage.py`. A position that a second site shares is not gone: leave it out.
    """
    xy = changed(before.positions, gone, new)
    reach = OUTER * before.radius

    def reaching(bounds: Floats) -> Geometries:
        return discs(xy[_meeting(np.hstack((xy - reach, xy + reach)), bounds)], before.radius)

    touched = discs(np.vstack((gone, new)), before.radius)
    uncovered, shares = _clip_again(ground, before, touched, reaching)
    return replace(before, positions=xy, uncovered=uncovered, shares=shares)


def move_emitters(
    ground: Ground, before: Coverage, gone: Collection[str], new: Sequence[Emitter]
) -> Coverage:
    """`before` (of `cover_emitters`) without the emitters whose ids are `gone` and with `new`.

    An emitter that moves, or whose range changes, is gone and new.
    """
    new = checked(new)
    leaves = set(gone)
    left = np.array([e.id in leaves for e in before.emitters], dtype=bool)
    parting = [before.emitters[k] for k in np.flatnonzero(left)]
    arriving = shapes(new)
    stay = np.flatnonzero(~left)
    emitters = (*(before.emitters[k] for k in stay.tolist()), *new)
    extents = np.vstack((before.extents[stay], shapely.bounds(arriving).reshape(-1, 4)))

    def reaching(bounds: Floats) -> Geometries:
        near = np.flatnonzero(_meeting(extents, bounds))
        return shapes(outermost([emitters[k] for k in near.tolist()]))

    touched = np.concatenate((shapes(parting), arriving))
    uncovered, shares = _clip_again(ground, before, touched, reaching)
    vacated = _pairs((e.x, e.y) for e in parting if not _taken(e, emitters, extents))
    return replace(
        before, uncovered=uncovered, shares=shares, emitters=emitters, extents=extents,
        positions=changed(before.positions, vacated, _pairs((e.x, e.y) for e in new)),
    )  # fmt: skip


def _taken(one: Emitter, emitters: Sequence[Emitter], extents: Floats) -> bool:
    """Whether another stands at the place of `one`, to the centimetre."""
    near = np.flatnonzero(_meeting(extents, np.array([one.x, one.y, one.x, one.y])))
    return any(
        round(emitters[k].x, 2) == round(one.x, 2) and round(emitters[k].y, 2) == round(one.y, 2)
        for k in near.tolist()
    )


def _pairs(places: Iterable[tuple[float, float]]) -> Floats:
    return np.array(list(places), dtype=np.float64).reshape(-1, 2)


def _meeting(extents: Floats, bounds: Floats) -> NDArray[np.bool_]:
    left, bottom, right, top = bounds
    return np.asarray(
        (extents[:, 2] > left) & (extents[:, 0] < right)
        & (extents[:, 3] > bottom) & (extents[:, 1] < top)
    )  # fmt: skip


def _clip_again(
    ground: Ground, before: Coverage, moved: Geometries, reaching: Callable[[Floats], Geometries]
) -> tuple[Geometries, Floats]:
    """What is uncovered, and the shares, once the neighbourhoods that the shapes `moved` meet
    are clipped again by what is `reaching` into their bounds.
    """
    uncovered, shares = before.uncovered.copy(), before.shares.copy()
    done: set[int] = set()
    for shape in moved:
        touched = set(ground.tree.query(shape, predicate="intersects").tolist()) - done
        if not touched:
            continue
        done |= touched
        again = np.array(sorted(touched))
        # Few are near the neighbourhoods that one shape meets, of which each has fewer still.
        reached = reaching(np.array(shapely.total_bounds(ground.polygons[again])))
        extents = shapely.bounds(reached).reshape(-1, 4)
        bounds = shapely.bounds(ground.polygons[again])
        for i, box in zip(again.tolist(), bounds, strict=True):
            union = shapely.union_all(reached[_meeting(extents, box)])
            uncovered[i] = shapely.difference(ground.polygons[i], union)
        left = shapely.area(uncovered[again]) / ground.areas[again]
        shares[again] = np.clip(1 - left, 0.0, 1.0)
    return uncovered, shares


def shares_of(ground: Ground, uncovered: Geometries) -> Floats:
    """Share of each neighbourhood that is covered, 0..1, from what is not."""
    return np.asarray(np.clip(1 - shapely.area(uncovered) / ground.areas, 0.0, 1.0))
