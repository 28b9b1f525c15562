"""Polls are due at a fixed rate, in a rhythm that a take-over keeps, and jobs delay none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.schedule import (
    MOST_OFFSET_S,
    FixedRate,
    Job,
    first_due,
    offset_s,
    run_job,
)
from farola.errors import StoreError

DURATIONS = st.lists(st.floats(0, 500), max_size=50)


@given(st.floats(0, 1e6), st.floats(1, 600), DURATIONS)
def test_a_tick_is_never_in_the_past_and_every_one_is_made_or_counted_late(start, interval, took):
    rate, now, late = FixedRate(start, interval), start, 0
    for made, duration in enumerate(took, 1):
        now = max(now, rate.due) + duration
        rate = rate.after(now)
        late += rate.late
        assert rate.due >= now - 1e-6
        assert rate.due <= now + interval * (1 + 1e-9) + 1e-6
        assert rate.tick == made + late
        assert rate.due == start + rate.tick * interval


@pytest.mark.parametrize(
    ("took", "next_due", "late"),
    [(10, 60, 0), (59.9, 60, 0), (60, 120, 1), (61, 120, 1), (150, 180, 2)],
)
def test_polls_that_take_too_long_cost_whole_ticks(took, next_due, late):
    rate = FixedRate(0.0, 60.0).after(took)
    assert (rate.due, rate.late) == (next_due, late)


@given(st.text(), st.text(st.characters(exclude_characters="\0")), st.floats(1, 86_400))
def test_the_offset_is_short_and_always_the_same(host, home, interval):
    offset = offset_s(host, Path(home), interval)
    assert 0 <= offset <= min(interval / 10, MOST_OFFSET_S)
    assert offset == offset_s(host, Path(home), interval)


def test_cities_and_hosts_start_at_different_times():
    homes = [Path(f"/srv/city-{number}") for number in range(20)]
    offsets = {round(offset_s(host, home, 60), 2) for host in ("a", "b") for home in homes}
    assert len(offsets) > 30


@pytest.mark.parametrize(
    ("since_last", "due"),
    [(None, 103.0), (12.0, 148.0), (0.0, 160.0), (60.0, 100.0), (500.0, 100.0), (-5.0, 100.0)],
)
def test_one_that_takes_over_keeps_the_rhythm(since_last, due):
    assert first_due(100.0, 3.0, 60.0, since_last) == due


def test_a_job_goes_on_after_any_failure_each_told_once(capsys):
    failed = []

    async def main() -> int:
        stop, turns = asyncio.Event(), 0

        async def work() -> None:
            nonlocal turns
            turns += 1
            if turns == 6:
                stop.set()
            if turns in (2, 3):
                raise StoreError("the store is away")
            if turns in (4, 5):
                raise OSError(24, "Too many\nopen files")

        await run_job(Job("checks", 0.01, work), stop, failed.append)
        return turns

    assert asyncio.run(main()) == 6
    assert capsys.readouterr().err.splitlines() == [
        "farola: checks left out: the store is away",
        "farola: checks left out: OSError: [Errno 24] Too many open files",
    ]
    assert failed == ["checks"] * 4
