"""The siting contract: feasible, near the optimum, and never above a proven bound."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, csr_matrix, hstack, identity
from scipy.spatial.distance import cdist

from coverage_maps.siting import greedy, maximal_coverage, union_weight
from coverage_maps.solving.annealing import Choice, _Purse, _refill
from coverage_maps.solving.bounds import knapsack, lagrangian
from coverage_maps.solving.duals import dual_bound, worth_solving
from farola.errors import PlanningError


@st.composite
def problems(draw):
    """Small random instances: covers, weights, costs or None, a budget, fixed sites."""
    candidates, points = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    cells = st.lists(st.booleans(), min_size=points, max_size=points)
    covers = np.array(draw(st.lists(cells, min_size=candidates, max_size=candidates)))
    whole = draw(st.booleans())
    weight = st.integers(0, 50) if whole else st.floats(0, 50)
    weights = np.array(draw(st.lists(weight, min_size=points, max_size=points)), dtype=float)
    weights[draw(st.integers(0, points - 1))] += 1
    costs, budget = None, float(draw(st.integers(0, candidates + 1)))
    if draw(st.booleans()):
        costs = np.array(draw(st.lists(st.floats(0, 10), min_size=candidates, max_size=candidates)))
        budget = draw(st.floats(0, 25))
    fixed = draw(st.lists(st.integers(0, candidates - 1), max_size=2))
    return covers, weights, costs, budget, fixed


def value(covers, weights, sites):
    return float(weights[covers[list(sites)].any(axis=0)].sum()) if len(sites) else 0.0


def best(covers, weights, costs, budget, fixed):
    """The optimum, by trying every affordable choice."""
    price = np.ones(len(covers)) if costs is None else costs
    free = [j for j in range(len(covers)) if j not in fixed]
    return max(
        value(covers, weights, [*fixed, *choice])
        for size in range(len(free) + 1)
        for choice in combinations(free, size)
        if price[list(choice)].sum() <= budget
    )


@settings(max_examples=300, deadline=None)
@given(problems(), st.sampled_from([10.0, 0.0]))
def test_small_instances_against_every_choice(problem, time_limit):
    covers, weights, costs, budget, fixed = problem
    answer = maximal_coverage(
        csr_array(covers), weights, costs=costs, budget=budget, fixed=fixed, time_limit=time_limit
    )
    optimum = best(covers, weights, costs, budget, fixed)
    price = np.ones(len(covers)) if costs is None else costs
    assert price[answer.chosen].sum() <= budget * (1 + 1e-9)
    assert not set(answer.chosen.tolist()) & set(fixed)
    assert len(set(answer.chosen.tolist())) == len(answer.chosen)
    assert answer.covered == pytest.approx(value(covers, weights, [*fixed, *answer.chosen]))
    assert answer.upper_bound >= optimum - 1e-6 * max(1, optimum)
    assert answer.upper_bound >= answer.covered
    base = value(covers, weights, fixed)
    # Greedy by ratio with the best single site is never below half of 1 - 1/e of the optimum,
    # and where each step is at least 0.7 of the best one, of 1 - e^-0.7.
    assert answer.covered - base >= (0.316 if time_limit else 0.251) * (optimum - base) - 1e-6
    assert answer.gap == pytest.approx(
        (answer.upper_bound - answer.covered) / answer.upper_bound if answer.upper_bound else 0
    )


def instance(seed, points=120, reach=18.0):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 100, (points, 2))
    return csr_array(cdist(xy, xy) <= reach), rng.integers(1, 100, points).astype(float), rng


def solve_exactly(covers, weights, costs, budget):
    """HiGHS: maximise w·z with z no more than the chosen candidates that cover it."""
    candidates, points = covers.shape
    link = LinearConstraint(
        csr_matrix(hstack([-csr_matrix(covers).T.astype(float), identity(points)])), ub=0
    )
    spend = LinearConstraint(np.concatenate((costs, np.zeros(points)))[np.newaxis], ub=budget)
    result = milp(
        np.concatenate((np.zeros(candidates), -weights)),
        constraints=[link, spend],
        integrality=np.concatenate((np.ones(candidates), np.zeros(points))),
        bounds=Bounds(0, 1),
    )
    assert result.success
    return -result.fun


@pytest.mark.parametrize("seed", range(6))
def test_against_a_solver(seed):
    covers, weights, rng = instance(seed)
    costs = rng.uniform(1, 4, covers.shape[0]) if seed % 2 else np.ones(covers.shape[0])
    optimum = solve_exactly(covers, weights, costs, 8.0)
    answer = maximal_coverage(
        covers, weights, costs=costs if seed % 2 else None, budget=8.0, time_limit=5.0
    )
    assert optimum * 0.97 <= answer.covered <= optimum + 1e-6
    # Parts of a dear site loosen the bound where few can be paid.
    loose = 1.08 if seed % 2 else 1.03
    assert optimum - 1e-6 <= answer.upper_bound <= optimum * loose


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_however_little_time_there_is(seed):
    covers, weights, _ = instance(seed, points=60)
    costs = np.ones(60)
    optimum = solve_exactly(covers, weights, costs, 5.0)
    bound, _ = lagrangian(covers, weights, costs, 5.0, value=0.0, deadline=time.monotonic() - 1)
    assert bound >= optimum - 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_without_time_the_budget_is_still_spent_well(seed):
    # Sites lie so close that a gain known before the first is built says nothing afterwards.
    covers, weights, _ = instance(seed, points=600, reach=12.0)
    full = greedy(covers, weights, np.ones(600), 20)
    answer = maximal_coverage(covers, weights, budget=20, time_limit=0.0)
    assert len(answer.chosen) == 20
    assert answer.covered >= 0.95 * union_weight(covers, weights, full)
    alone = np.sort(covers @ weights)[-20:].sum()
    assert answer.upper_bound == pytest.approx(min(alone, weights.sum()))


def test_the_choice_is_better_than_greedy_where_greedy_is_trapped():
    # Greedy takes the middle (6), then one side: 9. The two sides cover all 10.
    middle, left, right = [1, 1, 0, 0, 1, 1, 1, 1, 0, 0], [1] * 5 + [0] * 5, [0] * 5 + [1] * 5
    covers = csr_array(np.array([middle, left, right], dtype=bool))
    weights = np.ones(10)
    trapped = greedy(covers, weights, np.ones(3), 2)
    assert union_weight(covers, weights, trapped) < 10
    assert maximal_coverage(covers, weights, budget=2).covered == 10


def test_a_great_dear_site_is_not_lost_to_cheap_ones():
    covers = csr_array(np.array([[1, 0], [0, 1]], dtype=bool))
    answer = maximal_coverage(covers, [2.0, 100.0], costs=[1.0, 100.0], budget=100.0)
    assert answer.chosen.tolist() == [1]
    assert answer.covered == 100


def test_the_bound_holds_for_a_site_that_greedy_and_narrowing_leave_out():
    # Free A with B is what greedy takes; C brings less for its money and more in all.
    covers = csr_array(np.eye(3, dtype=bool))
    answer = maximal_coverage(covers, [6.0, 4.0, 5.0], costs=[0.0, 47.5, 75.0], budget=80.0)
    assert answer.upper_bound >= 11.0


def test_chosen_are_ordered_by_what_they_add():
    covers = csr_array(np.eye(4, dtype=bool))
    assert maximal_coverage(covers, [1.0, 4.0, 2.0, 3.0], budget=3).chosen.tolist() == [1, 3, 2]


def test_fixed_sites_cover_and_take_no_budget():
    covers = csr_array(np.eye(3, dtype=bool))
    answer = maximal_coverage(covers, [5.0, 4.0, 3.0], budget=1, fixed=(0,))
    assert (answer.chosen.tolist(), answer.covered, answer.upper_bound) == ([1], 9.0, 9.0)


@pytest.mark.parametrize(
    ("budget", "fixed", "covered"), [(0, (), 0.0), (3, (0, 1), 3.0)], ids=["no money", "all done"]
)
def test_nothing_to_choose_is_proven_optimal(budget, fixed, covered):
    answer = maximal_coverage(csr_array(np.eye(2)), [1.0, 2.0], budget=budget, fixed=fixed)
    assert (len(answer.chosen), answer.covered, answer.upper_bound, answer.gap) == (
        0, covered, covered, 0.0,
    )  # fmt: skip


def test_more_budget_than_candidates_takes_only_what_helps():
    covers = csr_array(np.array([[1, 1], [1, 0], [0, 0]], dtype=bool))
    answer = maximal_coverage(covers, [1.0, 1.0], budget=50)
    assert answer.chosen.tolist() == [0]
    assert answer.gap == 0


EYE = csr_array(np.eye(2, dtype=bool))


@pytest.mark.parametrize(
    ("weights", "how", "says"),
    [
        ([1.0, 1.0], {"budget": -1}, "budget is -1"),
        ([1.0, 1.0], {"budget": float("nan")}, "budget is nan"),
        ([1.0, 1.0], {"budget": 1.5}, "whole number"),
        ([0.0, 0.0], {"budget": 1}, "sum to 0"),
        ([1.0, -2.0], {"budget": 1}, r"weights\[1\] is -2"),
        ([1.0, float("nan")], {"budget": 1}, r"weights\[1\] is nan"),
        ([1.0], {"budget": 1}, "weights have shape"),
        ([1.0, 1.0], {"budget": 1, "costs": [1.0]}, "costs have shape"),
        ([1.0, 1.0], {"budget": 1, "costs": [1.0, float("inf")]}, r"costs\[1\] is inf"),
        ([1.0, 1.0], {"budget": 1, "fixed": (2,)}, "fixed site 2"),
        ([1.0, 1.0], {"budget": 1, "fixed": (-1,)}, "fixed site -1"),
    ],
)
def test_bad_input_is_told_in_one_line(weights, how, says):
    with pytest.raises(PlanningError, match=says) as told:
        maximal_coverage(EYE, weights, **how)
    assert "\n" not in str(told.value)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 40)), min_size=1, max_size=10),
    st.floats(0, 30),
)
def test_the_knapsack_with_parts_is_no_less_than_any_whole_choice(items, budget):
    values, costs = np.array(items, dtype=float).T
    taken, parts, total, price = knapsack(values, costs, budget)
    assert (costs[taken] * parts).sum() <= budget * (1 + 1e-9) + 1e-12
    assert total == pytest.approx(float((values[taken] * parts).sum()))
    assert price >= 0
    for size in range(len(items) + 1):
        for choice in combinations(range(len(items)), size):
            if costs[list(choice)].sum() <= budget:
                assert values[list(choice)].sum() <= total * (1 + 1e-9) + 1e-9


@pytest.mark.slow
def test_a_city_of_candidates_is_near_the_bound_in_three_seconds():
    rng = np.random.default_rng(7)
    from coverage_maps.cover.cells import covers_matrix

    xy = rng.uniform(0, 20_000, (100_000, 2))
    covers = covers_matrix(xy[:50_000], xy, 120.0)
    answer = maximal_coverage(covers, rng.uniform(0, 20, 100_000), budget=200, time_limit=3.0)
    assert answer.gap < 0.02


@settings(max_examples=60, deadline=None)
@given(problems())
def test_linear_duals_prove_a_bound_for_every_budget(problem):
    covers, weights, costs, budget, _fixed = problem
    price = np.ones(len(covers)) if costs is None else costs
    bound = dual_bound(csr_array(covers), weights, price, budget, seconds=5.0)
    assert bound >= best(covers, weights, costs, budget, ()) * (1 - 1e-9) - 1e-9


def test_linear_duals_are_as_tight_as_the_linear_programme():
    rng = np.random.default_rng(4)
    places = rng.uniform(0, 1, (250, 2))
    covers, weights = csr_array(cdist(places, places) < 0.12), rng.integers(1, 100, 250) * 1.0
    assert worth_solving(covers, 1.0)
    assert not worth_solving(covers, 1e-6)
    ones = np.ones(250)
    bound = dual_bound(covers, weights, ones, 12, seconds=5.0)
    table = hstack([-csr_matrix(covers.T, dtype=float), identity(250)])
    money = np.concatenate((ones, np.zeros(250)))
    relaxed = milp(
        -np.concatenate((np.zeros(250), weights)), bounds=Bounds(0, 1),
        constraints=[LinearConstraint(table, ub=0), LinearConstraint(money, ub=12)],
    ).fun  # fmt: skip
    assert bound == pytest.approx(np.floor(-relaxed + 1e-6))
    assert dual_bound(covers, weights, ones, 12, seconds=1e-9) == np.inf


def test_a_free_site_with_a_gain_left_by_rounding_is_not_added_for_ever():
    covers = csr_array(np.array([[True, False], [False, True]]))
    state = Choice(covers, np.array([3.0, 4.0]), np.array([0, 1]))
    state.gains = np.array([1e-15, 0.0])  # as sums and differences of floats leave it
    purse = _Purse(np.array([0.0, 0.0]), 0.0, 0.0, alike=False)
    _refill(state, 1, purse, 0.1, np.random.default_rng(0))
    assert sorted(state.sites) == [0, 1]
