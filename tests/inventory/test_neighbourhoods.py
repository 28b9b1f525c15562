"""Polygons of every make: mended, joined, transformed, or refused by name."""

from __future__ import annotations

import json

import pytest
import shapely

from inventory import queries


def ring(lon, lat, size=0.01):
    h = size / 2
    corners = [(-h, -h), (h, -h), (h, h), (-h, h), (-h, -h)]
    return [[lon + x, lat + y] for x, y in corners]


def feature(geometry, **properties):
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def polygon(lon, lat, **properties):
    return feature({"type": "Polygon", "coordinates": [ring(lon, lat)]}, **properties)


@pytest.fixture
def areas(cli, db):
    """Imports neighbourhoods into a fresh home; returns the report, or the error for code=1."""
    cli("init")

    def call(path, *options, code=0):
        done = cli("import", "neighbourhoods", path, "--json", *options, code=code)
        return done.err if code else {**done.json, "err": done.err}

    def stored():
        with db() as session:
            return {area.id: area for area in queries.neighbourhoods(session)}

    call.stored = stored
    return call


def test_a_ring_that_crosses_itself_is_repaired_and_told(areas, files) -> None:
    bow = [[0.0, 0.0], [0.02, 0.02], [0.02, 0.0], [0.0, 0.02], [0.0, 0.0]]
    path = files.geojson(
        "b.geojson", polygon(0.1, 0.1, key="a"),
        feature({"type": "Polygon", "coordinates": [bow]}, key="bow"),
    )  # fmt: skip
    result = areas(path, "--id", "key")
    assert result["imported"] == 2
    (repair,) = result["repaired"]
    assert (repair["row"], repair["field"]) == (2, "geometry")
    assert "Self-intersection" in repair["was"]
    shape = areas.stored()["bow"].geometry
    assert shape.is_valid
    assert shape.area == pytest.approx(0.02 * 0.02 / 2)


def test_geometries_that_are_no_areas_are_rejected_one_by_one(areas, files) -> None:
    path = files.geojson(
        "g.geojson",
        polygon(0, 0, key="good"),
        feature(None, key="none"),
        feature({"type": "Point", "coordinates": [0, 0]}, key="point"),
        feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, key="line"),
        feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0], [0, 0]]]}, key="flat"),
        feature({"type": "Polygon", "coordinates": []}, key="empty"),
        feature(
            {"type": "GeometryCollection", "geometries": [
                {"type": "Polygon", "coordinates": [ring(1, 1)]},
                {"type": "Point", "coordinates": [1, 1]}]},
            key="mixed",
        ),
        feature({"type": "MultiPolygon", "coordinates": [[ring(2, 2)], [ring(3, 3)]]}, key="multi"),
    )  # fmt: skip
    result = areas(path, "--id", "key")
    assert sorted(areas.stored()) == ["good", "mixed", "multi"]
    assert [r["row"] for r in result["rejected"]] == [2, 3, 4, 5, 6]
    assert all(r["field"] == "geometry" for r in result["rejected"])


def test_heights_and_a_crs_member_are_read(areas, files) -> None:
    # EPSG:32721, and a third coordinate
    corners = [(371606, 6169882), (372606, 6169882), (372606, 6170882), (371606, 6169882)]
    path = files.geojson(
        "z.geojson",
        feature({"type": "Polygon", "coordinates": [[[x, y, 25.5] for x, y in corners]]}, key="a"),
        crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32721"}},
    )
    result = areas(path, "--id", "key")
    assert result["crs"].startswith("EPSG:32721")
    shape = areas.stored()["a"].geometry
    assert not shape.has_z
    assert shape.centroid.y == pytest.approx(-34.60, abs=0.02)
    assert shape.centroid.x == pytest.approx(-58.40, abs=0.02)


