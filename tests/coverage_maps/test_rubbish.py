"""`farola coverage` on what cities publish: the right answer, or a line that says what is wrong."""

from __future__ import annotations

import json
import math

import pytest
import shapely


def square(lon, lat, size=0.01, **properties):
    ring = shapely.get_coordinates(shapely.box(lon, lat, lon + size, lat + size)).tolist()
    return feature(ring, **properties)


def feature(ring, **properties):
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


@pytest.fixture
def covered(run, tmp_path):
    """Imports polygons and access points, and returns `farola coverage`'s JSON by neighbourhood."""

    def go(features, points, *options, zone="UTC", radius=300):
        layer, table = tmp_path / "n.geojson", tmp_path / "ap.csv"
        layer.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        rows = [f"{k},{lat},{lon}" for k, (lat, lon) in enumerate(points)]
        table.write_text("\n".join(["id,lat,lon", *rows]))
        run("init", "--name", "T", "--timezone", zone)
        told = run("import", "neighbourhoods", layer, "--id", "id", "--json", *options)
        run("import", "access-points", table, "--id", "id", "--lat", "lat", "--lon", "lon")
        found = json.loads(
            run("coverage", "--radius", radius, "--by", "neighbourhood", "--json").stdout
        )
        shares = {group["group"]: group["share"] for group in found["groups"]}
        return shares, found, json.loads(told.stdout)

    return go


PEOPLE = ("--population", "pop")


def test_a_city_across_the_antimeridian_is_one_city(covered, run, tmp_path):
    drawn = [
        square(179.98, -16.8, id="west", pop=100), square(179.995, -16.8, id="across", pop=100),
        square(-179.99, -16.8, id="east", pop=100),
    ]  # fmt: skip
    middles = [(-16.795, 179.985), (-16.795, 180.0), (-16.795, -180.0), (-16.795, -179.985)]
    shares, _, _ = covered(drawn, middles, *PEOPLE, zone="Pacific/Fiji")
    assert shares == pytest.approx(dict.fromkeys(("west", "across", "east"), 0.23967), rel=1e-3)
    path = tmp_path / "reach.geojson"
    run("coverage", "--radius", 300, "--footprints", path)
    for one in json.loads(path.read_text())["features"]:
        shape = shapely.geometry.shape(one["geometry"])
        assert shape.is_valid
        assert shape.bounds[2] - shape.bounds[0] < 0.01  # one piece, not a belt around the earth
        assert one["properties"]["residents"] == pytest.approx(23.97, abs=0.05)


def test_a_seam_of_utm_zones_is_nothing(covered):
    halves = [square(-102.01, 21.0, id="west", pop=10), square(-102.0, 21.0, id="east", pop=10)]
    shares, _, _ = covered(halves, [(21.005, -102.0)], *PEOPLE, zone="America/Mexico_City")
    assert shares["west"] == pytest.approx(shares["east"], rel=1e-3)
    assert shares["west"] == pytest.approx(0.1230, abs=5e-4)


def test_near_a_pole_a_disc_is_as_wide_as_anywhere(covered):
    quarter = [*range(0, 91, 5)]
    ring = [*([k, 89.99] for k in quarter), *([k, 89.98] for k in reversed(quarter)), [0, 89.99]]
    shares, _, _ = covered(
        [feature(ring, id="quarter of a ring", pop=1000)], [(89.985, 45.0)], *PEOPLE
    )
    area = math.pi / 4 * ((0.02 * 111_694) ** 2 - (0.01 * 111_694) ** 2)
    assert shares["quarter of a ring"] == pytest.approx(math.pi * 300**2 / area, rel=5e-3)


def test_invalid_and_overlapping_polygons_are_mended_and_told(covered):
    bow = [[0, 0], [0.02, 0.02], [0.02, 0], [0, 0.02], [0, 0]]
    shares, found, told = covered(
        [square(0.03, 0, 0.02, id="a", pop=100), square(0.03, 0, 0.02, id="b", pop=100),
         feature(bow, id="bow", pop=100), square(0.06, 0, id="minus", pop=-5)],
        [(0.01, 0.04), (0.01, 0.005)], *PEOPLE,
    )  # fmt: skip
    assert "overlap: 67% of the city's area" in told["warnings"][-1]["why"]
    assert [fault["why"] for fault in told["rejected"]] == ["is negative (id minus)"]
    assert shares["a"] == shares["b"] == pytest.approx(0.0572, rel=0.01)
    assert shares["bow"] == pytest.approx(math.pi * 300**2 / (2226 * 2211 / 2), rel=2e-3)
    assert found["total"]["population"] == 300


def test_people_without_polygon_and_a_polygon_without_people_are_named(covered, tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("key,people\na,100\nghost,300\n")
    shares, found, told = covered(
        [square(0, 0, id="a"), square(0.01, 0, id="empty")], [(0.005, 0.005)],
        "--join", table, "--join-key", "key", "--population", "people",
    )  # fmt: skip
    assert list(shares) == ["a"]
    assert found["total"]["population"] == 100
    assert found["left_out"] == [
        {"why": "population unknown", "neighbourhoods": 1, "population": None}
    ]
    assert "no polygon has this id" in told["rejected"][0]["why"]
    assert "its population is unknown" in told["warnings"][0]["why"]


@pytest.mark.parametrize(
    ("path", "says"),
    [("x.shp", "name a file .geojson"), ("nowhere/x.geojson", "there is no folder")],
)
def test_footprints_that_cannot_be_written_are_told_first(run, tmp_path, path, says):
    run("init", "--name", "T", "--timezone", "UTC")
    done = run("coverage", "--footprints", tmp_path / path, code=1)
    assert says in done.stderr
