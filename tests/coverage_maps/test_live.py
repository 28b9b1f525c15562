"""Coverage over time: an access point that was down half the month covers half."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from coverage_maps.cover import live
from coverage_maps.cover.coverage import cover_emitters
from coverage_maps.cover.emitters import from_sites
from coverage_maps.cover.ground import lay_out
from coverage_maps.cover.live import cover_live
from coverage_maps.cover.uptime import read_uptime
from farola.settings import Settings, load_settings
from inventory import models
from inventory.db import open_inventory
from timeseries import open_store
from timeseries.base import Batch

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
START = NOW.replace(hour=0, minute=0) - timedelta(days=2)
spots = st.lists(
    st.tuples(st.floats(0, 600), st.floats(0, 300), st.sampled_from([60.0, 90.0, 140.0])),
    min_size=1, max_size=6,
)  # fmt: skip


def two_squares(city):
    return lay_out([city.square(0, 0, 300, "a"), city.square(300, 0, 300, "b", population=50.0)])


def test_a_site_that_was_down_half_the_time_covers_half(city):
    ground = two_squares(city)
    emitters = from_sites(ground, city.sites([(150, 150)]), 100.0)
    found = cover_live(ground, emitters, {"s0": np.array([1.0, 0.0])})
    whole = cover_emitters(ground, emitters).shares
    assert found.shares == pytest.approx(whole / 2)
    assert found.if_up == pytest.approx(whole)
    assert found.lost == {"s0": pytest.approx(1000 * whole[0] / 2)}


def test_ground_that_two_reach_is_covered_while_either_is_up(city):
    ground = two_squares(city)
    emitters = from_sites(ground, city.sites([(100, 150), (180, 150)]), 60.0)
    turns = {"s0": np.array([1.0, 0.0]), "s1": np.array([0.0, 1.0])}
    disc = math.pi * 60**2
    found = cover_live(ground, emitters, turns)
    assert found.shares[0] * ground.areas[0] == pytest.approx(disc, rel=1e-3)
    together = {"s0": np.array([1.0, 0.0]), "s1": np.array([1.0, 0.0])}
    both = cover_emitters(ground, emitters).shares[0]
    assert cover_live(ground, emitters, together).shares[0] == pytest.approx(both / 2)


def test_within_an_hour_two_fail_independently(city):
    ground = two_squares(city)
    emitters = from_sites(ground, city.sites([(150, 150), (150, 150)]), 60.0)
    found = cover_live(ground, emitters, {"s0": np.array([0.5]), "s1": np.array([0.5])})
    once = cover_emitters(ground, emitters).shares[0]
    assert found.shares[0] == pytest.approx(0.75 * once)


@settings(max_examples=40, deadline=None)
@given(spots, st.integers(0, 2**31), st.booleans())
def test_it_is_the_mean_of_the_coverage_of_each_window(city, places, seed, on_points):
    ground = two_squares(city)
    sites = city.sites([(x, y) for x, y, _ in places])
    emitters = [
        emitter
        for site, (_, _, reach) in zip(sites, places, strict=True)
        for emitter in from_sites(ground, [site], reach)
    ]
    up = np.random.default_rng(seed).integers(0, 2, (len(sites), 5)).astype(float)
    faulty = {site.id: up[k] for k, site in enumerate(sites) if k % 3 != 2}
    expected = np.mean(
        [
            cover_emitters(ground, [e for e in emitters if faulty.get(e.site_id, ones)[w]]).shares
            for ones in [np.ones(5)]
            for w in range(5)
        ],
        axis=0,
    )
    with pytest.MonkeyPatch.context() as patch:
        if on_points:
            patch.setattr(live, "MOST_FACES", 0)
        found = cover_live(ground, emitters, faulty)
    assert found.shares == pytest.approx(expected, abs=0.02 if on_points else 1e-9)
    assert (found.shares <= found.if_up + 1e-12).all()


def stored(home, batches):
    store = open_store(Settings(home=home))
    store.write(batches)
    return store


def hours(rows, measurement="device_hour"):
    """{device: [(up, down) by hour from START]} as rollups, those of the city too."""
    first = round(START.timestamp() * 1000)
    tell = []
    sums = {}
    for device, figures in rows.items():
        for k, (up, down) in enumerate(figures):
            at = first + k * 3_600_000
            tell.append((at, device, up, down))
            sums[at] = tuple(a + b for a, b in zip(sums.get(at, (0, 0)), (up, down), strict=True))
    times, devices, up, down = map(list, zip(*tell, strict=True))
    city = {"kind": ["city"] * len(sums), "group": ["city"] * len(sums)}
    return [
        Batch(measurement, times, {"device": devices}, {"up": up, "down": down}),
        Batch("group_hour", list(sums), city,
              {"up": [u for u, _ in sums.values()], "down": [d for _, d in sums.values()]}),
    ]  # fmt: skip


def stays(*devices):
    return {d: [(START + timedelta(days=1), None, f"at {d}")] for d in devices}


def uptime_of(store, where, sites):
    return read_uptime(store, where, sites, (START, NOW), UTC_ZONE)


def test_uptime_comes_from_hours_and_from_raw_rows_after_them(tmp_path):
    rows = {"a": [(60, 0)] * 57, "b": [(60, 0)] * 28 + [(0, 60)] * 28 + [(30, 30)]}
    fresh = round((START + timedelta(hours=57)).timestamp() * 1000)
    raw = Batch("device", [fresh, fresh + 60_000], {"device": ["a", "c"]},
                {"state": ["up", "up"], "answered": [True, True]})  # fmt: skip
    store = stored(tmp_path, [*hours(rows), raw])
    found = uptime_of(store, stays("a", "b", "c"), {"at a", "at b", "at c", "nobody's"})
    assert (found.every, found.windows) == ("hour", 57)  # that of the raw rows is not over
    assert found.always == {"at a", "at c"}
    assert found.mean("at b") == pytest.approx(28.5 / 57)
    assert found.mean("nobody's") is None


def test_raw_rows_alone_will_do(tmp_path):
    first = round(START.timestamp() * 1000)
    polls = range(0, 20 * 3_600_000, 600_000)
    raw = [
        Batch("device", [first + at] * 2, {"device": ["a", "b"]},
              {"state": ["up", "down" if at < 10 * 3_600_000 else "up"]})
        for at in polls
    ]  # fmt: skip
    found = uptime_of(stored(tmp_path, raw), stays("a", "b"), {"at a", "at b"})
    assert (found.windows, found.mean("at a"), found.mean("at b")) == (20, 1.0, 0.5)


def test_an_hour_in_which_the_city_falls_silent_at_once_is_nobodys_fault(tmp_path):
    rows = {f"d{k}": [(9, 0)] * 4 + [(0, 9)] + [(9, 0)] * 4 for k in range(6)}
    rows["broken"] = [(0, 9)] * 9
    found = uptime_of(stored(tmp_path, hours(rows)), stays(*rows), {f"at {d}" for d in rows})
    assert (found.windows, found.left_out) == (8, 1)
    assert found.mean("at d0") == 1.0
    assert found.mean("at broken") == 0.0


def test_a_device_counts_where_it_was_and_the_best_of_a_site_counts(tmp_path):
    rows = {"a": [(9, 0)] * 24 + [(0, 9)] * 24, "b": [(0, 9)] * 12 + [(9, 0)] * 36}
    moved = START + timedelta(hours=24)
    where = {
        "a": [(START + timedelta(hours=1), moved, "old"), (moved, None, "new")],
        "b": [(START, None, "new")],
    }
    found = uptime_of(stored(tmp_path, hours(rows)), where, {"old", "new"})
    assert found.mean("old") == 1.0
    assert found.mean("new") == pytest.approx(36 / 48)


def test_nothing_known_is_nothing(tmp_path):
    found = uptime_of(stored(tmp_path, []), stays("a"), {"at a"})
    assert (found.windows, found.mean("at a")) == (0, None)


@pytest.fixture
def town(run, city):
    """Two neighbourhoods with a site each; the device of the poor one was down half the time."""
    run("init", "--name", "Town", "--timezone", "UTC")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with open_inventory(load_settings()).session() as session:
        for k, name in enumerate(("rich", "poor")):
            row = city.square(1000 * k, 0, 300, name, deprivation=float(k), borough=name.title())
            values = vars(row) | {"geometry": shapely.to_wkb(row.geometry)}
            session.add(models.Neighbourhood(**values))
            session.add(models.Site(**vars(city.site(1000 * k + 150, 150, f"{name}-pole"))))
            session.flush()
            session.add(models.Device(id=f"ap-{name}", name=name))
            session.flush()
            session.add(models.Placement(device_id=f"ap-{name}", site_id=f"{name}-pole"))
    store = open_store(load_settings())
    for hour in range(1, 49):
        at = round((today - timedelta(hours=hour)).timestamp() * 1000)
        state = ["up", "down" if hour % 2 else "up"]
        store.write([Batch("device", [at] * 2, {"device": ["ap-rich", "ap-poor"]},
                           {"state": state})])  # fmt: skip
    store.close()


@pytest.mark.usefixtures("town")
def test_the_command_tells_coverage_over_time(run):
    still = json.loads(run("coverage", "--by", "borough", "--radius", 100, "--json").stdout)
    told = json.loads(
        run("coverage", "--by", "borough", "--radius", 100, "--live", "--days", 3, "--json").stdout
    )
    poor, rich = told["groups"]
    assert (poor["group"], rich["group"]) == ("Poor", "Rich")
    assert poor["share"] == pytest.approx(poor["share_if_up"] / 2)
    assert rich["share"] == rich["share_if_up"] == pytest.approx(still["groups"][0]["share"], 1e-4)
    live = told["live"]
    assert (live["every"], live["windows"], live["sites_measured"]) == ("hour", 48, 2)
    assert [one["site"] for one in live["worst_sites"]] == ["poor-pole"]
    assert told["radius_m"] == 100
    table = run("coverage", "--live")
    assert "poor-pole" in table.stdout
    assert "uptime of 48 hours; 1 site ever down, 1 site never" in table.stderr


@pytest.mark.usefixtures("town")
def test_the_rollups_say_the_same_as_the_rows(run):
    before = json.loads(run("coverage", "--live", "--json").stdout)
    since = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    run("store", "rollup", "--from", since, "--to", datetime.now(UTC).date().isoformat())
    city = {"kind": "city", "group": "city"}
    kept = open_store(load_settings()).series(
        "group_hour", city, datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC), ["up"]
    )
    assert len(kept) == 48
    after = json.loads(run("coverage", "--live", "--json").stdout)
    assert after["total"] == before["total"]
    assert after["live"]["windows"] == 48


@pytest.mark.usefixtures("town")
def test_live_without_polls_and_days_without_live_are_told(run):
    with open_inventory(load_settings()).session() as session:
        session.query(models.Placement).delete()
    assert "leave --live out" in run("coverage", "--live", code=1).stderr
    assert "give --live" in run("coverage", "--days", 3, code=1).stderr
