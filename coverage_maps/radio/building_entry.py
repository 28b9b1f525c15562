"""Loss of a signal that enters a building, ITU-R P.2109: what sets indoor coverage apart from
outdoor coverage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

VALID_GHZ = (0.08, 100.0)


@dataclass(frozen=True)
class _Kind:
    """Coefficients of the Recommendation's table for a kind of building."""

    r: float
    s: float
    t: float
    u: float
    v: float
    w: float
    x: float
    y: float
    z: float


KINDS = {
    "traditional": _Kind(12.64, 3.72, 0.96, 9.6, 2.0, 9.1, -3.0, 4.5, -2.0),
    "efficient": _Kind(28.19, -3.00, 8.48, 13.5, 3.8, 27.8, -2.9, 9.4, -2.1),
}
"""Traditional building, and thermally efficient (metallised glass, foil in the walls)."""


def entry_loss_db(
    chance: ArrayLike, ghz: float, kind: str = "traditional", elevation_deg: float = 0.0
) -> Floats:
    """Loss in dB that is not exceeded with `chance` (0..1, both ends left out).

    Raises
    ------
    PlanningError
        There is no such kind of building, a chance is not between 0 and 1, or the carrier is
        outside 0.08 to 100 GHz.
    """
    if kind not in KINDS:
        raise PlanningError(f"no kind of building {kind!r}: choose {' or '.join(KINDS)}")
    if not VALID_GHZ[0] <= ghz <= VALID_GHZ[1]:
        raise PlanningError(f"building entry loss holds from 0.08 to 100 GHz, not at {ghz:g} GHz")
    share = np.asarray(chance, dtype=np.float64)
    if not np.all((share > 0) & (share < 1)):
        raise PlanningError("a chance must be between 0 and 1")
    k, log_f = KINDS[kind], np.log10(ghz)
    horizontal = k.r + k.s * log_f + k.t * log_f**2
    normal = ndtri(share)
    a = normal * (k.u + k.v * log_f) + horizontal + 0.212 * abs(elevation_deg)
    b = normal * (k.y + k.z * log_f) + k.w + k.x * log_f
    return np.asarray(10 * np.log10(10 ** (0.1 * a) + 10 ** (0.1 * b) + 10**-0.3))
