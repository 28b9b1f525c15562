"""Whatever befalls the collector, the server or a disk: every point that was acknowledged is in the
store once, with its value, and none that was never made. A seed chooses what happens and when.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.timeseries.faults.figures import add, bound
from tests.timeseries.faults.plays import PLAYS
from tests.timeseries.faults.polls import Key, Point, judge, points, poll
from tests.timeseries.faults.runs import one_run

LOG = Path(os.environ.get("FAROLA_SOAK_LOG") or "test-artifacts/faults.jsonl")
RUNS = 1000
FEW = (2, 10, 17, 25, 27)
"""Both killed; the server's disk full; behind nginx answers lost, a storm; SQLite's disk full."""


@pytest.mark.service
@pytest.mark.parametrize(
    "seed", [seed if seed in FEW else pytest.param(seed, marks=pytest.mark.soak)
             for seed in range(RUNS)]
)  # fmt: skip
def test_nothing_acknowledged_is_lost(
    seed: int, tmp_path: Path, needs_program: Callable[[str, str], str]
) -> None:
    needs_program("influxd", "influxdb")
    needs_program("nginx", "nginx-light")
    try:
        run = one_run(seed, tmp_path)
    except PermissionError as error:
        pytest.skip(str(error))
    add(LOG, run)
    assert run.verdict.points
    assert run.verdict.faultless, run
    assert run.left == [0, 0, 0], "rows wait, were dropped, or are in quarantine"
    assert run.unmarked == [], "hours of which no rollup would be made"
    shutil.rmtree(tmp_path)


SEED = 7


def test_the_judge_knows_what_is_lost_wrong_invented_and_double() -> None:
    right: dict[Key, dict[str, Any]] = {}
    for number in range(6):
        for key, values in points(poll(SEED, number)):
            right.setdefault(key, {}).update(values)
    numbers = set(range(6))
    found: list[Point] = list(right.items())
    assert judge(SEED, numbers, numbers, found).faultless
    assert judge(SEED, numbers, numbers, found).points == len(found)
    assert len(judge(SEED, numbers, numbers, found[1:]).lost) == 1
    assert len(judge(SEED, numbers, numbers, [*found, found[0]]).double) == 1
    assert len(judge(SEED, numbers - {5}, numbers - {5}, found).invented) > 1
    stranger: Point = (("device", 5, ("ap-00",)), {"clients": 1})
    assert len(judge(SEED, numbers, numbers, [*found, stranger]).invented) == 1
    key, values = found[0]
    changed: list[Point] = [(key, {**values, "clients": 99}), *found[1:]]
    assert len(judge(SEED, numbers, numbers, changed).wrong) == 1


def test_the_judge_wants_the_last_acknowledged_value_or_one_made_after_it() -> None:
    writes = [(number, point) for number in range(30) for point in points(poll(SEED, number))]
    again = next(
        (early, late, key)
        for early, (key, values) in writes
        for late, (other, more) in writes
        if key == other and late > early and values.get("clients") != more.get("clients")
    )
    early, late, key = again

    def wrong(kept: int, acknowledged: set[int]) -> bool:
        found: list[Point] = [(key, {"clients": kept})]
        told = judge(SEED, {early, late}, acknowledged, found).wrong
        return any(f"{key} clients " in line for line in told)

    assert not wrong(late, {early, late})
    assert wrong(early, {early, late})
    assert not wrong(early, {early})
    assert not wrong(late, {early})
    assert not wrong(early, set())


def test_every_play_is_played_and_the_bound_follows_the_rule_of_three() -> None:
    assert {PLAYS[seed % len(PLAYS)] for seed in range(RUNS)} == set(PLAYS)
    assert 0.0029 < bound(0, 1000) < 0.003
    assert bound(1, 1000) > bound(0, 1000)
    assert bound(3, 3) == 1.0
