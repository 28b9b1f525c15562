"""What the embedded store's check finds and tells, and how large a city's files become."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from farola.errors import StoreError
from farola.settings import StoreSettings
from inventory.membership import Membership
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
from timeseries import Batch
from timeseries.base import Aggregate
from timeseries.findings import rollups_agree
from timeseries.keeper import Keeper
from timeseries.marks import Marks
from timeseries.sizing import grown, growth
from timeseries.sqlite import SqliteStore
from timeseries.sqlite_check import files, latest_agrees, strays, whole
from timeseries.windows import hours_between


def test_check_finds_rollups_that_do_not_count_what_raw_rows_hold(embedded: SqliteStore) -> None:
    marks = Marks(embedded.folder, MEXICO)
    with marks.writing([T - i * 10 * MINUTE for i in range(30)]):
        for i in range(30):
            embedded.write(poll(T - i * 10 * MINUTE))
    keeper = Keeper(embedded, embedded.folder, MEXICO, Membership)
    keeper.run_due(NOW)
    hours = [h for h in hours_between(T - 6 * HOUR_MS, T, MEXICO) if h.end <= T]
    (finding,) = rollups_agree(embedded, hours, marks.open)
    assert (finding.ok, finding.detail) == (True, "5 of the last 6 hours agree")

    late = hours[-2].start + 1
    embedded.write([Batch("device", [late], {"device": ["ap-00"]}, {"answered": [True]})])
    stale, _ = rollups_agree(embedded, hours, marks.open)
    assert not stale.ok
    assert "241 raw polls, 240 in device_hour, 240 in group_hour" in stale.detail
    assert (
        "farola store rollup --from 2024-05-17T10:00:00Z --to 2024-05-17T11:00:00Z" in stale.detail
    )
    marks.mark([late])
    (waiting,) = rollups_agree(embedded, hours, marks.open)
    assert waiting.ok
    assert "1 marked and to come" in waiting.detail
    keeper.run_due(NOW)
    assert [one.ok for one in rollups_agree(embedded, hours, marks.open)] == [True]
    embedded.days()[0][1].unlink()
    (lost,) = rollups_agree(embedded, hours, marks.open)
    assert "raw rows are missing: restore" in lost.detail
    keeper.close()
    marks.close()


def _cut(folder: Path) -> None:
    raw = next(folder.glob("raw-*.db"))
    raw.write_bytes(raw.read_bytes()[:5000])


def _behind(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "latest.db")) as connection, connection:
        connection.execute("UPDATE device SET time = time - 1 WHERE device > 'ap-30'")
        connection.execute("UPDATE device SET clients = 99 WHERE device < 'ap-02'")


def _ahead(folder: Path) -> None:
    next(folder.glob("raw-*.db")).unlink()


def _lone(folder: Path) -> None:
    (folder / "raw-2024-05-01.db-wal").write_bytes(b"rows")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_cut, "raw-2024-05-17.db: "),
        (_behind, "latest.db lacks 9 and has 2 otherwise: the next poll"),
        (_ahead, "rows of 2024-05-17 12:30:00 UTC are in no raw file"),
        (_lone, "raw-2024-05-01.db-wal has lost its database"),
    ],
)
def test_check_finds_what_is_wrong_with_files(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path], None], words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("timeseries.sqlite_check.COMMIT_S", 0)
    embedded.write(poll(T))
    embedded.close()

    def findings() -> list[str]:
        found = strays(embedded) + [whole(path) for path in files(embedded)]
        if all(one.ok for one in found):
            found += latest_agrees(embedded)
        return [one.detail for one in found if not one.ok]

    assert findings() == []
    harm(embedded.folder)
    (told,) = findings()
    assert words in told
    assert "\n" not in told


def spoil_inside(path: Path) -> None:
    """Damage all pages but the first two: the file opens, its rows cannot be read."""
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 2 * 4096))


@pytest.mark.parametrize("ask", ["series", "aggregates", "latest"])
@pytest.mark.parametrize("name", ["raw-2024-05-17.db", "rollups.db", "latest.db"])
def test_a_file_damaged_inside_is_named_whatever_is_asked(
    embedded: SqliteStore, name: str, ask: str
) -> None:
    embedded.write([one for k in range(60) for one in (*poll(T + k), hour_rows(T + k * HOUR_MS))])
    embedded.write([Batch("device", [T] * 900, {"device": [f"x{i}" for i in range(900)]},
                       {"answered": [True] * 900})])  # fmt: skip
    embedded.close()
    spoil_inside(embedded.folder / name)
    if (ask == "latest") == (name.startswith("raw")) or (ask != "latest" and name == "latest.db"):
        return  # not read from there
    measurement = "device_hour" if name == "rollups.db" else "device"
    field = "polls" if name == "rollups.db" else "answered"
    asked: dict[str, Callable[[], object]] = {
        "series": lambda: embedded.series(measurement, {}, START, END),
        "latest": lambda: embedded.latest(measurement),
        "aggregates": lambda: embedded.aggregates(
            measurement, {"n": Aggregate(field)}, START, END, by=["device"]
        ),
    }
    with pytest.raises(StoreError, match=rf"{name}: .*restore it from a backup"):
        asked[ask]()


def test_the_check_goes_on_after_a_damaged_file(run: Any, home: Path) -> None:
    run("init")
    at = int((datetime.now(UTC) - timedelta(hours=2)).timestamp() * 1000)
    with closing(SqliteStore(home / "series")) as store:
        store.write(
            [one for k in range(60) for one in (*poll(at + k), hour_rows(at + k * HOUR_MS))]
        )
        (raw,) = [path for _, path in store.days()]
    spoil_inside(home / "series" / "rollups.db")
    found = json.loads(run("store", "check", "--json", code=1).stdout)["findings"]
    faults = [one for one in found if not one["ok"]]
    assert [one["what"] for one in faults] == ["rollups.db", "rollups"]
    assert all("rollups.db: " in one["detail"] for one in faults)
    assert {"what": "latest device", "ok": True} in [
        {"what": one["what"], "ok": one["ok"]} for one in found
    ]
    spoil_inside(raw)
    told = run("store", "check", code=1)
    assert told.stderr == ""
    assert told.stdout.count("FAULT") == 4  # two files, the newest rows, the rollups
    assert "ok    latest.db: " in told.stdout


def test_the_command_looks_at_a_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = {"FAROLA_KEY_FILE": str(tmp_path / "key"), "FAROLA_HOME": str(home)}

    def farola(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "farola", *words],
            env=os.environ | key, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert farola("init").returncode == 0
    assert farola("store", "check").stdout == (
        "ok    rollups: nothing was polled in the last 24 hours\n"
    )
    with closing(SqliteStore(home / "series")) as store:
        at = int((datetime.now(UTC) - timedelta(hours=2)).timestamp() * 1000)
        store.write(poll(at))
    odd = farola("store", "check", "--json")
    found = json.loads(odd.stdout)
    assert (odd.returncode, found["ok"], odd.stderr) == (1, False, "")
    assert [one["what"] for one in found["findings"] if not one["ok"]] == ["rollups"]
    fine = farola("store", "check", "--hours", "0")
    assert fine.returncode == 0
    assert "latest device: all 40 rows" in fine.stdout
    shutil.rmtree(home)
    gone = farola("store", "check")
    assert gone.returncode == 1
    assert gone.stderr.count("\n") == 1


def test_the_size_of_a_city_tells_from_when_on_influxdb_is_the_better_store(
    embedded: SqliteStore,
) -> None:
    small = grown(2_000, StoreSettings(hour_days=100), 0)
    assert small.fits
    assert not small.measured
    assert str(small) == (
        "2,000 devices in SQLite: raw rows grow by 1.96 GB a day (estimated, at a poll a minute), "
        "10.2 days of them are kept; hourly rollups will take 4.32 GB"
    )
    city = grown(35_000, StoreSettings(raw_gb=1000.0), 0)
    assert not city.fits
    assert city.limit == 10_000
    assert 5_000 < grown(35_000, StoreSettings(), 0).limit < 10_000
    for back in range(4):
        for minute in range(1 + (back == 1)):
            embedded.write(poll(T - back * DAY_MS + minute * MINUTE))
    embedded.close()
    yesterday = embedded.days()[2][1]
    measured = growth(embedded.folder, len(NAMES), StoreSettings(), NOW)
    assert measured.measured
    assert measured.raw_a_day == yesterday.stat().st_size
    assert growth(embedded.folder / "none", 5, StoreSettings(), NOW).measured is False
