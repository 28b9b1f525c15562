"""The model of unmet demand: how use of the portal rises with coverage, and how much there would be
with as much coverage as elsewhere. Pure arrays in, frozen results out; docs/demand.md explains.

Use y of a neighbourhood is negative binomial (NB2: variance m + a·m²) with

    log m = log(residents) + log(exposure) + b0 + bc · coverage + Σ b · covariate

Errors are correlated in space. Unmet demand is the expected use at a reference coverage
less that at the actual one, everything else equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.projection import Floats
from coverage_maps.demand.blocks import blocks
from coverage_maps.demand.spatial import Correlation, Problem, estimate_correlation, refit

LEVEL = 0.80
"""Of every interval."""
DRAWS_BASE2 = 11
"""Draws of coefficients, as a power of two."""
SEED = 20_240_229
"""Of the draws that intervals are read from: the same data gives the same interval."""
ALPHA_BOUNDS = (1e-6, 50.0)
COVERAGE = "coverage"


@dataclass(frozen=True, eq=False)
class Observed:
    """n neighbourhoods with figures; every array of shape (n,) but `covariates`."""

    use: Floats
    """Counts in a usual period, from 0."""
    residents: Floats
    """Above 0."""
    exposure: Floats
    """Share of the neighbourhood's service that the figures tell of, above 0 to 1."""
    coverage: Floats
    """0..1."""
    covariates: Floats
    """Shape (n, k), in the order of `names`."""
    names: tuple[str, ...]
    xy: Floats
    """Shape (n, 2), metres on a plane: errors are alike where places are near."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fitted model. Coefficients: constant, coverage, then the covariates in standard units."""

    names: tuple[str, ...]
    """Of the covariates."""
    coefficients: Floats
    covariance: Floats
    """Of the coefficients, with errors alike where places are near."""
    dispersion: float
    """a of NB2; near 0 is Poisson."""
    correlation: Correlation
    blocks: int
    places: int
    means: Floats
    scales: Floats

    def design(self, coverage: Floats, covariates: Floats) -> Floats:
        """Rows of the model's matrix."""
        standard = (covariates - self.means) / self.scales
        return np.column_stack((np.ones(len(coverage)), coverage, standard))

    def draws(self) -> Floats:
        """Plausible coefficients, shape (2^11, p), of Student's t: the correlation is itself only
        estimated, so there is one degree of freedom less than blocks.
        """
        from scipy.stats import chi2, norm, qmc

        p, df = len(self.coefficients), self.blocks - 1
        # Spread evenly: quantiles of as many random draws would be off by some percent.
        even = qmc.Sobol(p + 1, rng=np.random.default_rng(SEED)).random_base2(DRAWS_BASE2)
        even = np.clip(even, 1e-9, 1 - 1e-9)
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        wide = np.sqrt(df / chi2.ppf(even[:, -1], df))
        return np.asarray(self.coefficients + (norm.ppf(even[:, :-1]) * wide[:, None]) @ root.T)


class NoFitError(ValueError):
    """The data do not determine the model; the message says why."""


def fit(data: Observed) -> Fitted:
    """Fit the model.

    Raises
    ------
    NoFitError
        Two covariates say the same, or the iterations do not come to an end.
    """
    if not data.use.sum() > 0:
        raise NoFitError("nobody was counted anywhere")
    means = data.covariates.mean(axis=0) if len(data.names) else np.empty(0)
    scales = data.covariates.std(axis=0) if len(data.names) else np.empty(0)
    if flat := [n for n, s in zip(data.names, scales, strict=True) if not s > 0]:
        raise NoFitError(f"{' and '.join(flat)} is the same in every neighbourhood with figures")
    design = np.column_stack(
        (np.ones(len(data.use)), data.coverage, (data.covariates - means) / scales)
    )
    offset = np.log(data.residents) + np.log(data.exposure)
    if np.linalg.cond(design) > 1e4:
        raise NoFitError("the covariates say nearly the same: their effects cannot be told apart")
    dispersion, start, mean = _likeliest(data.use, design, offset)
    label = blocks(data.xy)
    noise = 1 / mean
    try:
        correlation = estimate_correlation(data.use * noise - 1, design, noise, data.xy)
        problem = Problem(data.use, design, offset, data.xy)
        coefficients, covariance = refit(problem, start, label, correlation)
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        raise NoFitError(f"the fit does not settle ({error}): the figures are too thin") from None
    return Fitted(
        data.names, coefficients, covariance, dispersion, correlation, len(np.unique(label)),
        len(data.use), means, scales,
    )  # fmt: skip


