"""Narrows a siting problem to the candidates that matter, without losing the proof.

In a city of 200,000 candidates and 200 sites to build, most cover so little that they are
far from any good choice. Search and bound look at the others alone; that the rest could not lift
the bound is shown by what it brings for its cost at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coverage_maps.cover.projection import Floats

Indices = NDArray[np.intp]
SPENT = 0.95
KEPT = 0.88
"""Of the weight for its cost that the last sites of a greedy choice bring: a candidate that
brings less than this share even alone is left out."""


@dataclass(frozen=True, eq=False)
class Narrow:
    """The candidates that matter and the points they cover."""

    covers: csr_array
    weights: Floats
    costs: Floats
    names: Indices
    """Of the candidates, in the whole problem; sorted."""
    outside: float
    """The most weight for its cost that a candidate left out brings alone; 0 where there is none,
    or where all that is left out brings nothing."""
    reachable: float
    """Weight of all points that any candidate of the whole problem covers."""

    def inside(self, chosen: Indices) -> Indices:
        """Indices here of what is `chosen` in the whole problem."""
        return np.searchsorted(self.names, chosen)


def narrowed(
    covers: csr_array, weights: Floats, costs: Floats, *, chosen: Indices, alone: Floats
) -> Narrow:
    """The problem without the candidates that bring far less than the worst of a greedy choice.

    `chosen` is that choice, in its order; it stays inside, and so does the candidate that covers
    most. `alone` is what each candidate covers by itself.
    """
    met = np.bincount(covers.indices, minlength=len(weights)) > 0
    reachable = float(weights[met].sum())
    with np.errstate(all="ignore"):
        ratios = np.where(costs > 0, alone / costs, np.where(alone > 0, np.inf, 0.0))
    keep = ratios >= KEPT * _last(covers, weights, costs, chosen)
    keep[chosen] = True
    keep[np.argmax(alone)] = True
    names = np.flatnonzero(keep)
    outside = float(ratios[~keep].max()) if len(names) < len(keep) else 0.0
    few = csr_array(covers[names]) if len(names) < len(keep) else covers
    met = np.bincount(few.indices, minlength=len(weights)) > 0
    renamed = np.cumsum(met, dtype=few.indices.dtype) - 1
    points = int(met.sum())
    small = csr_array((few.data, renamed[few.indices], few.indptr), shape=(len(names), points))
    return Narrow(small, weights[met], costs[names], names, outside, reachable)


def _last(covers: csr_array, weights: Floats, costs: Floats, chosen: Indices) -> float:
    """What the last sites of a greedy choice bring for their cost, but for the last 5 % of
    the money: with the rest of a budget greedy buys what is cheap."""
    left = weights.copy()
    ratios = np.empty(len(chosen))
    for k, j in enumerate(chosen):
        row = covers.indices[covers.indptr[j] : covers.indptr[j + 1]]
        gain = float(left[row].sum())
        ratios[k] = gain / costs[j] if costs[j] > 0 else np.inf
        left[row] = 0.0
    order = np.argsort(-ratios)
    spent = np.cumsum(costs[chosen][order])
    if not len(order) or not spent[-1] > 0:
        return 0.0
    return float(ratios[order[int(np.searchsorted(spent, SPENT * spent[-1]))]])