def test_coordinates_and_their_system_must_agree(areas, files) -> None:
    metres = files.geojson(
        "m.geojson",
        feature({"type": "Polygon", "coordinates": [ring(2800000, 820000, 1000)]}, key="a"),
    )
    message = areas(metres, "--id", "key", code=1)
    assert "no degrees" in message
    assert "--crs" in message
    result = areas(metres, "--id", "key", "--crs", "EPSG:6372")
    assert "--crs says" in result["err"]
    assert areas.stored()["a"].geometry.centroid.y == pytest.approx(19.4, abs=0.3)
    degrees = files.geojson("d.geojson", polygon(-99.1, 19.4, key="a"))
    assert "look like degrees" in areas(degrees, "--id", "key", "--crs", "EPSG:6372", code=1)
    assert "no such coordinate system" in areas(degrees, "--crs", "EPSG:999999", code=1)
    # metres that some other country's system would put into the sea
    assert "far outside" in areas(metres, "--id", "key", "--crs", "EPSG:27700", code=1)
    swapped = files.geojson("s.geojson", polygon(19.4, -99.1, key="a"))
    assert "swapped" in areas(swapped, "--id", "key", code=1)


def test_a_shapefile_needs_its_parts_and_does_without_a_code(areas, files) -> None:
    box = shapely.box(2800000, 820000, 2801000, 821000)
    path = files.layer("s.shp", [box], {"key": ["0101"]}, crs="EPSG:6372")
    prj = path.with_suffix(".prj")
    assert "6372" not in prj.read_text()
    areas(path, "--id", "key")
    assert areas.stored()["0101"].geometry.centroid.y == pytest.approx(19.4, abs=0.3)
    prj.unlink()
    assert "--crs" in areas(path, "--id", "key", code=1)
    assert areas(path, "--id", "key", "--crs", "EPSG:6372")["unchanged"] == 1
    prj.write_text("nonsense")
    assert areas(path, "--id", "key", "--crs", "EPSG:6372")["unchanged"] == 1
    areas(path, "--id", "key", code=1)
    for ending in (".shx", ".dbf"):
        part = path.with_suffix(ending)
        kept = part.rename(part.with_suffix(".kept"))
        assert f"s{ending} is missing" in areas(path, "--id", "key", "--crs", "EPSG:6372", code=1)
        kept.rename(part)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    cut = areas(path, "--id", "key", "--crs", "EPSG:6372")
    assert [r["field"] for r in cut["rejected"]] == ["geometry"]
    path.write_bytes(whole[:60])
    assert "cannot be read" in areas(path, "--id", "key", "--crs", "EPSG:6372", code=1)


def test_a_shapefile_without_prj_in_degrees_is_assumed_wgs84_and_told(areas, files) -> None:
    path = files.layer("d.shp", [shapely.box(-99.1, 19.4, -99.0, 19.5)], {"key": ["a"]}, crs=None)
    assert "assumed" in areas(path, "--id", "key")["err"]


def test_a_shapefiles_encoding_can_be_named(areas, files) -> None:
    box = shapely.box(0, 0, 1, 1)
    path = files.layer("e.shp", [box], {"key": ["ñandú"]}, crs="EPSG:4326", encoding="UTF-8")
    path.with_suffix(".cpg").unlink(missing_ok=True)
    areas(path, "--id", "key", "--encoding", "UTF-8")
    assert list(areas.stored()) == ["ñandú"]


def test_layers_of_a_geopackage_are_chosen(areas, files) -> None:
    boxes = [shapely.box(0, 0, 1, 1)]
    path = files.layer("l.gpkg", boxes, {"key": ["a"]}, layer="wards", crs="EPSG:4326")
    areas(path, "--id", "key")
    files.layer("l.gpkg", boxes, {"key": ["b"]}, layer="districts", crs="EPSG:4326", append=False)
    message = areas(path, "--id", "key", code=1)
    assert "'wards'" in message
    assert "'districts'" in message
    areas(path, "--id", "key", "--layer", "districts")
    assert "did you mean 'wards'" in areas(path, "--layer", "ward", code=1)


