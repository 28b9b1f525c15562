"""Chooses where to build: the maximal covering location problem, with a proven upper bound.

Greedy choice by true marginal gain, improved by exchanging sites (`coverage_maps.swaps`), then
Lagrangian steps that prove how far from the optimum it can be at most and try the choices they
come across (`coverage_maps.bounds`).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from coverage_maps.bounds import lagrangian
from coverage_maps.projection import Floats
from coverage_maps.swaps import improve
from farola.errors import PlanningError

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Siting:
    """An answer of `maximal_coverage`, in the unit of its weights."""

    chosen: Indices
    """Indices of the new sites, in the order in which they gain most; the fixed not among them."""
    covered: float
    """Weight that the chosen and the fixed sites cover together."""
    upper_bound: float
    """No affordable choice covers more than this, the fixed sites' weight included."""
    gap: float
    """(upper_bound - covered) / upper_bound; 0 is proven optimal."""


def maximal_coverage(
    covers: Any,
    weights: ArrayLike,
    *,
    costs: ArrayLike | None = None,
    budget: float,
    fixed: Sequence[int] = (),
    time_limit: float = 10.0,
) -> Siting:
    """Choose candidates that together cover the most weight within the budget.

    Parameters
    ----------
    covers : scipy sparse CSR, boolean, shape (candidates, demand points)
        Which candidate covers which demand point.
    weights : shape (demand points,)
        What it is worth to cover each; 0 or more, not all 0.
    costs : shape (candidates,), optional
        0 or more. Without costs each candidate costs 1: the budget is a number of sites.
    budget : float
        What the chosen may cost together.
    fixed : indices of candidates
        Built already: they cover, cost nothing and are not chosen again. What they cover is
        part of `covered` and of `upper_bound`.
    time_limit : float
        Seconds for search and bound together. If the search runs out of it, the rest of the
        budget is spent by the gains known then.

    Returns
    -------
    Siting
        A candidate that adds nothing is never chosen, so there may be fewer than affordable.

    Raises
    ------
    PlanningError
        Shapes that do not fit, a value that is nan or below 0, weights that are all 0.
    """
    deadline = time.monotonic() + time_limit
    matrix, weight, cost = _checked(covers, weights, costs, budget)
    built = np.unique(np.asarray(fixed, dtype=np.intp))
    if len(built) and not 0 <= built[0] <= built[-1] < matrix.shape[0]:
        raise PlanningError(
            f"fixed site {built[-1] if built[0] >= 0 else built[0]} is not one of the "
            f"{matrix.shape[0]} candidates: give indices from 0"
        )
    open_weight = weight.copy()
    for site in built:
        open_weight[_row(matrix, site)] = 0.0
    base = float(weight.sum() - open_weight.sum()) if len(built) else 0.0

    usable = np.flatnonzero((cost <= budget) & (matrix @ open_weight > 0))
    usable = usable[~np.isin(usable, built)]
    if not len(usable):
        return Siting(np.empty(0, dtype=np.intp), base, base, 0.0)
    small = matrix[usable]
    reachable = np.flatnonzero((small.sum(axis=0) > 0) & (open_weight > 0))
    small = csr_array(small[:, reachable])
    gain, price = open_weight[reachable], cost[usable]

    chosen = greedy(small, gain, price, budget, deadline)
    value = union_weight(small, gain, chosen)
    single = _best_single(small, gain)
    if union_weight(small, gain, single) > value:
        chosen, value = single, union_weight(small, gain, single)
    # The choice that the bound suggests is often the better start: time is kept for both.
    third = (deadline - time.monotonic()) / 3
    early, late = time.monotonic() + third, deadline - third / 2
    chosen = improve(small, gain, price, budget, chosen=chosen, deadline=early)
    value = union_weight(small, gain, chosen)
    bound, other = lagrangian(small, gain, price, budget, value=value, deadline=late)
    other = improve(small, gain, price, budget, chosen=other, deadline=deadline)
    both = [_completed(small, gain, price, budget, start=start) for start in (chosen, other)]
    chosen = max(both, key=lambda sites: union_weight(small, gain, sites))
    value = union_weight(small, gain, chosen)
    covered, upper = base + value, base + max(bound, value)
    return Siting(usable[chosen], covered, upper, (upper - covered) / upper)


