"""`farola status` on cities whose state is known."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from farola.settings import load_settings, write_settings
from inventory.db import open_inventory
from inventory.models import Change, ChangeDevice, Device
from inventory.queries import set_fact
from operations.status import STALE_MS, by_state
from timeseries import Batch, Table, open_store

NOW = int(time.time() * 1000)


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
    hour_ago = NOW - 3_600_000
    store.write(
        [
            Batch("device", [hour_ago] * 2, {"device": ["c", "old"]}, {"state": ["up", "up"]}),
            Batch("device", [NOW] * 2, {"device": ["a", "b"]}, {"state": ["up", "down"]}),
            Batch(
                "poll", [hour_ago, NOW], {"collector": ["main", "main"]},
                {"devices": [9, 3], "answered": [9, 1], "timed_out": [0, 2]},
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
    assert found["last_poll"] == {"devices": 3, "answered": 1, "timed_out": 2}
    change = found["last_change"]
    assert (change["id"], change["status"], change["author"]) == (7, "failed", "eve")
    assert change["pushed_at"] == "2024-05-17T18:30:00Z"
    assert change["devices"] == {"failed": 1, "pushed": 2}
    assert found["store"]["ok"] is True


def test_the_table_speaks_the_citys_time(home: Path, run: Any) -> None:
    city(home, run)
    done = run("status")
    assert "4: 1 up, 1 down, 2 unknown" in done.stdout
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
    assert by_state(["a", "b", "c", "d"], latest) == {"up": 1, "down": 1, "unknown": 2}
    assert by_state(["a"], None) == by_state(["a"], Table([], {"device": []}, {"state": []}))
