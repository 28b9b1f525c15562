"""Improves a choice of sites by exchanging one for another until no exchange helps."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coverage_maps.cover.projection import Floats

Indices = NDArray[np.intp]
WORTH_IT = 1e-9
"""Share of the covered weight that an exchange must bring, lest rounding swaps for ever."""


def improve(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    chosen: Indices,
    deadline: float,
) -> Indices:
    """Take each chosen site out in turn and put in what then gains most and can be paid.

    `covers` is boolean of shape (candidates, demand points). What every candidate would gain is
    kept up to date as sites go and come, so one trial touches only what the site covers. Ends
    when a whole round brings nothing, or at `deadline` (time.monotonic).
    """
    if time.monotonic() > deadline:
        return chosen
    points = csr_array(covers.T)
    times = np.zeros(len(weights), dtype=np.intp)
    for j in chosen:
        times[_row(covers, j)] += 1
    left = np.where(times > 0, 0.0, weights)
    gains = covers @ left
    money = budget * (1 + 1e-12) - float(costs[chosen].sum())
    least = WORTH_IT * max(float(weights.sum()), 1e-300)
    current = [int(j) for j in chosen]

    def change(reached: Indices, sign: float) -> None:
        """Weights of the points `reached` become open (+1) or taken (-1)."""
        starts, ends = points.indptr[reached], points.indptr[reached + 1]
        lengths = ends - starts
        offsets = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
        touched = points.indices[offsets + np.arange(lengths.sum())]
        np.add.at(gains, touched, np.repeat(sign * weights[reached], lengths))

    better = True
    while better:
        better = False
        for place, old in enumerate(current):
            if time.monotonic() > deadline:
                return np.array(current, dtype=np.intp)
            own = _row(covers, old)
            times[own] -= 1
            opened = own[times[own] == 0]
            lost = float(weights[opened].sum())
            change(opened, +1.0)
            room = money + costs[old]
            new = int(np.argmax(np.where(costs <= room, gains, -1.0)))
            if gains[new] <= lost + least:
                new = old
            else:
                better = True
            entered = _row(covers, new)
            change(entered[times[entered] == 0], -1.0)
            times[entered] += 1
            money = room - float(costs[new])
            current[place] = new
    return np.array(current, dtype=np.intp)


def _row(covers: csr_array, j: int) -> Indices:
    return np.asarray(covers.indices[covers.indptr[j] : covers.indptr[j + 1]])
