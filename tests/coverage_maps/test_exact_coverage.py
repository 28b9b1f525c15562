"""Covered shares of cities small enough to work out on paper."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coverage_maps.cover.coverage import cover, move
from coverage_maps.cover.footprint import discs, distinct
from coverage_maps.cover.ground import lay_out, positions
from farola.errors import PlanningError

RADIUS = 100.0
DISC = math.pi * RADIUS**2
places = st.lists(st.tuples(st.floats(-300, 1300), st.floats(-300, 1300)), min_size=1, max_size=12)


def shares(city, neighbourhoods, sites, radius=RADIUS):
    ground = lay_out(neighbourhoods)
    return cover(ground, positions(ground, sites), radius).shares


def lens(distance, radius):
    """Area two circles of `radius` share, their middles `distance` apart."""
    half = math.acos(distance / (2 * radius))
    return 2 * radius**2 * half - distance / 2 * math.sqrt(4 * radius**2 - distance**2)


def test_a_disc_has_the_area_of_its_circle():
    assert shapely.area(discs(np.zeros((1, 2)), RADIUS))[0] == pytest.approx(DISC, rel=1e-12)


def test_a_disc_inside_a_square_covers_its_own_area(city):
    share = shares(city, [city.square(0, 0, 1000)], city.sites([(500, 500)]))
    assert share[0] == pytest.approx(DISC / 1000**2, rel=1e-4)


def test_half_a_disc_counts_on_each_side_of_a_border(city):
    halves = [city.square(0, 0, 1000, "west"), city.square(1000, 0, 1000, "east")]
    share = shares(city, halves, city.sites([(1000, 500)]))
    assert share == pytest.approx([DISC / 2 / 1000**2] * 2, rel=1e-3)


def test_two_discs_count_their_common_ground_once(city):
    share = shares(city, [city.square(0, 0, 1000)], city.sites([(450, 500), (570, 500)]))
    assert share[0] * 1000**2 == pytest.approx(2 * DISC - lens(120, RADIUS), rel=2e-3)


def test_a_hole_is_nobodys_ground(city):
    ring = shapely.box(0, 0, 400, 400) - shapely.box(100, 100, 300, 300)
    assert shares(city, [city.area(ring)], city.sites([(200, 200)]), 99.0)[0] == 0


def test_a_small_neighbourhood_within_one_disc_is_covered_whole(city):
    assert shares(city, [city.square(0, 0, 50)], city.sites([(20, 30)]))[0] == 1.0


def test_no_site_near_covers_nothing(city):
    assert shares(city, [city.square(0, 0, 1000)], city.sites([(9000, 0)]))[0] == 0.0
    assert shares(city, [city.square(0, 0, 1000)], [])[0] == 0.0


def test_two_sites_at_one_place_are_one_position(city):
    ground = lay_out([city.square(0, 0, 1000)])
    twice = positions(ground, city.sites([(500, 500), (500, 500)]))
    assert len(distinct(twice)) == 1


def test_overlapping_neighbourhoods_are_each_covered(city):
    both = [city.square(0, 0, 1000, "a"), city.square(0, 0, 1000, "b")]
    share = shares(city, both, city.sites([(500, 500)]))
    assert share == pytest.approx([DISC / 1000**2] * 2, rel=1e-4)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [(-33.45, -70.66), (-17.71, 180.0), (0.0, 0.0), (69.65, 18.96), (19.4, -102.0001)],
    ids=["Santiago", "Fiji, on the antimeridian", "equator", "Tromsø", "seam of UTM zones"],
)
def test_it_is_the_same_anywhere_on_earth(city_at, lat, lon):
    here = city_at(lat, lon)
    square = here.square(-500, -500, 1000)
    share = shares(here, [square], here.sites([(-60, 0), (60, 0)]))
    assert share[0] * 1000**2 == pytest.approx(2 * DISC - lens(120, RADIUS), rel=3e-3)


def test_a_polygon_split_at_the_antimeridian_is_one_ground(city_at):
    here = city_at(-17.71, 180.0)
    # As RFC 7946 wants it: two parts, one on each side of 180 degrees.
    west = here.square(-500, -500, 499.9).geometry
    east = here.square(0.1, -500, 499.9).geometry
    split = shapely.multipolygons([west, east])
    ground = lay_out([replace(here.square(0, 0, 1), geometry=split)])
    assert ground.areas[0] == pytest.approx(2 * 499.9**2, rel=1e-6)
    assert cover(ground, positions(ground, here.sites([(0, -250)])), 100.0).shares[0] > 0.05


@settings(max_examples=60, deadline=None)
@given(places, st.tuples(st.floats(-300, 1300), st.floats(-300, 1300)))
def test_a_site_more_never_lowers_a_share_and_none_leaves_0_to_1(city, some, one):
    ground = lay_out([city.square(0, 0, 1000, "a"), city.square(1000, 0, 300, "b")])
    few = cover(ground, positions(ground, city.sites(some)), RADIUS).shares
    more = cover(ground, positions(ground, city.sites([*some, one])), RADIUS).shares
    assert np.all((few >= 0) & (more <= 1))
    assert np.all(more >= few - 1e-9)
    alone = [cover(ground, positions(ground, city.sites([p])), RADIUS).shares for p in some]
    assert np.all(few <= np.sum(alone, axis=0) + 1e-9)


@settings(max_examples=40, deadline=None)
@given(places, st.integers(0, 11), st.tuples(st.floats(-300, 1300), st.floats(-300, 1300)))
@example([(0.0, 0.0), (0.0, 0.015625)], 0, (0.0, 0.0))  # a centimetre apart
def test_moving_one_site_equals_computing_anew(city, some, which, to):
    ground = lay_out(
        [city.square(i * 250, j * 250, 250, f"{i}{j}") for i in range(4) for j in range(4)]
    )
    xy = distinct(positions(ground, city.sites(some)))
    gone = xy[[which % len(xy)]]
    new = positions(ground, city.sites([to]))
    moved = move(ground, cover(ground, xy, RADIUS), gone, new)
    anew = cover(ground, np.vstack((np.delete(xy, which % len(xy), axis=0), new)), RADIUS)
    assert moved.shares == pytest.approx(anew.shares, abs=1e-9)


@pytest.mark.parametrize("radius", [0.0, -5.0, 50_001.0, math.nan, math.inf])
def test_an_impossible_radius_is_told(city, radius):
    with pytest.raises(PlanningError, match="above 0 and up to 50,000"):
        shares(city, [city.square(0, 0, 1000)], city.sites([(0, 0)]), radius)


def test_ground_without_people_or_area_is_told(city):
    with pytest.raises(PlanningError, match="farola import neighbourhoods FILE"):
        lay_out([])
    with pytest.raises(PlanningError, match="--population"):
        lay_out([city.square(0, 0, 10, population=None)])
    with pytest.raises(PlanningError, match="no neighbourhood has an area"):
        lay_out([city.area(shapely.Point(0, 0))])


def test_a_neighbourhood_without_area_is_left_out_and_told(city):
    ground = lay_out([city.square(0, 0, 10), city.area(shapely.Point(0, 0), "point")])
    assert [record.id for record in ground.records] == ["n"]
    assert [(out.why, out.neighbourhoods) for out in ground.left_out] == [("no area", 1)]
