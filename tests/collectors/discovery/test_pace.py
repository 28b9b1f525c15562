"""The bound on requests: in every stretch of time, whatever the bunches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.discovery.pace import Pace


@settings(deadline=None)
@given(
    rate=st.floats(0.1, 10_000),
    burst=st.floats(1, 100),
    bunches=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1, max_size=40),
)
def test_no_stretch_of_time_holds_more_than_rate_and_burst_allow(rate, burst, bunches):
    pace, now = Pace(rate, burst, 0.0), 0.0
    left: list[tuple[float, int]] = []
    for idle_s, requests in bunches:
        now += idle_s
        left.append((now + pace.wait_s(requests, now), requests))
    for first, (start, _) in enumerate(left):
        for last in range(first, len(left)):
            # a bunch leaves at once: what it takes beyond the burst was waited for before it left
            inside = sum(requests for _, requests in left[first : last + 1])
            stretch_s = left[last][0] - start
            largest = max(burst, left[first][1])
            assert inside <= (largest + rate * stretch_s) * 1.000_001 + 1e-6


def test_what_was_sent_beyond_the_plan_is_waited_for():
    pace = Pace(10, 10, 0.0)
    assert pace.wait_s(10, 0.0) == 0
    pace.wait_s(20, 0.0)
    assert pace.wait_s(1, 0.0) == pytest.approx(2.1)
    assert pace.wait_s(1, 60.0) == 0
