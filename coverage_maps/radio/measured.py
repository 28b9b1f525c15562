"""What walks measured near an access point, spread over the ground around: simple kriging of the
difference between what was heard and what the model says.

Shadows are alike at places near each other, the less the farther: an exponential correlation over
`LENGTH_M`. Far from every reading the model is left as it is; near many, the level is theirs and
the margin that is kept for shadowing shrinks to what is still unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import cho_factor, cho_solve

from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats
from coverage_maps.radio.walks import Heard, Source

LENGTH_M = 20.0
"""Over which shadowing loses its likeness (3GPP UMi: 10 to 13 m; P.1411: up to some tens)."""
NUGGET_DB = 4.0
"""Spread of one reading: fading, the phone, its position."""
MOST_READINGS = 400


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels heard of one emitter: places on the plane, shape (n, 2), and dBm, shape (n,)."""

    xy: Floats
    dbm: Floats


@dataclass(frozen=True, eq=False)
class Correction:
    """dB to add to the model's level around the readings of one emitter."""

    xy: Floats
    weights: Floats
    factor: tuple[Floats, bool]
    sigma_db: float

    def at(self, xy: Floats) -> tuple[Floats, Floats]:
        """Mean correction in dB at places, shape (m,), and the share of the shadowing's spread
        that is still unknown there, 0..1.
        """
        near = self.sigma_db**2 * _alike(xy, self.xy)
        explained = np.sum(near * cho_solve(self.factor, near.T).T, axis=1) / self.sigma_db**2
        return near @ self.weights, np.sqrt(np.clip(1 - explained, 0.0, 1.0))


def correction(levels: Levels, predicted_dbm: Floats, sigma_db: float) -> Correction | None:
    """The correction that `levels` ask of a model that `predicted_dbm` there; None for none."""
    if not len(levels.dbm):
        return None
    step = max(1, -(-len(levels.dbm) // MOST_READINGS))
    xy, rest = levels.xy[::step], (levels.dbm - predicted_dbm)[::step]
    covariance = sigma_db**2 * _alike(xy, xy) + NUGGET_DB**2 * np.eye(len(xy))
    try:
        factor = cho_factor(covariance)
    except LinAlgError:  # pragma: no cover - the nugget keeps it positive
        return None
    return Correction(xy, cho_solve(factor, rest), factor, sigma_db)


def _alike(a: Floats, b: Floats) -> Floats:
    gap = np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])
    return np.asarray(np.exp(-gap / LENGTH_M))


def levels_by_emitter(
    ground: Ground, heard: Sequence[Heard], sources: Mapping[str, Source]
) -> dict[str, Levels]:
    """Levels of each emitter, of readings that were made while it stood where it stands now."""
    places: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for one in heard:
        source = sources.get(one.bssid)
        if source is not None and source.at(one.at) == source.stays[-1][2:]:
            places[source.emitter].append((one.lat, one.lon, one.level_dbm))
    found = {}
    for emitter, rows in places.items():
        lat, lon, dbm = np.array(rows).T
        found[emitter] = Levels(ground.plane.xy(lat, lon), dbm)
    return found
