"""Files made of a plan: the report for a meeting, and tables and layers for other programs."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pyogrio
import pytest
import shapely

from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import Alternative, PlanRequest
from coverage_maps.telling.exports import plan_json, read_plan
from coverage_maps.telling.files import WRITERS, csv_bytes, gpkg_bytes, kml_bytes
from coverage_maps.telling.messages import LANGUAGES, language
from coverage_maps.telling.report import Background, report_bytes
from coverage_maps.telling.tradeoff import curve
from farola.errors import PlanningError
from inventory.records import UsageRecord

HOSTILE = (
    "=1+1 <script>alert('x')</script> & \u202eback {n} \u0627\u0644\u0642\u0627\u0647\u0631\u0629"
)


@pytest.fixture(scope="module")
def around(city):
    rows = [
        city.square(0, 0, 400, "west", deprivation=1.0, grade="low"),
        city.square(500, 0, 400, "<b>east</b>", deprivation=9.0, grade="high & dry", borough="Río"),
        city.square(1000, 0, 300, "park", population=None),
    ]
    sites = [
        city.site(100, 100, "live"),
        *(replace(city.site(x, 200, f"c{x}", status="candidate", cost=70.0), name=HOSTILE)
          for x in (50, 300, 550, 650, 850)),
    ]  # fmt: skip
    return Background("Río <i>Test</i>", rows, sites)


@pytest.fixture(scope="module")
def plan(around):
    made = make_plan(around.neighbourhoods, around.sites, [], PlanRequest(sites=4, vans=1))
    return read_plan(plan_json(made))


def test_a_plan_is_read_back_as_it_was_told(plan):
    assert read_plan(plan_json(plan)) == plan
    assert plan.before.kappa == plan.after.kappa
    assert plan.after.kolm_pollak > plan.before.kolm_pollak
    by_fifth = plan.changes["fifth"]
    gained = sum(change.after - change.before for change in by_fifth)
    assert gained == pytest.approx(plan.covered_after - plan.covered_before, abs=0.01)


def test_the_curve_of_what_fairness_costs_marks_the_plan(plan, around):
    assert plan.own.residents == pytest.approx(plan.covered_after - plan.covered_before, rel=0.02)
    assert all(0 < one.kolm_pollak < 1 for one in (plan.own, *plan.weightings))
    drawn = str(curve(plan, language("en"), "Curve"))
    assert drawn.count('class="site"') == 1 + len(plan.weightings)
    assert drawn.count('r="7"') == 1
    assert drawn in report_bytes(plan, language("en"), around).decode().replace(
        'What fairness costs">', 'Curve">'
    )
    assert curve(replace(plan, own=None), language("en"), "Curve") is None


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_report_stands_alone_and_hides_nothing_in_names(plan, around, code):
    say = language(code, isolate=True)
    page = report_bytes(plan, say, around).decode()
    assert f'lang="{say.tag}" dir="{say.direction}"' in page
    for outside in ("http", "src=", "url(", "@import", "<script", "<b>east", "<i>Test"):
        assert outside not in page
    assert "&lt;script&gt;" in page
    assert all(digest in page for digest in plan.inputs.values())
    assert page.count("<article>") == len(plan.sites)
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) >= len(plan.sites) + 3
    for picture in pictures:
        assert ElementTree.fromstring(picture).attrib["viewBox"]
    assert code == "en" or "residents" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_a_city_of_which_little_is_known_has_a_report_too(city):
    around = Background("Bare", [city.square(0, 0, 500)], [])
    usage = [UsageRecord("neighbourhood", "n", "", date(2024, 1, 1), date(2024, 2, 1), 90.0, None,
                         None, "imported")]  # fmt: skip
    for figures in ([], usage):
        made = make_plan(around.neighbourhoods, [], figures, PlanRequest(sites=2))
        made = replace(made, weightings=(Alternative("heads, demand", 5.0, None),))
        page = report_bytes(made, language("ar"), around).decode()
        assert page.count("<article>") == 2
    with pytest.raises(PlanningError, match="an earlier Farola kept this plan"):
        read_plan({"sites": [{"rank": 1}]})


def test_the_same_plan_gives_the_same_bytes(plan, around):
    say = language("es")
    for write in (*WRITERS.values(), lambda p, s: report_bytes(p, s, around)):
        assert write(plan, say) == write(plan, say)


def test_layers_hold_every_site_where_it_is(plan, tmp_path):
    for name, write, id_field in (
        ("s.gpkg", gpkg_bytes, "site_id"),
        ("s.kml", kml_bytes, "site_id"),
    ):
        path = tmp_path / name
        path.write_bytes(write(plan, language("ar")))
        meta, _, shapes, columns = pyogrio.raw.read(path)
        table = dict(zip(meta["fields"], columns, strict=True))
        assert pyogrio.read_info(path)["crs"] == "EPSG:4326"
        assert [str(v) for v in table[id_field]] == [site.site_id for site in plan.sites]
        points = shapely.from_wkb(shapes)
        assert shapely.get_x(points) == pytest.approx([site.lon for site in plan.sites])
        assert shapely.get_y(points) == pytest.approx([site.lat for site in plan.sites])
        name_field = "Name" if name.endswith("kml") else "name"
        assert set(table[name_field]) == {HOSTILE}


def test_a_balloon_of_kml_shows_names_and_runs_none(plan, tmp_path):
    path = tmp_path / "s.kml"
    path.write_bytes(kml_bytes(plan, language("en")))
    meta, _, _, columns = pyogrio.raw.read(path)
    balloons = dict(zip(meta["fields"], columns, strict=True))["description"]
    assert any("&lt;b&gt;east&lt;/b&gt;" in text for text in balloons)
    assert not any("<" in text for text in balloons)


def test_names_that_no_file_can_hold_do_not_break_it(plan, tmp_path):
    odd = replace(plan, sites=tuple(replace(s, name="a\x0bb\ud800c") for s in plan.sites))
    for kind, write in WRITERS.items():
        path = tmp_path / f"odd.{kind}"
        path.write_bytes(write(odd, language("en")))
        if kind != "csv":
            assert pyogrio.read_info(path)["features"] == len(plan.sites)


def test_a_table_runs_nothing_in_a_spreadsheet(plan):
    rows = list(csv.DictReader(io.StringIO(csv_bytes(plan, language("en")).decode())))
    assert [int(row["rank"]) for row in rows] == [1, 2, 3, 4]
    for row, site in zip(rows, plan.sites, strict=True):
        assert row["name"] == "'" + HOSTILE
        assert float(row["newly_covered"]) == pytest.approx(site.newly_covered, abs=0.05)
        assert float(row["lon"]) == pytest.approx(site.lon)
        groups = [float(row[f"newly_covered {group}"]) for group in plan.group_names]
        assert sum(groups) == pytest.approx(site.newly_covered, abs=0.2)
