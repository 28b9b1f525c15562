"""What every store does, asked of SQLite and of influxd: direct, behind nginx, behind a spool."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from farola.errors import StoreError
from tests.timeseries.conftest import SPOOLED, STORES
from timeseries import SCHEMA, Batch, Store, clean_tag

pytestmark = pytest.mark.parametrize("new_store", [*STORES, SPOOLED], indirect=True)
NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
T = int(NOON.timestamp() * 1000)
MINUTE = 60_000


def device(times: list[int], names: list[str], **fields: Any) -> Batch:
    return Batch("device", times, {"device": names}, fields)


def at(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def day(store: Store, name: str, measurement: str = "device", fields: tuple[str, ...] = ()) -> Any:
    start, end = NOON - timedelta(days=2), NOON + timedelta(days=2)
    return store.series(measurement, {"device": name}, start, end, fields)


@pytest.mark.parametrize("measurement", SCHEMA)
def test_an_empty_store_answers_with_empty_columns(store: Store, measurement: str) -> None:
    shape = SCHEMA[measurement]
    for table in (
        store.latest(measurement),
        store.series(measurement, {shape.tags[0]: "x"}, NOON, NOON + timedelta(days=1)),
    ):
        assert table.times == []
        assert table.tags == {tag: [] for tag in shape.tags}
        assert table.fields == {name: [] for name in shape.fields}


def test_values_come_back_with_their_types(store: Store) -> None:
    fields = {
        "answered": [True, False],
        "state": ["up", None],
        "rtt_ms": [3.0, None],
        "uptime_s": [1e21, 0.1 + 0.2],
        "clients": [0, None],
        "reboots": [2**63 - 1, -(2**63)],
    }
    assert store.write([device([T, T + MINUTE], ["ap-1", "ap-1"], **fields)]) == 2

    table = day(store, "ap-1", fields=tuple(fields))
    assert table.times == [T, T + MINUTE]
    assert table.tags == {"device": ["ap-1", "ap-1"]}
    assert table.fields == fields
    for name, column in table.fields.items():
        assert {type(v) for v in column} <= {SCHEMA["device"].fields[name], type(None)}, name


def test_fields_never_written_are_none(store: Store) -> None:
    store.write([device([T], ["ap-1"], clients=[4])])
    table = day(store, "ap-1")
    assert list(table.fields) == list(SCHEMA["device"].fields)
    assert table.fields["clients"] == [4]
    assert table.fields["cpu_pct"] == table.fields["answered"] == [None]


def test_one_write_keeps_several_measurements(store: Store) -> None:
    radios = Batch(
        "radio",
        [T, T],
        {"device": ["ap-1", "ap-1"], "radio": ["radio0", "radio1"], "band": ["2.4", "5"]},
        {"clients": [3, 4], "noise_dbm": [-95.0, -90.5]},
    )
    assert store.write([device([T], ["ap-1"], clients=[7]), radios]) == 3
    table = day(store, "ap-1", "radio", ("clients", "noise_dbm"))
    assert table.tags == {
        "device": ["ap-1", "ap-1"],
        "radio": ["radio0", "radio1"],
        "band": ["2.4", "5"],
    }
    assert table.fields == {"clients": [3, 4], "noise_dbm": [-95.0, -90.5]}
    only = store.series("radio", {"radio": "radio1"}, NOON, NOON + timedelta(hours=1), ["clients"])
    assert only.fields == {"clients": [4]}


def test_latest_is_the_newest_row_of_each(store: Store) -> None:
    store.write([device([T] * 3, ["b", "a", "c"], clients=[1, 2, 3])])
    store.write([device([T + MINUTE] * 2, ["a", "b"], clients=[5, 4])])
    table = store.latest("device", ["clients"])
    assert table.tags["device"] == ["a", "b", "c"]
    assert table.times == [T + MINUTE, T + MINUTE, T]
    assert table.fields == {"clients": [5, 4, 3]}

    assert store.latest("device", since=at(T + 1)).tags["device"] == ["a", "b"]
    assert store.latest("device", since=at(T + MINUTE)).tags["device"] == ["a", "b"]
    assert store.latest("device", where={"device": "c"}).times == [T]


def test_the_newest_row_counts_even_if_it_lacks_the_field(store: Store) -> None:
    store.write([device([T], ["a"], answered=[True], clients=[9])])
    store.write([device([T + MINUTE], ["a"], answered=[False])])
    for fields in ({"clients": [None]}, {"clients": [None], "answered": [False]}):
        table = store.latest("device", list(fields))
        assert table.times == [T + MINUTE]
        assert table.fields == fields


def test_a_late_row_is_kept_and_does_not_become_the_latest(store: Store) -> None:
    store.write([device([T], ["a"], clients=[1])])
    store.write([device([T - MINUTE], ["a"], clients=[2])])
    store.write([device([T - 24 * 60 * MINUTE], ["a"], clients=[3])])
    assert store.latest("device", ["clients"]).fields == {"clients": [1]}
    assert day(store, "a", fields=("clients",)).fields == {"clients": [3, 2, 1]}


def test_writing_again_replaces_what_is_given_and_keeps_the_rest(store: Store) -> None:
    store.write([device([T], ["a"], clients=[1], state=["up"], cpu_pct=[5.0])])
    again = device([T], ["a"], clients=[2], state=[None], mem_pct=[7.5])
    assert store.write([again]) == store.write([again]) == 1
    for table in (day(store, "a"), store.latest("device")):
        assert len(table) == 1
        row = {name: column[0] for name, column in table.fields.items()}
        assert row["clients"] == 2
        assert (row["state"], row["cpu_pct"], row["mem_pct"]) == ("up", 5.0, 7.5)


def test_the_last_of_two_equal_rows_in_one_batch_wins(store: Store) -> None:
    store.write([device([T, T], ["a", "a"], clients=[1, 2], state=["up", None])])
    assert day(store, "a", fields=("clients", "state")).fields == {"clients": [2], "state": ["up"]}


def test_start_counts_and_end_does_not(store: Store) -> None:
    times = [T, T + 1, T + 2]
    store.write([device(times, ["a"] * 3, clients=[0, 1, 2])])

    def between(start: datetime, end: datetime) -> list[int]:
        return store.series("device", {"device": "a"}, start, end).times

    assert between(at(T), at(T + 2)) == [T, T + 1]
    half = timedelta(microseconds=500)
    assert between(at(T) + half, at(T + 1) + half) == [T + 1]
    assert between(at(T), at(T)) == []
    assert between(at(T), at(T + 2).astimezone()) == [T, T + 1]


def test_series_run_over_midnight(store: Store) -> None:
    midnight = int(datetime(2024, 5, 18, tzinfo=UTC).timestamp() * 1000)
    times = [midnight - 1, midnight, midnight + 1]
    assert store.write([device(times, ["a"] * 3, clients=[1, 2, 3])]) == 3
    assert day(store, "a", fields=("clients",)).fields == {"clients": [1, 2, 3]}
    assert store.latest("device").times == [midnight + 1]


def test_where_may_be_empty(store: Store) -> None:
    store.write([device([T, T], ["b", "a"], clients=[1, 2])])
    table = store.series("device", {}, NOON, NOON + timedelta(hours=1), ["clients"])
    assert (table.tags["device"], table.fields["clients"]) == (["a", "b"], [2, 1])


def test_rows_without_the_fields_asked_for_are_left_out(store: Store) -> None:
    store.write([device([T, T + 1], ["a", "a"], clients=[1, None], cpu_pct=[None, 2.0])])
    assert day(store, "a", fields=("clients",)).times == [T]
    assert day(store, "a", fields=("reboots",)).times == []
    assert len(day(store, "a")) == 2


ODD = [
    "plain", "with space", "a,b", "a=b", 'say "hi"', "o'clock", "back\\slash", "back\\,slash",
    "back\\ space", "\\\\two", " outer ", "#hash", "café", "قهوة", "📶", "%2F", "{}", "$1",
    "'; DROP TABLE device; --", "\u202eright to left", "\u2028", "\ufeff", "null", "0", "-", "<b>",
    "x" * 1000,
]  # fmt: skip


def test_odd_text_comes_back_unchanged_and_can_be_asked_for(store: Store) -> None:
    shown = list(ODD)
    store.write(
        [
            device([T] * len(ODD), ODD, state=shown),
            Batch(
                "ssid", [T] * len(ODD), {"device": ["ap"] * len(ODD), "ssid": ODD},
                {"clients": list(range(len(ODD)))},
            ),
        ]
    )  # fmt: skip
    table = store.latest("device", ["state"])
    assert table.tags["device"] == sorted(ODD)
    assert table.fields["state"] == sorted(shown)
    for number, text in enumerate(ODD):
        found = store.latest("ssid", where={"device": "ap", "ssid": text})
        assert found.fields["clients"] == [number], text


@pytest.mark.parametrize("text", ["line\nbreak", "tab\tand\x00", 'q"\\', "\\"])
def test_strings_may_hold_what_tags_may_not(store: Store, text: str) -> None:
    store.write([device([T], ["a"], state=[text])])
    assert day(store, "a").fields["state"] == [text]


@pytest.mark.parametrize("text", ["new\nline", "\x00", "end\\", "x" * 2000, "\ud800", "\x85", "ok"])
def test_cleaned_text_is_always_a_tag(store: Store, text: str) -> None:
    tag = clean_tag(text)
    store.write([device([T], [tag], clients=[1])])
    assert store.latest("device").tags == {"device": [tag]}


def test_an_empty_tag_is_as_good_as_none(store: Store) -> None:
    tags = {"device": ["a", "a"], "radio": ["radio0", ""], "band": ["", ""]}
    store.write([Batch("radio", [T, T], tags, {"clients": [1, 2]})])
    table = store.latest("radio", ["clients"])
    assert table.tags == {"device": ["a", "a"], "radio": ["", "radio0"], "band": ["", ""]}
    assert table.fields == {"clients": [2, 1]}
    assert store.latest("radio", where={"radio": ""}).fields["clients"] == [2]


def test_a_row_without_a_value_is_no_row(store: Store) -> None:
    nothing = device([T, T], ["a", "b"], clients=[None, 1], cpu_pct=[float("nan"), None])
    assert store.write([nothing]) == 1
    assert store.latest("device").tags == {"device": ["b"]}
    assert store.write([device([T], ["c"])]) == 0
    assert store.write([device([], [], clients=[])]) == 0
    assert store.write([]) == 0


def test_numpy_columns_are_taken(store: Store) -> None:
    batch = Batch(
        "device",
        np.array([T, T + 1]),
        {"device": np.array(["a", "a"])},
        {
            "answered": np.array([True, False]),
            "clients": np.array([1, 2], dtype=np.int32),
            "cpu_pct": np.array([np.nan, 1.5], dtype=np.float32),
            "rtt_ms": [np.float64(2), 3],
        },
    )  # type: ignore[arg-type]  # arrays stand in for sequences
    assert store.write([batch]) == 2
    table = day(store, "a", fields=("answered", "clients", "cpu_pct", "rtt_ms"))
    assert table.fields == {
        "answered": [True, False],
        "clients": [1, 2],
        "cpu_pct": [None, 1.5],
        "rtt_ms": [2.0, 3.0],
    }


GOOD = device([T], ["kept?"], clients=[1])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Batch("weather", [T], {"device": ["a"]}, {"clients": [1]}), ["weather", "device, "]),
        (Batch("device", [T], {}, {"clients": [1]}), ["needs the tags device"]),
        (Batch("device", [T], {"mac": ["a"]}, {"clients": [1]}), ["needs the tags device", "mac"]),
        (device([T], ["a"], temperature=[1.0]), ["no field 'temperature'"]),
        (device([T, T], ["a"], clients=[1, 2]), ["2 times but 1 values of device"]),
        (device([T], ["a"], clients=[1, 2]), ["1 times but 2 values of clients"]),
        (device([T, T], ["ok", "new\nline"], clients=[1, 2]), ["row 1", "control character"]),
        (device([T], ["end\\"], clients=[1]), ["row 0", "backslash"]),
        (device([T], ["x" * 1001], clients=[1]), ["longer than 1000"]),
        (device([T], [None], clients=[1]), ["row 0", "is not text"]),  # type: ignore[list-item]
        (device([T, -1], ["a", "a"], clients=[1, 2]), ["row 1", "time -1"]),
        (device([T * 1_000_000], ["a"], clients=[1]), ["milliseconds"]),
        (device([1.5], ["a"], clients=[1]), ["time 1.5"]),  # type: ignore[list-item]
        (device([T], ["a"], clients=[1.5]), ["clients 1.5 is not a whole number"]),
        (device([T], ["a"], clients=[True]), ["clients True is not a whole number"]),
        (device([T], ["a"], clients=[2**63]), ["does not fit 64 bits"]),
        (device([T], ["a"], answered=[1]), ["answered 1 is not true or false"]),
        (device([T], ["a"], cpu_pct=["5"]), ["cpu_pct '5' is not a number"]),
        (device([T], ["a"], cpu_pct=[float("inf")]), ["is infinite"]),
        (device([T], ["a"], state=[1]), ["state 1 is not text"]),
        (device([T], ["a"], state=["\ud800"]), ["half a character"]),
    ],
)
def test_a_bad_batch_is_refused_whole(store: Store, bad: Batch, words: list[str]) -> None:
    with pytest.raises(StoreError) as caught:
        store.write([GOOD, bad])
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(store.latest("device")) == 0


def test_questions_that_make_no_sense_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no measurement 'weather'"):
        store.latest("weather")
    with pytest.raises(StoreError, match="no tag 'site'"):
        store.latest("device", where={"site": "x"})
    with pytest.raises(StoreError, match="no field 'x'"):
        store.series("device", {}, NOON, NOON, ["x"])
    with pytest.raises(StoreError, match="no time zone"):
        store.series("device", {}, NOON.replace(tzinfo=None), NOON)


def test_a_poll_larger_than_one_request_arrives_whole(store: Store) -> None:
    names = [f"ap-{i:05}" for i in range(12_345)]
    batch = device([T] * len(names), names, clients=list(range(len(names))))
    assert store.write([batch]) == len(names)
    table = store.latest("device", ["clients"])
    assert table.tags["device"] == names
    assert table.fields["clients"] == list(range(len(names)))


def test_a_long_series_comes_back_whole(store: Store) -> None:
    times = [T + i * 1000 for i in range(25_001)]
    store.write([device(times, ["a"] * len(times), clients=list(range(len(times))))])
    table = day(store, "a", fields=("clients",))
    assert table.times == times
    assert table.fields["clients"] == list(range(len(times)))


def test_health_tells_the_kind_and_version(store: Store) -> None:
    store.write([GOOD])
    health = store.health()
    assert health.ok, health.detail
    assert health.kind in {"sqlite", "influx"}
    assert ("SQLite 3." in health.detail) or ("InfluxDB 1." in health.detail)


def test_a_closed_store_can_be_used_again(store: Store) -> None:
    store.write([GOOD])
    store.close()
    assert len(store.latest("device")) == 1
    assert store.write([GOOD]) == 1