def test_an_empty_layer_and_a_table_are_faults_of_the_file(areas, files) -> None:
    assert "empty" in areas(files.geojson("e.geojson"), code=1)
    assert "--join" in areas(files.text("t.csv", "a,b\n1,2\n"), code=1)


def test_figures_unknown_negative_or_no_numbers(areas, files) -> None:
    people = [100, None, -1, "many", "1.234,5", "", "NaN", 0]
    path = files.geojson(
        "f.geojson",
        *(
            polygon(i, 0, key=f"n{i}", p=None if p is None else str(p))
            for i, p in enumerate(people)
        ),
    )
    result = areas(path, "--id", "key", "--population", "p")
    assert [r["row"] for r in result["rejected"]] == [3, 4, 7]
    assert [w["row"] for w in result["warnings"]] == [2, 6]
    stored = areas.stored()
    assert {key: a.population for key, a in stored.items()} == {
        "n0": 100, "n1": None, "n4": 1234.5, "n5": None, "n7": 0,
    }  # fmt: skip


def test_deprivation_has_a_direction(areas, files) -> None:
    path = files.geojson("d.geojson", polygon(0, 0, key="a", d=2.5, g="Alto"))
    assert "--deprivation-order" in areas(path, "--id", "key", "--deprivation", "d")["err"]
    assert areas.stored()["a"].badness == 2.5
    areas(path, "--id", "key", "--deprivation", "d", "--deprivation-order", "low-is-worse",
          "--grade", "g")  # fmt: skip
    assert areas.stored()["a"].badness == -2.5
    assert areas.stored()["a"].grade == "Alto"
    assert "needs --deprivation" in areas(path, "--deprivation-order", "low-is-worse", code=1)


def test_a_joined_table_names_both_sides_without_a_partner(areas, files) -> None:
    path = files.geojson("p.geojson", *(polygon(i, 0, key=f"0{i}") for i in range(1, 5)))
    table = files.text("t.csv", "code;people\n01;10\n02;20\n 03 ;30\n99;5\n02;7\n;8\n", "latin-1")
    result = areas(
        path, "--id", "key", "--join", table, "--join-key", "code", "--population", "people"
    )
    assert {k: a.population for k, a in areas.stored().items()} == {
        "01": 10, "02": 20, "03": 30, "04": None,
    }  # fmt: skip
    assert (result["read"], result["imported"]) == (4, 4)
    assert [w["row"] for w in result["warnings"]] == [4]
    whys = {r["row"]: r["why"] for r in result["rejected"]}
    assert "row 5 of t.csv" in whys[5]
    assert "no polygon" in whys[5]
    assert "row 3 already" in whys[6]
    assert "missing" in whys[7]
    assert result["join"]["joined"] == 3


def test_lost_leading_zeros_of_a_join_key_are_put_back_and_told(areas, files) -> None:
    path = files.geojson("p.geojson", polygon(0, 0, key="0101"), polygon(1, 0, key="0102"))
    table = files.xlsx("t.xlsx", ["code", "people"], [101, 10], [102.0, 20])
    result = areas(
        path, "--id", "key", "--join", table, "--join-key", "code", "--population", "people"
    )
    assert [r["became"] for r in result["repaired"]] == ["0101", "0102"]
    assert areas.stored()["0102"].population == 20


def test_a_join_that_matches_nothing_is_a_fault_of_the_file(areas, files) -> None:
    path = files.geojson("p.geojson", polygon(0, 0, key="A1"))
    table = files.text("t.csv", "code,people\nB1,10\n")
    message = areas(path, "--id", "key", "--join", table, "--join-key", "code", code=1)
    assert "'B1'" in message
    assert "'A1'" in message
    assert "needs --id" in areas(path, "--join", table, "--join-key", "code", code=1)
    assert "did you mean 'code'" in areas(
        path, "--id", "key", "--join", table, "--join-key", "cod", code=1
    )


