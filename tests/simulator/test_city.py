"""The pretend city: the same for a seed, of the shape and skew it is meant to have."""

from __future__ import annotations

import csv
import json
import math
import statistics
from datetime import date, datetime
from pathlib import Path

import pytest
from shapely.geometry import shape
from shapely.ops import unary_union

from simulator import figures
from simulator.city import GRADES, make_city, whole_months
from simulator.city_files import write_city
from simulator.demand import clients, diurnal


def test_a_seed_always_gives_the_same_files(tmp_path: Path) -> None:
    first = write_city(make_city(11, 40), tmp_path / "a")
    second = write_city(make_city(11, 40), tmp_path / "b")
    other = write_city(make_city(12, 40), tmp_path / "c")
    for name in ("neighbourhoods", "access_points", "candidates", "usage"):
        text = getattr(first, name).read_bytes()
        assert text == getattr(second, name).read_bytes()
        assert text != getattr(other, name).read_bytes()


@pytest.mark.parametrize("seed", range(8))
def test_neighbourhoods_tile_the_city_and_are_poorest_at_the_rim(seed: int, tmp_path: Path) -> None:
    files = write_city(make_city(seed, 60), tmp_path)
    collection = json.loads(files.neighbourhoods.read_text(encoding="utf-8"))
    assert collection["simulated"] is True
    features = collection["features"]
    assert 40 <= len(features) <= 60
    polygons = [shape(feature["geometry"]) for feature in features]
    assert all(polygon.is_valid for polygon in polygons)
    whole = unary_union(polygons)
    assert sum(p.area for p in polygons) == pytest.approx(whole.area, rel=1e-4)  # no overlap
    properties = [feature["properties"] for feature in features]
    assert {p["grade"] for p in properties} == set(GRADES)
    assert 4 <= len({p["borough"] for p in properties}) <= 5
    assert all(p["population"] > 0 and p["simulated"] for p in properties)
    far = [polygon.centroid.distance(whole.centroid) for polygon in polygons]
    assert statistics.correlation(far, [p["deprivation"] for p in properties]) > 0.7


def test_the_centre_is_covered_and_the_poor_rim_is_not() -> None:
    city = make_city(3, 200)
    grade = {n.id: n.grade for n in city.neighbourhoods}
    best = sum(grade[point.neighbourhood] == GRADES[0] for point in city.access_points)
    worst = sum(grade[point.neighbourhood] == GRADES[-1] for point in city.access_points)
    assert best > 8 * worst


def test_use_is_spread_between_sites_as_in_newcastle() -> None:
    city = make_city(4, 4000)
    libraries = [p.users_month for p in city.access_points if p.kind == "library"]
    logs = [math.log(users) for users in libraries]
    assert statistics.stdev(logs) == pytest.approx(figures.USERS_LOG_SIGMA, abs=0.05)
    assert math.exp(statistics.mean(logs)) == pytest.approx(figures.USERS_GEOMETRIC_MEAN, rel=0.08)


def test_use_follows_the_seasons_and_the_mix_of_paris() -> None:
    city = make_city(4, 3000)
    sessions: dict[tuple[str, str], int] = {}
    for row in city.usage:
        key = (row.kind, row.month[-2:])
        sessions[key] = sessions.get(key, 0) + row.sessions
    # Parks live in August, libraries do not.
    assert sessions["park", "08"] > 2 * sessions["park", "01"]
    assert sessions["library", "07"] < 0.65 * sessions["library", "12"]
    total = sum(sessions.values())
    for kind in figures.KINDS:
        share = sum(count for (name, _), count in sessions.items() if name == kind.name) / total
        assert share == pytest.approx(kind.session_share, abs=0.07), kind.name


@pytest.mark.realdata
def test_the_figures_are_those_of_the_published_tables(testdata: Path) -> None:
    path = testdata / "data" / "newcastle" / "library_wifi_users_monthly.csv"
    with path.open(encoding="utf-8", newline="") as source:
        rows = [row for row in list(csv.reader(source))[1:] if row[2]]
    means = [statistics.mean(map(float, row[2:4])) for row in rows]  # April is a part month
    logs = [math.log(mean) for mean in means]
    assert statistics.stdev(logs) == pytest.approx(figures.USERS_LOG_SIGMA, abs=0.001)
    assert math.exp(statistics.mean(logs)) == pytest.approx(figures.USERS_GEOMETRIC_MEAN, rel=0.001)


def test_factors_have_a_mean_of_one() -> None:
    for kind in figures.KINDS:
        assert statistics.mean(kind.months) == pytest.approx(1, abs=0.002), kind.name
    assert statistics.mean(figures.WEEKDAYS) == pytest.approx(1, abs=0.001)
    assert sum(kind.site_share for kind in figures.KINDS) == pytest.approx(1, abs=0.005)
    assert sum(kind.session_share for kind in figures.KINDS) == pytest.approx(1, abs=0.005)


def test_access_points_have_addresses_of_their_own_on_loopback(tmp_path: Path) -> None:
    files = write_city(make_city(6, 600, network="127.99"), tmp_path)
    with files.access_points.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    assert len({row["management_address"] for row in rows}) == len(rows) == 600
    assert all(row["management_address"].startswith("127.99.") for row in rows)
    assert len({row["mac"] for row in rows}) == 600
    assert len({bssid for row in rows for bssid in row["bssid"].split(";")}) == 1200
    assert all(row["simulated"] == "true" and "pretend" in row["programme"] for row in rows)


@pytest.mark.parametrize(
    ("last_day", "first", "last"),
    [
        (date(2026, 6, 30), date(2025, 7, 1), date(2026, 6, 1)),
        (date(2026, 6, 29), date(2025, 6, 1), date(2026, 5, 1)),
        (date(2025, 12, 31), date(2025, 1, 1), date(2025, 12, 1)),
    ],
)
def test_usage_covers_whole_months_only(last_day: date, first: date, last: date) -> None:
    months = whole_months(last_day, 12)
    assert (months[0], months[-1], len(months)) == (first, last, 12)


def test_demand_peaks_in_the_evening_and_averages_one() -> None:
    week = [datetime(2026, 3, 2 + day, hour) for day in range(7) for hour in range(24)]
    values = [diurnal(when) for when in week]
    assert statistics.mean(values) == pytest.approx(1, abs=0.01)
    assert max(week, key=diurnal).hour == 18
    assert min(week, key=diurnal).hour in {3, 4}
    many = [clients(20.0, when, "a") for when in week]
    assert statistics.mean(many) == pytest.approx(20, rel=0.1)
    assert many == [clients(20.0, when, "a") for when in week]
    assert many != [clients(20.0, when, "b") for when in week]


def test_a_city_needs_access_points() -> None:
    with pytest.raises(ValueError, match="1 to 60,000"):
        make_city(1, 0)
