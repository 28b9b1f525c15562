"""Portal usage → demand index → ranking."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage_maps.cover.coverage import cover
from coverage_maps.cover.ground import lay_out, positions
from coverage_maps.demand.index import CAVEATS, HIGHEST, LOWEST, demand_index
from coverage_maps.demand.usage import recent_use
from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import PlanRequest
from inventory.records import UsageRecord


def month(place, count, number=3, scope="site", days=30, kind="", **other):
    start = date(2024, number, 1)
    end = date.fromordinal(start.toordinal() + days)
    values = {"users": float(count), "sessions": None, "minutes": None} | other
    return UsageRecord(scope, place, kind, start, end, source="test", **values)


def towns(city):
    """Two like towns 5 km apart, one live site and one candidate in each."""
    neighbourhoods = [city.square(0, 0, 400, "west"), city.square(5000, 0, 400, "east")]
    sites = [
        city.site(100, 100, "w-live"), city.site(5100, 100, "e-live"),
        city.site(300, 300, "w-new", status="candidate"),
        city.site(5300, 300, "e-new", status="candidate"),
    ]  # fmt: skip
    return neighbourhoods, sites


def plan(city, usage, **how):
    neighbourhoods, sites = towns(city)
    return make_plan(neighbourhoods, sites, usage, PlanRequest(sites=2, **how))


def index(city, usage):
    neighbourhoods, sites = towns(city)
    ground = lay_out(neighbourhoods)
    before = cover(ground, positions(ground, sites[:2]), 80.0)
    return demand_index(ground, before, sites, usage)


@pytest.mark.parametrize(
    ("west", "east", "first"), [(900, 100, "w-new"), (100, 900, "e-new")], ids=["west", "east"]
)
@pytest.mark.parametrize("scope", ["site", "neighbourhood"])
def test_use_of_the_portal_changes_the_ranking(city, scope, west, east, first):
    names = ("w-live", "e-live") if scope == "site" else ("west", "east")
    usage = [month(names[0], west, scope=scope), month(names[1], east, scope=scope)]
    result = plan(city, usage)
    assert result.sites[0].site_id == first
    assert result.sites[0].demand > 1 > result.sites[1].demand
    assert "demand: users per covered resident" in result.sites[0].why
    assert result.caveats == CAVEATS
    assert result.unit == "weighted residents newly covered"


def test_what_demand_costs_is_not_blamed_on_equity(city):
    neighbourhoods, sites = towns(city)
    neighbourhoods[0] = city.square(0, 0, 400, "west", population=1300.0)
    usage = [month("w-live", 100), month("e-live", 900)]
    result = make_plan(neighbourhoods, sites, usage, PlanRequest(sites=1, equity=0.0))
    assert result.sites[0].site_id == "e-new"
    assert result.forgone == 0.0
    assert result.forgone_to_demand > 0.1


def test_demand_is_told_to_cost_no_more_than_its_weights_can(city):
    # A little more for its money in the west; but the east alone spends the budget and brings more.
    neighbourhoods, sites = towns(city)
    neighbourhoods[1] = city.square(5000, 0, 400, "east", population=1700.0)
    sites[2] = city.site(300, 300, "w-new", status="candidate", cost=10.0)
    sites[3] = city.site(5300, 300, "e-new", status="candidate", cost=16.9)
    usage = [month("w-live", 110), month("e-live", 175)]
    result = make_plan(neighbourhoods, sites, usage, PlanRequest(budget=16.9, equity=0.0))
    assert [site.site_id for site in result.sites] == ["e-new"]
    assert result.forgone_to_demand == 0.0


def test_without_usage_each_site_says_so(city):
    result = plan(city, [])
    assert all(site.why.endswith("demand: no data") for site in result.sites)
    assert [site.demand for site in result.sites] == [None, None]
    assert result.caveats == ()
    assert result.unit == "residents newly covered"


def test_usage_of_the_whole_city_changes_nothing_and_that_is_said(city):
    result = plan(city, [month("", 5000, scope="city")])
    assert result.sites == plan(city, []).sites
    assert any("whole city cannot change the ranking" in line for line in result.warnings)


def test_use_in_line_with_the_residents_around_is_neutral(city):
    assert index(city, [month("w-live", 500), month("e-live", 500)]).index == pytest.approx(1.0)


def test_a_few_users_move_the_index_less_than_many(city):
    few = index(city, [month("w-live", 30), month("e-live", 10)]).index
    many = index(city, [month("w-live", 3000), month("e-live", 1000)]).index
    assert 1 < few[0] < many[0]
    assert many[1] < few[1] < 1


def test_counts_under_ten_are_used_but_never_told(city):
    result = plan(city, [month("w-live", 9), month("e-live", 900)])
    west = next(site for site in result.sites if site.site_id == "w-new")
    assert west.demand is None
    assert west.why.endswith("demand: fewer than 10 users nearby, not shown")


def test_beyond_reach_of_any_figure_demand_is_neutral(city):
    demand = index(city, [month("w-live", 900)])
    assert demand.known.tolist() == [True, False]
    assert demand.index[1] == 1.0
    assert demand.told(1) == (None, "demand: no data")


def test_places_that_are_not_in_the_inventory_are_told(city):
    usage = [month("nowhere", 100), month("no-such", 100, scope="neighbourhood")]
    demand = index(city, usage)
    assert not demand.used
    assert any("no site 'nowhere'" in line for line in demand.notes)
    assert any("no 'no-such'" in line for line in demand.notes)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=2))
def test_the_index_stays_within_its_limits(city, counts):
    demand = index(city, [month("w-live", counts[0]), month("e-live", counts[1])])
    assert np.all((demand.index >= LOWEST) & (demand.index <= HIGHEST))


def test_a_month_that_few_have_reported_yet_is_left_out():
    usage = [month(place, 100, n) for n in (1, 2) for place in ("a", "b", "c")]
    usage.append(month("a", 5, 3))
    assert recent_use(usage).sites["a"] == pytest.approx(100)


def test_a_period_that_has_not_ended_is_left_out():
    usage = [month("a", 100, 1), month("a", 1, 2)]
    assert recent_use(usage, today=date(2024, 2, 20)).sites == {"a": 100.0}


def test_places_are_compared_by_the_day():
    usage = [month("a", 300, 1, days=30), month("b", 300, 1, days=30), month("b", 100, 2, days=10)]
    use = recent_use(usage).sites
    assert use["a"] == pytest.approx(use["b"])


def test_kinds_are_added_up_unless_the_whole_is_told_too():
    parts = [month("a", 10, kind="x"), month("a", 20, kind="y")]
    assert recent_use(parts).sites["a"] == pytest.approx(30)
    assert recent_use([*parts, month("a", 33)]).sites["a"] == pytest.approx(33)


def test_sessions_are_taken_where_users_are_not_counted():
    use = recent_use([month("a", 0, users=None, sessions=70.0)])
    assert (use.metric, use.sites) == ("sessions", {"a": 70.0})
