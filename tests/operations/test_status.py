"""`farola status` on cities whose state is known."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from farola.settings import load_settings, write_settings
from inventory.change_models import Change, ChangeDevice
from inventory.db import open_inventory
from inventory.models import Device
from inventory.queries import set_fact
from operations.last_poll import poll_line
from operations.standing import (
    STALE_MS,
    Dead,
    Sample,
    Slow,
    by_state,
    samples,
    standing,
)
from operations.status import read_status
from timeseries import Batch, Table, open_store

NOW = int(time.time() * 1000)
HOUR_AGO = NOW - 3_600_000


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def city(home: Path, run: Any) -> None:
    """Four devices: up, down, silent for an hour, never polled; one retired; a failed change."""
    run("init", "--name", "Atlantis", "--timezone", "America/Mexico_City")
    settings = load_settings(home)
    inventory = open_inventory(settings)
    with inventory.session() as session:
        for name in ("a", "b", "c", "d"):
            session.add(Device(id=name, name=name))
        session.add(Device(id="old", name="old", status="retired"))
        session.flush()
        pushed = datetime(2024, 5, 17, 18, 30)
        session.add(Change(id=7, author="eve", status="failed", pushed_at=pushed))
        session.flush()
        for name, state in (("a", "pushed"), ("b", "failed"), ("c", "pushed")):
            session.add(ChangeDevice(change_id=7, device_id=name, candidate=b"", status=state))
        set_fact(session, "simulated", {"seed": 1})
    inventory.close()
    store = open_store(settings)
    store.write(
        [
            Batch("device", [HOUR_AGO] * 3, {"device": ["b", "c", "old"]},
                  {"state": ["up", "up", "up"], "answered": [True, True, True]}),
            Batch("device", [NOW] * 2, {"device": ["a", "b"]},
                  {"state": ["up", "down"], "answered": [True, False], "rtt_ms": [7.5, None]}),
            Batch(
                "poll", [HOUR_AGO, NOW], {"collector": ["main", "main"]},
                {"devices": [9, 3], "answered": [9, 1], "timed_out": [0, 2], "late": [0, 4],
                 "lag_s": [0.0, 1.5]},
            ),
        ]
    )  # fmt: skip
    store.close()


def test_status_tells_what_is_known(home: Path, run: Any) -> None:
    city(home, run)
    found = json.loads(run("status", "--json").stdout)
    assert found["city"] == "Atlantis"
    assert found["simulated"] is True
    assert found["counts"]["devices"] == 4
    assert found["devices"] == {"up": 1, "down": 1, "unknown": 2}
    at = datetime.fromtimestamp(NOW / 1000, UTC)
    assert datetime.fromisoformat(found["last_poll"].pop("at")) == at
    assert {key: value for key, value in found["last_poll"].items() if value is not None} == {
        "collector": "main", "devices": 3, "answered": 1, "timed_out": 2, "late": 4,
        "lag_s": 1.5, "stale": False,
    }  # fmt: skip
    assert found["slowest"] == [{"device": "a", "name": "a", "rtt_ms": 7.5}]
    assert found["dead"] == [
        {"device": "b", "name": "b", "last_answer": iso(HOUR_AGO), "behind": None}
    ]
    assert found["unknown"] == ["c", "d"]
    assert found["maintenance"] == []
    assert found["collector"] is None
    change = found["last_change"]
    assert (change["id"], change["status"], change["author"]) == (7, "failed", "eve")
    assert change["pushed_at"] == "2024-05-17T18:30:00Z"
    assert change["devices"] == {"failed": 1, "pushed": 2}
    assert found["store"]["ok"] is True


def test_the_table_speaks_the_citys_time(home: Path, run: Any) -> None:
    city(home, run)
    done = run("status")
    assert "4: 1 up, 1 down, 2 unknown" in done.stdout
    assert "b, last answer 2" in done.stdout
    assert "2: c, d" in done.stdout
    assert "a 8 ms" in done.stdout
    assert "1 of 3 answered, 1.5 s after its time, 4 polls before it left out" in done.stdout
    assert "7, failed, 2024-05-17 12:30 CST: 1 failed, 2 pushed" in done.stdout
    assert "simulated" in done.stderr


def test_a_fresh_city_says_what_to_do_next(run: Any) -> None:
    run("init")
    assert "farola collect once" in run("status").stdout
    found = json.loads(run("status", "--json").stdout)
    assert found["last_poll"] is found["last_change"] is None
    assert found["simulated"] is False


def test_a_store_that_is_down_leaves_devices_unknown(home: Path, run: Any) -> None:
    city(home, run)
    settings = load_settings(home)
    for path in (home / "series").glob("*.db*"):
        path.write_bytes(b"broken" * 1000)
    found = json.loads(run("status", "--json", code=1).stdout)
    assert found["devices"] == {"up": 0, "down": 0, "unknown": 4}
    assert found["counts"]["devices"] == 4
    assert found["store"]["ok"] is False
    assert "not a database" in found["store"]["detail"]

    told = run("status", code=1)
    assert "their state cannot be read" in told.stdout
    assert "none yet: run `farola collect" not in told.stdout

    path = write_settings(settings)
    path.write_text(path.read_text().replace('kind = "sqlite"', 'kind = "influx"'))
    found = json.loads(run("status", "--json", code=1).stdout)
    assert "[store] url" in found["store"]["detail"]


def test_without_a_city_one_line_says_so(run: Any) -> None:
    done = run("status", code=1)
    assert "farola init" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_sample_counts_until_it_is_much_older_than_the_newest() -> None:
    times = [NOW, NOW - STALE_MS, NOW - STALE_MS - 1]
    latest = Table(times, {"device": ["a", "b", "c"]}, {"state": ["up", "down", "up"]})
    assert by_state("abcd", samples(latest)) == {"up": 1, "down": 1, "unknown": 2}
    nothing = Table([], {"device": []}, {"state": []})
    assert samples(None) == samples(nothing) == {}


def test_the_dead_stand_behind_what_they_hang_on() -> None:
    known = {one: Sample(NOW, "down", None) for one in ("sw", "core", "ap-1", "ap-2", "ap-3")}
    known |= {"up-1": Sample(NOW, "up", 3.0), "old": Sample(NOW - 1, "up", 900.0)}
    names = {one: one.upper() for one in (*known, "new", "sold")}
    upstream = {"sw": ("core",), "ap-1": ("sw", "core"), "ap-2": ("up-1",), "up-1": ("core",)}
    found = standing(names, known, upstream, {"ap-3", "new", "up-1"})
    assert found.dead == (
        Dead("ap-2", "AP-2"), Dead("core", "CORE"),
        Dead("ap-1", "AP-1", behind="core"), Dead("sw", "SW", behind="core"),
    )  # fmt: skip
    assert found.maintenance == ("ap-3", "new")
    assert found.unknown == ("sold",)
    assert found.slowest == (Slow("up-1", "UP-1", 3.0),)  # of the newest poll alone


def test_maintenance_is_told_apart_from_the_dead(home: Path, run: Any) -> None:
    city(home, run)
    run("maintenance", "add", "--device", "b", "--reason", "new firmware")
    found = json.loads(run("status", "--json").stdout)
    assert (found["dead"], found["maintenance"]) == ([], ["b"])
    assert "in maintenance" in run("status").stdout
    run("maintenance", "end", "1")
    assert [one["device"] for one in json.loads(run("status", "--json").stdout)["dead"]] == ["b"]


def test_a_poll_that_is_overdue_is_stale(home: Path, run: Any) -> None:
    run("init")
    store = open_store(load_settings(home))

    def polls(*minutes_ago: float) -> tuple[bool, str]:
        """Whether status calls the newest of them stale, and its line."""
        for path in (home / "series").glob("*.db*"):
            path.unlink()
        now = int(time.time() * 1000)
        times = [now - int(minutes * 60_000) for minutes in minutes_ago]
        figures = {"devices": [3] * len(times), "answered": [3] * len(times)}
        store.write([Batch("poll", times, {"collector": ["main"] * len(times)}, figures)])
        store.close()
        found = read_status(load_settings(home)).last_poll
        assert found is not None
        return found.stale, poll_line(found, datetime.isoformat, datetime.now(UTC))

    stale, line = polls(12.5)
    assert stale
    assert "no poll for 12 min: is the collector running?" in line
    assert polls(4)[0] is False, "the interval is unknown"
    assert polls(4, 5, 6)[0] is True
    assert polls(2.5, 3.5, 4.5)[0] is False
    assert polls(12.5, 17.5, 22.5)[0] is False
    assert polls(0.9, 1)[0] is False, "a poll may last as long"
    stale, line = polls(0.5)
    assert not stale
    assert "running?" not in line
    polls(12.5)
    assert json.loads(run("status", "--json").stdout)["last_poll"]["stale"] is True
    assert "no poll for 12 min" in " ".join(run("status").stdout.split())


@pytest.mark.parametrize("damage", [b"", b"x" * 50_000], ids=["cut off", "rubbish"])
def test_a_file_of_today_that_loses_every_poll_is_told(home: Path, run: Any, damage: bytes) -> None:
    city(home, run)
    [today] = (home / "series").glob(f"raw-{datetime.fromtimestamp(NOW / 1000, UTC).date()}.db")
    whole = today.read_bytes()
    today.write_bytes(damage or whole[: len(whole) // 2])
    found = json.loads(run("status", "--json", code=1).stdout)
    assert found["store"]["ok"] is False
    assert f"{today.name}: " in found["store"]["detail"]
    assert "the file is damaged" in found["store"]["detail"]
    examined = json.loads(run("doctor", "--json", code=1).stdout)["checks"]
    [store] = (check for check in examined if check["name"] == "store")
    assert store["ok"] is False
    assert store["detail"] == found["store"]["detail"]
