"""The picture behind the map: right, computed once, told again when the city changes."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import shapely
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from inventory.models import Neighbourhood, Site
from tests.conftest import Run
from tests.web.conftest import settled
from web.bivariate import cell, cells, thirds
from web.coverage import KEPT_PICTURES, Picture
from web.geo import bounds_of, simplify

WEIGHTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e6)), min_size=1, max_size=60)


@given(WEIGHTS)
def test_thirds_keep_the_order_and_equal_values_together(pairs: list[tuple[float, float]]) -> None:
    values, weights = zip(*pairs, strict=True)
    found = thirds(values, weights)
    assert len(found) == len(values)
    if sum(weights) <= 0:
        assert (found == -1).all()
        return
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    for value in set(values):
        assert len({int(f) for f, v in zip(found, values, strict=True) if v == value}) == 1


def test_thirds_split_the_residents_not_the_polygons() -> None:
    # One large neighbourhood holds the worst third of all residents.
    found = thirds([0.1, 0.2, 0.3, 0.4, 0.9], [100, 100, 100, 100, 200])
    assert found.tolist() == [0, 0, 1, 1, 2]


def test_where_all_are_alike_nobody_is_best_or_worst() -> None:
    assert thirds([1.0, 1.0, 1.0], [5, 5, 5]).tolist() == [1, 1, 1]


def test_what_is_unknown_has_no_cell() -> None:
    assert thirds([0.5, None, 0.7], [1, 1, None]).tolist() == [1, -1, -1]
    assert cell(-1, 2) == cell(2, -1) == ""
    assert cells() == ["a3", "b3", "c3", "a2", "b2", "c2", "a1", "b1", "c1"]


def test_simplified_neighbours_still_share_their_border() -> None:
    wavy = [(0.5 + 0.001 * np.sin(20 * y), y) for y in np.linspace(0, 1, 400)]
    left = shapely.Polygon([(0, 0), *wavy, (0, 1)])
    right = shapely.Polygon([(1, 0), *wavy, (1, 1)])
    a, b = simplify([left, right])
    assert shapely.get_num_coordinates(a) < 100
    assert a.intersection(b).area < 1e-9
    assert a.union(b).area == pytest.approx(1, abs=1e-6)
    assert bounds_of([]) is None
    assert simplify([]) == []


def test_the_map_and_the_command_line_tell_the_same(
    client: FlaskClient, app: Flask, run: Run
) -> None:
    settled(client, "/?radius=80")
    picture = app.extensions["farola"].coverage.get(80.0)
    assert isinstance(picture, Picture)
    told = json.loads(run("coverage", "--radius", 80, "--by", "fifth", "--json").stdout)
    assert picture.total.covered == pytest.approx(told["total"]["covered_population"])
    assert [g.share for g in picture.groups["fifth"]] == pytest.approx(
        [g["share"] for g in told["groups"]]
    )
    assert sum(picture.cells.values()) == pytest.approx(told["total"]["population"])


def test_the_picture_is_kept_until_a_site_is_built(app: Flask, client: FlaskClient) -> None:
    settled(client, "/?radius=80")
    coverage = app.extensions["farola"].coverage
    before = coverage.get(80.0)
    assert coverage.get(80.0) is before
    with app.extensions["farola"].inventory.session() as session:
        session.add(Site(id="new", name="New", lat=-31.655, lon=-60.674, status="live"))
    after = coverage.get(80.0, patience=60)
    assert after is not before
    assert after.sites == before.sites + 1
    assert after.total.covered > before.total.covered


def test_a_neighbourhood_that_is_renamed_or_moved_is_told_at_once(app: Flask) -> None:
    console = app.extensions["farola"]
    for field, text in (("name", "Renamed"), ("borough", "Elsewhere")):
        console.coverage.get(80.0, patience=60)
        with console.inventory.session() as session:
            setattr(session.get(Neighbourhood, "N44"), field, text)
        found = console.coverage.get(80.0, patience=60)
        assert getattr(found.areas["N44"], field) == text


def test_only_the_radii_that_the_page_offers_are_worked_out(
    app: Flask, client: FlaskClient
) -> None:
    settled(client, "/?radius=50")
    for radius in (51, 52.5, 4999, "nan", "inf", -1):
        settled(client, f"/?radius={radius}")
        settled(client, f"/coverage?radius={radius}")
        assert client.get(f"/map/sites.geojson?radius={radius}").status_code == 200
    assert set(app.extensions["farola"].coverage._done) == {50.0, 80.0}


def test_pictures_that_nobody_asks_for_are_forgotten(app: Flask) -> None:
    coverage = app.extensions["farola"].coverage
    first = coverage.get(30.0, patience=60)
    for radius in range(31, 31 + KEPT_PICTURES - 1):
        coverage.get(float(radius), patience=60)
    assert coverage.get(30.0) is first
    coverage.get(40.0, patience=60)
    assert len(coverage._done) == KEPT_PICTURES
    assert 30.0 in coverage._done
    assert 31.0 not in coverage._done


def test_shapes_are_small_once_and_then_free(client: FlaskClient) -> None:
    settled(client, "/")
    answer = client.get("/map/neighbourhoods.geojson", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    collection = json.loads(gzip.decompress(answer.data))
    plain = client.get("/map/neighbourhoods.geojson")
    assert json.loads(plain.data) == collection
    assert {f["properties"]["cell"] for f in collection["features"]} <= {*cells(), ""}
    again = client.get(
        "/map/neighbourhoods.geojson", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    sites = json.loads(client.get("/map/sites.geojson").data)
    assert len(sites["features"]) == 120
    assert len(json.loads(client.get("/map/plan-1.geojson").data)["features"]) == 15
