"""Rollups against plain Python over all raw rows, however late, doubled or split those came."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.membership import Membership, Stay
from tests.timeseries.rollup_city import END, GROUPS, START, ZONE, at_minute, batch
from timeseries import SCHEMA
from timeseries.base import Store
from timeseries.keeper import Keeper
from timeseries.marks import Marks
from timeseries.sqlite import SqliteStore

MINUTES = 50 * 60
Raw = dict[str, dict[tuple[int, tuple[str, ...]], dict[str, Any]]]
Rows = dict[tuple[str, int, tuple[str, ...]], dict[str, Any]]
DEVICES, SITES = ("ap-1", "ap-2", "ap 3"), ("s1", "s2", "s3")


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
