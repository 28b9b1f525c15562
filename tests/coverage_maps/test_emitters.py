"""Emitters of different reach, each exactly what it is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage_maps.cover.coverage import cover, cover_emitters, move_emitters
from coverage_maps.cover.emitters import (
    Emitter,
    from_radios,
    from_sites,
    outermost,
    shapes,
    with_range,
)
from coverage_maps.cover.ground import lay_out, positions
from farola.errors import PlanningError
from inventory.records import RadioRecord

metres = st.floats(-300, 1300).map(lambda value: round(value, 1))
some = st.lists(
    st.tuples(metres, metres, st.sampled_from([0.0, 35.0, 80.0, 150.0, 900.0])),
    min_size=1, max_size=10,
)  # fmt: skip


def emitters(places):
    return [Emitter(f"e{k}", f"s{k}", x, y, reach) for k, (x, y, reach) in enumerate(places)]


def placed(ground, city, places):
    """Emitters at metres of the city, which the ground's plane does not start from."""
    xy = positions(ground, city.sites([(x, y) for x, y, _ in places]))
    return emitters([(*at, reach) for at, (_, _, reach) in zip(xy.tolist(), places, strict=True)])


def lens(d, r, s):
    """Area common to circles of radius r and s, their middles d apart."""
    a = math.acos((d * d + r * r - s * s) / (2 * d * r))
    b = math.acos((d * d + s * s - r * r) / (2 * d * s))
    kite = math.sqrt((-d + r + s) * (d + r - s) * (d - r + s) * (d + r + s)) / 2
    return r * r * a + s * s * b - kite


def test_discs_of_different_radii_count_their_common_ground_once(city):
    ground = lay_out([city.square(-500, -500, 1000)])
    covered = cover_emitters(ground, placed(ground, city, [(-60, 0, 150), (100, 20, 80)]))
    exact = math.pi * (150**2 + 80**2) - lens(math.hypot(160, 20), 150, 80)
    assert covered.shares[0] * ground.areas[0] == pytest.approx(exact, rel=2e-3)
    assert covered.radius == 150


def test_equal_ranges_are_the_disc_model(city):
    ground = lay_out([city.square(k * 300, 0, 300, f"n{k}") for k in range(4)])
    sites = city.sites([(10, 10), (500, 100), (510, 100), (1100, 290)])
    alike = cover_emitters(ground, from_sites(ground, sites, 80.0))
    assert alike.shares == pytest.approx(
        cover(ground, positions(ground, sites), 80.0).shares, abs=1e-4
    )  # that rounds to the centimetre


def test_a_smaller_disc_at_the_same_place_adds_nothing_and_is_not_united(city):
    ground = lay_out([city.square(0, 0, 600)])
    two = placed(ground, city, [(300, 300, 60), (300, 300, 120)])
    assert [e.id for e in outermost(two)] == ["e1"]
    both, one = (cover_emitters(ground, e).shares for e in (two, two[1:]))
    assert both.tolist() == one.tolist()


def test_a_sector_covers_its_slice_on_its_side(city):
    ground = lay_out([city.square(-500, 0, 1000, "north"), city.square(-500, -1000, 1000, "south")])
    quarter = tuple(100.0 if abs(k) <= 45 else 0.0 for k in range(-180, 180))
    to_the_north = quarter[180:] + quarter[:180]
    sector = replace(placed(ground, city, [(0, 0, 100)])[0], ranges_m=to_the_north)
    north, south = cover_emitters(ground, [sector]).shares * ground.areas
    assert north == pytest.approx(math.pi * 100**2 * 91 / 360, rel=0.01)
    assert south < 1


def test_equal_ranges_all_around_have_the_area_of_their_disc():
    star = Emitter("a", "a", 5, 5, 70, ranges_m=(70.0,) * 12)
    assert shapely.area(shapes([star]))[0] == pytest.approx(math.pi * 70**2, rel=1e-12)


def test_a_footprint_stands_in_for_the_range(city):
    ground = lay_out([city.square(0, 0, 100)])
    left, bottom, right, top = ground.polygons[0].bounds
    half = shapely.box(left, bottom, (left + right) / 2, top)
    walled = replace(emitters([(0, 0, 5)])[0], footprint=half)
    assert cover_emitters(ground, [walled]).shares[0] == pytest.approx(0.5, abs=1e-5)


def test_each_radio_sends_and_a_site_without_one_too(city):
    ground = lay_out([city.square(0, 0, 100)])
    sites = city.sites([(10, 10), (50, 50)])
    radio = RadioRecord("ap", "s0", "radio0", "5", 36, 20.0, 4.0, None, None, None)
    away = replace(radio, name="radio1", site_id=None)
    made = from_radios(ground, sites, [radio, replace(radio, name="radio2", band="2.4"), away], 80)
    assert [(e.id, e.site_id, e.band) for e in made] == [
        ("ap/radio0", "s0", "5"), ("ap/radio2", "s0", "2.4"), ("s1", "s1", ""),
    ]  # fmt: skip
    nearer = with_range(made[0], 30.0, kind="umi", limited_by="uplink")
    assert (nearer.range_m, nearer.kind, nearer.limited_by) == (30.0, "umi", "uplink")


@settings(max_examples=40, deadline=None)
@given(some, st.integers(0, 9), metres, metres, st.sampled_from([0.0, 60.0, 400.0]))
def test_moving_one_equals_computing_anew(city, places, which, x, y, reach):
    ground = lay_out(
        [city.square(i * 250, j * 250, 250, f"{i}{j}") for i in range(4) for j in range(4)]
    )
    before = emitters(places)
    gone = before[which % len(before)]
    new = replace(gone, x=x, y=y, range_m=reach)
    moved = move_emitters(ground, cover_emitters(ground, before), [gone.id], [new])
    anew = cover_emitters(ground, [*(e for e in before if e is not gone), new])
    assert moved.shares == pytest.approx(anew.shares, abs=1e-9)
    assert moved.positions.tolist() == anew.positions.tolist()
    assert {e.id for e in moved.emitters} == {e.id for e in anew.emitters}


@pytest.mark.parametrize("reach", [-1.0, math.nan, math.inf, 50_001.0])
def test_an_impossible_range_names_the_emitter(city, reach):
    ground = lay_out([city.square(0, 0, 100)])
    with pytest.raises(PlanningError, match="e0: a range of"):
        cover_emitters(ground, emitters([(0, 0, reach)]))


def test_nobody_who_sends_covers_nothing(city):
    ground = lay_out([city.square(0, 0, 100)])
    for nobody in ([], emitters([(5, 5, 0)])):
        covered = cover_emitters(ground, nobody)
        assert (covered.shares.tolist(), len(covered.positions)) == ([0.0], 0)
    with pytest.raises(PlanningError, match="no position"):
        cover_emitters(ground, emitters([(np.nan, 0, 80)]))
