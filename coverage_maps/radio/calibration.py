"""Fits a propagation model's offset and exponent to what walks measured.

A phone never records what it could not hear, so far away only the luckier places are in a walk and
a plain regression finds a slope that is too flat. The fit takes that into account: it is a normal
distribution cut off at the weakest level that the walk holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

LEAST_READINGS = 30
LEAST_SOURCES = 3
SPREAD = 3.0
"""Far readings must be this many times as far as near ones, or the slope cannot be told."""
_EXPONENTS = (1.0, 8.0)
_SIGMAS = (0.5, 25.0)


@dataclass(frozen=True, eq=False)
class Readings:
    """n mean levels at places; arrays of shape (n,)."""

    walk: NDArray[np.intp]
    """Index into `walks`."""
    source: NDArray[np.intp]
    """Index of the access point."""
    decades: Floats
    """10·log10 of the distance through the air in metres."""
    excess_db: Floats
    """What was sent towards the place, less the level heard, less the model's loss at a metre."""
    limit_db: Floats
    """The excess above which the walk heard nothing at all."""
    walks: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many."""
        return len(self.decades)

    def only(self, which: NDArray[np.bool_]) -> Readings:
        """Those that `which` chooses."""
        return Readings(
            self.walk[which], self.source[which], self.decades[which], self.excess_db[which],
            self.limit_db[which], self.walks,
        )  # fmt: skip


@dataclass(frozen=True)
class Published:
    """What the model says before any calibration."""

    exponent: float
    sigma_db: float


@dataclass(frozen=True)
class Fit:
    """excess = offset + exponent × decades, spread by sigma."""

    offset_db: float
    exponent: float
    sigma_db: float
    readings: int
    sources: int
    sloped: bool = True
    """Whether the exponent was fitted; else it is the model's."""

    def heard(self, readings: Readings) -> Floats:
        """Mean excess of what such walks would have heard at those distances: of places too weak
        to be heard there is no reading to compare with.
        """
        middle = self.offset_db + self.exponent * readings.decades
        z = (readings.limit_db - middle) / self.sigma_db
        lost = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(z))
        return np.asarray(middle - self.sigma_db * lost)


@dataclass(frozen=True)
class HeldOut:
    """How far a fit to the other walks is off on `walk`, in dB."""

    walk: str
    readings: int
    rms_db: float
    bias_db: float
    """Mean of measured minus predicted loss."""
    published_rms_db: float
    """The same of the model as published."""


def fit(readings: Readings, published: Published) -> Fit:
    """Fit offset, exponent and spread; where all readings lie about as far away the exponent is
    the published one and only the offset is fitted.

    Raises
    ------
    PlanningError
        There are too few readings, or of too few access points.
    """
    sources = len(np.unique(readings.source))
    if len(readings) < LEAST_READINGS or sources < LEAST_SOURCES:
        raise PlanningError(
            f"{len(readings)} readings of {sources} access points are too few to calibrate from: "
            f"{LEAST_READINGS} of {LEAST_SOURCES} are needed"
        )
    x, y, cut = readings.decades, readings.excess_db, readings.limit_db
    near, far = np.quantile(x, [0.05, 0.95])
    sloped = bool(far - near >= 10 * np.log10(SPREAD))

    def loss(parameters: Floats) -> float:
        offset, exponent, log_sigma = parameters
        sigma = np.exp(log_sigma)
        middle = offset + (exponent if sloped else published.exponent) * x
        z = (y - middle) / sigma
        heard = log_ndtr((cut - middle) / sigma)
        return float(np.mean(0.5 * z**2 + log_sigma + heard))

    slope, start = np.polyfit(x, y, 1) if sloped else (0.0, 0.0)
    if not sloped or not _EXPONENTS[0] < slope < _EXPONENTS[1]:
        slope = published.exponent
        start = float(np.mean(y - slope * x))
    spread = max(float(np.std(y - start - slope * x)), 1.0)
    found = minimize(
        loss,
        np.array([start, slope, np.log(spread)]),
        method="L-BFGS-B",
        bounds=[(None, None), _EXPONENTS, tuple(np.log(_SIGMAS))],
    )
    offset, exponent, log_sigma = found.x
    return Fit(
        float(offset), float(exponent) if sloped else published.exponent,
        float(np.exp(log_sigma)), len(readings), sources, sloped,
    )  # fmt: skip


def hold_out(readings: Readings, published: Published, walks: Sequence[int] = ()) -> list[HeldOut]:
    """Each walk (or each of `walks`) predicted by a fit to all the others; a walk is left out
    where the others are too few to fit.
    """
    found = []
    for walk in walks or np.unique(readings.walk).tolist():
        here = readings.walk == walk
        try:
            others = fit(readings.only(~here), published)
        except PlanningError:
            continue
        test = readings.only(here)
        if not len(test):
            continue
        found.append(_compare(test, others, published, readings.walks[walk]))
    return found


def _compare(test: Readings, fitted: Fit, published: Published, walk: str) -> HeldOut:
    error = test.excess_db - fitted.heard(test)
    plain = Fit(0.0, published.exponent, published.sigma_db, 0, 0)
    return HeldOut(
        walk, len(test), _rms(error), float(error.mean()), _rms(test.excess_db - plain.heard(test))
    )


def pooled(held: Sequence[HeldOut]) -> float | None:
    """Root mean square error over all walks that were held out; None where there were none."""
    count = sum(h.readings for h in held)
    if not count:
        return None
    return float(np.sqrt(sum(h.rms_db**2 * h.readings for h in held) / count))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