def test_a_second_import_updates_keeps_and_with_replace_removes(areas, files) -> None:
    first = files.geojson("1.geojson", polygon(0, 0, key="a", p=1), polygon(1, 0, key="b", p=2))
    second = files.geojson("2.geojson", polygon(0, 0, key="a", p=5), polygon(2, 0, key="c", p=3))
    options = ("--id", "key", "--population", "p")
    areas(first, *options)
    assert areas(first, *options)["unchanged"] == 2
    result = areas(second, *options)
    assert (result["created"], result["updated"], result["kept"]) == (1, 1, ["b"])
    assert "--replace" in result["err"]
    assert areas.stored()["a"].population == 5
    areas(second, "--id", "key")
    assert areas.stored()["a"].population == 5, "a column that is not named is left alone"
    assert areas(second, *options, "--replace")["removed"] == ["b"]
    assert sorted(areas.stored()) == ["a", "c"]


def test_replace_removes_nothing_while_polygons_are_rejected(areas, files) -> None:
    areas(files.geojson("1.geojson", polygon(0, 0, key="a"), polygon(1, 0, key="b")), "--id", "key")
    broken = files.geojson("2.geojson", polygon(0, 0, key="a"), feature(None, key="b"))
    assert "removed nothing" in areas(broken, "--id", "key", "--replace")["err"]
    assert sorted(areas.stored()) == ["a", "b"]


def test_geojson_keys_are_what_the_file_says(areas, files) -> None:
    long_key = 901100261501123457  # more digits than a float holds
    path = files.geojson(
        "k.geojson", polygon(0, 0, key=1), polygon(1, 0, key="02"), polygon(2, 0, key=3.0),
        polygon(3, 0, key=None), polygon(4, 0, key=long_key), polygon(5, 0, key={"a": 1}),
    )  # fmt: skip
    result = areas(path, "--id", "key")
    assert [r["row"] for r in result["rejected"]] == [4]
    assert sorted(areas.stored()) == sorted(["1", "02", "3", str(long_key), '{"a": 1}'])


def test_broken_geojson_is_told_line_and_remedy(areas, files) -> None:
    text = '{"type": "FeatureCollection",\n "features": [{"type": "Feature" "properties": {}}]}'
    assert "line 2" in areas(files.text("b.geojson", text), code=1)
    latin = json.dumps(
        {"type": "FeatureCollection", "features": [polygon(0, 0, key="Île")]}, ensure_ascii=False
    )
    path = files.text("l.geojson", latin, "latin-1")
    assert "--encoding latin-1" in areas(path, "--id", "key", code=1)
    areas(path, "--id", "key", "--encoding", "latin-1")
    areas(files.text("u.geojson", latin, "utf-16"), "--id", "key")
    assert list(areas.stored()) == ["Île"]
    deep = '{"type": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert "nested too deep" in areas(files.text("d.geojson", deep), code=1)
    assert "'Topology'" in areas(files.text("t.json", '{"type": "Topology"}'), code=1)


def test_features_that_are_none_are_rejected_one_by_one(areas, files) -> None:
    ring_left_open = [[0, 0], [1, 0], [1, 1], [0, 1]]
    path = files.geojson(
        "f.geojson", polygon(0, 0, key="a"), "text", {"type": "Point", "coordinates": [0, 0]},
        feature({"type": "Polygon", "coordinates": [ring_left_open]}, key="open"),
        feature({"type": "Polygon", "coordinates": [[["x", 1], [2, 3]]]}, key="words"),
        polygon(float("nan"), 0, key="nan"),
    )  # fmt: skip
    result = areas(path, "--id", "key")
    assert (result["read"], result["imported"]) == (6, 1)
    assert [r["row"] for r in result["rejected"]] == [2, 3, 4, 5, 6]


