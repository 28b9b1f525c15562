"""Coverage summed up by grade, by fifth and by neighbourhood."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverage_maps.cover.ground import lay_out
from coverage_maps.cover.groups import grouping, parts_by_rank, summarise
from farola.errors import PlanningError


def row(city, count, **known):
    return [
        city.square(100 * k, 0, 100, f"n{k}", **{key: value[k] for key, value in known.items()})
        for k in range(count)
    ]


def test_grades_stand_worst_first_whichever_way_the_index_runs(city):
    grades, values = ["good", "bad", "fair"], [1.0, 9.0, 5.0]
    for high_is_worse, order in ((True, ("bad", "fair", "good")), (False, ("good", "fair", "bad"))):
        ground = lay_out(
            row(city, 3, grade=grades, deprivation=values, high_is_worse=[high_is_worse] * 3)
        )
        assert grouping(ground).names == order


def test_grades_without_deprivation_are_in_the_alphabets_order_and_that_is_said(city):
    groups = grouping(lay_out(row(city, 2, grade=["b", "a"])))
    assert groups.names == ("a", "b")
    assert "no deprivation value to order these grades by: a, b" in groups.notes[0]


def test_shares_are_weighted_by_residents(city):
    ground = lay_out(row(city, 3, grade=["a", "a", "b"], population=[300.0, 100.0, 50.0]))
    total, groups = summarise(ground, np.array([1.0, 0.0, 0.5]), grouping(ground))
    assert {g.group: (g.population, g.covered_population, g.share) for g in groups} == {
        "a": (400.0, 300.0, 0.75),
        "b": (50.0, 25.0, 0.5),
    }
    assert (total.population, total.covered_population) == (450.0, 325.0)


def test_what_is_unknown_is_left_out_and_told(city):
    ground = lay_out(row(city, 3, grade=["a", None, "a"], population=[100.0, 200.0, None]))
    groups = grouping(ground)
    total, _ = summarise(ground, np.ones(3), groups)
    assert total.population == 100.0
    assert [(o.why, o.neighbourhoods, o.population) for o in groups.left_out] == [
        ("population unknown", 1, None),
        ("grade unknown", 1, 200.0),
    ]


def test_a_group_nobody_lives_in_has_the_share_of_its_ground(city):
    ground = lay_out(row(city, 2, grade=["a", "b"], population=[0.0, 100.0]))
    _, groups = summarise(ground, np.array([0.25, 1.0]), grouping(ground))
    assert (groups[0].population, groups[0].covered_population, groups[0].share) == (0, 0, 0.25)


def test_without_grades_groups_are_fifths_then_neighbourhoods(city):
    assert grouping(lay_out(row(city, 2, deprivation=[1.0, 2.0]))).by == "fifth"
    assert grouping(lay_out(row(city, 2))).by == "neighbourhood"


def test_asking_for_what_was_not_imported_is_told(city):
    ground = lay_out(row(city, 2))
    with pytest.raises(PlanningError, match="--grade COLUMN"):
        grouping(ground, "grade")
    with pytest.raises(PlanningError, match="--deprivation COLUMN"):
        grouping(ground, "fifth")


def test_fifths_of_equal_neighbourhoods_are_exact_and_worst_first():
    parts = parts_by_rank(np.arange(10.0), np.ones(10), 5)
    assert parts.tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize(("count", "parts"), [(1, [2]), (2, [3, 1]), (3, [4, 2, 0])])
def test_a_few_neighbourhoods_are_spread_evenly_over_the_fifths(count, parts):
    assert parts_by_rank(np.arange(float(count)), np.ones(count), 5).tolist() == parts


def test_unknown_ranks_belong_to_no_part():
    assert parts_by_rank(np.array([1.0, np.nan]), np.array([np.nan, 5.0]), 3).tolist() == [-1, -1]


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 10_000)), min_size=1, max_size=60),
    st.integers(2, 6),
)
def test_a_part_never_passes_its_share_by_more_than_one_neighbourhood(rows, parts):
    rank = np.array([r for r, _ in rows])
    people = np.array([float(p) for _, p in rows])
    index = parts_by_rank(rank, people, parts)
    assert set(index) <= set(range(parts))
    for k in range(parts):
        assert people[index == k].sum() <= people.sum() / parts + people.max() + 1e-6
    for k in range(parts - 1):
        if (index == k).any() and (index == k + 1).any():
            assert rank[index == k].min() >= rank[index == k + 1].max()


def test_boroughs_are_told_by_the_residents_they_leave_out(city):
    ground = lay_out(
        [
            city.square(0, 0, 100, "a", borough="North", population=100.0),
            city.square(200, 0, 100, "b", borough="South", population=900.0),
            city.square(400, 0, 100, "c", borough="North", population=300.0),
            city.square(600, 0, 100, "d", population=7.0),
        ]
    )
    groups = grouping(ground, "borough")
    total, told = summarise(ground, np.array([0.5, 0.5, 0.0, 1.0]), groups)
    assert [(g.group, g.population, g.covered_population) for g in told] == [
        ("South", 900, 450), ("North", 400, 50),
    ]  # fmt: skip
    assert total.population == 1300
    assert [(out.why, out.population) for out in groups.left_out] == [("borough unknown", 7)]


def test_boroughs_that_were_never_imported_are_told(city):
    with pytest.raises(PlanningError, match="--borough COLUMN"):
        grouping(lay_out([city.square(0, 0, 100)]), "borough")
