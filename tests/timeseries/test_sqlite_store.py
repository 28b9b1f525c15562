"""What the embedded store promises beyond the contract: kills, other processes, files, damage."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from farola.errors import StoreError
from timeseries import SCHEMA, Batch, sqlite
from timeseries.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
T = 1_700_000_000_000
MINUTE = 60_000
NAMES = [f"ap-{i:03}" for i in range(200)]
START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)


def poll(number: int, names: list[str] = NAMES) -> list[Batch]:
    """The `number`th poll: every device says the number of the poll."""
    times = [T + number * MINUTE] * len(names)
    radios = {"device": names, "radio": ["radio0"] * len(names), "band": ["5"] * len(names)}
    return [
        Batch("device", times, {"device": names}, {"clients": [number] * len(names)}),
        Batch("radio", times, radios, {"clients": [number] * len(names)}),
    ]


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import importlib.util
spec = importlib.util.spec_from_file_location("polls", {file!r})
polls = importlib.util.module_from_spec(spec)
spec.loader.exec_module(polls)
store = polls.SqliteStore(Path({folder!r}))
for number in range({first}, {last}):
    store.write(polls.poll(number))
    print(number, flush=True)
"""


def test_a_kill_between_the_commits_of_a_poll_leaves_none_out_of_the_newest_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path)
    store.write(poll(0, ["ap-1", "ap-2", "gone"]))
    with monkeypatch.context() as patched:
        # As the kill leaves it: raw rows are committed, and `latest` is not.
        put = sqlite._put
        patched.setattr(sqlite, "_put", lambda to, rows, _latest: put(to, rows, False))
        store.write(poll(1, ["ap-1", "ap-2"]))
    store.close()
    found = store.latest("device", ("clients", "state"))
    assert found.tags == {"device": ["ap-1", "ap-2", "gone"]}
    assert found.times == [T + MINUTE, T + MINUTE, T]
    assert found.fields == {"clients": [1, 1, 0], "state": [None, None, None]}
    assert store.latest("device", ("state",), where={"device": "ap-2"}).times == [T + MINUTE]
    assert store.latest("radio", where={"band": "5", "device": "gone"}).times == [T]
    after = datetime.fromtimestamp((T + MINUTE + 1) / 1000, UTC)
    assert len(store.latest("device", since=after)) == 0
    store.write(poll(2, ["ap-1", "ap-2"]))
    assert store.latest("device").times == [T + 2 * MINUTE, T + 2 * MINUTE, T]
    store.close()


def writer(folder: Path, first: int = 0, last: int = 1_000_000) -> subprocess.Popen[str]:
    """A process that writes polls and prints the number of each that was acknowledged."""
    code = WRITER.format(
        tests=str(ROOT), file=str(Path(__file__)), folder=str(folder), first=first, last=last
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(4, 304))]
)
def test_every_acknowledged_poll_survives_kill_9(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "series"
    process = writer(folder)
    assert process.stdout
    acknowledged = [process.stdout.readline().strip()]
    time.sleep(random.Random(seed).uniform(0.01, 0.4))
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.read().split("\n")
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    last = max(int(line) for line in acknowledged if line.isdigit())

    store = SqliteStore(folder)
    for name in (NAMES[0], NAMES[-1]):
        for measurement in ("device", "radio"):
            kept = store.series(measurement, {"device": name}, START, END, ["clients"])
            numbers = kept.fields["clients"]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) in {last + 1, last + 2}, "a poll is there whole or not at all"
    latest = store.latest("device")
    assert len(latest) == len(NAMES)
    assert min(latest.times) >= T + last * MINUTE
    for path in folder.glob("*.db"):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
    store.write(poll(last + 2))
    assert set(store.latest("device").times) == {T + (last + 2) * MINUTE}
    store.close()


def test_a_second_process_reads_while_one_writes(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 120)
    assert process.stdout
    first = int(process.stdout.readline())
    assert first == 0
    seen: list[int] = []
    reader = SqliteStore(tmp_path)
    while process.poll() is None:
        latest = reader.latest("device", ["clients"])
        assert len(latest) == len(NAMES)
        assert len(set(latest.fields["clients"])) == 1, "half a poll was seen"
        seen.append(int(latest.fields["clients"][0] or 0))
    process.stdout.read()
    process.stdout.close()
    assert process.returncode == 0
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "the reader was let in only at the end"
    assert set(reader.latest("device", ["clients"]).fields["clients"]) == {119}


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    writers = [writer(tmp_path, 0, 15), writer(tmp_path, 15, 30)]
    for process in writers:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert len(out.split()) == 15
    kept = SqliteStore(tmp_path).series("device", {"device": NAMES[0]}, START, END, ["clients"])
    assert kept.fields["clients"] == list(range(30))