def greedy(
    covers: csr_array, weights: Floats, costs: Floats, budget: float, deadline: float = np.inf
) -> Indices:
    """Take again and again what adds the most weight for its cost, while it can be paid.

    Gains only shrink as sites are added (the objective is submodular), so a gain computed
    earlier is a ceiling and only the candidate on top of the heap needs a new look.
    """
    divisor = np.where(costs > 0, costs, 1e-12 * max(float(costs.max()), 1.0))
    left = weights.copy()
    heap = list(zip((-(covers @ weights) / divisor).tolist(), range(len(costs)), strict=True))
    heapq.heapify(heap)
    chosen: list[int] = []
    # A hair of room: ten sites at 0.1 cost 1.
    money = budget * (1 + 1e-12)
    hurried = False
    while heap and (money > 0 or costs[heap[0][1]] == 0):
        known, j = heapq.heappop(heap)
        if costs[j] > money:
            continue
        row = _row(covers, j)
        now = -float(left[row].sum()) / divisor[j]
        hurried = hurried or time.monotonic() > deadline
        if now >= 0:
            continue
        if heap and now > heap[0][0] and now > known and not hurried:
            heapq.heappush(heap, (now, j))
            continue
        chosen.append(j)
        money -= costs[j]
        left[row] = 0.0
    return np.array(chosen, dtype=np.intp)


def union_weight(covers: csr_array, weights: Floats, chosen: Indices) -> float:
    """Weight of the demand points that at least one of `chosen` covers."""
    reached = np.zeros(len(weights), dtype=bool)
    for j in chosen:
        reached[_row(covers, j)] = True
    return float(weights[reached].sum())


def _best_single(covers: csr_array, weights: Floats) -> Indices:
    """The one best site: beside greedy by ratio it keeps a dear but great site from being lost."""
    return np.array([np.argmax(covers @ weights)], dtype=np.intp)


def _completed(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    start: Indices,
) -> Indices:
    """`start` in order of gain, then what the rest of the budget buys beside it."""
    ordered = start[greedy(csr_array(covers[start]), weights, np.zeros(len(start)), 0.0)]
    left = weights.copy()
    for j in ordered:
        left[_row(covers, j)] = 0.0
    rest = budget - float(costs[ordered].sum())
    return np.concatenate((ordered, greedy(covers, left, costs, rest)))


def _row(covers: csr_array, j: int) -> Indices:
    return np.asarray(covers.indices[covers.indptr[j] : covers.indptr[j + 1]])


def _checked(
    covers: Any, weights: ArrayLike, costs: ArrayLike | None, budget: float
) -> tuple[csr_array, Floats, Floats]:
    matrix = csr_array(covers).astype(bool)
    matrix.eliminate_zeros()
    matrix.sum_duplicates()
    if matrix.ndim != 2:
        raise PlanningError("covers must have two dimensions: candidates × demand points")
    weight = np.asarray(weights, dtype=np.float64)
    cost = np.ones(matrix.shape[0]) if costs is None else np.array(costs, dtype=np.float64)
    for name, values, length in (("weights", weight, matrix.shape[1]),
                                 ("costs", cost, matrix.shape[0])):  # fmt: skip
        if values.shape != (length,):
            raise PlanningError(
                f"{name} have shape {values.shape}, but covers of shape {matrix.shape} "
                f"needs ({length},)"
            )
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(wrong):
            raise PlanningError(
                f"{name}[{wrong[0]}] is {values[wrong[0]]:g}: give finite numbers from 0 up"
            )
    if not (np.isfinite(budget) and budget >= 0):
        raise PlanningError(f"budget is {budget:g}: give a finite number from 0 up")
    # What is lost in rounding beside the others is free: ratios must stay finite.
    cost[cost < 1e-12 * budget] = 0.0
    if costs is None and budget != int(budget):
        raise PlanningError(f"budget is {budget:g} sites: give a whole number, or costs")
    if not weight.sum() > 0:
        raise PlanningError("the weights sum to 0: there is nothing to cover")
    return matrix, weight, cost
