"""Live coverage: the share of the time that each place is really covered. An access point that
was down half the month covers half.

The ground is cut into the faces that the footprints make of it: each face is reached by the same
sites. In one window of time it is covered as likely as any of them was up, 1 - Π(1 - up): exact
where each was up or down for all of an hour, as if independent within the hour where not. What one
site's radios reach is one footprint: they fail together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from coverage_maps.cover.coverage import cover_emitters
from coverage_maps.cover.emitters import Emitter, checked, outermost, shapes
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats, Geometries

MOST_FACES = 4000
"""A neighbourhood that would be cut into more is measured on a grid of points instead."""
POINTS = 4000
"""Of such a grid, on what the faultless sites leave."""


@dataclass(frozen=True, eq=False)
class LiveCoverage:
    """Shares of ground, 0..1, of n neighbourhoods."""

    shares: Floats
    """Covered on average over the windows, shape (n,)."""
    if_up: Floats
    """Covered if every site were up, shape (n,)."""
    lost: dict[str, float]
    """By site the residents, on average, whom it would cover besides if it were always up."""
    sampled: int = 0
    """Neighbourhoods measured on points, for their footprints make too many faces."""


def cover_live(
    ground: Ground,
    emitters: Sequence[Emitter],
    sometimes: Mapping[str, Floats],
    advance: Callable[[int], None] = lambda _n: None,
) -> LiveCoverage:
    """Coverage over time. `sometimes` has, by site, the share that it was up, 0..1, in each of w
    windows, shape (w,); sites that are not in it count as up.
    """
    faulty = [e for e in checked(emitters) if e.site_id in sometimes]
    steady = [e for e in emitters if e.site_id not in sometimes]
    base = cover_emitters(ground, steady, advance=advance)
    sites, reached = _by_site(faulty)
    up = np.array([sometimes[site] for site in sites]).reshape(len(sites), -1)
    shares, if_up = base.shares.copy(), base.shares.copy()
    lost: dict[str, float] = dict.fromkeys(sites, 0.0)
    which, near = shapely.STRtree(reached).query(base.uncovered, predicate="intersects")
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(shares) + 1))
    sampled = 0
    for i in np.unique(which):
        here = near[order[starts[i] : starts[i + 1]]]
        faces = _faces(base.uncovered[i], reached[here])
        if faces is None:
            faces, sampled = _points(base.uncovered[i], reached[here]), sampled + 1
        density = ground.residents[i] / ground.areas[i]
        for members, area in faces.items():
            by = here[list(members)]
            covered = 1.0 - float(np.prod(1.0 - up[by], axis=0).mean())
            shares[i] += covered * area / ground.areas[i]
            if_up[i] += area / ground.areas[i]
            for site in by.tolist():
                lost[sites[site]] += density * area * (1.0 - covered)
    return LiveCoverage(np.clip(shares, 0, 1), np.clip(if_up, 0, 1), lost, sampled)


def _by_site(emitters: Sequence[Emitter]) -> tuple[list[str], Geometries]:
    """The sites of `emitters` and what each reaches with all its radios."""
    of: dict[str, list[Emitter]] = defaultdict(list)
    for emitter in emitters:
        of[emitter.site_id].append(emitter)
    out = np.empty(len(of), dtype=object)
    for k, own in enumerate(of.values()):
        parts = shapes(outermost(own))
        out[k] = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return list(of), out


def _faces(ground: shapely.Geometry, reached: Geometries) -> dict[tuple[int, ...], float] | None:
    """Areas of `ground` by the shapes that reach it (their numbers, ascending); what none reaches
    is left out. None where there are more than MOST_FACES.
    """
    pieces: list[shapely.Geometry] = [ground]
    members: list[tuple[int, ...]] = [()]
    for number, shape in enumerate(reached):
        shapely.prepare(shape)
        hit = np.flatnonzero(shapely.intersects(shape, pieces))
        if not len(hit):
            continue
        cut = np.array([pieces[k] for k in hit], dtype=object)
        inside, outside = shapely.intersection(cut, shape), shapely.difference(cut, shape)
        areas_in, areas_out = shapely.area(inside), shapely.area(outside)
        for k, one, other, area_in, area_out in zip(
            hit.tolist(), inside, outside, areas_in, areas_out, strict=True
        ):
            if not area_in:
                continue
            if area_out:
                pieces[k] = other
                pieces.append(one)
                members.append((*members[k], number))
            else:
                pieces[k], members[k] = one, (*members[k], number)
        if len(pieces) > MOST_FACES:
            return None
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for own, area in zip(members, shapely.area(np.array(pieces, dtype=object)), strict=True):
        if own:
            sums[own] += float(area)
    return dict(sums)


def _points(ground: shapely.Geometry, reached: Geometries) -> dict[tuple[int, ...], float]:
    """The same measured on a grid of some POINTS points."""
    left, bottom, right, top = ground.bounds
    step = float(np.sqrt(ground.area / POINTS))
    x, y = np.meshgrid(
        np.arange(left + step / 2, right, step), np.arange(bottom + step / 2, top, step)
    )
    shapely.prepare(ground)
    inside = shapely.contains_xy(ground, x, y)
    xs, ys = x[inside], y[inside]
    if not len(xs):
        return {}
    for shape in reached:
        shapely.prepare(shape)
    hits = np.array([shapely.contains_xy(shape, xs, ys) for shape in reached]).T
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for own in hits:
        if own.any():
            sums[tuple(np.flatnonzero(own).tolist())] += ground.area / len(xs)
    return dict(sums)
