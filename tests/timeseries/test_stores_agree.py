"""The same random polls on SQLite and on InfluxDB: both answer as a plain dictionary would, and
make the same figures of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.timeseries.test_aggregates import EVENING, FIELDS, FIGURES, MINUTE, MINUTES, T, figure
from tests.timeseries.test_store_model import POLLS, compare
from timeseries import Batch, Store, Table
from timeseries.base import Aggregate
from timeseries.influx import InfluxStore
from timeseries.sqlite import SqliteStore

pytestmark = pytest.mark.service

NewInflux = Callable[[], AbstractContextManager[InfluxStore]]
NAMES = st.sampled_from(["a", "b", "", "ñ", "a b", "a,b=c", 'q"', "\\x", "it's"])
ROWS = st.lists(
    st.tuples(
        MINUTES, NAMES, NAMES, st.fixed_dictionaries({n: st.none() | v for n, v in FIELDS.items()})
    ),
    max_size=10,
)
TAGS = ("device", "radio", "band")
REAL = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Kept = dict[tuple[int, str, str], dict[str, Any]]


@given(polls=POLLS)
@REAL
def test_both_keep_what_a_dictionary_would(
    new_influx: NewInflux, tmp_path_factory: pytest.TempPathFactory, polls: list[list[Batch]]
) -> None:
    embedded = SqliteStore(tmp_path_factory.mktemp("series"))
    with new_influx() as server:
        for store in (embedded, server):
            compare(store, polls)
        for name in ("device", "radio", "ssid"):
            assert embedded.latest(name) == server.latest(name)
    embedded.close()


@given(
    polls=st.lists(ROWS, min_size=1, max_size=4),
    of=FIGURES,
    by=st.lists(st.sampled_from(TAGS), unique=True),
    every_s=st.sampled_from([0, 60, 3600, 4500]),
    where=st.dictionaries(st.sampled_from(["device", "radio"]), NAMES, max_size=1),
)
@example(  # a server tells the second window in two rows
    polls=[
        [
            (0, "a", "b", {"clients": None, "noise_dbm": None, "channel": 1}),
            (1, "a", "a", {"clients": None, "noise_dbm": 0.0, "channel": 1}),
        ]
    ],
    of={"u": Aggregate("channel", equals=1), "v": Aggregate("noise_dbm")},
    by=["radio"],
    every_s=60,
    where={},
)
@REAL
def test_both_make_the_figures_that_plain_python_makes(
    new_influx: NewInflux,
    tmp_path_factory: pytest.TempPathFactory,
    polls: list[list[tuple[int, str, str, dict[str, Any]]]],
    of: dict[str, Aggregate],
    by: list[str],
    every_s: int,
    where: dict[str, str],
) -> None:
    """Of rows that come late, twice, with other values or with some missing."""
    embedded = SqliteStore(tmp_path_factory.mktemp("series"))
    kept: Kept = {}
    with new_influx() as server:
        stores: tuple[Store, ...] = (embedded, server)
        for rows in polls:
            for minute, device, radio, values in rows:
                row = kept.setdefault((minute, device, radio), dict.fromkeys(FIELDS))
                row.update({n: v for n, v in values.items() if v is not None})
            for store in stores:
                store.write([_batch(rows)])
        wanted = _windows(kept, of, by, every_s, where)
        for store in stores:
            table = store.aggregates(
                "radio", of, EVENING, EVENING + timedelta(days=1),
                by=by, every_s=every_s, where=where,
            )  # fmt: skip
            _assert_figures(table, of, wanted)
    embedded.close()


def _batch(rows: list[tuple[int, str, str, dict[str, Any]]]) -> Batch:
    return Batch(
        "radio",
        [T + minute * MINUTE for minute, *_ in rows],
        {"device": [r[1] for r in rows], "radio": [r[2] for r in rows], "band": ["5"] * len(rows)},
        {name: [values[name] for *_, values in rows] for name in FIELDS},
    )


Windows = dict[tuple[Any, ...], list[tuple[int, dict[str, Any]]]]


def _windows(
    kept: Kept, of: dict[str, Aggregate], by: list[str], every_s: int, where: dict[str, str]
) -> Windows:
    found: Windows = defaultdict(list)
    for (minute, device, radio), values in kept.items():
        tags = {"device": device, "radio": radio, "band": "5"}
        counts = any(values[one.field] is not None for one in of.values())
        here = all(tags[tag] == value for tag, value in where.items())
        if counts and here and minute < 1440:
            window = minute * MINUTE // (every_s * 1000) * every_s * 1000 if every_s else 0
            found[T + window, *(tags[tag] for tag in by)].append((minute, values))
    return found


def _assert_figures(table: Table, of: dict[str, Aggregate], wanted: Windows) -> None:
    keys = sorted(wanted)
    assert list(zip(table.times, *table.tags.values(), strict=True)) == keys
    for name, one in of.items():
        for value, key in zip(table.fields[name], keys, strict=True):
            right = figure(one, wanted[key])
            assert type(value) is type(right)
            assert value == right or math.isclose(float(value or 0), right), (name, one, key)
