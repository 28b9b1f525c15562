"""Rollups against plain Python over all raw rows, however late, doubled or split those came."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farola.errors import InventoryError
from inventory.membership import Membership, Stay
from timeseries import SCHEMA, Batch
from timeseries.base import Store
from timeseries.keeper import Keeper
from timeseries.marks import Marks
from timeseries.sqlite import SqliteStore

ZONE = ZoneInfo("Europe/Paris")
START = datetime(2026, 10, 24, 20, 7, tzinfo=UTC)  # a day of 25 hours follows
MINUTES = 50 * 60
DEVICES, SITES = ("ap-1", "ap-2", "ap 3"), ("s1", "s2", "s3")
GROUPS = {
    "s1": [("site", "s1"), ("neighbourhood", "n1"), ("borough", "North")],
    "s2": [("site", "s2"), ("neighbourhood", "n1"), ("programme", "schools")],
    "s3": [("site", "s3"), ("borough", "North")],
}
END = START + timedelta(days=9)
Raw = dict[str, dict[tuple[int, tuple[str, ...]], dict[str, Any]]]
Rows = dict[tuple[str, int, tuple[str, ...]], dict[str, Any]]


def at_minute(minute: int) -> int:
    return int((START + timedelta(minutes=minute)).timestamp() * 1000)


eighths = st.integers(0, 800).map(lambda n: n / 8)  # so that sums are exact in any order
optional = st.none() | st.integers(0, 40)


MINUTE = st.integers(0, MINUTES) | st.sampled_from([0, 1, 2, 52, 53, 54, 112, 113, 1613])


@st.composite
def device_rows(draw: st.DrawFn) -> tuple[str, str, tuple[str, ...], dict[str, Any]]:
    answered = draw(st.booleans())
    return "device", "", (), {
        "answered": answered,
        "state": "up" if answered else draw(st.sampled_from(["up", "down", "unknown"])),
        "rtt_ms": draw(eighths) if answered else None,
        "clients": draw(optional),
        "cpu_pct": draw(st.none() | eighths),
        "mem_pct": draw(st.none() | eighths),
        "reboots": draw(st.integers(0, 3)),
    }  # fmt: skip


@st.composite
def other_rows(draw: st.DrawFn) -> tuple[str, str, tuple[str, ...], dict[str, Any]]:
    if draw(st.booleans()):
        return "radio", "", ("wlan0", "5"), {
            "clients": draw(optional), "utilization_pct": draw(st.none() | eighths),
            "noise_dbm": draw(st.none() | eighths), "channel": 36,
        }  # fmt: skip
    name = draw(st.sampled_from(["eth0", "wlan0"]))
    moved = draw(optional)
    return "interface", "", (name,), {
        "rx_bytes_total": 7, "rx_bytes": moved, "tx_bytes": moved,
        "interval_s": None if moved is None else 60.0, "uplink": name == "eth0" or None,
    }  # fmt: skip


@st.composite
def told(draw: st.DrawFn) -> tuple[str, int, tuple[str, ...], dict[str, Any]]:
    """One raw row: measurement, time, tags, fields."""
    measurement, _, tags, fields = draw(device_rows() | other_rows())
    minute = draw(MINUTE)
    return measurement, at_minute(minute), (draw(st.sampled_from(DEVICES)), *tags), fields


@st.composite
def stays(draw: st.DrawFn) -> dict[str, list[Stay]]:
    of: dict[str, list[Stay]] = {}
    for device in draw(st.sets(st.sampled_from(DEVICES))):
        edges = sorted(draw(st.sets(MINUTE, min_size=1, max_size=4)))
        ends: list[int | None] = [at_minute(edge) for edge in edges[1:]]
        where = [draw(st.sampled_from(SITES)) for _ in edges]
        of[device] = [
            Stay(at_minute(edge), end, site)
            for edge, end, site in zip(edges, [*ends, None], where, strict=True)
        ]
    return of


def batch(measurement: str, rows: list[tuple[int, tuple[str, ...], dict[str, Any]]]) -> Batch:
    shape = SCHEMA[measurement]
    names = {name for *_, fields in rows for name in fields}
    return Batch(
        measurement,
        [at for at, *_ in rows],
        {tag: [tags[i] for _, tags, _ in rows] for i, tag in enumerate(shape.tags)},
        {name: [fields.get(name) for *_, fields in rows] for name in names},
    )


def written(store: Store, marks: Marks, rows: list[Any]) -> None:
    """As every writer does it."""
    by: dict[str, list[Any]] = defaultdict(list)
    for measurement, at, tags, fields in rows:
        by[measurement].append((at, tags, fields))
    with marks.writing([at for _, at, *_ in rows]):
        store.write([batch(name, of) for name, of in by.items()])


def expected(raw: Raw, where: dict[str, list[Stay]]) -> Rows:
    """All rollups, from all raw rows at once."""
    made: Rows = defaultdict(dict)

    def windows(at: int) -> tuple[int, int]:
        local = datetime.fromtimestamp(at / 1000, ZONE)
        since_full = timedelta(minutes=local.minute, seconds=local.second)
        midnight = datetime(local.year, local.month, local.day, tzinfo=ZONE)
        return at - int(since_full.total_seconds() * 1000), int(midnight.timestamp() * 1000)

    def add(row: dict[str, Any], name: str, value: Any) -> None:
        if value is not None:
            row[name] = row.get(name, 0) + value

    def most(row: dict[str, Any], name: str, value: Any) -> None:
        if value is not None:
            row[name] = max(row.get(name, value), value)

    def count(row: dict[str, Any], fields: dict[str, Any], names: tuple[str, ...]) -> None:
        for name in names:
            add(row, f"{name}_sum", fields.get(name))
            add(row, f"{name}_count", int(fields.get(name) is not None))
            if name not in ("rtt_ms", "noise_dbm"):
                most(row, f"{name}_max", fields.get(name))

    def groups(device: str, at: int) -> list[tuple[str, str]]:
        known = where.get(device, [])
        site = next(
            (s.site for i, s in enumerate(known)
             if (i == 0 or s.start <= at) and (s.end is None or at < s.end)), "",
        )  # fmt: skip
        return [("city", "city"), *GROUPS.get(site, [])]

    members: dict[Any, set[str]] = defaultdict(set)
    uplinks = {
        (windows(at)[0], tags)
        for (at, tags), fields in raw["interface"].items()
        if fields.get("uplink")
    }
    asked = {(windows(at)[0], tags[0]) for at, tags in raw["device"]}
    for measurement, rows in raw.items():
        for (at, tags), fields in sorted(rows.items()):
            hour, day = windows(at)
            for suffix, start in (("hour", hour), ("day", day)):
                if measurement == "radio" and fields.keys() - {"channel"}:
                    row = made[f"radio_{suffix}", start, tags]
                    count(row, fields, ("clients", "utilization_pct", "noise_dbm"))
                own = []
                if measurement == "interface":
                    row = made[f"interface_{suffix}", start, tags]
                    for name in ("rx_bytes", "tx_bytes", "interval_s"):
                        add(row, name, fields.get(name))
                if measurement == "device" or (
                    (hour, tags) in uplinks and (hour, tags[0]) in asked
                ):
                    own = [made[f"device_{suffix}", start, tags[:1]]]
                    for group in groups(tags[0], at):
                        own.append(made[f"group_{suffix}", start, group])
                        if measurement == "device":
                            members[hour, group].add(tags[0])
                for row in own:
                    if measurement == "interface":
                        for name in ("rx_bytes", "tx_bytes", "interval_s"):
                            add(row, name, fields.get(name))
                        continue
                    add(row, "polls", 1)
                    add(row, "answered", int(fields["answered"]))
                    add(row, "up", int(fields["state"] == "up"))
                    add(row, "down", int(fields["state"] == "down"))
                    count(row, fields, ("rtt_ms", "clients", "cpu_pct", "mem_pct"))
                if own and measurement == "device":
                    own[0]["reboots"] = fields["reboots"]
    for (hour, group), of in members.items():
        made["group_hour", hour, group]["devices"] = len(of)
        most(made["group_day", windows(hour)[1], group], "devices", len(of))
    return {key: row for key, row in made.items() if row}


def kept(store: Store) -> Rows:
    found: Rows = {}
    for name, shape in SCHEMA.items():
        if not shape.is_rollup:
            continue
        table = store.series(name, {}, START - timedelta(days=2), END)
        for i, at in enumerate(table.times):
            tags = tuple(table.tags[tag][i] for tag in shape.tags)
            values = {n: column[i] for n, column in table.fields.items() if column[i] is not None}
            found[name, at, tags] = values
    return found


@pytest.fixture(scope="module")
def in_memory() -> Iterator[str]:
    """A folder that needs no disk where there is one: each example writes dozens of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield folder


