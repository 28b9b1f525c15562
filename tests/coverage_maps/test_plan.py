"""Plans of small cities: what is proposed, what it brings, and what is said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from coverage_maps.cover.cells import covers_matrix, demand_points, generated_candidates
from coverage_maps.cover.coverage import cover
from coverage_maps.cover.ground import lay_out, positions
from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import PlanRequest
from coverage_maps.plan.weights import blend, deprivation_weights
from coverage_maps.telling.exports import plan_geojson, plan_json
from farola.errors import PlanningError

RADIUS = 80.0
DISC = math.pi * RADIUS**2


def town(city, **known):
    """Rich west and poor east, one live site; 1,000 residents on 40,000 m² each."""
    return [
        city.square(0, 0, 200, "west", deprivation=1.0, grade="low", **known),
        city.square(1000, 0, 200, "east", deprivation=9.0, grade="high", **known),
    ], [city.site(3000, 0, "far")]


def plan(neighbourhoods, known, **how):
    return make_plan(neighbourhoods, known, [], PlanRequest(**({"radius": RADIUS} | how)))


def test_a_site_in_the_open_brings_the_residents_of_its_disc(city):
    neighbourhoods, sites = town(city)
    new = city.site(100, 100, "school", status="candidate")
    result = plan(neighbourhoods, [*sites, new], sites=1, equity=0)
    site = result.sites[0]
    assert site.newly_covered == pytest.approx(1000 * DISC / 40_000, rel=1e-3)
    assert site.by_grade == {"high": 0.0, "low": pytest.approx(site.newly_covered)}
    assert (site.site_id, site.source, site.neighbourhood) == ("school", "imported", "west")
    assert (site.lat, site.lon) == (new.lat, new.lon)
    assert site.why == (
        f"reaches {site.newly_covered:,.0f} residents who have no Wi-Fi within 80 m, all of them "
        "in grade low; in west, 100% of which is uncovered; nearest live site 2.9 km away; "
        "demand: no data"
    )


def test_newly_covered_sums_to_what_the_plan_adds(city):
    neighbourhoods, sites = town(city)
    result = plan(neighbourhoods, sites, sites=9)
    total = math.fsum(site.newly_covered for site in result.sites)
    assert result.covered_after - result.covered_before == pytest.approx(total)
    ground = lay_out(neighbourhoods)
    xy = ground.plane.xy([s.lat for s in result.sites], [s.lon for s in result.sites])
    everything = np.vstack((positions(ground, sites), xy))
    shares = cover(ground, everything, RADIUS).shares
    assert result.covered_after == pytest.approx(float((shares * ground.residents).sum()))
    assert all(math.fsum(s.by_grade.values()) == pytest.approx(s.newly_covered)
               for s in result.sites)  # fmt: skip


def test_equity_serves_the_poorer_side_first(city):
    neighbourhoods, sites = town(city)
    neighbourhoods[0] = city.square(0, 0, 200, "west", deprivation=1.0, population=1300.0)
    assert plan(neighbourhoods, sites, sites=1, equity=0).sites[0].neighbourhood == "west"
    assert plan(neighbourhoods, sites, sites=1, equity=1).sites[0].neighbourhood == "east"


def test_deprivation_weights_have_mean_one_over_residents(city):
    rows = [
        city.square(300 * k, 0, 100, f"n{k}", deprivation=d, population=p)
        for k, (d, p) in enumerate([(5.0, 100.0), (5.0, 900.0), (1.0, 50.0), (9.0, 10.0)])
    ]
    rows.append(city.square(5000, 0, 100, "unknown", population=70.0))
    ground = lay_out(rows)
    weights = deprivation_weights(ground)
    assert weights[0] == weights[1]
    assert weights[2] < weights[0] < weights[3]
    assert weights[4] == 1.0
    assert np.average(weights[:4], weights=ground.population[:4]) == pytest.approx(1.0)


def test_equity_is_for_the_fifth_that_is_worst_off(city):
    ground = lay_out([city.square(300 * k, 0, 100, deprivation=float(k)) for k in range(10)])
    weights = deprivation_weights(ground)
    assert np.all(np.diff(weights) > 0)
    assert weights[8] > 20 * weights[7]
    assert blend(ground, 0.25)[9] / blend(ground, 0.25)[0] == pytest.approx(1.31, abs=0.02)
    assert blend(ground, 0.0).tolist() == [1.0] * 10


def test_generated_candidates_are_labelled_and_stand_on_inhabited_ground(city):
    neighbourhoods, sites = town(city)
    neighbourhoods.append(city.square(0, 5000, 300, "park", population=0.0))
    result = plan(neighbourhoods, sites, sites=3)
    assert {site.source for site in result.sites} == {"generated"}
    assert {site.neighbourhood for site in result.sites} <= {"west", "east"}
    assert result.candidate_source == "generated"


def test_imported_candidates_go_before_generated_ones_unless_asked(city):
    neighbourhoods, sites = town(city)
    sites.append(city.site(1100, 100, "school", status="candidate"))
    assert plan(neighbourhoods, sites, sites=1).sites[0].site_id == "school"
    asked = plan(neighbourhoods, sites, sites=1, candidates="generated")
    assert asked.sites[0].source == "generated"


def test_a_budget_is_kept_and_costs_are_told(city):
    neighbourhoods, sites = town(city)
    sites += [
        city.site(100, 100, "dear", status="candidate", cost=90.0),
        city.site(60, 60, "cheap", status="candidate", cost=40.0),
        city.site(1100, 100, "fair", status="candidate", cost=50.0),
    ]
    result = plan(neighbourhoods, sites, budget=95.0, equity=0)
    assert {site.site_id for site in result.sites} == {"cheap", "fair"}
    assert result.total_cost == 90.0


def test_a_budget_needs_costs(city):
    neighbourhoods, sites = town(city)
    sites.append(city.site(100, 100, "new", status="candidate"))
    with pytest.raises(PlanningError, match=r"1 of 1 imported candidates have no cost.*--default"):
        plan(neighbourhoods, sites, budget=10.0)
    assert plan(neighbourhoods, sites, budget=10.0, default_cost=4.0).total_cost == 4.0
    with pytest.raises(PlanningError, match="pays for none of the 1 useful candidates"):
        plan(neighbourhoods, sites, budget=3.0, default_cost=4.0)


def test_more_sites_than_help_are_not_proposed_and_that_is_said(city):
    neighbourhoods, sites = town(city)
    sites.append(city.site(100, 100, "useful", status="candidate"))
    sites.append(city.site(9000, 9000, "useless", status="candidate"))
    result = plan(neighbourhoods, sites, sites=5)
    assert [site.site_id for site in result.sites] == ["useful"]
    assert result.warnings[0].startswith("5 sites asked for, but after 1 no candidate")


def test_nothing_left_to_do_is_told(city):
    neighbourhoods, _ = town(city)
    with pytest.raises(PlanningError, match="nothing to plan"):
        plan(neighbourhoods, [city.site(500, 0)], sites=1, radius=900.0)
    useless = city.site(9000, 9000, "useless", status="candidate")
    with pytest.raises(PlanningError, match="none of the 1 imported candidates"):
        plan(neighbourhoods, [useless], sites=1)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "either --sites N or --budget X"),
        ({"sites": 1, "budget": 2.0}, "either --sites N or --budget X"),
        ({"sites": 0}, "--sites 0 plans nothing"),
        ({"sites": -1}, "--sites -1 plans nothing"),
        ({"budget": 0.0}, "--budget 0"),
        ({"budget": math.nan}, "--budget nan"),
        ({"sites": 1, "equity": 1.5}, "--equity 1.5 is outside 0..1"),
        ({"sites": 1, "equity": math.nan}, "--equity nan is outside 0..1"),
        ({"sites": 1, "radius": 0.0}, "--radius 0"),
        ({"sites": 1, "candidates": "imported"}, "farola import candidates FILE"),
    ],
)
def test_a_request_that_makes_no_sense_is_told(city, how, says):
    with pytest.raises(PlanningError, match=says):
        plan(*town(city), **how)


def test_a_city_of_one_neighbourhood_with_nothing_known_but_residents(city):
    result = plan([city.square(0, 0, 500)], [], sites=2)
    assert result.equity == 0
    assert result.group_names == ("all",)
    assert result.covered_before == 0
    assert "no live site yet in the city" in result.sites[0].why
    assert any("no live sites" in line for line in result.warnings)
    assert any("every resident counts the same" in line for line in result.warnings)
    with pytest.raises(PlanningError, match="--equity needs a deprivation value"):
        plan([city.square(0, 0, 500)], [], sites=2, equity=0.5)


def test_residents_of_no_grade_count_and_are_told_apart(city):
    neighbourhoods, sites = town(city)
    neighbourhoods.append(city.square(3000, 3000, 100, "new town", population=90.0))
    result = plan(neighbourhoods, sites, sites=20)
    assert sum(site.by_grade["unknown"] for site in result.sites) > 0
    assert any(
        "as 'unknown': 1 neighbourhood with 90 residents" in line for line in result.warnings
    )


@pytest.mark.parametrize(("lat", "lon"), [(-33.9, 151.2), (-17.7, 179.9999)])
def test_a_plan_south_of_the_equator_and_across_the_antimeridian(city_at, lat, lon):
    here = city_at(lat, lon)
    result = plan([here.square(-200, -200, 400)], [here.site(-100, 0)], sites=1)
    site = result.sites[0]
    assert site.newly_covered > 0
    assert abs(site.lat - lat) < 0.01
    assert -180 <= site.lon <= 180
    assert min(abs(site.lon - lon), 360 - abs(site.lon - lon)) < 0.01


def test_other_weightings_keep_what_was_asked_for(city):
    areas, known = town(city)
    known += [city.site(x, 100, f"c{x}", status="candidate") for x in (-75, 60, 140, 1060, 1140)]
    told = plan(areas, known, sites=2, must=("c-75",), spacing=150.0)
    weak = next(site for site in told.sites if site.site_id == "c-75")
    assert weak.newly_covered < min(s.newly_covered for s in told.sites if s is not weak)
    assert weak.survives == 1.0
    [heads] = [other for other in told.weightings if other.name == "heads"]
    assert heads.residents == pytest.approx(told.own.residents, rel=0.3)


def test_geojson_is_points_with_longitude_first(city):
    result = plan(*town(city), sites=2)
    collection = plan_geojson(result)
    assert collection["type"] == "FeatureCollection"
    feature, told = collection["features"][0], plan_json(result)["sites"][0]
    assert feature["geometry"] == {"type": "Point", "coordinates": [told["lon"], told["lat"]]}
    assert feature["properties"]["rank"] == 1
    assert feature["properties"]["by_grade"] == told["by_grade"]
    assert "crs" not in collection


def test_on_open_ground_every_generated_candidate_is_worth_the_same(city):
    ground = lay_out([city.square(0, 0, 2000)])
    before = cover(ground, np.empty((0, 2)), RADIUS)
    places = generated_candidates(ground, before)
    points = demand_points(ground, before, places.xy, places.spacing)
    gains = covers_matrix(places.xy, points.xy, RADIUS) @ points.residents
    middle = ground.plane.xy(*city.degrees(1000, 1000))
    inner = np.abs(places.xy - middle).max(axis=1) < 900
    assert inner.sum() > 100
    assert np.ptp(gains[inner]) < 1e-9
    assert gains[inner][0] == pytest.approx(1000 * DISC / 2000**2, rel=0.03)
