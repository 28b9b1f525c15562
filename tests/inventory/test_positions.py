"""Positions: wrong hemisphere, swapped, far off, outside, unchecked; contradicting boroughs."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import queries


def imported(cli, files, *rows: str, header="id,lat,lon", options=("--id", "id"), what="sites"):
    path = files.text("p.csv", "\n".join([header, *rows, ""]))
    return cli("import", what, path, "--json", *options).json


@pytest.mark.parametrize(
    ("lat", "lon", "field", "parts"),
    [
        ("34.6", "-58.4", "lat", ["latitude", "wrong sign", "hemisphere"]),
        ("-34.6", "58.4", "lon", ["longitude", "wrong sign", "hemisphere"]),
        ("34.6", "58.4", "lat", ["wrong sign", "both"]),
        ("-58.4", "-34.6", "lat", ["swapped", "--lat"]),
        ("58.4", "-34.6", "lat", ["swapped", "sign"]),
        ("-346.0", "-58.4", "lat", ["not between -90 and 90", "decimal point"]),
        ("-3460000", "-5840000", "lat", ["not between -90 and 90", "decimal point"]),
        ("6170000", "370000", "lat", ["not between", "metres", "--crs"]),
        ("-34.6", "-358.4", "lon", ["not between -180 and 180"]),
        ("0", "0", "lat", ["0, 0"]),
        ("40", "116", "lat", ["km from every neighbourhood"]),
        ("NaN", "-58.4", "lat", ["finite"]),
        ("", "-58.4", "lat", ["missing"]),
        ("-34.6", "", "lon", ["missing"]),
        ("-34.6", "inf", "lon", ["finite"]),
        ("-34.6;-58.4", "", "lat", ["not a number"]),
    ],
)
def test_a_bad_position_is_rejected_with_what_it_looks_like(
    city, files, lat, lon, field, parts
) -> None:
    result = imported(city, files, "good,-34.6,-58.4", f"bad,{lat},{lon}")
    assert (result["read"], result["imported"]) == (2, 1)
    (reject,) = result["rejected"]
    assert (reject["row"], reject["field"]) == (3, field)
    for part in parts:
        assert part in reject["why"]


def test_a_whole_file_with_its_columns_exchanged_says_so(city, files) -> None:
    rows = [f"s{i},-58.4,-34.6{i}" for i in range(5)]
    result = imported(city, files, *rows)
    assert result["imported"] == 0
    assert all("--lat and --lon the other way round" in r["why"] for r in result["rejected"])
    result = imported(city, files, *rows, options=("--id", "id", "--lat", "lon", "--lon", "lat"))
    assert result["imported"] == 5


def test_outside_is_a_warning_up_to_50_km_and_a_rejection_beyond(city, files) -> None:
    km = 1 / 111.2
    near, far = -34.605 - 40 * km, -34.605 - 60 * km
    result = imported(city, files, "in,-34.6,-58.4", f"near,{near},-58.4", f"far,{far},-58.4")
    assert result["imported"] == 2
    (warning,) = result["warnings"]
    assert warning["row"] == 3
    assert "40." in warning["why"] or "39." in warning["why"]
    assert result["rejected"][0]["row"] == 4


def test_without_neighbourhoods_positions_are_imported_and_that_is_said(cli, files) -> None:
    cli("init")
    path = files.text("p.csv", "lat,lon\n19.4,-99.1\n95,10\n99.1,19.4\n0,0\n")
    done = cli("import", "sites", path, "--json")
    assert done.json["imported"] == 1
    assert done.json["positions_checked"] is False
    assert "not checked" in done.err
    assert "swapped" in done.json["rejected"][1]["why"]


def test_boroughs_take_the_neighbourhoods_spelling_and_contradictions_are_told(
    city, files, db
) -> None:
    result = imported(
        city, files, "a,-34.6,-58.4,NANDU ALTO", "b,-34.6,-58.39,Boca", "c,-34.6,-58.4,la boca",
        "d,-34.6,-58.4,Ñandú Alto", "e,-34.6,-58.4,Elsewhere",
        header="id,lat,lon,b", options=("--id", "id", "--borough", "b"),
    )  # fmt: skip
    assert [(r["row"], r["was"], r["became"]) for r in result["repaired"]] == [
        (2, "NANDU ALTO", "Ñandú Alto"), (3, "Boca", "La Boca"), (4, "la boca", "La Boca"),
    ]  # fmt: skip
    assert [(w["row"], w["value"]) for w in result["warnings"]] == [
        (4, "La Boca"),
        (6, "Elsewhere"),
    ]
    assert "lies in Ñandú Alto" in result["warnings"][0]["why"]
    with db() as session:
        assert [s.borough for s in queries.sites(session)][:3] == [
            "Ñandú Alto",
            "La Boca",
            "La Boca",
        ]


def test_duplicated_ids_name_the_first_row(city, files) -> None:
    result = imported(city, files, "a,x,-58.4", "a,-34.6,-58.4", " a,-34.6,-58.39", "b,-34.6,-58.4")
    assert result["imported"] == 2
    assert [r["row"] for r in result["rejected"]] == [2, 4]
    assert "row 3" in result["rejected"][1]["why"]


def test_candidates_may_share_a_place_but_not_be_the_same_row(city, files, db) -> None:
    options = ("--name", "id", "--cost", "cost")
    rows = ("a,-34.6,-58.4,10", "b,-34.6,-58.4,10", "a,-34.6,-58.4,10", "c,-34.6,-58.4,-1")
    for _ in range(2):
        result = imported(
            city, files, *rows, header="id,lat,lon,cost", options=options, what="candidates"
        )
        assert result["imported"] == 2
        assert [r["row"] for r in result["rejected"]] == [4, 5]
        assert "row 2" in result["rejected"][0]["why"]
        with db() as session:
            sites = queries.sites(session, ["candidate"])
        assert sorted((s.name, s.cost) for s in sites) == [("a", 10.0), ("b", 10.0)]
    assert (result["created"], result["unchanged"]) == (0, 2)


def test_a_candidate_that_was_built_stays_built(city, files, db) -> None:
    row = ("a,-34.6,-58.4",)
    imported(city, files, *row, what="candidates")
    imported(city, files, *row, what="sites")
    result = imported(city, files, *row, what="candidates")
    assert "live by now" in result["warnings"][0]["why"]
    with db() as session:
        assert [s.status for s in queries.sites(session)] == ["live"]


def test_positions_in_metres_are_read_with_their_crs(city, files, db) -> None:
    # UTM 21S of 34.60° S, 58.40° W by pyproj
    result = imported(
        city, files, "a,6169882.0,371606.0", options=("--id", "id", "--crs", "EPSG:32721")
    )
    assert result["imported"] == 1, result
    assert result["crs"].startswith("EPSG:32721")
    with db() as session:
        (site,) = queries.sites(session)
    assert site.lat == pytest.approx(-34.60, abs=0.02)
    assert site.lon == pytest.approx(-58.40, abs=0.02)


def test_point_layers_are_read_by_their_own_geometry(city, files, db) -> None:
    """A GeoPackage in metres and a GeoJSON with heights; features count from 1."""
    points = [shapely.Point(371606, 6169882), shapely.Point(371706, 6169882)]
    path = files.layer("p.gpkg", points, {"key": ["a", "b"]}, crs="EPSG:32721")
    result = city("import", "access-points", path, "--id", "key", "--json").json
    assert (result["imported"], result["sites"]) == (2, 2)
    assert city("import", "access-points", path, "--id", "key", "--json").json["unchanged"] == 2
    features = [
        {"type": "Feature", "properties": {"n": i}, "geometry": geometry}
        for i, geometry in enumerate([
            {"type": "Point", "coordinates": [-58.4, -34.6, 12.5]},
            {"type": "Point", "coordinates": [-34.6, -58.4]},
            {"type": "LineString", "coordinates": [[-58.4, -34.6], [-58.4, -34.7]]},
            {"type": "MultiPoint", "coordinates": [[-58.4, -34.601]]},
            None,
        ])
    ]  # fmt: skip
    result = city("import", "candidates", files.geojson("p.geojson", *features), "--json").json
    assert result["imported"] == 2
    assert [(r["row"], r["field"]) for r in result["rejected"]] == [
        (2, "geometry"), (3, "geometry"), (5, "geometry"),
    ]  # fmt: skip
    assert "swapped" in result["rejected"][0]["why"]


def test_a_city_across_the_antimeridian(cli, files) -> None:
    cli("init", "--timezone", "Pacific/Fiji")
    path = files.squares("fiji.geojson", (179.995, -16.8), (-179.995, -16.8))
    cli("import", "neighbourhoods", path, "--id", "key")
    result = imported(
        cli, files, "a,-16.8,179.996", "b,-16.8,-179.996", "c,-16.8,-179.98", "d,16.8,179.99"
    )
    assert result["imported"] == 3
    assert [w["row"] for w in result["warnings"]] == [4]
    assert "1.1 km" in result["warnings"][0]["why"]
    assert "wrong sign" in result["rejected"][0]["why"]


@settings(deadline=None)  # two imports into a database each
@given(
    table=st.lists(
        st.tuples(
            st.text(alphabet="ab ñ,;\"'", max_size=4),
            st.floats(-34.7, -34.5) | st.just(float("nan")),
            st.floats(-58.5, -58.3),
        ),
        min_size=1, max_size=8,
    ),
    with_id=st.booleans(),
)  # fmt: skip
def test_a_second_run_changes_nothing(tmp_path_factory, table, with_id) -> None:
    """For any table: what one run stores, a second one finds unchanged."""
    import csv

    from sqlalchemy.orm import Session

    from inventory.db import open_engine
    from inventory.importers.boroughs import Boroughs
    from inventory.importers.points import City, read_points
    from inventory.importers.source import open_source
    from inventory.importers.write import store_sites
    from inventory.models import Base

    folder = tmp_path_factory.mktemp("again")
    path = folder / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("key", "lat", "lon"), *table])
    engine = open_engine("sqlite://")
    Base.metadata.create_all(engine)
    chosen = {"id": "key" if with_id else "", "name": "key", "lat": "lat", "lon": "lon"}
    seen = []
    for _ in range(2):
        source = open_source(path)
        report = source.begin("sites")
        points = read_points(source, chosen, City(None, Boroughs(())), report)
        with Session(engine) as session, session.begin():
            stored = store_sites(session, points, chosen, report, status="live")
            rows = queries.sites(session)
        assert len(points) + len(report.rejected) == report.read
        seen.append((points, report.as_dict(), rows))
    assert seen[0] == seen[1]
    assert (stored.created, stored.updated, stored.unchanged) == (0, 0, len(points))
    engine.dispose()
