"""`farola coverage` and `farola plan` on a home with a small city in it."""

from __future__ import annotations

import json
from datetime import date

import pytest
import shapely

from farola.settings import load_settings
from inventory import models, queries
from inventory.db import open_inventory


@pytest.fixture
def town(run, city):
    """A home with a rich and a poor neighbourhood and a live site in the rich one."""
    run("init", "--name", "Town", "--timezone", "UTC")
    rows = [
        city.square(0, 0, 300, "rich", deprivation=1.0, grade="low"),
        city.square(1000, 0, 300, "poor", deprivation=9.0, grade="high"),
        city.square(2000, 0, 300, "uncounted", population=None),
    ]
    live = city.site(100, 100, "live")
    with open_inventory(load_settings()).session() as session:
        for row in rows:
            values = vars(row) | {"geometry": shapely.to_wkb(row.geometry)}
            session.add(models.Neighbourhood(**values))
        session.add(models.Site(**vars(live)))


@pytest.mark.usefixtures("town")
def test_coverage_as_json_has_the_contracts_keys(run):
    told = json.loads(run("coverage", "--radius", "50", "--json").stdout)
    assert (told["model"], told["radius_m"], told["by"]) == ("disc", 50.0, "grade")
    assert [group["group"] for group in told["groups"]] == ["high", "low"]
    for group in [told["total"], *told["groups"]]:
        assert set(group) == {"group", "population", "covered_population", "share"}
    assert told["total"]["covered_population"] == pytest.approx(
        1000 * 3.14159265 * 50**2 / 300**2, rel=1e-3
    )
    assert told["left_out"] == [
        {"why": "population unknown", "neighbourhoods": 1, "population": None}
    ]


@pytest.mark.usefixtures("town")
def test_coverage_as_a_table_tells_what_is_left_out(run):
    done = run("coverage", "--by", "fifth")
    assert [line.split()[1] for line in done.stdout.splitlines() if "1,000" in line] == ["2", "4"]
    assert "left out: 1 neighbourhood, population unknown" in done.stderr
    assert "fifths of 2 neighbourhoods are coarse" in done.stderr


@pytest.mark.usefixtures("town")
def test_a_plan_is_printed_written_and_saved(run, tmp_path):
    path = tmp_path / "plan.geojson"
    done = run("plan", "--sites", 3, "--geojson", path, "--json")
    told = json.loads(done.stdout)
    assert [site["rank"] for site in told["sites"]] == [1, 2, 3]
    assert {"lat", "lon", "newly_covered", "by_grade", "why"} <= set(told["sites"][0])
    gained = sum(site["newly_covered"] for site in told["sites"])
    assert told["covered_after"] - told["covered_before"] == pytest.approx(gained, abs=0.01)
    assert told["objective"] <= told["upper_bound"]
    assert len(json.loads(path.read_text())["features"]) == 3
    with open_inventory(load_settings()).session() as session:
        kept = queries.latest_plan(session)
        assert kept.id == told["plan_id"]
        assert kept.parameters["sites"] == 3
        assert {"plan_id": kept.id} | kept.result == told
        assert queries.events(session)[0].kind == "plan.made"


@pytest.mark.usefixtures("town")
def test_a_plan_for_people_explains_itself(run):
    done = run("plan", "--sites", 2, "--explain")
    assert "1. Point in the neighbourhood poor: It would bring free Wi-Fi" in done.stdout
    assert "The runner-up nearby was" in done.stdout
    assert "nothing is said of demand" in done.stdout
    assert "gap" in done.stdout
    assert "Saved as plan 1" in done.stderr


@pytest.mark.usefixtures("town")
def test_candidates_that_reach_nobody_new_are_told_in_one_line(run, city):
    with open_inventory(load_settings()).session() as session:
        session.add(models.Site(**vars(city.site(100, 100, "same", status="candidate"))))
    done = run("plan", "--sites", 1, code=1)
    assert "none of the 1 imported candidates would reach a resident" in done.stderr
    assert done.stdout == ""
    forced = run("plan", "--sites", 1, "--must", "same")
    assert "(+0)" in forced.stdout
    assert "Newly covered by" not in forced.stdout


@pytest.mark.usefixtures("town")
def test_a_place_asked_for_by_name_is_not_told_to_be_as_good_as_a_better_one(run, city):
    with open_inventory(load_settings()).session() as session:
        for name, x in (("edge", 1000), ("middle", 1150)):
            session.add(models.Site(**vars(city.site(x, 150, name, status="candidate"))))
    told = json.loads(run("plan", "--sites", 1, "--must", "edge", "--json").stdout)
    rival = told["sites"][0]["runner_up"]
    assert (rival["site_id"], rival["lost_by"]) == ("middle", "rules")
    words = run("plan", "--sites", 1, "--must", "edge", "--explain").stdout
    assert "keeps this site" in words
    assert "It is as good" not in words


@pytest.mark.usefixtures("town")
def test_sentences_on_a_terminal_have_plain_spaces(run):
    words = run("plan", "--sites", 1, "--explain", "--lang", "es-ES").stdout
    assert " % " in words
    assert "\\u00a0" not in words


@pytest.mark.usefixtures("town")
def test_caveats_stand_beside_a_plan_that_used_portal_figures(run):
    with open_inventory(load_settings()).session() as session:
        session.add(
            models.Usage(scope="site", place="live", start=date(2024, 1, 1),
                         end=date(2024, 2, 1), users=500.0)
        )  # fmt: skip
    assert "Use of the portal is not need" in run("plan", "--sites", 2).stderr


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("coverage", "--radius", "0"), "above 0"),
        (("coverage", "--radius", "nan"), "above 0"),
        (("coverage", "--model", "street", "--radius", "50"), "--radius belongs to --model disc"),
        (("plan",), "--sites N or --budget X"),
        (("plan", "--sites", "0"), "--sites 0 plans nothing"),
        (("plan", "--sites", "-1"), "--sites -1 plans nothing"),
        (("plan", "--budget", "10"), "--default-cost"),
        (("plan", "--sites", "1", "--geojson", "/nowhere/plan.geojson"), "cannot be written"),
    ],
)
def test_a_mistake_is_one_line_and_a_code(run, args, says):
    done = run(*args, code=1)
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_empty_city_is_told_what_to_run(run):
    run("init", "--name", "Empty", "--timezone", "UTC")
    for command in (("coverage",), ("plan", "--sites", "1")):
        assert "run `farola import neighbourhoods FILE` first" in run(*command, code=1).stderr


@pytest.mark.usefixtures("town")
def test_no_live_site_is_told_what_to_run(run):
    with open_inventory(load_settings()).session() as session:
        session.get(models.Site, "live").status = "retired"
    assert "farola import access-points FILE" in run("coverage", code=1).stderr
