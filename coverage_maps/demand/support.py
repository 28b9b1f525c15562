"""Of which neighbourhoods the model may speak: those like the ones that it has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coverage_maps.cover.projection import Floats

EXTREMES = 3
"""So many places must reach as far as the one that is spoken of."""
USUAL = 0.99
"""Share of the places seen whose combination of figures is less unusual than the limit."""


@dataclass(frozen=True, eq=False)
class Support:
    """What the model has seen: coverage and covariates, one by one and together."""

    names: tuple[str, ...]
    low: Floats
    high: Floats
    """Of coverage, then of each covariate."""
    middle: Floats
    inverse: Floats
    """Of the covariance of coverage and covariates."""
    farthest: float
    """Largest distance (Mahalanobis, squared) from the middle that is usual."""

    def silence(self, at: Floats) -> list[str]:
        """Why the model is silent at each of the points `at`, shape (m, 1 + k); "" where it
        speaks. Unknown covariates are nan.
        """
        why = [""] * len(at)
        slack = 1e-9 + 0.01 * (self.high - self.low)
        for column, name in enumerate(("coverage", *self.names)):
            value = at[:, column]
            for found, words in (
                (np.isnan(value), f"{name} unknown"),
                (value < self.low[column] - slack[column], f"{name} lower than where use is known"),
                (value > self.high[column] + slack[column],
                 f"{name} higher than where use is known"),
            ):  # fmt: skip
                for i in np.flatnonzero(found):
                    why[i] = why[i] or words
        apart = self._distance(at) > self.farthest
        for i in np.flatnonzero(apart):
            why[i] = why[i] or "no neighbourhood with known use has this combination of figures"
        return why

    def _distance(self, at: Floats) -> Floats:
        off = np.nan_to_num(at) - self.middle
        return np.asarray(np.einsum("ij,jk,ik->i", off, self.inverse, off))


def support_of(coverage: Floats, covariates: Floats, names: tuple[str, ...]) -> Support:
    """What n places with figures support; `covariates` of shape (n, k)."""
    seen = np.column_stack((coverage, covariates))
    ordered = np.sort(seen, axis=0)
    middle = seen.mean(axis=0)
    inverse = np.linalg.pinv(np.atleast_2d(np.cov(seen, rowvar=False)))
    found = Support(names, ordered[EXTREMES - 1], ordered[-EXTREMES], middle, inverse, np.inf)
    farthest = float(np.quantile(found._distance(seen), USUAL))
    return Support(names, found.low, found.high, middle, inverse, farthest)


def reference_of(coverage: Floats, residents: Floats) -> float:
    """Coverage that a quarter of the residents of these places have or pass, 0..1."""
    order = np.argsort(coverage)
    passed = np.cumsum(residents[order]) / residents.sum()
    return float(coverage[order][np.searchsorted(passed, 0.75)])


def spread_of(coverage: Floats) -> float:
    """From the tenth to the ninetieth of a hundred places, as a share of the ground."""
    low, high = np.quantile(coverage, (0.1, 0.9))
    return float(high - low)
