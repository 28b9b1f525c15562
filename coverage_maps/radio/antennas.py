"""Antenna patterns: how many dB below its peak an antenna sends in a direction (3GPP TR 38.901
§7.3: a parabola around where it looks, with a floor behind).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

FLOOR_DB = 30.0
"""What is left to the sides and behind: the front-to-back ratio."""


@dataclass(frozen=True)
class Antenna:
    """Gain in dBi at its peak. Without a beamwidth it sends alike all around."""

    dbi: float = 0.0
    azimuth_deg: float | None = None
    """Where it looks, clockwise from north."""
    beamwidth_deg: float | None = None
    """Between the points 3 dB below the peak, seen from above."""
    tilt_deg: float | None = None
    """Downwards from the horizon; None leaves the vertical pattern out."""

    @property
    def is_sector(self) -> bool:
        """Whether it sends more one way than another."""
        return self.beamwidth_deg is not None and self.beamwidth_deg < 360

    @property
    def vertical_deg(self) -> float:
        """Its beamwidth seen from the side, as a gain over such a width above implies: the product
        of both widths in degrees is 32,400 over the gain; never wider than 120°.
        """
        flat = self.beamwidth_deg if self.is_sector and self.beamwidth_deg else 360.0
        return float(min(120.0, max(4.0, 32_400 / 10 ** (self.dbi / 10) / flat)))

    def loss_db(self, bearing_deg: ArrayLike, down_deg: ArrayLike = 0.0) -> Floats:
        """dB below the peak towards bearings clockwise from north, `down_deg` below the horizon."""
        bearing, down = np.broadcast_arrays(
            np.asarray(bearing_deg, dtype=np.float64), np.asarray(down_deg, dtype=np.float64)
        )
        loss = np.zeros(bearing.shape)
        if self.is_sector and self.beamwidth_deg is not None:
            off = (bearing - (self.azimuth_deg or 0.0) + 180) % 360 - 180
            loss = loss + np.minimum(12 * (off / self.beamwidth_deg) ** 2, FLOOR_DB)
        if self.tilt_deg is not None:
            aside = (down - self.tilt_deg) / self.vertical_deg
            loss = loss + np.minimum(12 * aside**2, FLOOR_DB)
        return np.asarray(np.minimum(loss, FLOOR_DB))


def check_antenna(antenna: Antenna) -> Antenna:
    """Return `antenna`; PlanningError where no antenna can be so."""
    for value, low, high, what in (
        (antenna.dbi, -20, 40, "an antenna's gain in dBi"),
        (antenna.azimuth_deg, -360, 360, "an azimuth in degrees"),
        (antenna.beamwidth_deg, 1, 360, "a beamwidth in degrees"),
        (antenna.tilt_deg, -90, 90, "a tilt in degrees"),
    ):
        if value is not None and not low <= value <= high:  # false for nan too
            raise PlanningError(f"{value:g} cannot be {what}: give {low} to {high}")
    if antenna.is_sector and antenna.azimuth_deg is None:
        raise PlanningError("an antenna with a beamwidth needs an azimuth: where does it look?")
    return antenna
