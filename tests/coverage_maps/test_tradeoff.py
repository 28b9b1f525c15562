"""The curve of what fairness costs: no point beats another, and the knee is where it bends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from coverage_maps.siting import maximal_coverage
from coverage_maps.solving.tradeoff import TradeOff, between, knee, lasting, trade_off_curve
from farola.errors import PlanningError


def city():
    rng = np.random.default_rng(5)
    sites, cells = rng.uniform(0, 2000, (300, 2)), rng.uniform(0, 2000, (1200, 2))
    covers = csr_array(np.hypot(*(sites[:, None] - cells[None]).transpose(2, 0, 1)) < 120)
    return covers, rng.uniform(1, 10, 1200), cells[:, 0] < 400


def test_along_the_curve_more_for_the_worst_off_is_fewer_in_all():
    covers, residents, worst = city()
    bonuses = (0, 0.2, 0.5, 2)
    curve = trade_off_curve(covers, residents, worst, budget=25, bonuses=bonuses, time_limit=0.5)
    people, shares = [p.residents for p in curve], [p.share for p in curve]
    assert people == sorted(people, reverse=True)
    assert shares == sorted(shares)
    assert len(curve) > 2
    assert curve[0].loss == 0
    for point in curve:
        reached = np.asarray(covers[point.chosen].sum(axis=0)) > 0
        assert point.residents == pytest.approx(residents[reached].sum())
        assert point.worst_off == pytest.approx(residents[reached & worst].sum())


def test_between_two_plans_are_others_that_no_bonus_gives():
    covers, residents, worst = city()
    curve = trade_off_curve(covers, residents, worst, budget=25, bonuses=(0.0, 0.6), time_limit=0.5)
    start, end = curve
    points = between(covers, residents, worst, start, end)
    assert (points[0], points[-1]) == (start, end)
    assert len(points) > 3
    assert [p.share for p in points] == sorted(p.share for p in points)
    for point in points[1:-1]:
        assert len(np.unique(point.chosen)) == 25
        reached = np.asarray(covers[point.chosen].sum(axis=0)) > 0
        assert point.residents == pytest.approx(residents[reached].sum())
        assert point.worst_off == pytest.approx(residents[reached & worst].sum())
        best = maximal_coverage(
            covers, residents * (1 + point.bonus * worst), budget=25, time_limit=1.0
        ).covered
        ours = point.residents + point.bonus * point.worst_off
        assert best <= ours / (1 - point.gap) * (1 + 1e-9)


def test_the_knee_is_where_fairness_stops_being_cheap():
    none = np.empty(0, dtype=np.intp)
    points = [TradeOff(0, 1000 * (1 - loss), 1000 * (1 - loss) * share, loss, 0.0, none)
              for loss, share in ((0.0, 0.3), (0.01, 0.6), (0.1, 0.7))]  # fmt: skip
    assert knee(points) is points[1]
    assert knee(points[:1]) is points[0]


def test_a_site_lasts_in_so_many_of_the_choices():
    shares = lasting([np.array([0, 1]), np.array([1, 2])], 4)
    assert shares.tolist() == [0.5, 1.0, 0.5, 0.0]


def test_bonuses_below_zero_are_refused():
    covers, residents, worst = city()
    with pytest.raises(PlanningError, match="0 or more"):
        trade_off_curve(covers, residents, worst, budget=3, bonuses=(-1.0,))