def _likeliest(use: Floats, design: Floats, offset: Floats) -> tuple[float, Floats, Floats]:
    """Dispersion, coefficients and means of greatest likelihood, by turns: in NB2 the two are
    asymptotically independent, so a few turns do.
    """
    import warnings

    import statsmodels.api as sm
    from scipy.optimize import minimize_scalar
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    dispersion = 0.5
    start: Floats | None = None
    for _ in range(25):
        family = sm.families.NegativeBinomial(alpha=dispersion)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", PerfectSeparationWarning)
                result = sm.GLM(use, design, family=family, offset=offset).fit(
                    start_params=start, maxiter=100
                )
        except (ValueError, np.linalg.LinAlgError, PerfectSeparationWarning) as error:
            raise NoFitError(f"the model does not fit: {error}") from None
        if not result.converged or not np.isfinite(result.params).all():
            raise NoFitError("the fit does not settle: the figures are too thin or too uneven")
        start, mean = np.asarray(result.params), np.asarray(result.mu)

        def loss(log_dispersion: float, mean: Floats = mean) -> float:
            tried = sm.families.NegativeBinomial(alpha=float(np.exp(log_dispersion)))
            return -float(tried.loglike(use, mean))

        found = minimize_scalar(loss, bounds=np.log(ALPHA_BOUNDS), method="bounded")
        before, dispersion = dispersion, float(np.exp(found.x))
        if abs(np.log(dispersion / before)) < 1e-3:
            return dispersion, start, mean
    raise NoFitError("the dispersion does not settle: the figures are too thin or too uneven")


@dataclass(frozen=True, eq=False)
class Unmet:
    """Of m neighbourhoods and of all together; uses in a usual period, with their intervals."""

    actual: Floats
    """Expected at the actual coverage."""
    reference: Floats
    """Expected at the reference coverage."""
    unmet: Floats
    low: Floats
    high: Floats
    total: float
    total_low: float
    total_high: float


def unmet(
    fitted: Fitted,
    residents: Floats,
    *,
    coverage: Floats,
    reference: Floats,
    covariates: Floats,
    told: Sequence[bool] | NDArray[np.bool_],
) -> Unmet:
    """Expected use at `reference` coverage less that at `coverage`, all of shape (m,).

    The total is over those that are `told`. Intervals are of the expectation, given the
    coefficients' uncertainty: a neighbourhood's own count varies beside it.
    """
    told = np.asarray(told, dtype=bool)
    now, then = fitted.design(coverage, covariates), fitted.design(reference, covariates)
    actual = residents * np.exp(now @ fitted.coefficients)
    wanted = residents * np.exp(then @ fitted.coefficients)
    draws = fitted.draws()
    tail = (1 - LEVEL) / 2
    low, high = np.empty(len(residents)), np.empty(len(residents))
    total = np.zeros(len(draws))
    for part in np.array_split(np.arange(len(residents)), max(1, len(residents) // 512)):
        drawn = residents[part] * (np.exp(draws @ then[part].T) - np.exp(draws @ now[part].T))
        low[part], high[part] = np.quantile(drawn, (tail, 1 - tail), axis=0)
        total += drawn[:, told[part]].sum(axis=1)
    ends = np.quantile(total, (tail, 1 - tail))
    return Unmet(
        actual, wanted, wanted - actual, low, high,
        float((wanted - actual)[told].sum()), float(ends[0]), float(ends[1]),
    )  # fmt: skip


def interval_score(low: float, high: float, truth: float) -> float:
    """Winkler's score of an interval: its width, and ten times (at 80 %) what it misses by."""
    penalty = 2 / (1 - LEVEL)
    return high - low + penalty * (max(0.0, low - truth) + max(0.0, truth - high))
