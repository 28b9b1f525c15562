"""What one site covers: in the disc model all ground within a radius, on the plane in metres."""

from __future__ import annotations

import numpy as np

from coverage_maps.emitters import INNER, LARGEST_RANGE, OUTER, discs
from coverage_maps.projection import Floats
from farola.errors import PlanningError

__all__ = ["INNER", "OUTER", "check_radius", "discs", "distinct"]


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
    return np.asarray(np.unique(np.round(xy, 2), axis=0))
