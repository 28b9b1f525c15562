"""Polygons that lie where the city cannot be are refused or told; islands and states are not."""

from __future__ import annotations

import numpy as np
import pytest

from inventory import queries
from inventory.importers.whereabouts import judge, zone_city

CITY = [(-19.9 - 0.02 * (i // 5), -43.9 - 0.02 * (i % 5)) for i in range(20)]


def feature(lat, lon, **properties):
    h = 0.01
    ring = [
        [lon - h, lat - h],
        [lon + h, lat - h],
        [lon + h, lat + h],
        [lon - h, lat + h],
        [lon - h, lat - h],
    ]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


@pytest.fixture
def layer(files):
    """`layer(name, (lat, lon), …)`: bairros b1, b2 … of 1,000 people each."""

    def write(name, *places, prefix="b"):
        return files.geojson(
            name,
            *(
                feature(lat, lon, key=f"{prefix}{i}", people=1000)
                for i, (lat, lon) in enumerate(places, start=1)
            ),
        )

    return write


@pytest.fixture
def imported(cli, db):
    def call(path, *options):
        done = cli("import", "neighbourhoods", path, "--id", "key", "--population", "people",
                   "--json", *options)  # fmt: skip
        return {**done.json, "err": done.err}

    def ids():
        with db() as session:
            return {area.id for area in queries.neighbourhoods(session)}

    call.ids = ids
    return call


def far(*places, stored=(), at_home=(), zone="UTC"):
    homes = np.array([i in at_home for i in range(len(places))], dtype=bool)
    held = np.array(stored, dtype=float).reshape(-1, 2)
    return judge(np.array(places, dtype=float), held, homes, zone)


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        ((-43.9, -19.9), "swapped: exchange them"),
        ((19.9, -43.9), "the latitude looks to have the wrong sign"),
        ((-19.9, 43.9), "the longitude looks to have the wrong sign"),
        ((19.9, 43.9), "latitude and longitude look to have the wrong sign"),
        ((0.0, 0.0), "a file of its own"),
    ],
)
def test_one_polygon_far_from_the_others_is_refused_with_advice(
    cli, imported, layer, place, advice
) -> None:
    cli("init")
    result = imported(layer("bh.geojson", *CITY, place))
    assert (result["read"], result["imported"], result["population"]) == (21, 20, 20_000)
    (reject,) = result["rejected"]
    assert (reject["row"], reject["field"]) == (21, "geometry")
    assert "km from the other polygons" in reject["why"]
    assert advice in reject["why"]
    assert "b21" in reject["why"]
    assert "b21" not in imported.ids()


def test_many_swapped_ones_are_each_refused(cli, imported, layer) -> None:
    cli("init")
    swapped = [(lon, lat) for lat, lon in CITY[:9]]
    result = imported(layer("bh.geojson", *CITY[9:], *swapped))
    assert [r["row"] for r in result["rejected"]] == list(range(12, 21))


def test_a_wrong_sign_near_the_equator_is_found() -> None:
    nairobi = [(-1.29 - 0.01 * i, 36.82) for i in range(10)]
    found = far(*nairobi, (1.30, 36.82))
    assert list(found.far) == [10]
    assert "latitude looks to have the wrong sign" in found.far[10]


def test_states_and_islands_are_left_whole() -> None:
    amazonas = [(-1 - 2 * (i // 6), -70 + 2.5 * (i % 6)) for i in range(24)]
    assert far(*amazonas) == far()
    chile = [(-18 - 1.5 * i, -71.0) for i in range(25)]
    assert far(*chile) == far()
    polynesia = [(-17.5 + 0.1 * i, -149.5) for i in range(5)] + [
        (-15.0, -147.5), (-16.0, -143.0), (-18.0, -139.0), (-23.0, -135.0), (-20.5, -137.0),
    ]  # fmt: skip
    assert far(*polynesia) == far()
    fiji = [(-17.0, 178.0 + 0.3 * i) for i in range(6)] + [(-17.0, -179.9), (-16.8, -179.5)]
    assert far(*fiji) == far()
    azores_and_madeira = [(37.7 + 0.05 * i, -25.5) for i in range(12)] + [
        (32.7 + 0.05 * i, -17.0) for i in range(5)
    ]
    found = far(*azores_and_madeira)
    assert not found.far, "a group of islands is told, not refused"
    ((place, why),) = found.whole
    assert place == "32.80, -17.00"
    assert "5 polygons lie" in why


def test_a_far_island_can_come_in_a_file_of_its_own(cli, imported, layer) -> None:
    cli("init")
    trindade = (-20.5, -29.3)
    both = layer("both.geojson", *CITY, trindade)
    assert [r["row"] for r in imported(both)["rejected"]] == [21]
    alone = imported(layer("alone.geojson", trindade, prefix="b2"))  # its id is b21
    assert alone["imported"] == 1
    assert any("that the inventory held before" in w["why"] for w in alone["warnings"])
    again = imported(both)
    assert (again["rejected"], again["unchanged"]) == ([], 21)


def test_a_file_far_from_what_is_stored_is_told_with_the_remedy(cli, imported, layer) -> None:
    cli("init")
    imported(layer("swapped.geojson", *((lon, lat) for lat, lon in CITY), prefix="old"))
    result = imported(layer("right.geojson", *CITY))
    (warning,) = result["warnings"]
    assert (warning["row"], warning["field"]) == (0, "geometry")
    for part in ("-19.93, -43.94", "-43.94, -19.93", "3,465 km", "swapped", "--replace"):
        assert part in warning["why"]
    assert imported(layer("right.geojson", *CITY), "--replace")["removed"]
    assert imported(layer("right.geojson", *CITY))["warnings"] == []


def test_two_places_without_a_majority_are_told() -> None:
    found = far((-19.9, -43.9), (-43.9, -19.9))
    assert not found.far
    assert "none of which has most" in found.whole[0][1]
    found = far((-19.9, -43.9), (-43.9, -19.9), stored=[(-19.9, -43.9)])
    assert list(found.far) == [1], "the inventory knows which is the city"


def test_a_whole_file_that_its_time_zone_does_not_fit_is_told(cli, imported, layer) -> None:
    cli("init", "--timezone", "America/Sao_Paulo")
    swapped = layer("s.geojson", *((lon, lat) for lat, lon in CITY))
    (warning,) = imported(swapped)["warnings"]
    assert "-43.94, -19.93" in warning["why"]
    assert "America/Sao_Paulo" in warning["why"]
    assert "swapped" in warning["why"]
    assert "the time zone" not in str(imported(layer("right.geojson", *CITY)))


def test_the_sun_tells_what_no_table_does() -> None:
    assert "UTC-3" in far((39.9, 116.4), zone="Etc/GMT+3").whole[0][1]
    assert not far((39.9, 116.4), zone="UTC").whole
    assert not far((39.47, 75.99), zone="Asia/Shanghai").whole, "Kashgar keeps Beijing's time"
    assert not far((13.75, 100.5), zone="Asia/Bangkok").whole
    assert not far((-17.7, 178.0), zone="Pacific/Fiji").whole
    assert not far((51.88, -176.65), zone="America/Adak").whole


def test_the_table_of_zones_is_read() -> None:
    lat, lon = zone_city("America/Sao_Paulo") or (0.0, 0.0)
    assert (lat, lon) == (pytest.approx(-23.53, abs=0.01), pytest.approx(-46.62, abs=0.01))
    lat, lon = zone_city("America/North_Dakota/New_Salem") or (0.0, 0.0)
    assert (lat, lon) == (pytest.approx(46.84, abs=0.02), pytest.approx(-101.41, abs=0.02))
    assert zone_city("No/Such") is None


def test_overlapping_neighbourhoods_are_told_once(cli, imported, layer) -> None:
    cli("init")
    path = layer("o.geojson", (0.0, 0.0), (0.0, 0.01), (0.0, 0.5))
    (warning,) = imported(path)["warnings"]
    assert warning["value"] == "2 of 3 neighbourhoods"
    assert "20% of the city's area" in warning["why"]
    other = layer("n.geojson", (0.0, 0.5), prefix="n")
    assert "4 neighbourhoods" in imported(other)["warnings"][0]["value"], "those kept count too"
    slivers = layer("s.geojson", (1.0, 0.0), (1.0, 0.01999), (1.0, 0.03999), prefix="s")
    assert imported(slivers, "--replace")["warnings"] == []
