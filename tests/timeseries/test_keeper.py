"""When rollups are made and made again: hours that end, late rows, moves, faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from farola.errors import InventoryError
from inventory.membership import Membership, Stay
from tests.timeseries.rollup_city import END, GROUPS, START, ZONE, at_minute, batch
from timeseries import Batch
from timeseries.keeper import Keeper
from timeseries.marks import Marks
from timeseries.sqlite import SqliteStore


class Home:
    """A store in a folder, its marks, and a keeper whose membership can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "series"
        self.marks = Marks(self.folder, ZONE)
        self.store = SqliteStore(self.folder, self.marks)
        self.members = Membership({"ap-1": [Stay(None, None, "s1")]}, GROUPS)
        self.keeper = Keeper(self.store, self.folder, ZONE, lambda: self.members)

    def poll(self, minute: int, clients: int, device: str = "ap-1") -> None:
        at = at_minute(minute)
        self.store.write([
            batch("device", [(at, (device,), {"answered": True, "clients": clients})]),
            batch("poll", [(at, ("here",), {"devices": 1})]),
        ])  # fmt: skip

    def sums(self, kind: str, measurement: str = "group_hour") -> dict[str, int]:
        table = self.store.series(measurement, {"kind": kind}, START - timedelta(days=1), END)
        sums: dict[str, int] = defaultdict(int)
        for group, value in zip(table.tags["group"], table.fields["clients_sum"], strict=True):
            sums[group] += int(value or 0)
        return dict(sums)


@pytest.fixture
def home_of_series(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.keeper.close()
    home.marks.close()


def test_an_hour_is_made_once_it_is_over_and_a_poll_under_way_was_waited_for(
    home_of_series: Home,
) -> None:
    home_of_series.poll(0, 5)  # at 22:07 of the city's clock
    over = START + timedelta(minutes=53)
    kept = home_of_series.keeper.run_due(over + timedelta(seconds=119))
    assert kept is not None
    assert (kept.hours, home_of_series.sums("city")) == (0, {})
    kept = home_of_series.keeper.run_due(over + timedelta(seconds=120))
    assert kept is not None
    assert (kept.hours, kept.days, home_of_series.sums("city")) == (1, 0, {"city": 5})


def test_late_rows_reopen_their_hour_and_its_day_by_themselves(home_of_series: Home) -> None:
    home_of_series.poll(0, 5)
    home_of_series.keeper.run_due(END)
    assert home_of_series.sums("site", "group_day") == {"s1": 5}
    home_of_series.poll(1, 7)
    kept = home_of_series.keeper.run_due(END)
    assert kept is not None
    assert (kept.hours, kept.days) == (1, 1)
    assert home_of_series.sums("site", "group_day") == {"s1": 12}


def test_a_neighbourhood_drawn_anew_does_not_rewrite_the_hours_before(
    home_of_series: Home,
) -> None:
    home_of_series.poll(0, 5)
    home_of_series.keeper.run_due(START + timedelta(minutes=60))
    redrawn = {**GROUPS, "s1": [("site", "s1"), ("neighbourhood", "n2")]}
    home_of_series.members = Membership(home_of_series.members.stays, redrawn)
    home_of_series.poll(130, 8)
    home_of_series.poll(1, 2)  # late, for the hour before
    home_of_series.keeper.run_due(START + timedelta(minutes=180))
    assert home_of_series.sums("neighbourhood") == {"n1": 7, "n2": 8}
    assert home_of_series.sums("borough") == {"North": 7}


def test_rollups_outlive_the_raw_rows_that_they_were_made_of(home_of_series: Home) -> None:
    home_of_series.poll(0, 5)
    home_of_series.poll(1, 6)
    home_of_series.keeper.run_due(END)
    home_of_series.store.close()
    for path in home_of_series.folder.glob("raw-*"):
        path.unlink()
    home_of_series.poll(2, 1)  # very late
    kept = home_of_series.keeper.run_due(END)
    assert kept is not None
    assert (kept.hours, kept.left, home_of_series.sums("city")) == (0, 1, {"city": 11})
    assert home_of_series.marks.open() == []


def test_rows_from_before_there_were_marks_are_rolled_up_too(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.store = SqliteStore(home.folder)  # one that marks nothing
    home.poll(0, 5)
    home.keeper.run_due(END)
    assert home.sums("city") == {"city": 5}
    home.keeper.close()
    home.marks.close()


def test_hours_that_nobody_polled_are_made_where_they_are_asked_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keeper.run_due(END)  # all that was there is known
    times = [int(START.timestamp() * 1000) + minutes * 60_000 for minutes in (0, 10, 65, 130)]
    with closing(SqliteStore(home.folder)) as made_up:  # it marks nothing, and there is no `poll`
        fields: dict[str, Any] = {"answered": [True] * 4, "clients": [1] * 4}
        made_up.write([Batch("device", times, {"device": ["a"] * 4}, fields)])
    assert home.keeper.mark_again(START, START + timedelta(minutes=100)) == 2
    kept = home.keeper.run_due(END)
    assert kept is not None
    assert (kept.hours, home.sums("city")) == (2, {"city": 3})
    assert home.keeper.mark_again(START - timedelta(days=9), START - timedelta(days=8)) == 0
    home.keeper.close()
    home.marks.close()


def test_only_one_makes_rollups_at_a_time(home_of_series: Home) -> None:
    home_of_series.poll(0, 5)
    other = Keeper(
        home_of_series.store, home_of_series.folder, ZONE,
        lambda: home_of_series.members,
    )  # fmt: skip
    seen = []

    def while_it_runs(_done: int, _of: int) -> None:
        seen.append(other.run_due(END))

    home_of_series.keeper.run_due(END, while_it_runs)
    assert set(seen) == {None}
    other.close()


def test_what_fails_stays_due(home_of_series: Home) -> None:
    home_of_series.poll(0, 5)

    def away() -> Membership:
        raise InventoryError("the inventory is away")

    failing = Keeper(home_of_series.store, home_of_series.folder, ZONE, away)
    with pytest.raises(InventoryError):
        failing.run_due(END)
    failing.close()
    home_of_series.keeper.run_due(END)
    assert home_of_series.sums("city") == {"city": 5}


def test_a_moved_device_counts_where_it_was(home_of_series: Home) -> None:
    moved = at_minute(10)
    home_of_series.members = Membership(
        {"ap-1": [Stay(None, moved, "s1"), Stay(moved, None, "s2")]}, GROUPS
    )
    home_of_series.poll(9, 1)
    home_of_series.poll(10, 10)
    home_of_series.poll(70, 100)
    home_of_series.keeper.run_due(END)
    assert home_of_series.sums("site") == {"s1": 1, "s2": 110}
    assert home_of_series.sums("neighbourhood") == {"n1": 111}
    assert home_of_series.sums("city") == {"city": 111}
