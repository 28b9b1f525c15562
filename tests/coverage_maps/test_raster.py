"""Footprints on a grid: they agree with exact ones where those exist, and follow what was
measured."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import shapely
from shapely.geometry import box

from coverage_maps.cover.coverage import cover_emitters
from coverage_maps.cover.emitters import Emitter
from coverage_maps.cover.ground import lay_out
from coverage_maps.propagation import Link, reach
from coverage_maps.radio.antennas import Antenna
from coverage_maps.radio.measured import Levels
from coverage_maps.radio.raster import field, footprint, shares, tiles
from coverage_maps.radio.walls import Obstacles, behind_walls, budget
from farola.settings import load_settings
from inventory import models
from inventory.db import open_inventory

LINK = Link("residential")


def emitter(x=0.0, y=0.0, link=LINK):
    found = reach(link)
    return Emitter(f"e{x:g},{y:g}", "s", x, y, found.range_m, ranges_m=found.ranges_m)


def houses():
    outlines = np.array(
        [box(x, y, x + 12, y + 18) for x in range(-90, 90, 22) for y in range(-90, 90, 30)],
        dtype=object,
    )
    return Obstacles(
        outlines, np.full(len(outlines), np.inf), ("",) * len(outlines), shapely.STRtree(outlines)
    )


def test_cells_agree_with_the_disc():
    area = footprint(field(emitter(), LINK), cell_m=1.0).area
    assert area == pytest.approx(math.pi * reach(LINK).range_m ** 2, rel=0.01)


def test_cells_agree_with_the_polygons_of_sectors_and_walls(city):
    ground = lay_out([city.square(-150, -150, 150, "a"), city.square(0, -150, 300, "b")])
    sector = replace(LINK, antenna=Antenna(12.0, 40.0, 90.0))
    among = houses()
    places = [(-40.0, 0.0, LINK), (33.0, 20.0, sector), (70.0, -60.0, replace(LINK, band="2.4"))]
    exact, fields = [], []
    for x, y, link in places:
        one = emitter(x, y, link)
        exact.append(behind_walls(one, link, budget(link), among))
        fields.append(field(one, link, among))
    polygons = cover_emitters(ground, exact).shares
    assert shares(ground, fields, cell_m=1.0) == pytest.approx(polygons, rel=0.03)


def test_how_a_city_is_cut_into_tiles_changes_nothing():
    fields = [field(emitter(x, 10.0 * x), LINK) for x in (0.0, 30.0, 44.5)]
    bounds = (-128.0, -128.0, 384.0, 640.0)
    areas = [
        sum(tile.covered().area for tile in tiles(bounds, fields, cell_m=2.0, tile_cells=cells))
        for cells in (16, 64, 512)
    ]
    assert areas[0] == areas[1] == areas[2] > 0
    small = list(tiles(bounds, fields, cell_m=2.0, tile_cells=16))
    assert len(small) < 16 * 24 / 2  # tiles that nothing reaches are left out
    assert {tile.spare_db.shape for tile in small} == {(16, 16)}


def planted(rng, n, sigma=7.0, length=20.0):
    """Shadows drawn at random around an emitter, alike over `length` metres."""
    xy = rng.uniform(-80, 80, (n, 2))
    gap = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1))
    root = np.linalg.cholesky(sigma**2 * np.exp(-gap / length) + 1e-6 * np.eye(n))
    return xy, root @ rng.normal(size=n)


@pytest.mark.parametrize("seed", range(3))
def test_measured_levels_move_the_footprint_towards_the_truth(seed):
    rng = np.random.default_rng(seed)
    xy, shadow = planted(rng, 1200)
    link = Link("high-rise", "2.4", reliability=0.5)
    plain = field(emitter(link=link), link)
    near = np.hypot(*xy.T) < 0.9 * plain.farthest_m
    xy, shadow = xy[near], shadow[near]
    half = len(xy) // 2
    heard, hidden = xy[:half], xy[half:]
    level = plain.median_dbm(heard) + shadow[:half] + rng.normal(0, 3.0, half)
    found = field(emitter(link=link), link, levels=Levels(heard, level))
    truth = plain.spare_db(hidden) + shadow[half:]
    assert np.sqrt(np.mean((found.spare_db(hidden) - truth) ** 2)) < 0.75 * np.sqrt(
        np.mean((plain.spare_db(hidden) - truth) ** 2)
    )
    right = ((found.spare_db(hidden) >= 0) == (truth >= 0)).mean()
    assert right > ((plain.spare_db(hidden) >= 0) == (truth >= 0)).mean()


def test_what_is_known_needs_less_margin_and_far_away_nothing_changes():
    link = Link("residential", reliability=0.95)
    plain = field(emitter(link=link), link)
    xy = np.array([(20.0 + k % 5, float(k // 5)) for k in range(25)])
    found = field(emitter(link=link), link, levels=Levels(xy, plain.median_dbm(xy)))
    near, far = np.array([(22.0, 2.0)]), np.array([(-30.0, -2.0)])
    assert found.spare_db(near) > plain.spare_db(near) + 1
    assert found.spare_db(far) == pytest.approx(plain.spare_db(far), abs=0.3)


def test_the_command_follows_what_walks_measured(run, city):
    run("init", "--name", "Town", "--country", "MX")
    row = city.square(0, 0, 300, "n", deprivation=1.0)
    street = ("coverage", "--model", "street", "--json")
    with open_inventory(load_settings()).session() as session:
        session.add(models.Neighbourhood(**vars(row) | {"geometry": shapely.to_wkb(row.geometry)}))
        session.add(models.Site(**vars(city.site(150, 150, "live"))))
        session.add(models.Device(id="ap", name="ap"))
        session.flush()
        session.add(models.Placement(device_id="ap", site_id="live"))
        bssid = models.Bssid(bssid="02:00:00:00:00:01")
        session.add(models.Radio(device_id="ap", name="r", band="5", bssids=[bssid]))
    before = json.loads(run(*street).stdout)
    assert before["measured"] is None
    assert "no walk heard" in run(*street, "--measured", code=1).stderr
    with open_inventory(load_settings()).session() as session:
        for k, (x, y) in enumerate((x, y) for x in range(60, 250, 10) for y in range(60, 250, 10)):
            lat, lon = city.degrees(x, y)
            session.add(
                models.SurveyReading(
                    survey="w", bssid="02:00:00:00:00:01", rssi_dbm=-88.0, lat=lat, lon=lon,
                    at=datetime(2026, 3, 1) + timedelta(seconds=k),
                )
            )  # fmt: skip
    after = json.loads(run(*street).stdout)
    assert after["measured"] == 1
    assert after["total"]["share"] < 0.3 * before["total"]["share"]
    without = json.loads(run(*street, "--no-measured").stdout)
    assert without["total"] == before["total"]
