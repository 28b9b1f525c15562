"""The model of unmet demand on made-up cities with a planted effect: what it finds, and how often
its 80 % intervals hold what was planted.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverage_maps.demand.blocks import blocks, halved
from coverage_maps.demand.model import LEVEL, NoFitError, Observed, fit, interval_score, unmet
from coverage_maps.demand.spatial import Correlation, Problem, refit
from tests.coverage_maps.made_up_demand import MadeUp, made_up

NAMES = ("deprivation", "no-Internet share", "uptime")


def observed(city: MadeUp, **other) -> Observed:
    covariates = np.column_stack((city.deprivation, city.no_internet, city.uptime))
    values = {
        "use": city.use, "residents": city.residents, "exposure": np.ones(len(city.use)),
        "coverage": city.coverage, "covariates": covariates, "names": NAMES, "xy": city.xy,
    } | other  # fmt: skip
    return Observed(**values)


def judged(seed: int) -> tuple[float, ...]:
    """Whether the intervals of city `seed` hold the truth, and the scores of its total's interval
    and of one that takes errors for independent.
    """
    from scipy.stats import norm

    city = made_up(seed)
    data = observed(city)
    fitted = fit(data)
    reference = float(np.quantile(city.coverage, 0.75))
    then = np.maximum(city.coverage, reference)
    truth = city.unmet(reference)
    total = float(truth.sum())
    found = unmet(
        fitted, city.residents, coverage=city.coverage, reference=then,
        covariates=data.covariates, told=np.ones(len(then), dtype=bool),
    )  # fmt: skip
    told = then > city.coverage
    slopes = np.quantile(fitted.draws()[:, 1], (0.1, 0.9))
    # The same fit as if nothing were alike where places are near.
    mean = found.actual
    design = fitted.design(city.coverage, data.covariates)
    weight = mean / (1 + fitted.dispersion * mean)
    plain = np.linalg.inv(design.T @ (weight[:, None] * design))
    step = city.residents @ (
        np.exp(fitted.design(then, data.covariates) @ fitted.coefficients)[:, None]
        * fitted.design(then, data.covariates)
        - np.exp(design @ fitted.coefficients)[:, None] * design
    )
    half = norm.ppf(0.5 + LEVEL / 2) * float(np.sqrt(step @ plain @ step))
    naive = found.total - half, found.total + half
    return (
        float(found.total_low <= total <= found.total_high),
        float(slopes[0] <= city.slope <= slopes[1]),
        float(((found.low <= truth) & (truth <= found.high))[told].mean()),
        interval_score(found.total_low, found.total_high, total) / total,
        (found.total_high - found.total_low) / total,
        found.total / total,
        float(naive[0] <= total <= naive[1]),
        interval_score(*naive, total) / total,
    )


def test_a_dozen_cities_show_what_was_planted():
    told = np.array([judged(seed) for seed in range(1000, 1012)])
    held, _, _, score, width, ratio, _, _ = told.T
    assert held.sum() >= 7
    assert np.median(np.abs(ratio - 1)) < 0.25
    # An endless interval would hold everything.
    assert width.max() < 1.5
    assert np.median(score) < 0.8


@pytest.mark.soak
def test_in_400_cities_the_80_percent_interval_holds_what_was_planted():
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        told = np.array(list(pool.map(judged, range(400), chunksize=5)))
    held, slope, each, score, width, ratio, naive_held, naive_score = told.mean(axis=0)
    print(
        f"\n400 cities: total unmet demand held {held:.1%}, slope {slope:.1%}, neighbourhoods "
        f"{each:.1%}; interval score {score:.3f} and width {width:.3f} of the truth, estimate "
        f"{ratio:.3f} of it; taking errors for independent: held {naive_held:.1%}, score "
        f"{naive_score:.3f}"
    )
    assert 0.76 <= held <= 0.84
    assert 0.76 <= slope <= 0.84
    assert 0.74 <= each <= 0.86
    assert score < naive_score
    assert 0.95 < ratio < 1.05


def test_without_correlation_the_fit_is_that_of_statsmodels():
    import statsmodels.api as sm

    city = made_up(7)
    design = np.column_stack((np.ones(len(city.use)), city.coverage, city.deprivation))
    offset = np.log(city.residents)
    dispersion = 0.3
    oracle = sm.GLM(
        city.use, design, sm.families.NegativeBinomial(alpha=dispersion), offset=offset
    ).fit()
    start = np.asarray(oracle.params) + 0.2
    problem = Problem(city.use, design, offset, city.xy)
    found, covariance = refit(problem, start, blocks(city.xy), Correlation(0.0, dispersion, 100.0))
    assert found == pytest.approx(np.asarray(oracle.params), abs=1e-4)
    assert covariance == pytest.approx(np.asarray(oracle.normalized_cov_params), rel=1e-3)


def test_errors_that_are_alike_far_and_wide_make_intervals_wider():
    city = made_up(8)
    design = np.column_stack((np.ones(len(city.use)), city.coverage))
    problem = Problem(city.use, design, np.log(city.residents), city.xy)
    start = np.array([-4.0, 1.0])
    near, far = (
        refit(problem, start, blocks(city.xy), Correlation(0.2, 0.1, reach))[1][0, 0]
        for reach in (50.0, 3_000.0)
    )
    assert far > 2 * near


def test_where_nobody_was_counted_there_is_no_fit():
    city = made_up(9)
    with pytest.raises(NoFitError):
        fit(observed(city, use=np.zeros(len(city.use))))


def test_covariates_that_say_the_same_are_refused():
    city = made_up(9)
    twice = np.column_stack((city.deprivation, city.deprivation * (1 + 1e-9)))
    with pytest.raises(NoFitError, match="told apart"):
        fit(observed(city, covariates=twice, names=("a", "b")))


def test_the_same_data_gives_the_same_intervals():
    city = made_up(10)
    assert np.array_equal(fit(observed(city)).draws(), fit(observed(city)).draws())


def test_half_told_counts_of_half_the_service_are_the_same_demand():
    city = made_up(11)
    even = np.round(city.use / 2) * 2
    whole = fit(observed(city, use=even))
    half = fit(observed(city, use=even / 2, exposure=np.full(len(even), 0.5)))
    assert half.coefficients == pytest.approx(whole.coefficients, abs=0.05)


@given(st.integers(8, 300), st.integers(0, 2**32 - 1))
def test_blocks_are_even_and_hold_every_place_once(count, seed):
    xy = np.random.default_rng(seed).uniform(0, 1000, (count, 2))
    parts = halved(xy, 3)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert set(np.bincount(blocks(xy)) > 0) == {True}


def test_an_interval_that_misses_is_scored_by_how_far():
    assert interval_score(1.0, 3.0, 2.0) == 2.0
    assert interval_score(1.0, 3.0, 4.0) == pytest.approx(2.0 + 10.0)
