"""What one site covers: in the disc model all ground within a radius, on the plane in metres."""

from __future__ import annotations

import numpy as np

from coverage_maps.cover.emitters import INNER, LARGEST_RANGE, OUTER, discs
from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

__all__ = ["INNER", "OUTER", "changed", "check_radius", "discs", "distinct"]


def check_radius(radius: float) -> float:
    """Return `radius` (metres); PlanningError unless it is above 0 and at most 50 km."""
    if not 0 < radius <= LARGEST_RANGE:  # false for nan too
        raise PlanningError(
            f"--radius {radius:g} m cannot be a site's reach: give metres above 0 and up to 50,000"
        )
    return radius


def distinct(xy: Floats) -> Floats:
    """Positions without repeats (to the centimetre), in a fixed order: two there cover once."""
    if not len(xy):
        return np.empty((0, 2))
    # As complex numbers they are sorted ten times quicker than as rows, in the same order.
    places = np.unique(np.round(np.ascontiguousarray(xy), 2).view(np.complex128).ravel())
    return np.asarray(places.view(np.float64).reshape(-1, 2))


def changed(positions: Floats, gone: Floats, new: Floats) -> Floats:
    """`positions` (as `distinct` gives them) without those at `gone` and with `new`, in the same
    order: without sorting them all again.
    """
    places = np.ascontiguousarray(positions).view(np.complex128).ravel()
    if len(gone):
        parting = np.zeros(len(places), dtype=bool)
        for x, y in np.round(gone, 2):
            parting |= np.abs(places - complex(x, y)) < 0.005
        places = places[~parting]
    arriving = distinct(new).view(np.complex128).ravel()
    at = np.searchsorted(places, arriving)
    fresh = places[np.minimum(at, len(places) - 1)] != arriving if len(places) else at == 0
    merged = np.insert(places, at[fresh], arriving[fresh])
    return np.asarray(merged.view(np.float64).reshape(-1, 2))
