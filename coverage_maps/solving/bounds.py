"""Proves how much any choice of sites could cover at most, without a solver.

Lagrangian relaxation of the maximal covering location problem (Galvão and ReVelle 1996): give
each demand point a multiplier y between 0 and its weight w. Then Σ(w - y) plus the best
affordable sum of the candidates' column sums of y is at least the optimum, for every such y.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coverage_maps.cover.projection import Floats

Indices = NDArray[np.intp]
CLOSE = 1e-6
PATIENCE = 15
SMALLEST_STEP = 1e-3
MEMORY = 0.5
WORTH_CUTTING = 0.3


@dataclass(frozen=True, eq=False)
class Limits:
    """What a choice must keep to beside the budget, as far as the bound makes use of it."""

    capacity: float = np.inf
    """The most weight that one site can serve."""
    cells: Indices | None = None
    """Of each candidate: of one cell at most one can be chosen. None where all can."""

    def kept(self, sums: Floats, names: Indices) -> Floats:
        """What each candidate can bring at most; of a cell only the best one brings anything."""
        if np.isfinite(self.capacity):
            sums = np.minimum(sums, self.capacity)
        if self.cells is None:
            return sums
        cells = self.cells[names]
        order = np.lexsort((-sums, cells))
        first = np.ones(len(order), dtype=bool)
        first[1:] = cells[order][1:] != cells[order][:-1]
        best = np.zeros_like(sums)
        best[order[first]] = sums[order[first]]
        return best


@dataclass(eq=False)
class _Problem:
    """What is left of the problem: candidates that may be in a better choice, and their points."""

    matrix: csr_array
    weights: Floats
    costs: Floats
    names: Indices
    """Of the candidates, in the whole problem."""

    def cut(self, keep: NDArray[np.bool_], y: Floats, past: Floats) -> tuple[Floats, Floats]:
        """Drop candidates, then points that no other reaches; returns what stays of y, past."""
        matrix = csr_array(self.matrix[np.flatnonzero(keep)])
        reached = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
        self.matrix = csr_array(matrix[:, reached])
        self.weights, self.costs = self.weights[reached], self.costs[keep]
        self.names = self.names[keep]
        return y[reached], past[reached]

    def reached(self, taken: Indices) -> list[Indices]:
        """The points that each of `taken` covers."""
        pointer, indices = self.matrix.indptr, self.matrix.indices
        return [indices[pointer[j] : pointer[j + 1]] for j in taken]


def lagrangian(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    value: float,
    deadline: float,
    outside: float = 0.0,
    limits: Limits | None = None,
) -> tuple[float, Indices]:
    """An upper bound on the weight that can be covered, and the best choice met on the way.

    Subgradient steps of Polyak's length towards `value` (a known feasible value), projected on
    0 ≤ y ≤ w and smoothed by their past. A candidate that cannot be part of anything better than
    the best known (its reduced cost is larger than the gap) is dropped, so steps become cheap as
    the gap closes. Ends when the bound meets a feasible value, when steps no longer help or at
    `deadline` (time.monotonic); the first bound is always computed. `covers` is boolean of
    shape (candidates, demand points). `outside` is the most weight for its cost that a candidate
    brings that is not among them: where the price of money is above, none of those could
    lift the bound, and where it is below, the budget times the difference is added. `limits` are
    what else a choice must keep to; the choice that is returned may break them, the bound is
    that of the problem with them.
    """
    left = _Problem(csr_array(covers, dtype=np.float64), weights, costs, np.arange(len(costs)))
    whole = limits is None and bool(np.all(weights == np.floor(weights)))
    # Who is left out may reach points that are not among these: then their sum is no bound.
    best = float(weights.sum()) if outside == 0 else np.inf
    known, found, found_value = value, np.empty(0, dtype=np.intp), -1.0
    y, slope, room = weights.copy(), np.zeros_like(weights), np.empty_like(weights)
    step, waited = 1.0, 0
    while True:
        sums = (limits or Limits()).kept(left.matrix @ y, left.names)
        taken, parts, relaxed, price = knapsack(sums, left.costs, budget)
        extra = max(0.0, outside - price) * budget
        bound = float(left.weights.sum() - y.sum()) + relaxed + extra
        rows = left.reached(taken)
        times = _counts(rows, parts, len(y))
        solid = parts >= 1
        if solid.all():
            np.minimum(times, 1.0, out=room)
        else:
            rows = [row for row, full in zip(rows, solid, strict=True) if full]
            np.minimum(_counts(rows, np.ones(len(rows)), len(y)), 1.0, out=room)
        feasible = _dot(left.weights, room)
        if feasible > found_value:
            found, found_value = left.names[taken[solid]], feasible
            known = max(known, feasible)

        waited = 0 if bound < best * (1 - 1e-7) else waited + 1
        best = min(best, float(np.floor(bound * (1 + 1e-12) + 1e-6)) if whole else bound)
        if best - known <= CLOSE * best or time.monotonic() > deadline:
            break
        if waited >= PATIENCE:
            step, waited = step / 2, 0
        if step < SMALLEST_STEP:
            break
        # In place: in a city these arrays are a megabyte each, and new ones cost more than sums.
        slope *= MEMORY
        slope += times - 1.0
        slope[((y <= 0) & (slope > 0)) | ((y >= left.weights) & (slope < 0))] = 0.0
        norm = _dot(slope, slope)
        if norm == 0:
            break
        np.multiply(slope, -step * (bound - known) / norm, out=room)
        y += room
        np.clip(y, 0.0, left.weights, out=y)
        # A hair of room, so that rounding never drops a candidate of an equal choice.
        keep = bound + (sums - price * left.costs) > known * (1 - 1e-9)
        if limits is None and np.count_nonzero(~keep) > WORTH_CUTTING * len(keep):
            y, slope = left.cut(keep, y, slope)
            room = np.empty_like(y)
            if not len(left.costs):
                best = known if outside == 0 else best
                break
    return max(best, known), found


def knapsack(values: Floats, costs: Floats, budget: float) -> tuple[Indices, Floats, float, float]:
    """The best affordable items where parts of one may be taken.

    Returns their indices, the part taken of each, their value, and the price of money: the
    value for cost of the item at the brink, 0 where all can be paid. With equal costs the items
    of largest value are taken; else those of most value for cost, the last one in part, which
    is no less than any choice of whole items.
    """
    count = len(values)
    if costs[0] > 0 and np.all(costs == costs[0]):
        fits = count if costs[0] * count <= budget else int(budget / costs[0] + 1e-9)
        if fits in {0, count}:
            top, price = np.arange(fits), 0.0 if fits else float(values.max() / costs[0])
        else:
            order = np.argpartition(values, count - fits)
            top, price = order[count - fits :], float(values[order[count - fits]] / costs[0])
        return top, np.ones(fits), float(values[top].sum()), price
    with np.errstate(all="ignore"):
        ratio = np.where(costs > 0, values / costs, np.inf)
    order = np.argsort(-ratio, kind="stable")
    spent = np.cumsum(costs[order])
    full = int(np.searchsorted(spent, budget * (1 + 1e-12), side="right"))
    taken, parts, price = order[:full], np.ones(full), 0.0
    if full < count:
        last = order[full]
        price = float(ratio[last])
        rest = budget - (float(spent[full - 1]) if full else 0.0)
        if rest > 0:
            taken, parts = np.append(taken, last), np.append(parts, rest / costs[last])
    return taken, parts, float((values[taken] * parts).sum()), price


def _counts(rows: list[Indices], parts: Floats, length: int) -> Floats:
    """How many times each point is covered by `rows`, of which `parts` are taken."""
    if not rows:
        return np.zeros(length)
    repeated = np.repeat(parts, [len(row) for row in rows])
    counts = np.bincount(np.concatenate(rows), weights=repeated, minlength=length)
    return np.asarray(counts, dtype=np.float64)


def _dot(a: Floats, b: Floats) -> float:
    """Their scalar product, without BLAS: its threads wait for each other on a busy machine, which
    made each step ten times as dear."""
    return float(np.einsum("i,i->", a, b))
