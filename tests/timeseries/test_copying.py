"""Rows copied between stores: all of them, whatever cuts the copy off or changes meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from farola.errors import InputError, StoreError
from farola.settings import Settings, StoreSettings
from inventory.membership import Membership
from tests.timeseries.copies import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    START,
    ZONE,
    city,
    everything,
    quiet,
    run_copy,
)
from timeseries import SCHEMA, Batch, Table
from timeseries.copy_places import Place, place, state_path
from timeseries.copy_rows import batch_of
from timeseries.copying import Copy
from timeseries.influx import prepare
from timeseries.keeper import Keeper
from timeseries.marks import Marks
from timeseries.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def at(home: Path) -> Iterator[Callable[..., Place]]:
    """Opens places of one city; all are closed at the end."""
    opened: list[Place] = []

    def make(text: str, **given: str) -> Place:
        opened.append(place(text, Settings(home), given))
        return opened[-1]

    yield make
    for one in opened:
        one.store.close()


@pytest.fixture
def server(influxd: str, tmp_path: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """Options of empty databases on influxd, dropped at the end."""
    made: list[str] = []

    def make() -> dict[str, str]:
        name = f"copy{os.getpid()}x{len(made)}"
        made.append(name)
        given = {"url": influxd, "api": "v1", "bucket": f"{name}/autogen"}
        prepare(Settings(tmp_path, store=StoreSettings("influx", **given)), "")  # type: ignore[arg-type]  # all texts
        return given

    yield make
    for name in made:
        ask(influxd, f'DROP DATABASE "{name}"')


def ask(url: str, statement: str) -> None:
    urllib.request.urlopen(f"{url}/query", data=f"q={statement}".encode(), timeout=10).close()


def test_all_rows_are_there_and_a_second_copy_writes_none(at: Any, tmp_path: Path) -> None:
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(1))
    report = run_copy(source, to)
    assert everything(to.store) == everything(source.store)
    assert report.ok
    assert {m: t.source.rows for m, t in report.measurements.items() if t.source.rows} == {
        "device": 480, "radio": 960, "poll": 40, "device_hour": 480,
    }  # fmt: skip
    assert all(t.written == t.source.rows == t.there.rows for t in report.measurements.values())
    assert to.store.latest("device") == source.store.latest("device")

    again = run_copy(source, to)
    assert again.ok
    assert not any(tally.written for tally in again.measurements.values())
    assert again.measurements["device"].source == report.measurements["device"].source
    assert not state_path(source, to).exists()


@pytest.mark.service
def test_there_and_back_through_a_server_nothing_changes(
    at: Any, server: Any, tmp_path: Path
) -> None:
    source, influx = at("sqlite"), at("influx", **server())
    back = at(f"sqlite:{tmp_path / 'back'}")
    source.store.write(city(2))
    there, here = run_copy(source, influx), run_copy(influx, back)
    assert there.ok
    assert here.ok
    assert everything(back.store) == everything(source.store)
    for name, tally in there.measurements.items():
        assert tally.there == here.measurements[name].source, name


@pytest.mark.service
def test_what_a_server_does_not_take_is_counted_and_told(
    at: Any, server: Any, influxd: str
) -> None:
    given = server()
    database = given["bucket"].partition("/")[0]
    ask(influxd, f'CREATE RETENTION POLICY "short" ON "{database}" DURATION 1h REPLICATION 1')
    influx, source = at("influx", **(given | {"bucket": f"{database}/short"})), at("sqlite")
    now = int(time.time() * 1000)
    for time_ms, clients in ((now - 5 * DAY, 1), (now - MINUTE, 2), (now - 2 * MINUTE, 3)):
        tags = {"device": ["a"], "ssid": ["x"]}
        source.store.write([Batch("ssid", [time_ms], tags, {"clients": [clients]})])
    source.store.write([Batch("portal", [now - MINUTE], {"site": ["s"]}, {"users": [5]})])
    groups = {"kind": ["borough"] * 2, "group": ["g"] * 2}
    source.store.write([Batch("group_day", [now - 5 * DAY, now - MINUTE], groups, {"up": [1, 2]})])
    influx.store.send(f'portal,site=t users="text" {now + MINUTE}'.encode())
    report = run_copy(source, influx, now)
    ssid, portal = report.measurements["ssid"], report.measurements["portal"]
    days = report.measurements["group_day"]
    assert (days.written, days.there.rows, days.expired) == (1, 1, 1)
    assert (ssid.source.rows, ssid.written, ssid.there.rows, ssid.expired) == (3, 2, 2, 1)
    assert (portal.refused, portal.there.rows, portal.equal) == (1, 0, False)
    assert "field type conflict" in portal.reason
    assert not report.ok
    assert Copy(source, influx, ZONE, now).run(["ssid"], quiet).ok, "too old is no fault"


def test_a_copy_that_was_cut_off_goes_on_where_it_was(
    at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeseries.copying.SAVE_S", 0.0)
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(3))
    real, written = to.store.write, 0

    def failing(batches: list[Batch]) -> int:
        nonlocal written
        written += 1
        if written % 4 == 0:
            raise StoreError("the disk is full")
        return int(real(batches))

    to.store.write = failing
    resumed: list[int] = []
    for _ in range(60):
        try:
            report = run_copy(source, to)
        except StoreError:
            assert state_path(source, to).exists() or not resumed
            resumed.append(1)
        else:
            break
    assert report.ok
    assert report.resumed > 0
    assert len(resumed) > 3
    assert everything(to.store) == everything(source.store)
    plain = run_copy(source, at(f"sqlite:{tmp_path / 'third'}"))
    for name, tally in plain.measurements.items():
        assert report.measurements[name].source == tally.source, name


def test_a_destination_that_was_emptied_meanwhile_is_noticed(
    at: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeseries.copying.SAVE_S", 0.0)
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(4))
    steps = iter(range(5))

    def stop(_days: int) -> Callable[[int], None]:
        def advance(_n: int) -> None:
            if next(steps) == 4:
                raise KeyboardInterrupt

        return advance

    with pytest.raises(KeyboardInterrupt):
        Copy(source, to, ZONE, NOW).run(SCHEMA, stop)
    to.store.close()
    for path in (tmp_path / "other").glob("*.db*"):
        path.unlink()
    report = run_copy(source, to)
    assert report.resumed == 0
    assert everything(to.store) == everything(source.store)


def test_killed_at_any_moment_it_ends_with_all_rows(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    code = "from farola.cli import main; main()"
    env = {
        **os.environ, "FAROLA_HOME": str(home), "FAROLA_KEY_FILE": str(tmp_path / "k"),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    start("init").communicate()
    with closing(SqliteStore(home / "series")) as store:
        store.write(city(5, polls=60, names=60))
    r = random.Random(5)
    for _ in range(3):
        process = start("store", "copy", "--to", f"sqlite:{other}", "--json")
        while process.poll() is None and not list(other.glob("raw-*.db")):
            time.sleep(0.005)
        time.sleep(r.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = start("store", "copy", "--to", f"sqlite:{other}", "--json")
    told = json.loads(done.communicate()[0])
    assert done.returncode == 0
    assert told["ok"]
    rows = {one["measurement"]: one for one in told["measurements"]}
    assert rows["radio"]["rows"] == rows["radio"]["there"] == 7200
    assert rows["radio"]["checksum"] == rows["radio"]["checksum_there"]
    with closing(SqliteStore(home / "series")) as a, closing(SqliteStore(other)) as b:
        assert everything(a) == everything(b)


def test_late_rows_that_come_while_it_copies_are_copied_and_told(at: Any, tmp_path: Path) -> None:
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(6))
    late = Batch("device", [START + 1], {"device": ["late"]}, {"clients": [7]})
    live = Batch("device", [NOW], {"device": ["live"]}, {"clients": [7]})

    def meanwhile(_days: int) -> Callable[[int], None]:
        done: list[int] = []

        def advance(_n: int) -> None:
            done.append(1)
            if len(done) == 6:
                source.store.write([late, live])

        return advance

    report = Copy(source, to, ZONE, NOW).run(SCHEMA, meanwhile)
    assert report.ok
    assert report.changed == ["device of 2024-05-15"]
    found = everything(to.store)["device"].tags["device"]
    assert "late" in found
    assert "live" not in found, "what is newer than the copy's beginning comes with the next"
    assert run_copy(source, to, NOW + 1).measurements["device"].written == 1


def test_a_destination_that_loses_or_spoils_a_row_is_found_out(at: Any, tmp_path: Path) -> None:
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(7))
    real = to.store.write

    def lossy(batches: list[Batch]) -> int:
        kept = []
        for one in batches:
            keep = list(range(len(one.times)))
            fields = dict(one.fields)
            if one.measurement == "device":
                spoilt = zip(one.times, one.fields["state"], strict=True)
                fields["state"] = ["??" if at < START + HOUR else v for at, v in spoilt]
            if one.measurement == "poll":
                keep = keep[1:]
            kept.append(batch_of(one.measurement, Table(one.times, one.tags, fields), keep))  # type: ignore[arg-type]  # lists
        return int(real(kept))

    to.store.write = lossy
    report = run_copy(source, to)
    assert not report.ok
    assert not report.measurements["device"].equal
    assert report.measurements["poll"].there.rows < report.measurements["poll"].source.rows
    assert report.measurements["radio"].equal


def test_rows_that_no_store_takes_any_more_are_told_and_the_others_copied(
    at: Any, tmp_path: Path
) -> None:
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(9))
    source.store.close()
    [(_, path)] = source.store.days()[:1]
    with closing(sqlite3.connect(path)) as older, older:
        older.execute(
            "INSERT INTO device (time, device, clients) VALUES (?, 'a\n', 1)", (START + 9,)
        )
    report = run_copy(source, to)
    device = report.measurements["device"]
    assert (device.source.rows, device.there.rows, device.refused) == (481, 480, 1)
    assert "control character" in device.reason
    assert not report.ok
    assert report.measurements["radio"].equal


def test_hours_of_which_both_had_rows_are_made_again(at: Any, home: Path, tmp_path: Path) -> None:
    """A city that moved in the middle of an hour: neither store's rollup counts all."""
    old, new = at(f"sqlite:{tmp_path / 'old'}"), at("sqlite")
    names = ["ap-1", "ap-2"]

    def poll(place: Place, minute: int) -> None:
        when = START + minute * MINUTE
        place.store.write([
            Batch("device", [when] * 2, {"device": names}, {"answered": [True] * 2}),
            Batch("poll", [when], {"collector": ["c"]}, {"devices": [2]}),
        ])  # fmt: skip

    def keeper(place: Place) -> Keeper:
        marks = Marks(place.series, ZONE)
        return Keeper(place.store, place.series, ZONE, lambda: Membership({}, {}), marks=marks)

    now = datetime.fromtimestamp(NOW / 1000, UTC)
    for minute in (-70, 0, 2):
        poll(old, minute)
    keeper(old).run_due(now)
    for minute in (4, 70):
        poll(new, minute)
    keeper(new).run_due(now)
    report = run_copy(old, new)
    assert report.ok
    assert report.marked_hours == 1
    kept = keeper(new).run_due(now)
    assert kept is not None
    assert kept.hours == 1
    hours = everything(new.store)["device_hour"]
    assert hours.fields["polls"] == [1, 1, 3, 3, 1, 1]
    assert everything(new.store)["device_day"].fields["polls"] == [5, 5]


def test_a_folder_of_its_own_knows_what_is_not_rolled_up(
    at: Any, home: Path, tmp_path: Path
) -> None:
    source, to = at("sqlite"), at(f"sqlite:{tmp_path / 'other'}")
    source.store.write(city(8))
    with closing(Marks(source.series, ZONE)) as marks:
        marks.learn_past([START + 3 * HOUR])
    assert run_copy(source, to).marked_hours == 1
    with closing(Marks(to.series, ZONE)) as marks:
        assert marks.knows_past
        assert [w.start // HOUR for w in marks.open()] == [(START + 3 * HOUR) // HOUR]


def test_places_that_are_none_are_one_line(at: Any, home: Path) -> None:
    for text in ("sqllite", "influx:x", "city:x", ""):
        with pytest.raises(InputError, match="is no store: write city, sqlite"):
            at(text)
    with pytest.raises(InputError, match="which server"):
        at("influx")
    with pytest.raises(StoreError, match="where the rows are already"):
        run_copy(at("city"), at(f"sqlite:{home / 'series'}"))
