"""Made-up cities with a planted effect of coverage on use. Simulated: nothing here was measured.

Deprivation, coverage and what is not observed are each smooth in space; coverage is poorer where
deprivation is high; the unobserved part multiplies use and is correlated over a sixth of the
city's width or less. Counts are negative binomial beside that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MadeUp:
    """A city: n neighbourhoods, its counts, and what was planted."""

    xy: Floats
    residents: Floats
    deprivation: Floats
    no_internet: Floats
    coverage: Floats
    uptime: Floats
    use: Floats
    slope: float
    """Of log use in coverage."""
    rate: Floats
    """Expected use per resident without the coverage's part: exp(everything else)."""

    def unmet(self, reference: float) -> Floats:
        """What was planted: expected use at the reference less that at the actual coverage."""
        then = np.maximum(self.coverage, reference)
        return np.asarray(
            self.residents
            * self.rate
            * (np.exp(self.slope * then) - np.exp(self.slope * self.coverage))
        )


def smooth(rng: np.random.Generator, xy: Floats, reach: float) -> Floats:
    """A field of mean 0 and variance 1, with correlation exp(-distance / reach)."""
    away = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    root = np.linalg.cholesky(np.exp(-away / reach) + 1e-8 * np.eye(len(xy)))
    return np.asarray(root @ rng.standard_normal(len(xy)))


def made_up(seed: int, slope: float | None = None) -> MadeUp:
    """City number `seed`, 100 to 300 neighbourhoods within 10 km."""
    rng = np.random.default_rng([6, 2024, seed])
    n = int(rng.integers(100, 301))
    xy = rng.uniform(0, 10_000, (n, 2))
    deprivation = smooth(rng, xy, rng.uniform(800, 2500)) + 0.3 * rng.standard_normal(n)
    no_internet = 100 / (1 + np.exp(1.0 - 0.8 * deprivation - 0.6 * rng.standard_normal(n)))
    hidden = 0.7 * smooth(rng, xy, rng.uniform(500, 1500)) + 0.5 * rng.standard_normal(n)
    coverage = 1 / (1 + np.exp(0.2 + 0.5 * deprivation - hidden * 1.2))
    uptime = np.clip(1 - rng.gamma(1.0, 0.05, n), 0.3, 1.0)
    residents = np.exp(rng.normal(8.2, 0.5, n))
    slope = float(rng.uniform(0.6, 2.4)) if slope is None else slope
    spread = rng.uniform(0.15, 0.45)
    unobserved = spread * smooth(rng, xy, rng.uniform(300, 1_000)) - spread**2 / 2
    effects = rng.normal(0, 0.25, 2)
    log_rate = -4.0 + effects[0] * deprivation + effects[1] * (no_internet - 30) / 20
    rate = np.exp(log_rate + 1.5 * (uptime - 1))
    mean = residents * rate * np.exp(slope * coverage)
    shape = 1 / rng.uniform(0.05, 0.4)
    use = rng.poisson(mean * np.exp(unobserved) * rng.gamma(shape, 1 / shape, n)).astype(float)
    return MadeUp(xy, residents, deprivation, no_internet, coverage, uptime, use, slope, rate)
