"""Random batches against a plain dictionary that does what a store promises."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timeseries import SCHEMA, Batch, Store, Table
from timeseries.sqlite import SqliteStore

DAY_MS = 86_400_000
BASE = 19_860 * DAY_MS
TAGS = st.one_of(
    st.sampled_from(["ap-1", "ap-2", "", "a b", "a,b=c", 'q"', "\\x"]),
    # Of 12 characters, "000000000000" would be a client's address.
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10).filter(
        lambda text: not text.endswith("\\")
    ),
)
TIMES = st.one_of(
    st.sampled_from([BASE, BASE + 60_000, BASE + 120_000]),
    st.integers(BASE - DAY_MS - 5, BASE - DAY_MS + 5),
    st.integers(BASE - 3, BASE + 3),
)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
}
Model = dict[tuple[int, tuple[str, ...]], dict[str, Any]]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    shape = SCHEMA[draw(st.sampled_from(["device", "radio", "ssid"]))]
    n = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(sorted(shape.fields)), unique=True, max_size=4))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    return Batch(
        shape.name,
        column(TIMES),
        {tag: column(TAGS) for tag in shape.tags},
        {name: column(st.none() | VALUES[shape.fields[name]]) for name in names},
    )


POLLS = st.lists(st.lists(batches(), max_size=3), min_size=1, max_size=4)


def keep(model: dict[str, Model], batch: Batch) -> int:
    shape = SCHEMA[batch.measurement]
    kept = 0
    for i, time in enumerate(batch.times):
        values = {n: c[i] for n, c in batch.fields.items() if c[i] is not None}
        if values:
            key = (time, tuple(batch.tags[tag][i] for tag in shape.tags))
            model[shape.name].setdefault(key, {}).update(values)
            kept += 1
    return kept


def rows(table: Table, tags: tuple[str, ...]) -> list[tuple[Any, ...]]:
    keys = zip(table.times, zip(*(table.tags[tag] for tag in tags), strict=True), strict=True)
    values = zip(*table.fields.values(), strict=True)
    return [
        (*key, {n: v for n, v in zip(table.fields, row, strict=True) if v is not None})
        for key, row in zip(keys, values, strict=True)
    ]


def compare(store: Store, polls: list[list[Batch]]) -> None:
    model: dict[str, Model] = {name: {} for name in SCHEMA}
    for poll in polls:
        assert store.write(poll) == sum(keep(model, batch) for batch in poll)
    start = datetime.fromtimestamp(BASE / 1000, UTC)
    for name in ("device", "radio", "ssid"):
        shape, kept = SCHEMA[name], model[name]
        everything = sorted((time, tags, values) for (time, tags), values in kept.items())
        found = store.series(name, {}, start - timedelta(days=3), start + timedelta(days=3))
        assert rows(found, shape.tags) == everything
        newest = {tags: (time, tags, values) for time, tags, values in everything}
        latest = sorted(newest.values(), key=lambda row: row[1])
        assert rows(store.latest(name), shape.tags) == latest
        for first in {tags[0] for _, tags in kept}:
            found = store.series(name, {shape.tags[0]: first}, start, start + timedelta(days=1))
            assert rows(found, shape.tags) == [
                row for row in everything if row[1][0] == first and row[0] >= BASE
            ]


@given(POLLS)
@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sqlite_keeps_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, polls: list[list[Batch]]
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("series"))
    try:
        compare(store, polls)
    finally:
        store.close()


@pytest.mark.service
@given(polls=POLLS)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_influxdb_keeps_what_a_dictionary_would(new_influx: Any, polls: list[list[Batch]]) -> None:
    with new_influx() as store:
        compare(store, polls)


_folder = itertools.count()


@given(st.lists(batches(), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_writing_a_poll_twice_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, poll: list[Batch]
) -> None:
    folder: Path = tmp_path_factory.mktemp(f"twice{next(_folder)}")
    store = SqliteStore(folder)
    store.write(poll)
    before = [store.latest(name) for name in SCHEMA]
    store.write(poll)
    assert [store.latest(name) for name in SCHEMA] == before
    store.close()
