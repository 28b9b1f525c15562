"""Guesses where access points stand whose positions nobody knows, from the levels a walk heard.

A guess, and said to be one: position, power and slope pull at the same readings, so what is fitted
to such positions looks better than it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from coverage_maps.cover.projection import Floats

LEAST_PLACES = 8
LEAST_SPAN_M = 30.0
_ROUNDS = 4
_AROUND_M = 60.0


@dataclass(frozen=True, eq=False)
class Guessed:
    """Positions on the plane by source; nan where too little was heard, shape (sources, 2)."""

    xy: Floats
    exponent: float
    """The slope that fits them best."""


def guess(
    places: Floats, levels: Floats, source: NDArray[np.intp], sources: int, *,
    exponent: float, rise_m: float,
) -> Guessed:  # fmt: skip
    """Positions of `sources` access points from `levels` (dBm) heard at `places`, shape (n, 2).

    Each has a power of its own; the slope is common and found in turns with the positions.
    `rise_m` is how far antennas stand above the phone.
    """
    xy = np.full((sources, 2), np.nan)
    members = [np.flatnonzero(source == k) for k in range(sources)]
    usable = [k for k, of in enumerate(members) if _enough(places[of])]
    for turn in range(_ROUNDS):
        for k in usable:
            of = members[k]
            xy[k] = _locate(places[of], levels[of], exponent, rise_m, None if turn == 0 else xy[k])
        if not usable:
            break
        exponent = _slope(places, levels, [members[k] for k in usable], xy[usable], rise_m)
    return Guessed(xy, exponent)


def _enough(places: Floats) -> bool:
    if len(places) < LEAST_PLACES:
        return False
    return bool(np.hypot(*np.ptp(places, axis=0)) >= LEAST_SPAN_M)


def _decades(places: Floats, xy: Floats, rise_m: float) -> Floats:
    far = np.hypot(places[:, 0] - xy[0], places[:, 1] - xy[1])
    return np.asarray(10 * np.log10(np.maximum(np.hypot(far, rise_m), 1.0)))


def _locate(
    places: Floats, levels: Floats, exponent: float, rise_m: float, start: Floats | None
) -> Floats:
    def misfit(xy: Floats) -> float:
        rest = levels + exponent * _decades(places, xy, rise_m)
        return float(np.var(rest))

    if start is None:
        low, high = places.min(axis=0) - _AROUND_M, places.max(axis=0) + _AROUND_M
        grid = np.stack(
            np.meshgrid(*(np.linspace(low[a], high[a], 15) for a in (0, 1))), axis=-1
        ).reshape(-1, 2)
        start = grid[int(np.argmin([misfit(xy) for xy in grid]))]
    found = minimize(misfit, start, method="Nelder-Mead", options={"maxiter": 120, "xatol": 0.5})
    return np.asarray(found.x)


def _slope(
    places: Floats, levels: Floats, members: list[NDArray[np.intp]], xy: Floats, rise_m: float
) -> float:
    """The common slope with a power of its own for each source."""
    above, below = 0.0, 0.0
    for of, at in zip(members, xy, strict=True):
        x = _decades(places[of], at, rise_m)
        x, y = x - x.mean(), levels[of] - levels[of].mean()
        above, below = above - float(x @ y), below + float(x @ x)
    return float(np.clip(above / below if below else 3.0, 1.0, 8.0))
