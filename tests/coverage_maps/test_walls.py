"""Building outlines: dark behind them, clear beside them, by rays that can be checked on paper."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from coverage_maps.cover.coverage import cover_emitters
from coverage_maps.cover.emitters import Emitter, shapes
from coverage_maps.cover.ground import lay_out
from coverage_maps.propagation import Link, ranges_m
from coverage_maps.radio.street import StreetRequest, street_emitters, with_walls
from coverage_maps.radio.walls import (
    BEARINGS,
    Obstacles,
    behind_walls,
    budget,
    obstacles,
    rays,
    wall_db,
)
from inventory.records import BuildingRecord

LINK = Link("los")
HERE = Emitter("a", "s", 0.0, 0.0, 60.0)


def block(*outlines, height=np.inf, wall=""):
    flat = np.array(outlines, dtype=object)
    return Obstacles(flat, np.full(len(flat), height), (wall,) * len(flat), shapely.STRtree(flat))


def towards(emitter, degrees):
    return emitter.ranges_m[round(degrees * BEARINGS / 360)]


def test_a_house_in_the_way_costs_its_two_walls():
    house = block(box(-5, 20, 5, 30), wall="wood")
    found = behind_walls(HERE, LINK, budget(LINK), house)
    clear = ranges_m(LINK, np.zeros(1))[0]
    assert towards(found, 180) == pytest.approx(clear, rel=0.01)
    through = ranges_m(LINK, np.zeros(1), 2 * wall_db("wood", LINK.ghz))[0]
    assert towards(found, 0) == pytest.approx(max(through, 30.0), rel=0.01)
    # a thick one ends the line where it stands
    stone = behind_walls(HERE, LINK, budget(LINK), block(box(-5, 20, 5, 30), wall="stone"))
    assert towards(stone, 0) == pytest.approx(30.0, abs=0.6)


def test_behind_a_house_the_environment_says_what_comes_around():
    residential = Link("residential")
    found = behind_walls(HERE, residential, budget(residential), block(box(-5, 5, 5, 15)))
    around = ranges_m(residential, np.zeros(1))[0]
    assert towards(found, 0) == pytest.approx(around, rel=0.02)
    assert towards(found, 180) == pytest.approx(ranges_m(LINK, np.zeros(1))[0], rel=0.01)


def test_what_does_not_block():
    low = block(box(-5, 5, 5, 10), height=2.0)
    own = block(box(-5, -5, 5, 5))
    clear = pytest.approx(ranges_m(LINK, np.zeros(1))[0], rel=0.01)
    for around in (low, own):
        assert towards(behind_walls(HERE, LINK, budget(LINK), around), 0) == clear
    assert behind_walls(HERE, LINK, budget(LINK), block(box(900, 900, 910, 910))) is None


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-60, 60), st.floats(-60, 60), st.floats(1, 25), st.floats(1, 25)),
        min_size=1, max_size=6,
    ),
    st.integers(0, BEARINGS - 1),
)  # fmt: skip
def test_rays_leave_buildings_where_shapely_says(corners, ray):
    outlines = [box(x, y, x + w, y + h) for x, y, w, h in corners]
    outlines = [o for o in outlines if o.distance(shapely.Point(0, 0)) > 0.01]
    if not outlines:
        return
    lines = rays(block(*outlines), HERE, LINK, 100.0)
    if lines is None:
        return
    angle = math.radians(ray * 360 / BEARINGS)
    line = shapely.LineString([(0, 0), (100 * math.sin(angle), 100 * math.cos(angle))])
    expected = []
    for outline in outlines:
        met = line.intersection(outline)
        if line.intersects(outline.buffer(-1e-6)):  # not one that it grazes
            expected.append(max(math.hypot(*xy) for xy in met.coords))
    exits = lines.exits[ray][np.isfinite(lines.exits[ray])]
    expected = sorted(e for e in expected if e < 100 - 1e-6)
    grazed = [o for o in outlines if shapely.MultiPoint(o.exterior.coords).distance(line) < 1e-6]
    if not grazed:
        assert exits == pytest.approx(expected, abs=1e-3)


def test_walls_never_add_reach(city):
    ground = lay_out([city.square(-200, -200, 400)])
    buildings = [
        BuildingRecord(f"b{k}", city.square(x, y, 18, f"b{k}").geometry, None, "")
        for k, (x, y) in enumerate((x, y) for x in range(-100, 90, 30) for y in range(-100, 90, 30))
    ]
    sites = city.sites([(0, 0), (25, 3), (130, 130)])
    request = StreetRequest(environment="los")
    plain = street_emitters(ground, sites, [], request)
    walled = with_walls(plain, obstacles(ground, buildings))
    assert walled.walled == 3
    assert (
        cover_emitters(ground, walled.emitters).shares[0]
        < 0.8 * cover_emitters(ground, plain.emitters).shares[0]
    )
    for before, after in zip(plain.emitters, walled.emitters, strict=True):
        assert max(after.ranges_m) <= before.range_m * 1.01
    assert all(shapely.is_valid(shape) for shape in shapes(walled.emitters))
    sector = replace(plain.links["s0"], antenna=replace(LINK.antenna, azimuth_deg=0.0,
                                                        beamwidth_deg=60.0))  # fmt: skip
    seen = behind_walls(plain.emitters[0], sector, budget(sector), obstacles(ground, buildings))
    assert towards(seen, 180) < towards(seen, 0)


def test_the_command_uses_outlines_where_they_stand(run, city, tmp_path):
    from farola.settings import load_settings
    from inventory import models
    from inventory.db import open_inventory

    run("init", "--name", "Town", "--country", "MX")
    row = city.square(0, 0, 300, "n", deprivation=1.0)
    with open_inventory(load_settings()).session() as session:
        session.add(models.Neighbourhood(**vars(row) | {"geometry": shapely.to_wkb(row.geometry)}))
        session.add(models.Site(**vars(city.site(150, 150, "live"))))
    street = ("coverage", "--model", "street", "--environment", "los", "--json")
    assert "farola import buildings" in run(*street, "--walls", code=1).stderr
    outlines = [city.square(165, y, 20, "b").geometry for y in range(60, 240, 22)]
    path = tmp_path / "b.geojson"
    path.write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {"type": "Feature", "properties": {"k": f"b{k}"},
                     "geometry": json.loads(shapely.to_geojson(outline))}
                    for k, outline in enumerate(outlines)
                ],
            }
        )
    )  # fmt: skip
    run("import", "buildings", path, "--id", "k")
    walled = json.loads(run(*street).stdout)
    plain = json.loads(run(*street, "--no-walls").stdout)
    assert (walled["behind_walls"], plain["behind_walls"]) == (1, None)
    assert 0.5 < walled["total"]["share"] / plain["total"]["share"] < 0.8