def _first_write(folder: Path, number: int, start: Barrier) -> None:
    start.wait()
    with closing(SqliteStore(folder)) as store:
        store.write(poll(number))


def test_processes_that_write_the_first_poll_together_all_succeed(tmp_path: Path) -> None:
    """The file becomes WAL under them: SQLite says "locked" there without waiting."""
    context = multiprocessing.get_context("fork")
    for attempt in range(30):
        folder, start = tmp_path / str(attempt), context.Barrier(4)
        writers = [context.Process(target=_first_write, args=(folder, n, start)) for n in range(4)]
        for process in writers:
            process.start()
        for process in writers:
            process.join(60)
        assert [process.exitcode for process in writers] == [0] * 4


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    faults: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, 24, 4):
                store.write(poll(number, NAMES[:20]))
                assert len(store.latest("radio")) == 20
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    kept = store.series("device", {"device": NAMES[0]}, START, END, ["clients"])
    assert kept.fields["clients"] == list(range(24))
    store.close()


def test_a_day_is_a_file_and_forgetting_it_is_to_unlink(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    day = int(datetime(2024, 2, 29, tzinfo=UTC).timestamp() * 1000)
    for offset in (0, 86_400_000, 86_399_999):
        store.write([Batch("device", [day + offset], {"device": ["a"]}, {"clients": [offset]})])
    assert [path.name for _, path in store.days()] == ["raw-2024-02-29.db", "raw-2024-03-01.db"]
    (tmp_path / "raw-2024-02-29.db").unlink()
    kept = store.series("device", {}, START, END, ["clients"])
    assert kept.fields["clients"] == [86_400_000]
    assert store.latest("device", ["clients"]).fields["clients"] == [86_400_000]
    store.write([Batch("device", [day], {"device": ["a"]}, {"clients": [7]})])
    assert store.series("device", {}, START, END, ["clients"]).fields["clients"] == [7, 86_400_000]
    store.close()


def test_reading_creates_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "home" / "series")
    assert len(store.latest("device")) == len(store.series("device", {}, START, END)) == 0
    assert store.health().ok
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_the_schema_gained_later(tmp_path: Path) -> None:
    old = tmp_path / "raw-2023-11-14.db"
    for path, key in ((old, "time, device"), (tmp_path / "latest.db", "device")):
        connection = sqlite3.connect(path)
        connection.executescript(
            "CREATE TABLE device (time INTEGER NOT NULL, device TEXT NOT NULL, clients INTEGER, "
            f"PRIMARY KEY ({key})) WITHOUT ROWID; INSERT INTO device VALUES ({T}, 'a', 5);"
        )
        connection.close()
    store = SqliteStore(tmp_path)
    for table in (store.latest("device"), store.series("device", {"device": "a"}, START, END)):
        assert table.fields["clients"] == [5]
        assert table.fields["cpu_pct"] == [None]
    assert len(store.series("device", {}, START, END, ["cpu_pct"])) == 0
    store.write([Batch("device", [T], {"device": ["a"]}, {"cpu_pct": [1.5]})])
    for table in (store.latest("device"), store.series("device", {"device": "a"}, START, END)):
        assert (table.fields["clients"], table.fields["cpu_pct"]) == ([5], [1.5])
    store.close()


@pytest.mark.parametrize("name", ["latest.db", "raw-2023-11-14.db"])
def test_a_damaged_file_is_named_with_a_remedy(tmp_path: Path, name: str) -> None:
    store = SqliteStore(tmp_path)
    store.write(poll(0))
    store.close()
    (tmp_path / name).write_bytes(b"this is not a database" * 100)
    with pytest.raises(
        StoreError, match=rf"{name}: .*not a database; the file is damaged"
    ) as caught:
        store.write(poll(1))
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match=name):
        store.latest("device") if name == "latest.db" else store.series("device", {}, START, END)
    health = store.health()
    assert not health.ok
    assert f"{name}: file is not a database; the file is damaged" in health.detail


