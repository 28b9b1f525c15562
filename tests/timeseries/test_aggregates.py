"""Figures by window and tags: the same of every store, and those that plain Python makes."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farola.errors import StoreError
from timeseries import SCHEMA, Batch, Store, Table
from timeseries.base import Aggregate
from timeseries.sqlite import SqliteStore

EVENING = datetime(2024, 5, 17, 23, 50, tzinfo=UTC)
T = int(EVENING.timestamp() * 1000)
MINUTE = 60_000
OF = {
    "rows": Aggregate("answered"),
    "answered": Aggregate("answered", equals=True),
    "down": Aggregate("state", equals="down"),
    "sum": Aggregate("clients", "sum"),
    "mean": Aggregate("clients", "mean"),
    "least": Aggregate("clients", "min"),
    "most": Aggregate("clients", "max"),
    "state": Aggregate("state", "last"),
    "rtt": Aggregate("rtt_ms", "sum"),
}


def twenty_polls() -> list[Batch]:
    """Two devices over midnight; `b` has no rtt and misses every third poll."""
    return [
        Batch(
            "device",
            [T + i * MINUTE] * 2,
            {"device": ["a", "b"]},
            {
                "answered": [True, i % 3 > 0],
                "state": ["up", "down" if i % 2 else "up"],
                "clients": [i, 2 * i if i % 3 else None],
                "rtt_ms": [0.5, None],
            },
        )
        for i in range(20)
    ]


def asked(store: Store, of: dict[str, Aggregate] = OF, hours: float = 1, **more: Any) -> Table:
    return store.aggregates("device", of, EVENING, EVENING + timedelta(hours=hours), **more)


def test_one_window_over_midnight_is_one_row(store: Store) -> None:
    store.write(twenty_polls())
    table = asked(store)
    assert (table.times, table.tags) == ([T], {})
    values = {name: column[0] for name, column in table.fields.items()}
    clients = [*range(20), *(2 * i for i in range(20) if i % 3)]
    assert values.pop("mean") == pytest.approx(sum(clients) / len(clients))
    assert values == {
        "rows": 40, "answered": 33, "down": 10, "sum": sum(clients), "least": 0, "most": 38,
        "state": "up", "rtt": 10.0,
    }  # fmt: skip


def test_windows_and_tags_come_in_order(store: Store) -> None:
    store.write(twenty_polls())
    table = asked(store, by=["device"], every_s=900)
    assert table.times == [T, T, T + 15 * MINUTE, T + 15 * MINUTE]
    assert table.tags == {"device": ["a", "b", "a", "b"]}
    assert table.fields["rows"] == [15, 15, 5, 5]
    assert table.fields["answered"] == [15, 10, 5, 3]
    assert table.fields["state"] == ["up", "up", "up", "down"]
    assert table.fields["rtt"] == [7.5, None, 2.5, None]
    assert asked(store, by=["device"], every_s=900, where={"device": "b"}).fields == {
        name: column[1::2] for name, column in table.fields.items()
    }
    assert [type(v) for v in table.fields["sum"]] == [int] * 4


def test_windows_without_such_rows_are_left_out(store: Store) -> None:
    store.write([Batch("device", [T], {"device": ["a"]}, {"clients": [3]})])
    store.write([Batch("device", [T + 50 * MINUTE], {"device": ["a"]}, {"state": ["up"]})])
    assert asked(store, {"n": Aggregate("clients", "sum")}, every_s=600).times == [T]
    table = asked(store, {"n": Aggregate("clients"), "s": Aggregate("state", "last")}, every_s=600)
    assert table.times == [T, T + 50 * MINUTE]
    assert table.fields == {"n": [1, 0], "s": [None, "up"]}
    assert len(asked(store, hours=0)) == len(asked(store, where={"device": "x"})) == 0


def test_rollups_are_written_read_and_added_up(store: Store) -> None:
    kinds = ["neighbourhood", "neighbourhood", "city", "site"]
    groups = ["Roma", "Ámbar", "city", "s-1"]
    for hour in range(3):
        times = [T + hour * 60 * MINUTE] * 4
        store.write(
            [
                Batch(
                    "group_hour", times, {"kind": kinds, "group": groups},
                    {"polls": [hour, 10 * hour, 100, None], "down": [None, None, None, hour]},
                )
            ]
        )  # fmt: skip
    end = EVENING + timedelta(hours=2)
    near = {"kind": "neighbourhood"}
    table = store.aggregates(
        "group_hour", {"p": Aggregate("polls", "sum")}, EVENING, end, by=["group"], where=near
    )
    assert (table.tags, table.fields) == ({"group": ["Roma", "Ámbar"]}, {"p": [1, 10]})
    found = store.series("group_hour", near, EVENING, end, ["polls"])
    assert found.times == [T, T, T + 60 * MINUTE, T + 60 * MINUTE]
    assert found.fields["polls"] == [0, 0, 1, 10]
    one = store.series("group_hour", {"kind": "city", "group": "city"}, EVENING, end, ["polls"])
    assert one.fields["polls"] == [100, 100]
    assert store.series("group_hour", {"group": "s-1"}, EVENING, end, ["polls"]).times == []
    newest = store.latest("group_hour", ["polls"])
    assert newest.tags["group"] == ["city", "Roma", "Ámbar", "s-1"]
    assert newest.fields["polls"] == [100, 2, 20, None]
    assert store.latest("group_hour", ["polls"], where={"group": "Roma"}).fields["polls"] == [2]
    assert len(store.latest("group_hour", since=EVENING + timedelta(hours=3))) == 0
    assert len(store.latest("device")) == 0


@pytest.mark.parametrize(
    ("of", "more", "words"),
    [
        ({"x": Aggregate("weather")}, {}, "no field 'weather'"),
        ({"x": Aggregate("clients", "median")}, {}, "no figure 'median'; there are count"),
        ({"x": Aggregate("state", "sum")}, {}, "device.state is no number"),
        ({"x": Aggregate("answered", "max")}, {}, "device.answered is no number"),
        ({"x": Aggregate("clients", "sum", equals=1)}, {}, "`equals` is for count"),
        ({"x": Aggregate("clients", equals=True)}, {}, "clients is never True: it is int"),
        ({"x": Aggregate("answered", equals=1)}, {}, "answered is never 1: it is bool"),
        ({}, {}, "no figure was asked for"),
        (OF, {"by": ["site"]}, "no tag 'site'"),
        (OF, {"where": {"site": "x"}}, "no tag 'site'"),
        (OF, {"every_s": -60}, "a window of -60 seconds"),
    ],
)
def test_figures_that_make_no_sense_are_refused(
    store: Store, of: dict[str, Aggregate], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(StoreError, match=words):
        asked(store, of, **more)


def test_sums_that_no_store_could_keep_stop_at_the_greatest(tmp_path: Path) -> None:
    """A device that tells nonsense must not keep an hour from being rolled up."""
    store, most = SqliteStore(tmp_path), 2**63 - 1
    fields: dict[str, list[Any]] = {"clients": [most, most, 5], "rtt_ms": [1e308, 1e308, 2.0]}
    for at in (T, T + 15 * MINUTE):  # the evening and the next day
        store.write([Batch("device", [at] * 3, {"device": ["x", "y", "z"]}, fields)])
    of = {"c": Aggregate("clients", "sum"), "r": Aggregate("rtt_ms", "sum")}
    assert asked(store, of).fields == {"c": [most], "r": [None]}
    found = asked(store, of, by=["device"])
    assert found.fields == {"c": [most, most, 10], "r": [None, None, 4.0]}
    store.close()


NAMES = st.sampled_from(["a", "b", "", "ñ"])
MINUTES = st.one_of(st.integers(0, 25), st.integers(1400, 1500))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "clients": st.integers(-(2**40), 2**40),
    "noise_dbm": st.integers(-400, 400).map(lambda n: n / 4),
    "channel": st.integers(1, 3),
}
RADIOS = st.lists(
    st.tuples(
        MINUTES, NAMES, NAMES, st.fixed_dictionaries({n: st.none() | v for n, v in FIELDS.items()})
    ),
    max_size=14,
)
FIGURES = st.dictionaries(
    st.sampled_from("uvwxyz"),
    st.one_of(
        st.builds(
            Aggregate,
            st.sampled_from(sorted(FIELDS)),
            st.sampled_from(["count", "sum", "mean", "min", "max", "last"]),
        ),
        st.builds(Aggregate, st.just("channel"), equals=st.integers(1, 3)),
    ),
    min_size=1,
    max_size=4,
)


def figure(one: Aggregate, rows: list[tuple[int, dict[str, Any]]]) -> Any:
    """`one` of rows (time, values), by the words of `Aggregate`."""
    found = [(at, values[one.field]) for at, values in rows if values[one.field] is not None]
    values = [value for _, value in found]
    if one.how == "count":
        return sum(one.equals is None or value == one.equals for value in values)
    if not values:
        return None
    if one.how == "mean":
        return sum(values) / len(values)
    if one.how == "last":
        return max(found)[1]
    made: dict[str, Any] = {"sum": sum, "min": min, "max": max}
    return made[one.how](values)


@given(
    rows=RADIOS,
    of=FIGURES,
    by=st.lists(st.sampled_from(["device", "radio", "band"]), unique=True),
    every_s=st.sampled_from([0, 60, 3600, 4500]),
    where=st.dictionaries(st.sampled_from(["device", "radio"]), NAMES),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sqlite_makes_the_figures_that_plain_python_makes(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, str, str, dict[str, Any]]],
    of: dict[str, Aggregate],
    by: list[str],
    every_s: int,
    where: dict[str, str],
) -> None:
    kept = {(m, d, r): v for m, d, r, v in rows}
    store = SqliteStore(tmp_path_factory.mktemp("series"))
    columns = {name: [v[name] for v in kept.values()] for name in FIELDS}
    tags = {
        "device": [k[1] for k in kept],
        "radio": [k[2] for k in kept],
        "band": ["5"] * len(kept),
    }
    store.write([Batch("radio", [T + k[0] * MINUTE for k in kept], tags, columns)])
    end_ms = 1440 * MINUTE
    table = store.aggregates(
        "radio", of, EVENING, EVENING + timedelta(days=1), by=by, every_s=every_s, where=where
    )
    store.close()

    wanted: dict[tuple[Any, ...], list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for (minute, device, radio), values in kept.items():
        key = {"device": device, "radio": radio, "band": "5"}
        counts = any(values[one.field] is not None for one in of.values())
        here = all(key[tag] == value for tag, value in where.items())
        if counts and here and minute * MINUTE < end_ms:
            window = minute * MINUTE // (every_s * 1000) * every_s * 1000 if every_s else 0
            wanted[T + window, *(key[tag] for tag in by)].append((minute, values))
    assert list(zip(table.times, *table.tags.values(), strict=True)) == sorted(wanted)
    for name, one in of.items():
        expected = [figure(one, wanted[key]) for key in sorted(wanted)]
        for value, right in zip(table.fields[name], expected, strict=True):
            assert value == right or math.isclose(float(value or 0), right)
            assert type(value) is type(right)


@given(st.sampled_from([m for m in SCHEMA.values() if m.is_rollup]), st.data())
@settings(max_examples=60, deadline=None)
def test_rollups_read_by_seeking_are_all_that_there_are(
    tmp_path_factory: pytest.TempPathFactory, shape: Any, data: st.DataObject
) -> None:
    name = next(iter(shape.fields))
    keys = st.tuples(st.integers(0, 5), *(NAMES for _ in shape.tags))
    kept = sorted(data.draw(st.sets(keys, max_size=25)))
    store = SqliteStore(tmp_path_factory.mktemp("series"))
    tags = {tag: [key[i + 1] for key in kept] for i, tag in enumerate(shape.tags)}
    numbers = list(range(len(kept)))
    store.write([Batch(shape.name, [T + key[0] * MINUTE for key in kept], tags, {name: numbers})])
    where = data.draw(st.dictionaries(st.sampled_from(shape.tags), NAMES))
    start, end = EVENING + timedelta(minutes=1), EVENING + timedelta(minutes=4)

    def fits(key: tuple[Any, ...]) -> bool:
        return all(key[1 + shape.tags.index(tag)] == value for tag, value in where.items())

    found = store.series(shape.name, where, start, end)
    wanted = [n for n in numbers if fits(kept[n]) and 1 <= kept[n][0] < 4]
    assert found.fields[name] == wanted
    newest = {kept[n][1:]: n for n in numbers if fits(kept[n])}
    latest = store.latest(shape.name, where=where)
    assert latest.fields[name] == [newest[key] for key in sorted(newest)]
    store.close()