def test_without_id_the_content_is_the_id(areas, files) -> None:
    path = files.geojson("1.geojson", polygon(0, 0, p=1), polygon(1, 0, p=2), polygon(0, 0, p=1))
    result = areas(path)
    assert result["imported"] == 2
    assert "feature 1" in result["rejected"][0]["why"]
    assert areas(path)["unchanged"] == 2


def test_a_polygon_across_the_antimeridian_is_cut_there(areas, files) -> None:
    crossing = [[179.9, -17], [-179.9, -17], [-179.9, -16.9], [179.9, -16.9], [179.9, -17]]
    beyond = [[179.9, -16], [180.1, -16], [180.1, -15.9], [179.9, -15.9], [179.9, -16]]
    path = files.geojson(
        "f.geojson",
        feature({"type": "Polygon", "coordinates": [crossing]}, key="a"),
        feature({"type": "Polygon", "coordinates": [beyond]}, key="b"),
    )
    result = areas(path, "--id", "key")
    assert [r["why"] for r in result["repaired"]] == ["cut at the antimeridian"] * 2
    for area in areas.stored().values():
        assert area.geometry.area == pytest.approx(0.02)
        assert area.geometry.bounds[0] == -180
        assert area.geometry.bounds[2] == 180


def test_an_import_is_recorded_as_an_event_with_the_files_digest(areas, files, db) -> None:
    import hashlib

    path = files.geojson("1.geojson", polygon(0, 0, key="a"), feature(None, key="b"))
    areas(path, "--id", "key")
    with db() as session:
        (event,) = queries.events(session, kind="import.neighbourhoods")
    assert event.detail["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (event.detail["read"], event.detail["imported"], event.detail["rejected"]) == (2, 1, 1)


def offline(files, *cells):
    return files.geojson(
        "o.geojson",
        *(polygon(0.02 * k, 0.1, key=f"n{k}", off=cell) for k, cell in enumerate(cells)),
    )


def no_internet(areas):
    return {key: area.no_internet for key, area in areas.stored().items()}


def test_who_has_no_internet_is_kept_in_per_cent(areas, files) -> None:
    result = areas(
        offline(files, 0.4, "78,5", None, 101, -1), "--id", "key", "--no-internet", "off"
    )
    assert no_internet(areas) == {"n0": 0.4, "n1": 78.5, "n2": None}
    whys = [fault["why"] for fault in result["rejected"]]
    assert whys == ["is above 100 per cent (key n3)", "is negative (key n4)"]
    assert [w["row"] for w in result["warnings"]] == [3]


def test_numbers_that_may_be_shares_or_per_cent_are_refused_until_it_is_said(areas, files) -> None:
    path = offline(files, 0.4, 0.785, 0, 1)
    chosen = ("--id", "key", "--no-internet", "off")
    said = areas(path, *chosen, code=1)
    assert "all 4 numbers are from 0 to 1" in said
    assert "--no-internet-unit share or --no-internet-unit percent" in said
    assert areas.stored() == {}
    areas(path, *chosen, "--no-internet-unit", "share")
    assert no_internet(areas) == {"n0": 40, "n1": 78.5, "n2": 0, "n3": 100}
    areas(path, *chosen, "--no-internet-unit", "percent")
    assert no_internet(areas)["n0"] == 0.4


def test_a_share_above_one_is_rejected_and_a_unit_alone_is_told(areas, files) -> None:
    path = offline(files, 0.4, 40)
    result = areas(path, "--id", "key", "--no-internet", "off", "--no-internet-unit", "share")
    assert [fault["why"] for fault in result["rejected"]] == ["is above 1, a whole (key n1)"]
    said = areas(path, "--id", "key", "--no-internet-unit", "share", code=1)
    assert "--no-internet-unit needs --no-internet" in said
    areas(path, "--id", "key")
    assert no_internet(areas) == {"n0": 40, "n1": None}  # what was not named stays as it was