@pytest.mark.parametrize("damage", ["cut off", "cut off within a page", "its newest rows"])
def test_health_looks_into_the_file_that_polls_are_written_to(tmp_path: Path, damage: str) -> None:
    store = SqliteStore(tmp_path)
    for number in range(40):
        store.write(poll(number))
    store.write([Batch("device", [T - 86_400_000], {"device": ["a"]}, {"clients": [1]})])
    store.close()
    assert store.health().ok
    old, raw = (path for _, path in store.days())
    whole = raw.read_bytes()
    assert len(whole) > 100_000
    if damage == "its newest rows":
        with closing(sqlite3.connect(raw)) as connection:
            size, root = (
                connection.execute(query).fetchone()[0]
                for query in (
                    "PRAGMA page_size", "SELECT rootpage FROM sqlite_master WHERE name = 'device'",
                )
            )  # fmt: skip
        raw.write_bytes(whole[: (root - 1) * size] + os.urandom(size) + whole[root * size :])
    else:
        raw.write_bytes(whole[: 49_152 if damage == "cut off" else 50_000])
    health = store.health()
    assert not health.ok
    assert f"{raw}: database disk image is malformed; the file is damaged" in health.detail
    raw.write_bytes(whole)
    old.write_bytes(b"a day that has passed" * 1000)
    assert store.health().ok


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for folder in (file, file / "series"):
        store = SqliteStore(folder)
        uses: list[Callable[[], object]] = [
            partial(store.write, poll(0)),
            partial(store.latest, "device"),
            partial(store.series, "device", {}, START, END),
        ]
        for use in uses:
            with pytest.raises(StoreError) as caught:
                use()
            assert str(caught.value) == f"{file} is a file, not a folder: move it away"
        assert not store.health().ok
        assert store.health().detail == f"{file} is a file, not a folder: move it away"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.write(poll(0))
    connection = sqlite3.connect(tmp_path / "raw-2023-11-14.db", isolation_level=None)
    connection.execute(
        "CREATE TRIGGER full BEFORE INSERT ON radio WHEN new.device = 'ap-199' "
        "BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    )
    connection.close()
    with pytest.raises(StoreError, match="free space"):
        store.write(poll(1))
    assert set(store.latest("device").times) == {T}
    assert len(store.series("device", {"device": NAMES[0]}, START, END)) == 1
    store.close()


def test_one_device_among_polls_with_times_of_their_own(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    times = list(range(T, T + 3000))
    names = [NAMES[i % 7] for i in range(3000)]
    store.write([Batch("device", times, {"device": names}, {"clients": list(range(3000))})])
    kept = store.series("device", {"device": NAMES[3]}, START, END, ["clients"])
    assert kept.fields["clients"] == list(range(3, 3000, 7))
    store.close()


def test_every_measurement_becomes_a_table_without_rowid(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    values: dict[type, object] = {bool: True, int: 1, float: 1.0, str: "x"}
    for shape in SCHEMA.values():
        fields = {name: [values[kind]] for name, kind in shape.fields.items()}
        store.write([Batch(shape.name, [T], {tag: ["t"] for tag in shape.tags}, fields)])  # type: ignore[arg-type]  # typed by the table above
        found = store.series(shape.name, {}, START, END)
        assert found.fields == fields
    for path in tmp_path.glob("*.db"):
        connection = sqlite3.connect(path)
        made = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        connection.close()
        rollups = path.name == "rollups.db"  # which has the marks of days too
        assert len(made) - rollups == sum(s.is_rollup == rollups for s in SCHEMA.values())
        assert all(sql.endswith("WITHOUT ROWID") for (sql,) in made)
    store.close()


def test_days_far_apart_in_one_write(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    instants = [START + timedelta(days=7 * i) for i in range(30)]
    times = [int(instant.timestamp() * 1000) for instant in reversed(instants)]
    batch = Batch("portal", times, {"site": ["s"] * 30}, {"users": list(range(30))})
    assert store.write([batch]) == 30
    kept = store.series("portal", {"site": "s"}, START, END, ["users"])
    assert kept.fields["users"] == list(range(29, -1, -1))
    assert store.latest("portal", ["users"]).fields["users"] == [0]
    store.close()
