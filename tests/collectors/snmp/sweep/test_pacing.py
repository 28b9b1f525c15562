"""How many requests are let on their way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.sweep.pacing import BURST, LEAST, RATE, START, Pace, Window

ROOMY = 8 << 20


def answers(window, count, rtt_s, now=0.0):
    for _ in range(count):
        window.answered(rtt_s, now)


def test_the_window_grows_while_answers_stay_as_quick_as_they_were():
    window = Window(ROOMY)
    answers(window, 5000, 0.05)
    assert window.size > 3 * START


def test_the_window_does_not_grow_into_somebodys_queue():
    window = Window(ROOMY)
    for _ in range(5000):
        window.answered(
            window.size / 10_000, 0.0
        )  # one agent behind all addresses: 10,000 a second
    assert window.size < 2 * START


def test_a_receive_buffer_bounds_the_window():
    window = Window(212_992)
    answers(window, 20_000, 0.05)
    assert window.size <= 212_992 / 2304 + 1


def test_drops_and_losses_shrink_the_window():
    window = Window(ROOMY)
    window.review(kernel_drops=1)
    assert window.size == START / 2
    for _ in range(12):
        for _ in range(20):
            window.lost()
        window.review(0)
    assert window.size == LEAST


def test_time_outs_shrink_a_window_that_has_grown_but_not_below_its_beginning():
    window = Window(ROOMY)
    answers(window, 5000, 0.05)
    for _ in range(9):
        for _ in range(100):
            window.timed_out()
        window.review(0)
    assert window.size == START


def test_silent_devices_give_their_places_to_others_as_others_answer():
    window = Window(ROOMY)
    assert not window.may_leave(0.5)
    answers(window, 30, 0.01, now=0.5)
    assert [window.may_leave(0.6) for _ in range(4)] == [True, True, True, False]
    for _ in range(30):
        window.judged(False)
    answers(window, 1, 0.01, now=0.7)
    assert window.may_leave(0.7)


def test_where_nobody_answers_places_are_given_up_slowly():
    window = Window(ROOMY)
    answers(window, 1, 0.01, now=1.0)
    assert not window.may_leave(1.9)
    left = sum(window.may_leave(2.0 + n // 500 * 0.05) for n in range(10_000))  # looked every 50 ms
    assert 1900 <= left <= 2201


@given(st.lists(st.floats(0, 0.01), min_size=1, max_size=200))
def test_no_more_leave_than_the_rate_allows(steps):
    pace, now, left = Pace(0.0), 0.0, 0
    for step in steps:
        now += step
        count = pace.allowed(now)
        assert count <= BURST
        pace.spend(count)
        left += count
        assert left <= BURST + now * RATE
