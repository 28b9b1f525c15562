"""`--model street`: what the inventory says of a radio counts, the rest is assumed and told."""

from __future__ import annotations

import json
import math

import pytest
import shapely

from coverage_maps.cover.coverage import cover_emitters
from coverage_maps.cover.ground import lay_out
from coverage_maps.propagation import reach
from coverage_maps.radio.street import StreetRequest, street_emitters
from farola.errors import PlanningError
from farola.settings import load_settings
from inventory import models
from inventory.db import open_inventory
from inventory.records import RadioRecord


def radio(site="s0", device="ap", name="radio0", **known):
    values = {
        "band": "5", "channel": None, "power_dbm": None, "antenna_dbi": None,
        "azimuth_deg": None, "beamwidth_deg": None, "tilt_deg": None,
    } | known  # fmt: skip
    return RadioRecord(device, site, name, **values)


def test_each_radio_has_its_own_reach(city):
    ground = lay_out([city.square(-1000, -1000, 2000)])
    sites = [*city.sites([(0, 0), (300, 0)]), city.site(0, 300, "high", height_m=30.0)]
    radios = [
        radio(name="a"), radio(name="b", band="2.4"), radio("s1", "weak", power_dbm=3.0),
        radio("elsewhere", "lost"), radio(name="imported", band=""),
    ]  # fmt: skip
    found = street_emitters(ground, sites, radios, StreetRequest())
    ranges = {e.id: e.range_m for e in found.emitters}
    assert set(ranges) == {"ap/a", "ap/b", "weak/radio0", "high"}
    assert ranges["ap/b"] > ranges["ap/a"] > ranges["weak/radio0"]
    assert ranges["ap/a"] == reach(StreetRequest().link()).range_m
    assert ranges["high"] < ranges["ap/a"]
    assert found.assumed == {"height": 3, "power": 3, "antenna": 4, "band": 1}
    assert found.limited_by == {"uplink": 3, "downlink": 1}
    only = street_emitters(ground, sites, radios, StreetRequest(band="2.4"))
    assert {e.id for e in only.emitters} == {"ap/b", "high"}
    assert only.skipped == 2
    exact = math.pi * ranges["ap/b"] ** 2
    alone = cover_emitters(ground, [e for e in found.emitters if e.id == "ap/b"])
    assert alone.shares[0] * ground.areas[0] == pytest.approx(exact, rel=1e-3)


def test_a_sector_covers_the_ground_before_it(city):
    ground = lay_out([city.square(-300, 0, 600, "north"), city.square(-300, -600, 600, "south")])
    looks_north = radio(azimuth_deg=0.0, beamwidth_deg=65.0, antenna_dbi=14.0)
    found = street_emitters(ground, city.sites([(0, 0)]), [looks_north], StreetRequest())
    shares = cover_emitters(ground, found.emitters).shares
    assert shares[0] > 5 * shares[1] > 0


def test_a_radio_that_cannot_be_is_named(city):
    ground = lay_out([city.square(0, 0, 100)])
    with pytest.raises(PlanningError, match=r"radio ap/radio0: .*azimuth"):
        street_emitters(ground, city.sites([(0, 0)]), [radio(beamwidth_deg=60.0)], StreetRequest())


@pytest.fixture
def town(run, city):
    """A home with one neighbourhood and a live site in the middle of it."""
    run("init", "--name", "Town", "--country", "MX")
    row = city.square(0, 0, 300, "n", deprivation=1.0)
    with open_inventory(load_settings()).session() as session:
        values = vars(row) | {"geometry": shapely.to_wkb(row.geometry)}
        session.add(models.Neighbourhood(**values))
        session.add(models.Site(**vars(city.site(150, 150, "live"))))


@pytest.mark.usefixtures("town")
def test_the_map_says_outdoor_or_indoor_and_what_was_assumed(run):
    told = json.loads(run("coverage", "--model", "street", "--band", "2.4", "--json").stdout)
    assert (told["model"], told["place"], told["country"]) == ("street", "outdoor", "MX")
    assert told["assumed"] == {"band": 1, "power": 1, "antenna": 1, "height": 1}
    assert any("above the 20 dBm of MX" in line for line in told["warnings"])
    area = math.pi * told["range_m"]["most"] ** 2 / 300**2
    assert told["total"]["share"] == pytest.approx(area, rel=2e-3)
    inside = run("coverage", "--model", "street", "--indoor", "--band", "2.4")
    assert "indoors" in inside.stdout
    indoors = json.loads(
        run("coverage", "--model", "street", "--indoor", "--band", "2.4", "--json").stdout
    )
    assert indoors["place"] == "indoor"
    assert indoors["total"]["share"] < told["total"]["share"] / 4


@pytest.mark.usefixtures("town")
def test_a_band_that_may_not_be_used_reaches_nobody(run):
    done = run("coverage", "--model", "street", "--band", "6", "--json")
    told = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert told["total"]["share"] == 0
    assert told["limited_by"] == {"country": 1}
    assert told["typical"]["level_dbm"] is None


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    "words",
    [
        ("--band", "5"), ("--indoor",), ("--as-published",),
        ("--model", "street", "--reliability", "2"), ("--model", "street", "--height", "nan"),
        ("--model", "street", "--country", "Mexico"), ("--model", "street", "--calibrated"),
        ("--model", "street", "--power", "1e9"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_line(run, words):
    done = run("coverage", *words, code=1)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
