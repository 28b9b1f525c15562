"""The runner-up of each chosen site: the best other place, and why it lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from coverage_maps.cover.projection import Floats

Indices = NDArray[np.intp]
HEADINGS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
SAME = 0.005
"""Two places whose figures are closer than this share of the greater are told as equal."""


@dataclass(frozen=True)
class RunnerUp:
    """The best place that was not taken, for one chosen site; gains in the weights' unit."""

    candidate: int
    gain: float
    """What it would add to the rest of the plan."""
    against: float
    """What the chosen site adds to the rest of the plan."""
    nearby: bool


def runners_up(
    covers: csr_array,
    weights: Floats,
    xy: Floats,
    *,
    chosen: Indices,
    costs: Floats,
    spare: float,
    apart: float,
    near: float,
    allowed: NDArray[np.bool_],
    spacing: float = 0.0,
) -> list[RunnerUp | None]:
    """For each chosen site the candidate that would add most in its place, the others kept.

    One within `near` metres goes before any farther off, where there is one that adds anything.

    `spare` is what is left of the budget: a runner-up may cost that and the site's own cost.
    Places within `apart` metres of the site are the same place; those not `allowed` are none.
    None where no other place would add anything. `xy` has shape (candidates, 2), metres.
    """
    met = np.bincount(covers[chosen].indices, minlength=covers.shape[1])
    base = covers @ np.where(met == 0, weights, 0.0)
    by_point = csr_array(covers.T.tocsr())
    free = allowed.copy()
    free[chosen] = False
    crowd = _crowd(xy, xy[chosen], spacing)
    best: list[RunnerUp | None] = []
    for site in chosen:
        points = covers.indices[covers.indptr[site] : covers.indptr[site + 1]]
        own = points[met[points] == 1]
        gain = base.copy()
        for point in own:
            gain[by_point.indices[by_point.indptr[point] : by_point.indptr[point + 1]]] += weights[
                point
            ]
        away = np.hypot(*(xy - xy[site]).T)
        # Too near to another site of the plan than the one it would replace.
        crowded = crowd > (away < spacing)
        gain[~free | crowded | (away <= apart) | (costs > (costs[site] + spare) * (1 + 1e-12))] = (
            0.0
        )
        around = np.where(away <= near, gain, 0.0)
        nearby = bool(around.max() > 0)
        other = int(np.argmax(around if nearby else gain))
        against = float(weights[own].sum())
        found = RunnerUp(other, float(gain[other]), against, nearby)
        best.append(found if gain[other] > 0 else None)
    return best


def _crowd(xy: Floats, sites: Floats, spacing: float) -> Indices:
    """How many of `sites` are nearer than `spacing` to each of `xy`."""
    if spacing <= 0:
        return np.zeros(len(xy), dtype=np.intp)
    reach = np.nextafter(spacing, 0)
    return np.asarray(KDTree(sites).query_ball_point(xy, reach, return_length=True))


def why_lost(
    *,
    residents: float,
    against: float,
    gain: float,
    gain_against: float,
    cost: float | None,
    cost_against: float | None,
) -> str:
    """Why a site was taken and not its runner-up: `rules`, `residents`, `need`, `cost`, `nothing`.

    `rules` where the runner-up would bring more: what was asked beside (places that must be built,
    capacity, a budget) kept it out.

    `residents` and `gain` (weighted) are the runner-up's, those `against` the site's, each with
    the rest of the plan as it is.
    """
    if gain > gain_against * (1 + SAME):
        return "rules"
    if residents < against * (1 - SAME):
        return "residents"
    if gain < gain_against * (1 - SAME):
        return "need"
    if cost is not None and cost_against is not None and cost > cost_against:
        return "cost"
    return "nothing"


def heading(start: Floats, end: Floats) -> str:
    """The compass point (of eight) in which `end` lies from `start`; x east, y north."""
    east, north = end - start
    return HEADINGS[round(float(np.degrees(np.arctan2(east, north))) / 45) % 8]
