"""Proves how much any choice of sites could cover at most, without a solver.

Lagrangian relaxation of the maximal covering location problem (Galvão and ReVelle 1996): give
each demand point a multiplier y between 0 and its weight w. Then Σ(w - y) plus the best
affordable sum of the candidates' column sums of y is at least the optimum, for every such y.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coverage_maps.projection import Floats

Indices = NDArray[np.intp]
CLOSE = 1e-6
PATIENCE = 15
SMALLEST_STEP = 1e-3
MEMORY = 0.5


def lagrangian(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    value: float,
    deadline: float,
) -> tuple[float, Indices]:
    """An upper bound on the weight that can be covered, and the best choice met on the way.

    Subgradient steps of Polyak's length towards `value` (a known feasible value), projected on
    0 ≤ y ≤ w and smoothed by their past, until the bound meets a feasible value, the steps no
    longer help or `deadline` (time.monotonic) is reached. Each is one product with `covers`,
    boolean of shape (candidates, demand points). The first bound is always computed.
    """
    matrix = csr_array(covers, dtype=np.float64)
    indptr, indices = matrix.indptr, matrix.indices
    whole = bool(np.all(weights == np.floor(weights)))
    # Every candidate at once covers this much; where all can be paid it is the answer.
    best = float(weights.sum())
    found, found_value = np.empty(0, dtype=np.intp), value
    y = weights.copy()
    step, waited = 1.0, 0
    past = np.zeros_like(y)
    while True:
        sums = matrix @ y
        taken, parts, relaxed = knapsack(sums, costs, budget)
        bound = float((weights - y).sum()) + relaxed
        rows = [indices[indptr[j] : indptr[j + 1]] for j in taken]
        lengths = [len(row) for row in rows]
        reached = np.concatenate(rows) if rows else np.empty(0, dtype=np.intp)
        times = np.bincount(reached, weights=np.repeat(parts, lengths), minlength=len(y))
        paid = parts >= 1
        if not paid.all():
            solid = [row for row, full in zip(rows, paid, strict=True) if full]
            reached = np.concatenate(solid) if solid else np.empty(0, dtype=np.intp)
        mark = np.zeros(len(y), dtype=bool)
        mark[reached] = True
        if (feasible := float(weights[mark].sum())) > found_value:
            found, found_value = taken[paid], feasible

        if bound < best * (1 - 1e-7):
            waited = 0
        else:
            waited += 1
        best = min(best, np.floor(bound * (1 + 1e-12) + 1e-6) if whole else bound)
        if best - found_value <= CLOSE * best or time.monotonic() > deadline:
            break
        if waited >= PATIENCE:
            step, waited = step / 2, 0
        if step < SMALLEST_STEP:
            break
        slope = times - 1.0 + MEMORY * past
        blocked = ((y <= 0) & (slope > 0)) | ((y >= weights) & (slope < 0))
        slope[blocked] = 0.0
        norm = float(slope @ slope)
        if norm == 0:
            break
        past = slope
        y = np.clip(y - step * (bound - found_value) / norm * slope, 0.0, weights)
    return max(best, found_value), found


def knapsack(values: Floats, costs: Floats, budget: float) -> tuple[Indices, Floats, float]:
    """The best affordable items where parts of one may be taken: indices, parts, and value.

    With equal costs it is the items of largest value; else by value for cost, the last one in
    part, which is no less than any choice of whole items.
    """
    if np.all(costs == costs[0]) and costs[0] > 0:
        count = min(int(budget / costs[0] + 1e-9), len(values))
        if count == len(values):
            top = np.arange(count)
        else:
            top = np.argpartition(values, len(values) - count)[len(values) - count :]
        return top, np.ones(count), float(values[top].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(costs > 0, values / costs, np.inf)
    order = np.argsort(-ratio, kind="stable")
    spent = np.cumsum(costs[order])
    full = int(np.searchsorted(spent, budget * (1 + 1e-12), side="right"))
    taken, parts = order[:full], np.ones(full)
    if full < len(order):
        rest = budget - (spent[full - 1] if full else 0.0)
        last = order[full]
        if rest > 0:
            taken, parts = np.append(taken, last), np.append(parts, rest / costs[last])
    return taken, parts, float((values[taken] * parts).sum())
