"""What a site costs by its parts, and stops of a van beside the sites of a plan."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from sqlalchemy import select

from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import PlanRequest
from coverage_maps.plan.timetables import days_of, hours_a_week
from farola.errors import PlanningError
from farola.settings import load_settings
from inventory import queries
from inventory.db import open_inventory
from inventory.models import Site

PRICES = {"hardware": 1000.0, "backhaul-km": 500.0, "fee": 20.0}
STOPS = ({"days": "mon-wed,sat", "from": "09:00", "to": "13:30"},)


@pytest.fixture(scope="module")
def town(city):
    neighbourhoods = [
        city.square(0, 0, 400, "west", deprivation=1.0, grade="low"),
        city.square(3000, 0, 400, "east", deprivation=9.0, grade="high"),
    ]
    return neighbourhoods, [
        city.site(1000, 200, "live"),
        city.site(200, 200, "far", status="candidate"),
        city.site(3200, 200, "own", status="candidate", cost_parts={"hardware": 700.0}),
        city.site(3350, 350, "whole", status="candidate", cost=99.0),
        city.site(3050, 50, "van", status="candidate", kind="mobile", timetable=STOPS),
    ]


def plan(town, **how):
    return make_plan(*town, [], PlanRequest(**({"sites": 3} | how)))


def test_a_site_costs_the_sum_of_its_parts_and_its_own_go_before_prices(town):
    told = {site.site_id: site for site in plan(town, prices=PRICES).sites}
    assert told["far"].cost_parts == pytest.approx(
        {"hardware": 1000, "backhaul": 0.8 * 500, "fee": 20}, rel=1e-4
    )
    assert told["far"].cost == pytest.approx(1420, rel=1e-4)
    assert told["own"].cost == pytest.approx(700 + 2.2 * 500 + 20, rel=1e-4)
    assert (told["whole"].cost, told["whole"].cost_parts) == (99.0, {})


def test_a_budget_is_kept_by_parts(town):
    result = plan(town, sites=None, budget=1500.0, prices=PRICES, equity=0)
    assert result.total_cost is not None
    assert result.total_cost <= 1500
    assert {site.site_id for site in result.sites} in ({"far"}, {"whole"})


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        ({"paint": 3.0}, "the parts are hardware"),
        ({"fee": -1.0}, "from 0 up"),
        ({"fee": math.nan}, "from 0 up"),
    ],
)
def test_a_price_that_makes_no_sense_is_told(town, prices, says):
    with pytest.raises(PlanningError, match=says):
        plan(town, prices=prices)


def test_backhaul_by_distance_needs_a_live_site(town):
    neighbourhoods, sites = town
    with pytest.raises(PlanningError, match="nearest live site, and there is none"):
        plan((neighbourhoods, sites[1:]), prices=PRICES)


def test_a_stop_of_a_van_is_proposed_apart_and_never_as_a_site(town):
    result = plan(town, sites=5, vans=2)
    assert "van" not in {site.site_id for site in result.sites}
    (stop,) = result.vans
    assert (stop.site_id, stop.kind, stop.timetable) == ("van", "mobile", STOPS)
    assert stop.newly_covered > 0
    gained = math.fsum(site.newly_covered for site in result.sites)
    assert result.covered_after - result.covered_before == pytest.approx(gained)
    with pytest.raises(PlanningError, match="--vans -1"):
        plan(town, vans=-1)


def test_a_van_that_is_live_covers_nobody_all_week(town):
    neighbourhoods, sites = town
    van = replace(sites[-1], status="live")
    parked = plan((neighbourhoods, [*sites[:-1], van]))
    assert parked.covered_before == plan((neighbourhoods, sites[:-1])).covered_before
    assert not van.stands
    assert replace(van, kind="fixed").stands
    fixed = plan((neighbourhoods, [*sites[:-1], replace(van, kind="fixed")]))
    assert fixed.covered_before > parked.covered_before


def test_coverage_leaves_the_stops_of_vans_out_and_says_so(run, tmp_path):
    run("init", "--name", "Town", "--timezone", "UTC")
    table = tmp_path / "places.csv"
    table.write_text("id,lat,lon\na,19.4,-99.1\nb,19.4005,-99.1\n")
    run("import", "access-points", table, "--id", "id", "--lat", "lat", "--lon", "lon")
    area = tmp_path / "areas.geojson"
    ring = [[-99.11, 19.39], [-99.09, 19.39], [-99.09, 19.41], [-99.11, 19.41], [-99.11, 19.39]]
    area.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"id": "n", "people": 1000},
         "geometry": {"type": "Polygon", "coordinates": [ring]}}]}))  # fmt: skip
    run("import", "neighbourhoods", area, "--id", "id", "--population", "people")
    ask = ("coverage", "--by", "neighbourhood", "--json")
    both = json.loads(run(*ask).stdout)
    with open_inventory(load_settings()).session() as session:
        session.scalars(select(Site)).first().kind = "mobile"
    told = run(*ask)
    one = json.loads(told.stdout)
    assert (both["sites"], one["sites"]) == (2, 1)
    assert one["total"]["covered_population"] < both["total"]["covered_population"]
    assert "left out: 1 stop of vans" in told.stderr


def test_a_timetable_adds_up():
    assert days_of("sat-mon") == ["mon", "sat", "sun"]
    assert hours_a_week(STOPS) == 4 * 4.5


def test_parts_kind_and_timetable_are_imported_with_candidates(run, tmp_path):
    run("init", "--name", "Town", "--timezone", "UTC")
    table = tmp_path / "places.csv"
    table.write_text(
        "id,lat,lon,hw,kind,when\n"
        "a,19.4,-99.1,800,fixed,\n"
        'b,19.5,-99.1,,mobile,"mon-fri 9:00-14:00; sat 10:00-12:00"\n'
        "c,19.6,-99.1,-4,fixed,\n"
        "d,19.6,-99.2,1,mobile,whenever\n"
        "e,19.6,-99.3,1,boat,\n"
    )
    columns = ("--id", "id", "--lat", "lat", "--lon", "lon")
    done = run("import", "candidates", table, *columns, "--hardware", "hw", "--kind", "kind",
               "--timetable", "when", "--json")  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["imported"], [row["row"] for row in told["rejected"]]) == (2, [4, 5, 6])
    with open_inventory(load_settings()).session() as session:
        a, b = queries.sites(session, ("candidate",))
    assert (a.cost_parts, a.kind, list(a.timetable)) == ({"hardware": 800.0}, "fixed", [])
    assert b.kind == "mobile"
    assert [stop["from"] for stop in b.timetable] == ["09:00", "10:00"]
    # A second import of other columns forgets none of it.
    run("import", "candidates", table, *columns)
    with open_inventory(load_settings()).session() as session:
        assert queries.sites(session, ("candidate",))[0].cost_parts == {"hardware": 800.0}
