"""Building outlines from files."""

from __future__ import annotations

import json

import pytest

from farola.settings import load_settings
from inventory import queries
from inventory.db import open_inventory


def square(lon, lat, side=0.0001, **properties):
    ring = [[lon, lat], [lon + side, lat], [lon + side, lat + side], [lon, lat + side], [lon, lat]]
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def imported(run, tmp_path):
    run("init", "--name", "Town")
    city = tmp_path / "city.geojson"
    city.write_text(
        json.dumps({"type": "FeatureCollection", "features": [square(-99.2, 19.3, 0.2, k="n")]})
    )
    run("import", "neighbourhoods", city, "--id", "k")

    def import_features(*features, options=("--id", "k", "--height", "h", "--levels", "l",
                                            "--wall", "w"), code=0):  # fmt: skip
        path = tmp_path / "buildings.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
        done = run("import", "buildings", path, *options, "--json", code=code)
        with open_inventory(load_settings()).session() as session:
            return done, queries.buildings(session)

    return import_features


def test_outlines_are_kept_with_height_and_wall(imported):
    bowtie = square(-99.1, 19.4, k="bow", h=None, l=2, w=None)
    bowtie["geometry"]["coordinates"][0][1:3] = bowtie["geometry"]["coordinates"][0][2:0:-1]
    rows = (
        square(-99.15, 19.4, k="a", h="7,5", l=9, w="Brick"), bowtie,
        square(-3.7, 40.4, k="Madrid", h=1, l=1, w=""),
        square(-99.15, 19.41, k="a", h=1, l=1, w=""),
        square(-99.15, 19.42, k="tower", h=-4, l=None, w=None),
    )  # fmt: skip
    done, kept = imported(*rows)
    told = json.loads(done.stdout)
    assert [(b.id, b.height_m, b.wall) for b in kept] == [("a", 7.5, "brick"), ("bow", 6.0, "")]
    assert kept[1].geometry.is_valid
    assert sorted(fault["row"] for fault in told["rejected"]) == [3, 4, 5]
    again = json.loads(imported(*rows)[0].stdout)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 2)
    with open_inventory(load_settings()).session() as session:
        near = queries.buildings(session, (-99.16, 19.39, -99.14, 19.405))
    assert [b.id for b in near] == ["a"]


def test_a_table_or_a_missing_column_imports_nothing(imported, tmp_path, run):
    table = tmp_path / "t.csv"
    table.write_text("id,h\na,1\n")
    assert "a table has no outlines" in run("import", "buildings", table, code=1).stderr
    done, kept = imported(square(-99.15, 19.4, k="a"), options=("--height", "tall"), code=1)
    assert done.stderr.count("\n") == 1
    assert not kept


def test_outlines_of_neighbourhoods_are_doubted(imported):
    done, kept = imported(
        square(-99.15, 19.4, 0.01, k="a"), square(-99.1, 19.4, k="b"), options=("--id", "k")
    )
    told = json.loads(done.stdout)["warnings"]
    assert [
        (warning["row"], "blocks and neighbourhoods" in warning["why"]) for warning in told
    ] == [(1, True)]
    assert len(kept) == 2
