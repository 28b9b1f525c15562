"""What deployments brought: coverage, use, and use against places like theirs."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverage_maps.commands.impact_report import impact_json, print_impact
from coverage_maps.cover.ground import lay_out
from coverage_maps.demand.suppression import SHOWN_FROM, suppressed
from coverage_maps.impact.deployments import Known
from coverage_maps.impact.matching import Case, effect_of
from coverage_maps.impact.outcome import Deployed, impact_of
from inventory.records import UsageRecord

LIVE_ON = date(2024, 4, 1)
SIDE = 500.0


def cases(seed: int, treated: int, donors: int, planted: float) -> list[Case]:
    """Changes that go with a trait, and chance; `planted` on top where something was built."""
    rng = np.random.default_rng([seed, treated, donors])
    traits = rng.standard_normal((donors + treated, 4))
    change = 0.1 * traits[:, 0] + 0.2 * rng.standard_normal(donors + treated)
    every = np.arange(donors)
    return [
        Case(float(change[donors + i] + planted), traits[donors + i],
             change[:donors], traits[:donors], every)
        for i in range(treated)
    ]  # fmt: skip


def test_the_interval_of_matched_comparisons_holds_a_planted_effect():
    held, width = [], []
    for seed in range(15):
        found = effect_of(cases(seed, 3, 30, 0.3))
        assert found.low is not None
        assert found.high is not None
        held.append(found.low <= 0.3 <= found.high)
        width.append(found.high - found.low)
    assert 9 <= sum(held) <= 14
    assert np.median(width) < 0.6


@pytest.mark.soak
@pytest.mark.parametrize(("treated", "donors"), [(1, 40), (4, 25), (10, 80)])
def test_in_400_made_up_comparisons_the_80_percent_interval_holds_the_effect(treated, donors):
    held = []
    for seed in range(400):
        found = effect_of(cases(seed, treated, donors, 0.3))
        if found.low is not None and found.high is not None:
            held.append(found.low <= 0.3 <= found.high)
    print(f"\n{treated} built, {donors} like them: held in {np.mean(held):.1%} of {len(held)}")
    assert 0.74 <= np.mean(held) <= 0.86


def test_few_comparisons_give_an_effect_without_an_interval():
    found = effect_of(cases(1, 2, 8, 0.3))
    assert found.effect is not None
    assert (found.low, found.high) == (None, None)
    assert "too few" in found.why


def test_a_place_like_no_other_is_not_compared():
    [case] = cases(1, 1, 30, 0.3)
    far = Case(case.change, case.traits + 50, case.donor_changes, case.donor_traits, case.donors)
    found = effect_of([far])
    assert found.effect is None
    assert "is like them" in found.why


def figures(place: str, start: date, days: int, count: float, scope="site") -> UsageRecord:
    return UsageRecord(
        scope, place, "", start, start + timedelta(days=days), count, None, None, "test"
    )


def town(city, *, factor=1.5, counted=100.0):
    """A row of 40 like neighbourhoods with a site each; a second site in two of them went live."""
    areas, sites, usage, deployed = [], [], [], []
    rng = np.random.default_rng(4)
    for k in range(40):
        residents = 1000.0 + 10 * k
        areas.append(
            city.square(SIDE * k, 0, SIDE, f"n{k:02}", population=residents, deprivation=k % 7 / 7)
        )
        sites.append(city.site(SIDE * k + 120, 120, f"s{k:02}"))
        grown = factor if k in {10, 25} else 1.0
        chance = np.exp(rng.normal(0, 0.05))
        usage.append(figures(f"s{k:02}", date(2024, 3, 1), 31, counted * 31 / 30))
        usage.append(
            figures(f"s{k:02}", date(2024, 5, 1), 31, round(counted * 31 / 30 * grown * chance))
        )
    for number, k in enumerate((10, 25), 1):
        sites.append(city.site(SIDE * k + 380, 380, f"new{k}"))
        usage.append(figures(f"new{k}", date(2024, 5, 1), 31, 62.0))
        forecast = {"newly_covered": 80.0, "use": {"expected": 50.0, "days": 31.0}}
        deployed.append(Deployed(number, f"new{k}", LIVE_ON, forecast))
    return lay_out(areas), sites, usage, deployed


def impact(city, *, radius=80.0, days=90, today=date(2024, 9, 1), **how):
    ground, sites, usage, deployed = town(city, **how)
    return impact_of(ground, sites, usage, deployed, radius=radius, days=days, today=today)


def test_a_planted_growth_is_found_beside_forecast_and_coverage(city):
    found = impact(city)
    assert found.metric == "users"
    [first, second] = found.outcomes
    residents = 1100.0 * 3.14159 * 80**2 / SIDE**2
    assert first.covered == pytest.approx(residents, rel=0.01)
    assert (first.observed, first.observed_days, first.days_seen) == (pytest.approx(62.0), 31.0, 31)
    assert second.neighbourhood == "n25"
    # 1.5 times what the old site had, and 60 of 100 more at the new one.
    assert found.effect.effect == pytest.approx(np.log(2.1), abs=0.15)
    assert found.effect.low is not None
    assert found.effect.low > np.log(1.5)
    further = found.further
    assert further is not None
    assert further[0] == pytest.approx(220, rel=0.2)


def test_neighbours_of_what_was_built_are_compared_with_nothing(city):
    found = impact(city)
    matches = {name for one in found.compared for name in one.matches}
    assert matches
    assert not matches & {"n09", "n10", "n11", "n24", "n25", "n26"}


def test_few_counted_before_are_no_base_of_growth_and_are_not_told(city):
    found = impact(city, counted=5.0)
    assert found.effect.effect is None
    assert all("fewer than 10" in one.why for one in found.compared)


def test_few_counted_after_cannot_be_reckoned_from_what_is_told(city, capsys):
    ground, sites, usage, deployed = town(city, factor=0.03)
    usage = [row for row in usage if row.place != "new10"]
    found = impact_of(
        ground, sites, usage, deployed, radius=80.0, days=90, today=date(2024, 9, 1)
    )  # fmt: skip
    hidden = next(one for one in found.compared if one.neighbourhood == "n10")
    assert 0 < hidden.after < SHOWN_FROM
    assert hidden.matched is not None
    known = [
        Known(one.id, one.site_id, one.site_id, None, "live", None, "", "", datetime(2024, 3, 1),
              None, {"newly_covered": 80.0, "use": None})
        for one in deployed
    ]  # fmt: skip
    told = impact_json(found, known, radius=80.0, days=90)
    [row] = [one for one in told["neighbourhoods"] if one["neighbourhood"] == "n10"]
    assert row["suppressed"]
    assert (row["after"], row["factor"], row["factor_of_matches"]) == (None, None, None)
    assert told["effect"]["further_use_30_days"] is None
    print_impact(told)
    assert "n10: fewer than 10 were counted after" in "".join(capsys.readouterr())


def test_figures_of_before_alone_show_no_use(city):
    found = impact(city, today=date(2024, 4, 15))
    assert [one.observed for one in found.outcomes] == [None, None]
    assert all("both before and after" in one.why for one in found.compared)


def test_a_deployment_whose_site_is_gone_is_left_out(city):
    ground, sites, usage, deployed = town(city)
    gone = [site for site in sites if site.id != "new10"]
    found = impact_of(
        ground, gone, usage, deployed, radius=80.0, days=90, today=date(2024, 9, 1)
    )  # fmt: skip
    assert [one.deployed.site_id for one in found.outcomes] == ["new25"]
    assert any("no site 'new10'" in note for note in found.notes)


counts_and_groups = st.lists(
    st.tuples(st.one_of(st.integers(0, 40).map(float), st.just(float("nan"))), st.integers(-1, 3)),
    max_size=30,
)


@given(counts_and_groups)
def test_no_small_count_can_be_told_or_had_by_subtraction(rows):
    counts = np.array([count for count, _ in rows])
    groups = np.array([group for _, group in rows], dtype=np.intp)
    everybody = np.zeros(len(rows), dtype=np.intp)
    hidden = suppressed(counts, [everybody, groups])
    assert not hidden[np.isnan(counts)].any()
    assert hidden[counts < SHOWN_FROM].all()
    for partition in (everybody, groups):
        for group in set(partition[partition >= 0].tolist()):
            own = (partition == group) & ~np.isnan(counts)
            missing = own & hidden
            if missing.any() and not hidden[own].all():
                assert missing.sum() >= 2
                assert counts[missing].sum() >= SHOWN_FROM
