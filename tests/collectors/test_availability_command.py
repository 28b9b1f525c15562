"""`farola collect availability` on a city whose troubles are known: a small one, made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from collectors import availability_rollups
from farola.cli import farola
from farola.errors import FarolaError
from farola.keys import create_key
from farola.settings import City, Settings, load_settings, write_settings
from inventory.db import open_engine, open_inventory, upgrade
from inventory.models import Device, Maintenance, Placement, Site, Uplink
from timeseries.base import Batch
from timeseries.opening import open_store

START = datetime(2026, 7, 1, tzinfo=UTC)
LETTERS = {".": (True, "up"), "x": (False, "up"), "D": (False, "down"), "?": (False, "unknown")}
STORIES = {
    #      0         10        20        30
    "ap-1": "........xxDDDDDD........xxx.....",  # polls 8 to 15: down; 24 to 26: all were silent
    "ap-2": "................................",
    "ap-3": "..x.....xxDDDDDD........xxx.....",  # behind sw, which is down from 9 to 14
    "sw":   ".........xxDDDD.........xxx.....",
    "ap-4": "?????...................xxx.....",
    "ap-5": "........................xxx.....",
    "ap-6": "....xxDD................xxx.....",  # in maintenance from 4 to 7
    "wlc":  "............xxD.........xxx.....",
    "cap":  "............   .........   .....",  # its controller tells of it
}  # fmt: skip


@pytest.fixture
def city(home):
    write_settings(Settings(home, City(name="Atlantis", timezone="Europe/Paris")))
    create_key(home)
    upgrade(open_engine(load_settings().inventory_url))
    inventory = open_inventory(load_settings())
    long_ago, moved = datetime(2020, 1, 1), (START + timedelta(minutes=16)).replace(tzinfo=None)
    with inventory.session() as session:
        for name, borough in (("plaza", "Norte"), ("park", "Sur")):
            session.add(Site(id=name, name=name, lat=1, lon=1, borough=borough))
        for name in STORIES:
            session.add(Device(id=name, name=name.upper()))
        session.flush()
        session.get(Device, "cap").controller_id = "wlc"
        session.add(Uplink(device_id="ap-3", upstream_id="sw", source="manual"))
        session.add(Placement(device_id="ap-1", site_id="plaza", valid_from=long_ago,
                              valid_to=moved))  # fmt: skip
        session.add(Placement(device_id="ap-1", site_id="park", valid_from=moved))
        session.add(Placement(device_id="ap-2", site_id="park", valid_from=long_ago))
        four, eight = (START.replace(tzinfo=None) + timedelta(minutes=m) for m in (4, 8))
        session.add(Maintenance(scope="device", place="ap-6", start=four, end=eight))
    inventory.close()
    store = open_store(load_settings())
    for poll in range(32):
        at = int((START + timedelta(minutes=poll)).timestamp() * 1000)
        rows = [(name, *LETTERS[story[poll]]) for name, story in STORIES.items()
                if story[poll] != " "]  # fmt: skip
        names, answered, states = (list(column) for column in zip(*rows, strict=True))
        store.write(
            [
                Batch("device", [at] * len(rows), {"device": names},
                      {"answered": answered, "state": states}),
                Batch("poll", [at], {"collector": ["one" if poll < 20 else "two"]},
                      {"devices": [len(rows)], "answered": [sum(answered)]}),
            ]
        )  # fmt: skip
    store.close()


def told(*words: str, start: str = "02:00", end: str = "02:32") -> dict:
    period = ["--from", f"2026-07-01T{start}", "--to", f"2026-07-01T{end}"]  # in Paris
    done = CliRunner().invoke(
        farola, ["collect", "availability", *period, *words, "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0
    return json.loads(done.stdout)


def polls(row: dict) -> dict[str, int]:
    kinds = ("up", "lost", "down", "upstream", "network", "maintenance", "unknown", "not_asked")
    return {kind: row[kind] for kind in kinds if row[kind]}


def test_each_device_is_judged_by_what_is_known(city):
    found = told()
    assert (found["from"], found["to"]) == ("2026-07-01T00:00:00Z", "2026-07-01T00:32:00Z")
    assert found["collector"] == {
        "polls": 32, "missed": 0, "down_s": 0, "interval_s": 60, "network_polls": 3
    }  # fmt: skip
    rows = {row["group"]: row for row in found["groups"]}
    assert {name: polls(row) for name, row in rows.items()} == {
        "ap-1": {"up": 21, "down": 8, "network": 3},
        "ap-2": {"up": 32},
        "ap-3": {"up": 21, "lost": 1, "down": 2, "upstream": 6, "network": 3},
        "sw": {"up": 23, "down": 6, "network": 3},
        "ap-4": {"up": 24, "unknown": 5, "network": 3},
        "ap-5": {"up": 29, "network": 3},
        "ap-6": {"up": 25, "network": 3, "maintenance": 4},
        "wlc": {"up": 26, "down": 3, "network": 3},
        "cap": {"up": 26, "upstream": 3, "network": 3},
    }
    assert rows["ap-1"]["availability"] == 21 / 29
    assert rows["ap-1"]["down_s"] == 480
    assert (rows["ap-3"]["availability"], rows["ap-3"]["reachable"]) == (21 / 23, 21 / 29)
    assert rows["ap-3"]["name"] == "AP-3"
    assert [row["group"] for row in found["groups"][:2]] == ["ap-1", "sw"]


def test_one_device_is_told_the_same_as_among_all(city, monkeypatch):
    among_all = {row["group"]: row for row in told()["groups"]}
    monkeypatch.setattr(availability_rollups, "ROWS_AT_ONCE", 20)  # two polls at a time
    assert {row["group"]: row for row in told()["groups"]} == among_all
    for name in STORIES:
        assert told("--device", name)["groups"] == [among_all[name]]


def test_what_moved_counts_where_it_was(city):
    sites = {row["group"]: polls(row) for row in told("--by", "site")["groups"]}
    assert sites["plaza"] == {"up": 8, "down": 8}
    assert sites["park"] == {"up": 13 + 32, "network": 3}
    boroughs = {row["group"]: row["devices"] for row in told("--by", "borough")["groups"]}
    assert boroughs == {"Norte": 1, "Sur": 2, "": 7}
    (whole,) = told("--by", "city")["groups"]
    assert (whole["name"], whole["devices"], whole["down"]) == ("Atlantis", 9, 19)
    (park,) = told("--by", "site", "--site", "plaza")["groups"][:1]
    assert park["group"] == "plaza"


def test_one_that_never_answered_is_unknown_though_it_is_called_down(city):
    store = open_store(load_settings())
    for poll in range(40, 80):
        at = int((START + timedelta(minutes=poll)).timestamp() * 1000)
        # ap-1 answered an hour ago, nobody ever heard of ap-9
        store.write(
            [
                Batch("device", [at] * 2, {"device": ["ap-1", "ap-9"]},
                      {"answered": [False] * 2, "state": ["down"] * 2}),
                Batch("poll", [at], {"collector": ["one"]}, {"devices": [2], "answered": [0]}),
            ]
        )  # fmt: skip
    hour_ago = int((START - timedelta(hours=1)).timestamp() * 1000)
    store.write([Batch("device", [hour_ago], {"device": ["ap-1"]},
                       {"rtt_ms": [1.5], "answered": [True]})])  # fmt: skip
    store.close()
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        session.add(Device(id="ap-9", name="ap-9"))
    inventory.close()
    rows = {row["group"]: row for row in told(start="02:40", end="03:20")["groups"]}
    assert polls(rows["ap-1"]) == {"down": 40}
    assert polls(rows["ap-9"]) == {"unknown": 40}
    assert rows["ap-9"]["availability"] is None


def test_the_table_and_a_collector_that_was_away(city):
    words = ["collect", "availability", "--from", "2026-07-01T02:00", "--to", "2026-07-01T03:02"]
    done = CliRunner().invoke(farola, words, catch_exceptions=False)
    assert "72.413 %" in done.stdout
    assert "100.000 %" in done.stdout
    assert "32 polls made, some 30 not made in 30 minutes" in done.stdout
    assert "3 with its own network at fault" in done.stdout


def test_where_nothing_was_measured_is_no_data(city):
    words = ["collect", "availability", "--days", "1"]
    assert "no data" in CliRunner().invoke(farola, words, catch_exceptions=False).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--days 2 --from 2026-07-01", "--days and --from"),
        ("--from 2026-07-02 --to 2026-07-01", "is empty"),
        ("--from 2099-01-01", "is empty"),
        ("--from 2001-01-01", "longer than 366 days"),
        ("--from soon", "--from 'soon' is no time"),
        ("--device nope", "no live device 'nope'"),
        ("--site nope", "no live device at site 'nope'"),
    ],
)
def test_what_cannot_be_meant_is_refused(city, words, said):
    with pytest.raises(FarolaError, match=said):
        farola.main(["collect", "availability", *words.split()], standalone_mode=False)
