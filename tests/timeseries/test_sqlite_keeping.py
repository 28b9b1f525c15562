"""What the embedded store forgets, and how it is copied while running."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import StoreError
from farola.settings import StoreSettings
from tests.timeseries.sqlite_polls import (
    DAY_MS,
    END,
    HOUR_MS,
    MEXICO,
    MINUTE,
    NAMES,
    NOW,
    START,
    T,
    hour_rows,
    poll,
)
from timeseries import Batch, sqlite_copy, sqlite_files
from timeseries.marks import Marks
from timeseries.sqlite import SqliteStore
from timeseries.sqlite_check import files, whole
from timeseries.sqlite_copy import copy_file, snapshot
from timeseries.sqlite_files import forget, reading
from timeseries.sqlite_retention import Age, RawDay, SqliteRetention, age_from, leaving
from timeseries.windows import Window


def kept_days(store: SqliteStore) -> list[str]:
    return [path.name.removeprefix("raw-").removesuffix(".db") for _, path in store.days()]


def test_days_beyond_their_number_go_but_not_those_with_open_marks(embedded: SqliteStore) -> None:
    for back in range(6):
        embedded.write(poll(T - back * DAY_MS))
    embedded.close()
    old = T - 4 * DAY_MS
    retention = SqliteRetention(embedded.folder, StoreSettings(raw_days=2))
    told = retention(NOW, [Window(old - old % HOUR_MS, old - old % HOUR_MS + HOUR_MS)])
    assert kept_days(embedded) == ["2024-05-13", "2024-05-15", "2024-05-16", "2024-05-17"]
    assert "forgot the raw rows of 2024-05-12 (0.0 MB, older than raw_days = 2)" in told
    assert "2024-05-14" in told
    assert not [p for p in embedded.folder.iterdir() if "05-12" in p.name or "05-14" in p.name]
    assert retention(NOW, []).startswith("forgot the raw rows of 2024-05-13")
    assert retention(NOW, []) == ""


def test_a_device_that_left_is_forgotten_with_its_last_raw_rows(embedded: SqliteStore) -> None:
    for back, name in enumerate(["silent", "silent", "silent", "waits", "left"], 1):
        tags = {"device": [name]}
        embedded.write([Batch("device", [T - back * DAY_MS], tags, {"clients": [back]})])
        used = {"sessions": [back]}
        embedded.write([Batch("portal", [T - back * DAY_MS], {"site": [name]}, used)])
    embedded.write(poll(T))
    retention = SqliteRetention(embedded.folder, StoreSettings(raw_days=2))
    old = T - 4 * DAY_MS
    told = retention(NOW, [Window(old - old % HOUR_MS, old - old % HOUR_MS + HOUR_MS)])
    assert "forgot the newest rows of what has none any more (1)" in told
    assert {*embedded.latest("device").tags["device"]} == {*NAMES, "waits", "silent"}
    retention(NOW, [])
    assert {*embedded.latest("device").tags["device"]} == {*NAMES, "silent"}
    assert embedded.latest("portal").tags["site"] == ["left", "silent", "waits"]
    assert retention(NOW, []) == ""


def test_days_beyond_the_size_go_oldest_first_and_never_the_newest(embedded: SqliteStore) -> None:
    for back in range(4):
        embedded.write(poll(T - back * DAY_MS))
    embedded.close()
    size = embedded.days()[0][1].stat().st_size
    retention = SqliteRetention(embedded.folder, StoreSettings(raw_gb=2.5 * size / 1e9))
    assert "2024-05-14" in retention(NOW, [])
    assert kept_days(embedded) == ["2024-05-16", "2024-05-17"]
    told = SqliteRetention(embedded.folder, StoreSettings(raw_gb=1e-9))(NOW, [])
    assert kept_days(embedded) == ["2024-05-17"]
    assert "raw rows take 0.0 GB, more than raw_gb = 1e-09" in told
    assert len(embedded.latest("device")) == len(NAMES)


GB = 10**9
DAYS = st.lists(
    st.builds(RawDay, st.integers(0, 40), st.integers(1, 10).map(lambda gb: gb * GB)),
    unique_by=lambda d: d.day,
).map(sorted)


@given(
    days=DAYS,
    today=st.integers(0, 40),
    raw_days=st.integers(0, 40),
    limit=st.integers(0, 60),
    wanted=st.sets(st.integers(0, 40), max_size=5),
)
def test_what_goes_is_old_or_beyond_the_size_and_is_never_needed(
    days: list[RawDay], today: int, raw_days: int, limit: int, wanted: set[int]
) -> None:
    settings = StoreSettings(raw_days=raw_days, raw_gb=limit)
    age = age_from([raw.day for raw in days], today)
    gone = [raw for raw, _ in leaving(days, today, settings, wanted, age)]
    oldest = -1 if age.today is None else age.today - raw_days
    stay = [raw for raw in days if raw not in gone]
    assert not wanted & {raw.day for raw in gone}
    assert all(raw.day < today for raw in gone)
    newest = [raw for raw in days if raw.day <= today][-1:]
    assert not [raw for raw in newest if raw in gone]
    free = [raw for raw in stay if raw.day not in {*wanted, today} and raw not in newest]
    free = [raw for raw in free if raw.day < today]
    assert not [raw for raw in free if raw.day < oldest]
    if sum(raw.size for raw in stay) > limit * GB:
        assert not free, "something more could have gone"
    by_size = [raw for raw in gone if raw.day >= oldest]
    if by_size:
        assert sum(raw.size for raw in stay) + by_size[-1].size > limit * GB, (
            "the last went in vain"
        )
        assert not [raw for raw in free if raw.day < by_size[-1].day], "an older one stayed"


@given(days=st.sets(st.integers(0, 5000)), today=st.integers(0, 5000))
def test_age_counts_from_rows_never_from_the_clock(days: set[int], today: int) -> None:
    age = age_from(days, today)
    past = sorted(day for day in days if day <= today)
    if age.today is None:
        assert len(past) < 3
    elif age.waits:
        assert age.today == past[-3], "three days with rows show that it is so late"
    else:
        assert age.today == past[-1]
        assert today - past[-1] <= 2
    whole = set(range(1000, 1031))
    assert age_from(whole, 1030) == Age(1030, False)
    assert age_from(whole | {5000, 5001}, 5001) == Age(1030, True)
    assert age_from(whole | {5000, 5001, 5002}, 5002) == Age(5002, False)
    assert age_from(whole | {5000}, 1031) == Age(1030, False), "a clock that was put right"


@pytest.mark.parametrize("polled_there", [0, 1, 2])
def test_a_clock_that_runs_ahead_costs_no_history(embedded: SqliteStore, polled_there: int) -> None:
    for back in range(5):
        at = T - back * DAY_MS
        city = Batch("group_hour", [at], {"kind": ["city"], "group": ["city"]}, {"polls": [60]})
        embedded.write([*poll(at), hour_rows(at), city])
    ahead = NOW + timedelta(days=4000)
    for day in range(polled_there):
        embedded.write(poll(T + (4000 + day - 1) * DAY_MS))
    embedded.close()
    before = kept_days(embedded)
    retention = SqliteRetention(embedded.folder, StoreSettings(raw_days=10, hour_days=10))
    told = retention(ahead, [])
    assert kept_days(embedded) == before
    assert len(set(embedded.series("device_hour", {}, START, END).times)) == 5
    assert "nothing is forgotten for its age: the clock says 2035-04-30" in told
    assert retention(ahead, []) == "", "it is told once"
    assert retention(NOW, []) == "", "the clock was put right"
    for day in range(3):
        embedded.write(poll(T + (4000 + day) * DAY_MS))
    embedded.close()
    assert "forgot the raw rows of 2024-05-13" in retention(ahead + timedelta(days=2), [])
    assert len(embedded.series("device_hour", {}, START, END)) == 0


def test_old_hours_go_and_days_stay(embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timeseries.sqlite_retention.ROWS_AT_ONCE", 17)
    old, new = T - 11 * DAY_MS, T - 9 * DAY_MS
    day = Batch("device_day", [old], {"device": ["ap-00"]}, {"polls": [1440]})
    group = Batch("group_hour", [old], {"kind": ["city"], "group": ["city"]}, {"polls": [9]})
    embedded.write([hour_rows(old), hour_rows(old + 1), hour_rows(new), day, group])
    for back in range(3):
        embedded.write(poll(T - back * DAY_MS))
    retention = SqliteRetention(embedded.folder, StoreSettings(hour_days=10))
    assert retention(NOW, []) == "forgot 81 hourly rollups (older than hour_days = 10)"
    assert set(embedded.series("device_hour", {}, START, END).times) == {new}
    assert embedded.series("device_day", {}, START, END).times == [old]
    assert len(embedded.latest("device_hour")) == len(NAMES)
    assert len(embedded.latest("group_hour")) == 0


def test_a_day_is_forgotten_under_a_writer_and_a_reader(embedded: SqliteStore) -> None:
    """The writer has the file open: what it acknowledges afterwards is in a new file."""
    old = T - 40 * DAY_MS
    for back in range(3):
        embedded.write(poll(T - back * DAY_MS))
    embedded.write(poll(old))
    path = embedded.days()[0][1]
    with closing(sqlite3.connect(path)) as reader:
        rows = reader.execute("SELECT device FROM device ORDER BY device")
        assert rows.fetchone() == ("ap-00",)
        assert "2024-04-07" in SqliteRetention(embedded.folder, StoreSettings())(NOW, [])
        assert kept_days(embedded) == ["2024-05-15", "2024-05-16", "2024-05-17"]
        assert len(rows.fetchall()) == len(NAMES) - 1
    embedded.write(poll(old + MINUTE, clients=7))
    found = embedded.series("device", {"device": "ap-01"}, START, END, ["clients"])
    assert found.fields["clients"] == [7, 1, 1, 1]
    assert whole(embedded.days()[0][1]).ok


@pytest.mark.parametrize("step", ["opened", "looked"])
@pytest.mark.parametrize("written_anew", [False, True])
def test_a_reader_that_meets_a_file_being_forgotten_finds_none_or_the_new_one(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch, step: str, written_anew: bool
) -> None:
    embedded.write(poll(T))
    (_, path) = embedded.days()[0]
    patiently, moments = sqlite_files.patiently, ["now"]

    def between(action: Callable[[], None]) -> None:
        if step == "looked":
            patiently(action)
        if moments:
            moments.clear()
            embedded.close()
            forget(path)
            if written_anew:
                with closing(SqliteStore(embedded.folder)) as other:
                    other.write(poll(T, clients=7))
        if step == "opened":
            patiently(action)

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_files, "patiently", between)
        with reading(path) as connection:
            if connection is None:
                assert not written_anew
            else:
                assert written_anew
                found = connection.execute("SELECT DISTINCT clients FROM device").fetchall()
                assert found == [(7,)]
    assert not moments


def test_a_writer_that_waits_for_a_forgotten_file_writes_to_a_new_one(
    embedded: SqliteStore,
) -> None:
    embedded.write(poll(T))
    path = embedded.days()[0][1]
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        writing = threading.Thread(target=embedded.write, args=(poll(T + MINUTE, 8),))
        writing.start()
        writing.join(0.3)
        assert writing.is_alive(), "it waits for the lock"
        for file in embedded.folder.glob(f"{path.name}*"):
            file.unlink()
        holder.execute("ROLLBACK")
    writing.join(30)
    assert embedded.series("device", {}, START, END, ["clients"]).fields["clients"] == [8] * len(
        NAMES
    )


def test_a_copy_made_while_polls_go_on_keeps_the_promises(
    embedded: SqliteStore, tmp_path: Path
) -> None:
    """Latest never ahead of raw, each poll whole, and what was not rolled up yet still marked."""
    marks = Marks(embedded.folder, MEXICO)
    stop, written = threading.Event(), [0]

    def measure() -> None:
        while not stop.is_set():
            number = written[0]
            at = T + number * 20 * MINUTE
            with marks.writing([at]):
                embedded.write(poll(at, number))
            for mark in marks.due(at - HOUR_MS):
                embedded.write([hour_rows(mark.window.start)])
                marks.done(mark)
            written[0] += 1

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        for attempt in range(6):
            while written[0] < 8 * (attempt + 1):
                time.sleep(0.001)
            before = written[0]
            copied = snapshot(embedded.folder, tmp_path / f"copy{attempt}")
            assert {"latest.db", "marks.db", "rollups.db"} <= set(copied.files)
            copy = SqliteStore(tmp_path / f"copy{attempt}")
            assert all(whole(path).ok for path in files(copy))
            latest = copy.latest("device")
            raw = copy.series("device", {}, START, END, ["clients"])
            numbers = sorted(set(raw.fields["clients"]))  # type: ignore[type-var]  # all have one
            assert numbers == list(range(len(numbers)))
            assert len(numbers) >= before
            assert len(raw) == len(numbers) * len(NAMES), "a poll is there in part"
            assert len(latest) == len(NAMES)
            assert max(latest.times) <= max(raw.times)
            rolled = set(copy.series("device_hour", {}, START, END).times)
            marked = {mark.start for mark in Marks(copy.folder, MEXICO).open()}
            assert {at - at % HOUR_MS for at in raw.times} <= rolled | marked
            copy.close()
    finally:
        stop.set()
        thread.join()
        marks.close()


def test_a_copy_names_what_hinders_it(embedded: SqliteStore, tmp_path: Path) -> None:
    embedded.write(poll(T))
    to = tmp_path / "copy"
    assert snapshot(embedded.folder, to).size > 10_000
    assert sorted(path.name for path in to.iterdir()) == ["latest.db", "raw-2024-05-17.db"]
    with pytest.raises(StoreError, match=r"latest\.db is there already: give an empty folder"):
        snapshot(embedded.folder, to)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file is a file, not a folder"):
        snapshot(embedded.folder, tmp_path / "file")
    embedded.close()
    (embedded.folder / "latest.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"series/latest\.db: file is not a database"):
        snapshot(embedded.folder, tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
    assert snapshot(tmp_path / "none", tmp_path / "empty").files == ()


def test_a_day_that_begins_while_the_newest_rows_are_copied_is_copied_too(
    embedded: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.write(poll(T, 0))
    tomorrow = T + 24 * 60 * MINUTE

    def copying(source: Path, target: Path) -> bool:
        if source.name == "latest.db":
            embedded.write(poll(tomorrow, 1))
        return copy_file(source, target)

    monkeypatch.setattr(sqlite_copy, "copy_file", copying)
    snapshot(embedded.folder, tmp_path / "copy")
    copy = SqliteStore(tmp_path / "copy")
    assert max(copy.latest("device").times) == tomorrow
    assert max(copy.series("device", {}, START, END).times) == tomorrow
