"""Siting with what a city asks for beside a budget: sites that must be built, places that may not
be taken, a least distance between sites, and what one access point can serve at the busy hour.

The bound belongs to the problem with its constraints: of candidates closer together than the
spacing only one can count, and no site counts for more than its capacity.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.spatial import KDTree

from coverage_maps.cover.projection import Floats
from coverage_maps.siting import Siting, checked
from coverage_maps.solving.annealing import COLD, HOT, SEED, STEPS_PER_SITE, Choice, drawn
from coverage_maps.solving.bounds import Limits, knapsack, lagrangian
from farola.errors import PlanningError

Indices = NDArray[np.intp]
SEARCH_SHARE = 0.6


def constrained_coverage(
    covers: Any,
    weights: ArrayLike,
    *,
    costs: ArrayLike | None = None,
    budget: float,
    must: Sequence[int] = (),
    forbidden: Sequence[int] = (),
    xy: ArrayLike | None = None,
    spacing: float = 0.0,
    capacity: float | None = None,
    time_limit: float = 10.0,
) -> Siting:
    """Choose candidates that together cover, or with `capacity` serve, the most weight.

    As `maximal_coverage`; beside it:

    Parameters
    ----------
    must, forbidden : indices of candidates
        Chosen whatever they bring, paid from the budget; never chosen.
    xy : shape (candidates, 2), metres
        Where the candidates are; needed with `spacing`.
    spacing : metres
        No two chosen sites are closer together; 0 is no rule.
    capacity : in the unit of the weights, above 0
        What one site can serve of the weight that it covers; each part of a demand point is served
        by one site. None is no limit.

    Raises
    ------
    PlanningError
        What `maximal_coverage` refuses; sites that must be built but are forbidden, cost more
        than the budget or lie closer together than `spacing`; a spacing below 0 or without `xy`; a
        capacity of 0 or less.
    """
    began = time.monotonic()
    matrix, weight, cost = checked(covers, weights, costs, budget)
    first = _indices(must, matrix.shape[0], "must")
    barred = _indices(forbidden, matrix.shape[0], "forbidden")
    most = np.inf if capacity is None else float(capacity)
    if not most > 0:
        raise PlanningError(f"capacity {most:g} serves nobody: give an amount above 0")
    near, cells = _spaced(matrix.shape[0], xy, spacing)
    _check_must(first, barred, cost, budget, near=near, spacing=spacing)
    money = budget * (1 + 1e-12) - float(cost[first].sum())
    closed = np.isin(np.arange(matrix.shape[0]), barred)
    if near is not None and len(first):
        for j in first:
            closed[near.row(j)] = True
    closed[first] = True
    free = np.flatnonzero(~closed & (cost <= money))
    chosen = _filled(matrix, weight, cost, money, free=free, first=first, near=near, capacity=most)
    deadline = began + time_limit * SEARCH_SHARE
    if capacity is None:
        chosen = _annealed(
            matrix,
            weight,
            cost,
            budget,
            chosen=chosen,
            free=free,
            fixed=len(first),
            near=near,
            deadline=deadline,
        )
    covered = served(matrix, weight, chosen, most)
    # What must be built counts in the bound whole, and the rest of the money is the knapsack's.
    base = np.zeros(len(weight), dtype=bool)
    for j in first:
        base[_row(matrix, j)] = True
    sure = float(weight[base].sum())
    open_weight = weight if capacity is not None else np.where(base, 0.0, weight)
    offset = min(sure, most * len(first))
    bound = offset
    if len(free):
        # With different prices the best of a cell is not the one of most weight: no rule then.
        alike = bool(np.all(cost[free] == cost[free][0]))
        kept = Limits(most, cells[free] if cells is not None and alike else None)
        few = csr_array(matrix[free])
        alone = np.minimum(few @ open_weight, most)
        proven, _ = lagrangian(
            few, open_weight, cost[free], max(money, 0.0), value=max(0.0, covered - offset),
            deadline=began + time_limit, limits=kept,
        )  # fmt: skip
        bound += min(proven, knapsack(alone, cost[free], max(money, 0.0))[2])
    bound = max(min(bound, float(weight.sum())), covered)
    return Siting(chosen, covered, bound, (bound - covered) / bound if bound else 0.0)


@dataclass(frozen=True, eq=False)
class _Near:
    """Which candidates are too near to which, looked up: all pairs of a city fill the memory."""

    tree: KDTree
    xy: Floats
    reach: float
    """Metres."""

    def row(self, j: int) -> Indices:
        """The candidates within reach of `j`, without itself."""
        found = np.array(self.tree.query_ball_point(self.xy[j], self.reach), dtype=np.intp)
        return np.asarray(found[found != j])


def served(covers: csr_array, weights: Floats, chosen: Indices, capacity: float) -> float:
    """The most weight that `chosen` can serve together, none more than `capacity`."""
    if not len(chosen):
        return 0.0
    few = csr_array(covers[chosen])
    met = np.flatnonzero(np.bincount(few.indices, minlength=len(weights)))
    if not np.isfinite(capacity):
        return float(weights[met].sum())
    if not len(met):
        return 0.0
    few = csr_array(few[:, met])
    site = np.repeat(np.arange(len(chosen)), np.diff(few.indptr))
    arcs = np.arange(few.nnz)
    rows = np.concatenate((site, len(chosen) + few.indices))
    table = coo_array(
        (np.ones(2 * few.nnz), (rows, np.tile(arcs, 2))), shape=(len(chosen) + len(met), few.nnz)
    )
    limits = np.concatenate((np.full(len(chosen), capacity), weights[met]))
    result = linprog(-np.ones(few.nnz), A_ub=table.tocsr(), b_ub=limits, method="highs")
    if not result.success:
        raise PlanningError(f"what the sites can serve could not be computed: {result.message}")
    return float(-result.fun)


def _filled(
    covers: csr_array, weights: Floats, costs: Floats, money: float, *,
    free: Indices, first: Indices, near: _Near | None, capacity: float,
) -> Indices:  # fmt: skip
    """`first`, then greedily what serves most for its cost and may still be built."""
    left = weights.copy()
    chosen: list[int] = []

    def build(j: int) -> None:
        row = _row(covers, j)
        open_ = float(left[row].sum())
        left[row] *= max(0.0, 1 - capacity / open_) if open_ > 0 else 0.0
        chosen.append(j)

    for j in first:
        build(int(j))
    may = np.zeros(covers.shape[0], dtype=bool)
    may[free] = True
    gains = np.minimum(covers @ left, capacity)
    points = csr_array(covers.T)
    price = np.where(costs > 0, costs, 1e-12)
    while True:
        worth = np.where(may & (costs <= money), gains / price, 0.0)
        j = int(np.argmax(worth))
        if not worth[j] > 0:
            return np.array(chosen, dtype=np.intp)
        build(j)
        money -= float(costs[j])
        may[j] = False
        if near is not None:
            may[near.row(j)] = False
        touched = np.unique(csr_array(points[_row(covers, j)]).indices)
        gains[touched] = np.minimum(csr_array(covers[touched]) @ left, capacity)


def _annealed(
    covers: csr_array, weights: Floats, costs: Floats, budget: float, *,
    chosen: Indices, free: Indices, fixed: int, near: _Near | None, deadline: float,
) -> Indices:  # fmt: skip
    """Exchanges one at a time, hot to cold, but for the `fixed` first of `chosen`."""
    if len(chosen) <= fixed:
        return chosen
    rng = np.random.default_rng(SEED)
    state = Choice(covers, weights, chosen)
    may = np.zeros(covers.shape[0], dtype=bool)
    may[free] = True
    barred = np.zeros(covers.shape[0], dtype=np.intp)
    if near is not None:
        for j in chosen:
            barred[near.row(j)] += 1
    best, best_value = chosen, state.value
    steps = len(chosen) * min(STEPS_PER_SITE, 20 * len(free))
    began, unit, money = time.monotonic(), state.value / len(chosen), budget * (1 + 1e-12)
    done, step = 0.0, 0
    while done < 1 and len(state.sites) > fixed:
        done = max(step / steps, (time.monotonic() - began) / max(deadline - began, 1e-9))
        step += 1
        place = fixed + int(rng.integers(len(state.sites) - fixed))
        old = state.sites[place]
        state.remove(place)
        if near is not None:
            barred[near.row(old)] -= 1
        while True:
            room = money - float(costs[state.sites].sum())
            open_ = may & (barred == 0) & (costs <= room) & (state.gains > 1e-12 * unit)
            if not open_.any():
                break
            heat = unit * HOT * (COLD / HOT) ** min(done, 1.0)
            new = drawn(np.where(open_, state.gains, -np.inf), heat, rng)
            state.add(new)
            if near is not None:
                barred[near.row(new)] += 1
        if state.value > best_value:
            best, best_value = np.array(state.sites, dtype=np.intp), state.value
    return best


def _spaced(
    count: int, xy: ArrayLike | None, spacing: float
) -> tuple[_Near | None, Indices | None]:
    """Which candidates are too near to which, and cells of one site each."""
    if not (np.isfinite(spacing) and spacing >= 0):
        raise PlanningError(f"spacing {spacing:g} is no distance: give metres, 0 or more")
    if spacing == 0:
        return None, None
    places = np.asarray(xy, dtype=np.float64)
    if xy is None or places.shape != (count, 2):
        raise PlanningError("a spacing needs xy: where each candidate is, in metres")
    # A square whose diagonal is shorter than the spacing holds one site at most.
    squares = np.floor(places / (0.999 * spacing / np.sqrt(2))).astype(np.int64)
    cells = np.unique(squares, axis=0, return_inverse=True)[1]
    near = _Near(KDTree(places), places, float(np.nextafter(spacing, 0)))
    return near, np.asarray(cells.ravel(), dtype=np.intp)


def _check_must(
    first: Indices, barred: Indices, costs: Floats, budget: float, *,
    near: _Near | None, spacing: float,
) -> None:  # fmt: skip
    both = np.intersect1d(first, barred)
    if len(both):
        raise PlanningError(f"candidate {both[0]} must be built and is forbidden: say one of two")
    if costs[first].sum() > budget * (1 + 1e-12):
        raise PlanningError(
            f"the {len(first)} sites that must be built cost {costs[first].sum():g}, the budget "
            f"is {budget:g}: raise it, or ask for fewer"
        )
    if near is not None and any(np.isin(near.row(j), first).any() for j in first):
        raise PlanningError(
            f"sites that must be built lie closer together than the spacing of {spacing:g} m"
        )


def _indices(given: Sequence[int], count: int, name: str) -> Indices:
    found = np.unique(np.asarray(given, dtype=np.intp))
    if len(found) and not 0 <= found[0] <= found[-1] < count:
        wrong = found[0] if found[0] < 0 else found[-1]
        raise PlanningError(f"{name} site {wrong} is not one of the {count} candidates")
    return found


def _row(matrix: csr_array, j: int) -> Indices:
    return np.asarray(matrix.indices[matrix.indptr[j] : matrix.indptr[j + 1]])
