"""Of which neighbourhoods the model speaks, when it is silent, and how figures come to it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import shapely

from coverage_maps.commands.demand_report import demand_json
from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import lay_out
from coverage_maps.demand.index import LOWEST, plan_demand
from coverage_maps.demand.unmet import estimate
from coverage_maps.demand.usage import recent_use
from coverage_maps.demand.use_of_places import UseOfPlaces, bring_home
from farola.errors import PlanningError
from farola.settings import load_settings
from inventory import models
from inventory.db import open_inventory
from inventory.records import UsageRecord

WIDE = 12


@pytest.fixture(scope="module")
def town(city):
    """144 made-up neighbourhoods: use doubles and more from no coverage to all."""
    rng = np.random.default_rng(12)
    count = WIDE * WIDE
    deprivation, no_internet = rng.normal(0, 1, count), rng.uniform(10, 60, count)
    shares = rng.uniform(0.1, 0.9, count)
    residents = np.round(rng.uniform(1000, 6000, count))
    areas = [
        city.square(
            600 * (k % WIDE), 600 * (k // WIDE), 600, f"n{k:03}", population=residents[k],
            deprivation=deprivation[k], no_internet=no_internet[k], borough=f"b{k % 4}",
        )
        for k in range(count)
    ]  # fmt: skip
    mean = residents * np.exp(-4 + 0.2 * deprivation + 1.2 * shares)
    use = rng.poisson(mean * rng.gamma(8, 1 / 8, count)).astype(float)
    return lay_out(areas), coverage(shares), places(use)


def coverage(shares) -> Coverage:
    return Coverage(80.0, np.empty((0, 2)), np.empty(len(shares), dtype=object), np.array(shares))


def places(use, **other) -> UseOfPlaces:
    values = {"exposure": np.ones(len(use)), "uptime": np.full(len(use), np.nan)} | other
    return UseOfPlaces(np.array(use), **values, metric="users", days=30.0)


def test_it_speaks_of_places_like_those_with_figures(town):
    ground, before, known = town
    found = estimate(ground, before, known)
    assert found.refusal == ""
    assert found.rises
    assert found.places == 144
    assert found.speaks.mean() > 0.9
    result = found.result
    assert result is not None
    full = before.shares > found.reference
    assert np.all(result.unmet[full & found.speaks] == 0)
    some = found.speaks & ~full
    assert np.all(result.low[some] <= result.unmet[some])
    assert np.all(result.unmet[some] <= result.high[some])
    assert result.total == pytest.approx(np.nansum(result.unmet))
    assert any("uptime" in note for note in found.notes)


def test_it_is_silent_of_a_neighbourhood_unlike_any_with_figures(town):
    ground, before, known = town
    records = list(ground.records)
    records[0] = replace(records[0], deprivation=9.0)
    records[1] = replace(records[1], deprivation=None)
    records[2] = replace(records[2], population=None)
    use = known.use.copy()
    use[:4] = np.nan
    found = estimate(lay_out(records), before, places(use))
    assert found.why_silent[0] == "deprivation higher than where use is known"
    assert found.why_silent[1] == "deprivation unknown"
    assert found.why_silent[2] == "residents unknown"
    assert found.speaks[3]
    assert not found.speaks[:3].any()
    assert found.result is not None
    assert np.isnan(found.result.unmet[:3]).all()


def test_without_coverage_it_tells_at_least(town):
    ground, before, known = town
    shares, use = before.shares.copy(), known.use.copy()
    shares[5], use[5] = 0.0, np.nan
    found = estimate(ground, coverage(shares), places(use))
    assert found.understated[5]
    assert found.result is not None
    assert found.result.unmet[5] > 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda use, shares: (np.full(len(use), np.nan), shares), "no portal use by site"),
        (lambda use, shares: (np.where(np.arange(len(use)) < 30, use, np.nan), shares), "needs 40"),
        (lambda use, _: (use, np.full(len(use), 0.5)), "coverage is about the same"),
        (lambda use, shares: (use * 0, shares), "fewer than 200"),
        (lambda use, shares: (use * 0 + 7 / len(use), shares), "fewer than 10 "),
    ],
    ids=["none", "few", "flat", "nobody", "handful"],
)
def test_where_figures_are_too_thin_it_says_why(town, change, why):
    ground, before, known = town
    use, shares = change(known.use, before.shares)
    found = estimate(ground, coverage(shares), places(use))
    assert why in found.refusal
    assert found.result is None
    told = demand_json(ground, shares, found, radius=80.0)
    assert told["speaks"] is False
    assert "unmet" not in told


def test_a_reference_that_no_place_has_is_refused(town):
    ground, before, known = town
    with pytest.raises(PlanningError, match="beyond the coverage of places with figures"):
        estimate(ground, before, known, reference=1.0)
    for wrong in (0.0, -1.0, 2.0, float("nan")):
        with pytest.raises(PlanningError, match="no share of the ground"):
            estimate(ground, before, known, reference=wrong)


def test_a_covariate_that_says_the_same_as_another_is_left_out(town):
    ground, before, known = town
    twin = [replace(r, no_internet=50 + 10 * (r.deprivation or 0)) for r in ground.records]
    found = estimate(lay_out(twin), before, known)
    assert found.fitted is not None
    assert found.fitted.names == ("deprivation",)
    assert any("says the same as deprivation" in note for note in found.notes)


def test_use_that_does_not_rise_with_coverage_is_told_and_no_plan_goes_by_it(town):
    ground, _, known = town
    turned = coverage(np.random.default_rng(3).permutation(known.use / known.use.max() * 0.8))
    found = estimate(ground, turned, known)
    assert found.refusal == ""
    told = demand_json(ground, turned.shares, found, radius=80.0)
    assert told["use_rises_with_coverage"] is False


def test_uptime_enters_where_it_is_known(town):
    ground, before, known = town
    uptime = np.random.default_rng(5).uniform(0.6, 1.0, 144)
    uptime[:10] = np.nan
    use = np.round(known.use * np.nan_to_num(uptime, nan=0.8))
    found = estimate(ground, before, places(use, uptime=uptime))
    assert found.fitted is not None
    assert found.fitted.names[-1] == "uptime"
    factor = next(
        row
        for row in demand_json(ground, before.shares, found, radius=80.0)["coefficients"]
        if row["name"] == "uptime"
    )
    assert factor["low"] > 1
    assert any("uptime of 10 places" in note for note in found.notes)


def test_small_counts_are_hidden_in_what_is_told(town):
    ground, before, known = town
    use = known.use.copy()
    use[7] = 4.0
    told = demand_json(ground, before.shares, estimate(ground, before, places(use)), radius=80.0)
    hidden = [row for row in told["neighbourhoods"] if row["suppressed"]]
    assert "n007" in {row["id"] for row in hidden}
    assert len(hidden) >= 2
    assert all(row["observed"] is None for row in hidden)
    assert told["caveats"]


def month(place, count, scope="site"):
    return UsageRecord(
        scope, place, "", date(2024, 3, 1), date(2024, 4, 1), count, None, None, "test"
    )


def test_use_of_a_site_is_split_by_residents_in_reach_and_its_sum_kept(city):
    ground = lay_out(
        [
            city.square(0, 0, 400, "west", population=3000.0),
            city.square(400, 0, 400, "east", population=1000.0),
        ]
    )
    sites = [
        city.site(400, 200, "border"), city.site(100, 100, "w"), city.site(5000, 0, "park"),
        city.site(700, 300, "old", status="retired"),
    ]  # fmt: skip
    usage = [month(name, 100.0) for name in ("border", "park", "old", "nowhere")]
    found = bring_home(ground, 80.0, sites, recent_use(usage), {"border": 0.9, "w": 0.5})
    assert found.use == pytest.approx([75.0, 25.0], rel=1e-4)
    assert found.exposure == pytest.approx([1 / 3, 1.0], rel=1e-4)
    assert found.uptime == pytest.approx([(0.9 + 2 * 0.5) / 3, 0.9], rel=1e-4)
    said = " ".join(found.notes)
    assert "no site 'nowhere'" in said
    assert "'old' is not live" in said
    assert "nobody lives in their reach" in said


def test_a_plan_goes_by_the_model_where_it_speaks(town):
    ground, before, known = town
    usage = [
        month(record.id, float(count), "neighbourhood")
        for record, count in zip(ground.records, known.use, strict=True)
    ]
    demand = plan_demand(ground, before, [], usage)
    assert demand.refusal == ""
    i = int(np.argmax(np.nan_to_num(demand.unmet)))
    index, words = demand.told(i)
    assert index is not None
    assert index >= LOWEST
    assert "80 % interval" in words
    assert demand.low[i] < demand.unmet[i] < demand.high[i]
    few = plan_demand(ground, before, [], usage[:20])
    assert "needs 40" in few.refusal
    assert any("is silent" in note for note in few.notes)
    assert not few.by_model(i)


def test_the_command_says_in_one_line_why_it_is_silent(run, city):
    run("init", "--name", "Town", "--timezone", "UTC")
    area, live = city.square(0, 0, 300, "one"), city.site(100, 100, "live")
    assert "no neighbourhoods" in run("demand", code=1).stderr
    with open_inventory(load_settings()).session() as session:
        session.add(
            models.Neighbourhood(**vars(area) | {"geometry": shapely.to_wkb(area.geometry)})
        )
        session.add(models.Site(**vars(live)))
    done = run("demand", "--json", code=1)
    told = json.loads(done.stdout)
    assert told["speaks"] is False
    assert "farola import usage" in told["refusal"]
    assert "model of demand is silent" in run("demand", code=1).stderr.splitlines()[0]
    assert "no share" in run("demand", "--reference", "7", code=1).stderr
