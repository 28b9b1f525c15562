"""Scenarios, and files written by `farola plan`, on a home with a small city in it."""

from __future__ import annotations

import json

import pytest
import shapely

from farola.settings import load_settings
from inventory import models
from inventory.db import open_inventory


@pytest.fixture
def town(run, city):
    run("init", "--name", "Town", "--timezone", "America/Mexico_City")
    rows = [
        city.square(0, 0, 300, "rich", deprivation=1.0, grade="low"),
        city.square(1000, 0, 300, "poor", deprivation=9.0, grade="high"),
    ]
    sites = [city.site(100, 100, "live")] + [
        city.site(x, 150, f"c{x}", status="candidate") for x in (60, 220, 1080, 1230)
    ]
    with open_inventory(load_settings()).session() as session:
        for row in rows:
            values = vars(row) | {"geometry": shapely.to_wkb(row.geometry)}
            session.add(models.Neighbourhood(**values))
        session.add_all(models.Site(**vars(site)) for site in sites)


@pytest.mark.usefixtures("town")
def test_scenarios_are_kept_compared_and_forgotten(run):
    assert json.loads(run("scenario", "list", "--json").stdout) == []
    run("plan", "--sites", 2, "--equity", 0, "--save", "heads", "--note", "counts heads")
    run("plan", "--sites", 2, "--equity", 1, "--save", "need")
    listed = json.loads(run("scenario", "list", "--json").stdout)
    assert [(one["name"], one["note"], one["equity"]) for one in listed] == [
        ("heads", "counts heads", 0), ("need", "", 1),
    ]  # fmt: skip
    assert listed[0]["parameters"]["sites"] == 2
    told = json.loads(run("scenario", "compare", "heads", "need", "--json").stdout)
    (pair,) = told["shared_sites"]
    assert pair["both"] + pair["first_only"] == 2
    worst = [one["by_fifth"][0] for one in told["scenarios"]]
    assert worst[1]["after"] >= worst[0]["after"]
    assert "Kolm–Pollak after" in run("scenario", "compare", "heads", "need").stdout
    assert "El plan propone 2 sitios." in run("scenario", "show", "heads", "--lang", "es").stdout
    run("plan", "--sites", 3, "--save", "heads")
    assert json.loads(run("scenario", "show", "heads", "--json").stdout)["sites"] == 3
    run("scenario", "delete", "heads")
    assert "`farola scenario list`" in run("scenario", "show", "heads", code=1).stderr


@pytest.mark.usefixtures("town")
def test_the_same_input_gives_the_same_plan_and_the_same_bytes(run, tmp_path):
    def made(name, *more):
        path = tmp_path / name
        done = run("plan", "--sites", 3, "--lang", "es", "--report", path, "--json", *more)
        return json.loads(done.stdout)["plan_id"], path.read_bytes()

    first, second = made("a.html"), made("b.html")
    assert first == second
    assert made("c.html", "--fresh")[0] == first[0] + 1
    with open_inventory(load_settings()).session() as session:
        session.get(models.Neighbourhood, "rich").population = 1300.0
    changed = made("d.html")
    assert changed[0] == first[0] + 2
    assert changed[1] != first[1]
    assert "El plan propone 3 sitios." in first[1].decode()


@pytest.mark.usefixtures("town")
def test_must_and_forbidden_places_are_kept_to(run):
    def ids(*more):
        told = json.loads(run("plan", "--sites", 2, *more, "--json").stdout)
        assert told["objective"] <= told["upper_bound"] * (1 + 1e-9)
        return {site["site_id"] for site in told["sites"]}

    free = ids()
    left = ({"c60", "c220", "c1080", "c1230"} - free).pop()
    taken = next(iter(free))
    assert left in ids("--must", left)
    assert taken not in ids("--forbid", taken)


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("plan", "--sites", "1", "--must", "nowhere"), "--must nowhere: no candidate has this id"),
        (("plan", "--sites", "1", "--forbid", "x"), "--forbid x"),
        (("plan", "--sites", "1", "--must", "c60", "--forbid", "c60"), "both a --must"),
        (("plan", "--sites", "1", "--must", "c60", "--must", "c220"), "--must names need 2 of 1"),
        (("plan", "--sites", "1", "--must", "c60", "--candidates", "generated"), "have no ids"),
        (("plan", "--sites", "1", "--lang", "xx"), "--lang xx"),
        (("plan", "--sites", "1", "--report", "/nowhere/r.html"), "cannot be written"),
        (("plan", "--sites", "1", "--save", "two\nlines"), "on one line"),
        (("plan", "--sites", "1", "--price", "paint=3"), "--price paint"),
        (("scenario", "show", "nobody"), "no scenario is called 'nobody'"),
        (("scenario", "delete", "nobody"), "no scenario is called 'nobody'"),
    ],
)
def test_a_mistake_is_one_line_and_a_code(run, args, says):
    done = run(*args, code=1)
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("plan", "--sites", "1", "--price", "hardware"), "is no price"),
        (("scenario", "compare", "one"), "two names or more"),
    ],
)
def test_what_the_command_line_cannot_mean_is_told(run, args, says):
    assert says in run(*args, code=2).stderr


@pytest.mark.usefixtures("town")
def test_sites_keep_their_distance_and_serve_no_more_than_they_can(run):
    def told(*more):
        return json.loads(run("plan", "--sites", 4, "--equity", 0, *more, "--json").stdout)

    free = told()
    assert len(free["sites"]) == 4
    apart = told("--spacing", 155)
    assert len(apart["sites"]) == 3
    assert any("that may be taken" in line for line in apart["warnings"])
    assert apart["objective"] <= apart["upper_bound"] * (1 + 1e-9)
    for site in apart["sites"]:  # 1080 and 1230 are 150 m apart: one may stand for the other
        assert site["runner_up"] is None or site["runner_up"]["site_id"] in {"c1080", "c1230"}
    full = told("--capacity", 5, "--busy-share", 0.05)
    assert full["unit"] == "residents newly served"
    assert full["objective"] == pytest.approx(4 * 100, rel=0.01)
    assert full["upper_bound"] >= full["objective"] * (1 - 1e-9)
    assert "--spacing -1" in run("plan", "--sites", 1, "--spacing", "-1", code=1).stderr
    assert "--capacity 0" in run("plan", "--sites", 1, "--capacity", "0", code=1).stderr
    assert "--busy-share 2" in run("plan", "--sites", 1, "--busy-share", "2", code=1).stderr
