"""Chooses where to build: the maximal covering location problem, with a proven upper bound.

Greedy choice by true marginal gain, improved by exchanging sites (`solving/swaps.py`), then
Lagrangian steps that prove how far from the optimum it can be at most and try the choices they
come across (`solving/bounds.py`); where a gap stays open, a small problem's linear duals tighten
the bound (`solving/duals.py`) and what time is left goes to annealing (`solving/annealing.py`).
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

from coverage_maps.cover.projection import Floats
from coverage_maps.solving.annealing import anneal
from coverage_maps.solving.bounds import knapsack, lagrangian
from coverage_maps.solving.duals import dual_bound, worth_solving
from coverage_maps.solving.narrow import narrowed
from coverage_maps.solving.swaps import improve
from farola.errors import PlanningError

Indices = NDArray[np.intp]
GREEDY_SHARE = 0.5
"""Of the time limit: when greedy takes more, it becomes less choosy."""
EXCHANGE_SHARE, PROOF_SHARE = 0.15, 0.6
"""Of the time left after greedy; the rest is annealing's."""
DUALS_SHARE = 0.15
"""Of the time left after the proof: where HiGHS needs more, its duals are not asked for."""
CLOSE_ENOUGH = 1e-4
"""A gap so small, the search ends: what is left is mostly the bound's slack."""
HURRIED = 0.7
"""Then a site is taken whose gain is at least this share of the best known ceiling."""


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
        Seconds for search and bound together. Past them the budget is still spent, greedily
        and less choosily, and the bound is the one that takes one look at each candidate: no
        choice covers more than its sites one by one, nor more than all sites together. So much
        (reading the matrix once, one greedy choice) is done however small the limit.

    Returns
    -------
    Siting
        A candidate that adds nothing is never chosen, so there may be fewer than affordable.

    Raises
    ------
    PlanningError
        Shapes that do not fit, a value that is nan or below 0, weights that are all 0.
    """
    began = time.monotonic()
    matrix, weight, cost = checked(covers, weights, costs, budget)
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

    alone = matrix @ open_weight
    usable = np.flatnonzero((cost <= budget) & (alone > 0))
    usable = usable[~np.isin(usable, built)]
    if not len(usable):
        return Siting(np.empty(0, dtype=np.intp), base, base, 0.0)
    small = matrix if len(usable) == matrix.shape[0] else matrix[usable]
    chosen, bound = _searched(
        small, open_weight, cost[usable], budget,
        alone=alone[usable], began=began, time_limit=time_limit,
    )  # fmt: skip
    value = union_weight(small, open_weight, chosen)
    covered, upper = base + value, base + max(bound, value)
    return Siting(usable[chosen], covered, upper, (upper - covered) / upper)


def _searched(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    alone: Floats,
    began: float,
    time_limit: float,
) -> tuple[Indices, float]:
    """A choice in the order of gain, and an upper bound; `alone` is each candidate's own weight.

    `began` is when the limit began to run; what was needed to read the matrix since then is
    about what the last step, putting the choice in order, needs too.
    """
    deadline = began + time_limit - (time.monotonic() - began)
    chosen = greedy(covers, weights, costs, budget, began + GREEDY_SHARE * time_limit, alone=alone)
    narrow = narrowed(covers, weights, costs, chosen=chosen, alone=alone)
    value = union_weight(covers, weights, chosen)
    # Beside greedy by ratio the one best site keeps a dear but great site from being lost.
    single = np.array([np.argmax(alone)], dtype=np.intp)
    if alone[single[0]] > value:
        chosen, value = single, float(alone[single[0]])
    bound = min(narrow.reachable, knapsack(alone, costs, budget)[2])
    if time.monotonic() >= deadline:
        if len(chosen) == 1:
            chosen = _completed(covers, weights, costs, budget, start=chosen, deadline=deadline)
        return chosen, bound
    left = deadline - time.monotonic()
    early, late = deadline - (1 - EXCHANGE_SHARE) * left, deadline - (1 - PROOF_SHARE) * left
    few = (narrow.covers, narrow.weights, narrow.costs, budget)
    first = improve(*few, chosen=narrow.inside(chosen), deadline=early)
    value = max(value, union_weight(narrow.covers, narrow.weights, first))
    proven, other = lagrangian(*few, value=value, deadline=late, outside=narrow.outside)
    bound = min(bound, proven)
    # The choice that the bound suggests is often the better start.
    other = improve(*few, chosen=other, deadline=late)
    starts = [chosen, narrow.names[first], narrow.names[other]]
    best = max(starts, key=lambda sites: union_weight(covers, weights, sites))
    best = _completed(covers, weights, costs, budget, start=best, deadline=deadline)
    value = union_weight(covers, weights, best)
    seconds = DUALS_SHARE * (deadline - time.monotonic())
    if value < (1 - CLOSE_ENOUGH) * bound and worth_solving(narrow.covers, seconds):
        bound = min(bound, dual_bound(*few, seconds=seconds, outside=narrow.outside))
    enough = (1 - CLOSE_ENOUGH) * bound
    if value >= enough or time.monotonic() >= deadline:
        return best, bound
    better = anneal(*few, chosen=narrow.inside(best), deadline=deadline, enough=enough)
    better = narrow.names[better]
    if union_weight(covers, weights, better) > union_weight(covers, weights, best):
        best = _completed(covers, weights, costs, budget, start=better, deadline=deadline)
    return best, bound


def greedy(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    deadline: float = np.inf,
    *,
    alone: Floats | None = None,
) -> Indices:
    """Take again and again what adds the most weight for its cost, while it can be paid.

    Gains only shrink as sites are added (the objective is submodular), so a gain computed
    earlier is a ceiling and only the candidate with the highest ceiling needs a new look. After
    `deadline` (time.monotonic) a candidate near the top is good enough, which needs fewer looks.
    `alone` is what each candidate covers by itself, where that is known already.
    """
    divisor = np.where(costs > 0, costs, 1e-12 * max(float(costs.max()), 1.0))
    left = weights.copy()
    ratios = (covers @ weights if alone is None else alone) / divisor
    order = np.argsort(-ratios, kind="stable").tolist()
    fresh = (-ratios[order]).tolist()
    heap: list[tuple[float, int]] = []
    chosen: list[int] = []
    # A hair of room: ten sites at 0.1 cost 1.
    money, cheapest = budget * (1 + 1e-12), float(costs.min())
    enough, seen = 1.0, 0
    while money >= cheapest and (heap or seen < len(order)):
        if not heap or (seen < len(order) and fresh[seen] <= heap[0][0]):
            known, j = fresh[seen], order[seen]
            seen += 1
        else:
            known, j = heapq.heappop(heap)
        if known >= 0:
            break
        if costs[j] > money:
            continue
        row = _row(covers, j)
        now = -float(left[row].sum()) / divisor[j]
        if now >= 0:
            continue
        if enough == 1.0 and time.monotonic() > deadline:
            enough = HURRIED
        ceiling = min(heap[0][0] if heap else 0.0, fresh[seen] if seen < len(order) else 0.0)
        if now > enough * ceiling and now > known:
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


def _completed(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    start: Indices,
    deadline: float,
) -> Indices:
    """`start` in order of gain, then what the rest of the budget buys beside it."""
    ordered = start[greedy(csr_array(covers[start]), weights, np.zeros(len(start)), 0.0)]
    rest = budget - float(costs[ordered].sum())
    payable = costs <= rest * (1 + 1e-12)
    payable[ordered] = False
    others = np.flatnonzero(payable)
    if not len(others):
        return ordered
    left = weights.copy()
    for j in ordered:
        left[_row(covers, j)] = 0.0
    more = greedy(csr_array(covers[others]), left, costs[others], rest, deadline)
    return np.concatenate((ordered, others[more]))


def _row(covers: csr_array, j: int) -> Indices:
    return np.asarray(covers.indices[covers.indptr[j] : covers.indptr[j + 1]])


def checked(
    covers: Any, weights: ArrayLike, costs: ArrayLike | None, budget: float
) -> tuple[csr_array, Floats, Floats]:
    """Covers, weights and costs as arrays; raises PlanningError as `maximal_coverage` says."""
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