HISTORIES = {
    "chunks": st.lists(st.lists(told(), min_size=1, max_size=12), min_size=1, max_size=4),
    "runs": st.lists(st.integers(0, MINUTES), max_size=3),
    "where": stays(),
}


def compare(
    store: Store, folder: Path, chunks: list[Any], runs: list[int], where: dict[str, list[Stay]]
) -> None:
    """Write `chunks`, and the first again, with runs of a keeper between them, each at a minute."""
    marks = Marks(folder, ZONE)
    keeper = Keeper(store, folder, ZONE, lambda: Membership(where, GROUPS))
    raw: Raw = {"device": {}, "interface": {}, "radio": {}}
    try:
        for number, chunk in enumerate([*chunks, chunks[0]]):
            written(store, marks, chunk)
            for measurement, at, tags, fields in chunk:
                row = raw[measurement].setdefault((at, tags), {})
                row.update({name: v for name, v in fields.items() if v is not None})
            if number < len(runs):
                keeper.run_due(START + timedelta(minutes=runs[number]))
        keeper.run_due(END)
        found, wanted = kept(store), expected(raw, where)
        assert found.keys() == wanted.keys()
        assert [found[key] for key in wanted] == list(wanted.values())
        again = keeper.run_due(END)
        assert again is not None
        assert (again.hours, again.days) == (0, 0)
    finally:
        marks.close()
        keeper.close()


@given(**HISTORIES)
@settings(max_examples=20, deadline=None)
def test_rollups_are_those_of_all_raw_rows_in_whatever_order_they_came(
    in_memory: str, chunks: list[Any], runs: list[int], where: dict[str, list[Stay]]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=in_memory)) / "series"
    compare(SqliteStore(folder), folder, chunks, runs, where)


@pytest.mark.service
@given(**HISTORIES)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_so_they_are_on_influxdb(
    new_influx: Any,
    in_memory: str,
    chunks: list[Any],
    runs: list[int],
    where: dict[str, list[Stay]],
) -> None:
    with new_influx() as store:
        compare(store, Path(tempfile.mkdtemp(dir=in_memory)), chunks, runs, where)


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
