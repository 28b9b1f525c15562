import inequalipy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inequality.gini import Gini

from coverage_maps.plan.equity import (
    assess,
    concentration_index,
    gini,
    kolm_pollak,
    kolm_pollak_kappa,
)
from farola.errors import PlanningError

shares = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.integers(1, 5_000), st.floats(-3, 3, width=16)),
    min_size=2,
    max_size=30,
).filter(lambda rows: sum(row[0] for row in rows) > 0.01)


def test_the_textbook_example_has_a_gini_of_a_quarter():
    assert gini([10, 20, 30, 40], np.ones(4)) == pytest.approx(0.25)


@given(shares)
def test_measures_agree_with_two_published_libraries(rows):
    value, people, _ = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    each = np.repeat(value, (people % 7 + 1).astype(int))
    heads = people % 7 + 1
    assert gini(value, heads) == pytest.approx(Gini(each).g, abs=1e-6)
    kappa = kolm_pollak_kappa(value, people)
    assert kappa == pytest.approx(inequalipy.kolmpollak.calc_kappa(value, 1, people))
    assert kolm_pollak(value, people) == pytest.approx(
        inequalipy.kolmpollak.ede(value, epsilon=1, weights=people), abs=1e-9
    )


@given(shares)
def test_inequality_takes_away_and_equality_does_not(rows):
    value, people, bad = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = assess(value, people, bad)
    assert found.kolm_pollak <= found.mean + 1e-9
    assert kolm_pollak(value, people, kappa=8) <= found.kolm_pollak + 1e-9 or found.kappa > 8
    assert found.gini is not None
    assert -1e-9 <= found.gini < 1
    assert found.concentration is not None
    assert abs(found.concentration) <= found.gini + 1e-9
    same = assess(np.full(len(value), 0.4), people, bad)
    assert same.kolm_pollak == pytest.approx(same.mean)
    assert same.gini == pytest.approx(0, abs=1e-9)
    assert same.concentration == pytest.approx(0, abs=1e-9)


def test_concentration_tells_who_has_it():
    people, bad = np.array([100.0, 100.0]), np.array([1.0, 0.0])
    assert concentration_index([0.0, 1.0], people, bad) == pytest.approx(0.5)
    assert concentration_index([1.0, 0.0], people, bad) == pytest.approx(-0.5)
    assert concentration_index([1.0, 0.0], people, [np.nan, 0.0]) is None
    # Of a good shared by rank the concentration index is the Gini coefficient.
    value = np.array([0.1, 0.5, 0.2])
    assert concentration_index(value, [3, 2, 5], -value) == pytest.approx(gini(value, [3, 2, 5]))


def test_extremes_neither_overflow_nor_divide_by_nothing():
    assert kolm_pollak([0, 1], [1, 1], kappa=5_000) == pytest.approx(np.log(2) / 5_000)
    nothing = assess([0.0, 0.0], [1, 9], [1, 2])
    assert (nothing.gini, nothing.concentration, nothing.kolm_pollak) == (None, None, 0.0)
    assert assess([np.nan, 0.5], [0, 9]).mean == 0.5


@pytest.mark.parametrize(
    "fault",
    [
        lambda: gini([1, 2], [1]),
        lambda: gini([1, 2], [0, 0]),
        lambda: gini([-1, 2], [1, 1]),
        lambda: kolm_pollak([np.nan, 2], [1, 1]),
        lambda: kolm_pollak([1, 2], [1, 1], kappa=-1),
        lambda: concentration_index([1, 2], [1, 1], [1]),
    ],
)
def test_what_cannot_be_measured_is_refused(fault):
    with pytest.raises(PlanningError):
        fault()
