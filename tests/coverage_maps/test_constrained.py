"""Siting with constraints: every rule is kept, and the bound is that of the problem with them."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, eye_array

from coverage_maps.siting import greedy
from coverage_maps.solving.constrained import constrained_coverage, served
from farola.errors import PlanningError


@st.composite
def constrained_problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    candidates, points = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    covers = csr_array(rng.random((candidates, points)) < 0.45)
    weights = rng.integers(0, 30, points).astype(float)
    weights[0] += 1
    costs = rng.uniform(0.5, 4, candidates) if draw(st.booleans()) else None
    names = rng.permutation(candidates)
    return {
        "covers": covers, "weights": weights, "costs": costs,
        "budget": float(draw(st.integers(1, 5))), "xy": rng.uniform(0, 10, (candidates, 2)),
        "spacing": draw(st.sampled_from([0.0, 3.0, 6.0])),
        "capacity": draw(st.sampled_from([None, 7.5, 25.0])),
        "must": names[: draw(st.integers(0, 1))].tolist(),
        "forbidden": names[1 : 1 + draw(st.integers(0, 2))].tolist(),
    }  # fmt: skip


def test_a_wide_spacing_over_a_city_of_candidates_takes_no_memory_for_their_pairs():
    side = 150
    xy = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2) * 50.0
    covers = csr_array(eye_array(len(xy), format="csr", dtype=bool))
    tracemalloc.start()
    found = constrained_coverage(
        covers, np.ones(len(xy)), budget=5, xy=xy, spacing=1000.0, time_limit=0.2
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert min(np.hypot(*(xy[a] - xy[b])) for a, b in combinations(found.chosen, 2)) >= 1000.0
    assert peak < 60e6  # all pairs would be 14 million


def allowed(problem, choice):
    costs, xy = problem["costs"], problem["xy"]
    price = len(choice) if costs is None else costs[list(choice)].sum()
    return (
        price <= problem["budget"] * (1 + 1e-9)
        and set(problem["must"]) <= set(choice)
        and not set(problem["forbidden"]) & set(choice)
        and all(
            np.hypot(*(xy[a] - xy[b])) >= problem["spacing"] for a, b in combinations(choice, 2)
        )
    )


@settings(max_examples=40, deadline=None)
@given(constrained_problems())
def test_no_allowed_choice_passes_the_bound_and_every_rule_is_kept(problem):
    count = problem["covers"].shape[0]
    limit = np.inf if problem["capacity"] is None else problem["capacity"]
    every = [c for size in range(count + 1) for c in combinations(range(count), size)
             if allowed(problem, c)]  # fmt: skip
    if not every:
        with pytest.raises(PlanningError, match="must be built"):
            constrained_coverage(**problem, time_limit=0.5)
        return
    answer = constrained_coverage(**problem, time_limit=0.5)
    assert allowed(problem, tuple(answer.chosen.tolist()))
    value = served(problem["covers"], problem["weights"], answer.chosen, limit)
    assert answer.covered == pytest.approx(value)
    optimum = max(served(problem["covers"], problem["weights"], np.array(c, int), limit)
                  for c in every)  # fmt: skip
    assert answer.covered <= optimum + 1e-6
    assert answer.upper_bound >= optimum - 1e-6


def city(seed=3, candidates=400):
    rng = np.random.default_rng(seed)
    xy, cells = rng.uniform(0, 2000, (candidates, 2)), rng.uniform(0, 2000, (1500, 2))
    covers = csr_array(np.hypot(*(xy[:, None] - cells[None]).transpose(2, 0, 1)) < 150)
    return covers, rng.uniform(0, 10, 1500), xy


def test_spacing_costs_little_where_there_is_room_and_the_bound_knows_of_it():
    covers, weights, xy = city()
    free = constrained_coverage(covers, weights, budget=30, time_limit=1.0)
    apart = constrained_coverage(covers, weights, budget=30, xy=xy, spacing=320, time_limit=1.0)
    gaps = [np.hypot(*(xy[a] - xy[b])) for a, b in combinations(apart.chosen, 2)]
    assert min(gaps) >= 320
    assert apart.covered < free.covered
    # So wide that a square of the city has room for few: the bound must see that at once.
    wide = constrained_coverage(covers, weights, budget=30, xy=xy, spacing=900, time_limit=0.2)
    assert wide.upper_bound < 0.9 * free.upper_bound
    plain = greedy(covers, weights, np.ones(400), 30)
    assert free.covered > weights[np.asarray(covers[plain].sum(axis=0)) > 0].sum()


def test_capacity_is_shared_out_as_well_as_can_be():
    # Both sites cover the middle; only by leaving it to the second does each serve 10.
    covers = csr_array(np.array([[1, 1, 0], [0, 1, 1]], dtype=bool))
    answer = constrained_coverage(covers, [8.0, 4.0, 8.0], budget=2, capacity=10.0)
    assert answer.covered == pytest.approx(20.0)
    assert answer.upper_bound == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"must": (0,), "forbidden": (0,)}, "must be built and is forbidden"),
        ({"must": (0, 1, 2)}, "cost 3, the budget is 2"),
        ({"must": (9,)}, "must site 9"),
        ({"spacing": 5.0}, "needs xy"),
        ({"spacing": -5.0}, "no distance"),
        ({"capacity": 0.0}, "serves nobody"),
        ({"must": (0, 1), "spacing": 5.0, "xy": np.zeros((3, 2))}, "closer together"),
    ],
)
def test_rules_that_contradict_are_told(how, says):
    with pytest.raises(PlanningError, match=says):
        constrained_coverage(csr_array(np.eye(3, dtype=bool)), [1.0, 1, 1], budget=2, **how)
