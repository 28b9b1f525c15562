"""`farola status` and `farola doctor` on how a city's series are kept: rollups and room."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from farola.settings import Settings, load_settings
from inventory.db import open_inventory
from inventory.models import Device
from operations.examinations import Check
from operations.keeping import OVERDUE, rollups_check, rollups_of, room_check
from operations.waiting import spool_check, spool_of
from timeseries import Batch, open_store
from timeseries.opening import open_spool
from timeseries.spooled import pack
from timeseries.sqlite import SqliteStore

NOW = datetime.now(UTC)


def advice(look: Callable[[Settings], Check]) -> Check:
    """What a check tells of the home; nothing that Farola needs is missing."""
    check = look(load_settings())
    assert not check.required
    return check


def polled(*times: datetime) -> None:
    store = open_store(load_settings())
    for at in times:
        at_ms = [int(at.timestamp() * 1000)]
        store.write(
            [
                Batch("device", at_ms, {"device": ["ap-1"]}, {"answered": [True]}),
                Batch("poll", at_ms, {"collector": ["noc"]}, {"devices": [1]}),
            ]
        )
    store.close()


def configured(home: Path, **store: str) -> None:
    """Set what [store] in farola.toml says of these names."""
    toml = home / "farola.toml"
    lines = [
        line
        for line in toml.read_text().splitlines()
        if line.split(" =")[0].lstrip("# ") not in store
    ]
    at = lines.index("[store]") + 1
    lines[at:at] = [f"{name} = {value}" for name, value in store.items()]
    toml.write_text("\n".join(lines) + "\n")


def with_devices(count: int) -> None:
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        session.add_all(Device(id=f"ap-{n}", name=f"ap-{n}") for n in range(count))
    inventory.close()


def test_hours_that_wait_for_their_rollups_are_told_until_they_are_made(run: Any) -> None:
    run("init")
    polled(NOW - timedelta(hours=30), NOW - timedelta(hours=29), NOW)
    told = json.loads(run("status", "--json").stdout)["rollups"]
    oldest = datetime.fromisoformat(told["oldest"])
    assert (told["marked"], told["overdue"], told["error"]) == (3, 2, "")
    assert oldest <= NOW - timedelta(hours=30) < oldest + timedelta(hours=1)
    assert "2 hours wait to be made" in run("status").stdout
    check = advice(rollups_check)
    assert not check.ok
    assert "farola store rollup" in check.detail
    run("store", "rollup")
    assert advice(rollups_check).ok
    assert "wait to be made" not in run("status").stdout


def test_an_hour_that_is_just_over_is_not_overdue(run: Any) -> None:
    run("init")
    at = datetime(2026, 3, 1, 10, 59, tzinfo=UTC)
    polled(at)
    over = datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert rollups_of(load_settings(), over + OVERDUE).overdue == 0
    assert rollups_of(load_settings(), over + OVERDUE + timedelta(seconds=1)).overdue == 1


def test_marks_that_cannot_be_read_are_one_line(run: Any, home: Path) -> None:
    run("init")
    (home / "series").mkdir(exist_ok=True)
    (home / "series" / "marks.db").write_text("these are no marks" * 100)
    check = rollups_check(load_settings())
    assert (check.ok, check.required) == (False, True)  # polls are refused
    assert "marks.db" in check.detail
    doctor = json.loads(run("doctor", "--json", code=1).stdout)
    checks = {one["name"]: one for one in doctor["checks"]}
    assert (checks["rollups"]["ok"], checks["room"]["ok"]) == (False, True)


@pytest.mark.parametrize("name", ["marks.db", "rollups.db"])
def test_a_file_damaged_inside_is_told(run: Any, home: Path, name: str) -> None:
    run("init")
    hours = [NOW - timedelta(hours=3 + k) for k in range(400)]
    polled(*hours[:2])
    store = SqliteStore(home / "series")
    times = [int(at.timestamp() * 1000) for at in hours]
    store.write([Batch("device_hour", times, {"device": ["a"] * 400}, {"polls": [60] * 400})])
    store.close()
    path = home / "series" / name
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 2 * 4096))
    check = rollups_check(load_settings())
    assert (check.ok, check.required) == (False, name == "marks.db")
    assert name in check.detail
    if name == "marks.db":
        told = json.loads(run("status", "--json", code=1).stdout)["rollups"]
        assert "marks.db" in told["error"]


def test_a_file_in_the_place_of_the_series_is_told(run: Any, home: Path) -> None:
    run("init")
    (home / "series").write_text("")
    check = rollups_check(load_settings())
    assert not check.ok
    assert "is a file, not a folder" in check.detail


def test_looking_makes_nothing(run: Any, home: Path) -> None:
    run("init")
    before = sorted(home.rglob("*"))
    assert advice(rollups_check).ok
    assert advice(room_check).ok
    assert spool_of(load_settings())["rows"] == 0
    assert sorted(home.rglob("*")) == before


def test_a_disk_that_will_be_full_is_told_before_it_is(run: Any, home: Path) -> None:
    run("init")
    with_devices(3)
    assert advice(room_check).ok
    configured(home, raw_days="10_000_000_000", raw_gb="1e12")
    check = advice(room_check)
    assert not check.ok
    assert "GB more" in check.detail


def test_a_spool_that_has_no_room_to_grow_is_told(run: Any, home: Path) -> None:
    run("init", "--influx", "http://127.0.0.1:9")
    configured(home, spool_gb="1e9")
    check = advice(room_check)
    assert not check.ok
    assert "the spool may take 1,000,000,000.0 GB more (spool_gb)" in check.detail


def test_rows_left_in_the_spool_of_a_store_that_is_no_longer_used(run: Any) -> None:
    run("init")
    spool = open_spool(load_settings())
    spool.add(
        [pack(["poll,collector=noc devices=1i 1700000000000"], [("poll", 1_700_000_000_000)])]
    )
    spool.close()
    check = advice(spool_check)
    assert not check.ok
    assert "1 rows wait for the server" in check.detail
    assert "but [store] kind is sqlite: nobody sends them" in check.detail


def test_rows_that_were_lost_are_told_since_when_until_people_know(run: Any, home: Path) -> None:
    run("init", "--influx", "http://127.0.0.1:9")
    configured(home, spool_gb="1e-9")
    spool = open_spool(load_settings())
    for at in (1, 2):
        spool.add([pack([f"poll,collector=noc devices=1i {at}"], [("poll", at)])])
    spool.close()
    told = advice(spool_check).detail
    assert f"1 rows were LOST since {NOW:%Y-%m-%d}" in told
    assert "--losses-known" in told
    assert "LOST" in run("status", code=1).stdout
    run("store", "quarantine", "--losses-known", "--forget", code=1)
    assert (
        json.loads(run("store", "quarantine", "--losses-known", "--json").stdout)["losses_known"]
        == 1
    )
    assert "LOST" not in advice(spool_check).detail
    assert "1 row that wait" in run("store", "quarantine", "--set-aside").stdout
