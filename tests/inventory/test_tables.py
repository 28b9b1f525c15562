"""Text tables and workbooks of other people's making: read right, or refused with the remedy."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

IN = "-34.60"
HEADER = "id,lat,lon"


def rows(*ids: str) -> str:
    return "".join(f"{i},-34.60,-58.40\r\n" for i in ids)


def sites(cli, path, *options, code=0):
    done = cli("import", "sites", path, "--json", *options, code=code)
    return done.json if not code else done.err


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id,lat,lon\nñ,-34.60,-58.40\n", "utf-8"),
        ("id,lat,lon\nñ,-34.60,-58.40\n", "utf-8-sig"),
        ("id,lat,lon\nñ,-34.60,-58.40\n", "utf-16"),
        ("id;lat;lon\r\nñ;-34,60;-58,40\r\n", "utf-8"),
        ("id\tlat\tlon\nñ\t-34.60\t-58.40", "utf-8"),
        ("id|lat|lon\rñ|-34.60|-58.40\r", "utf-8"),
        ("sep=;\nid;lat;lon\nñ;-34.60;-58.40\n", "utf-8"),
        ('"id";"lat";"lon"\n"ñ";"-34,60";"-58,40"\n', "utf-8"),
        ("\n\n id , lat ,lon\nñ,-34.60,-58.40\n\n", "utf-8"),
        ("name,id,lat,lon\na;b;c;d,ñ,-34.60,-58.40\n", "utf-8"),
    ],
)
def test_delimiters_marks_and_line_ends_are_found(city, files, db, text, encoding) -> None:
    result = sites(city, files.text("t.csv", text, encoding), "--id", "id")
    assert (result["read"], result["imported"], result["rejected"]) == (1, 1, [])
    from inventory import queries

    with db() as session:
        (site,) = queries.sites(session)
    assert (site.id, site.lat, site.lon) == ("ñ", -34.6, -58.4)


def test_latin_1_is_refused_with_the_place_and_the_remedy_then_read(city, files) -> None:
    path = files.text("t.csv", HEADER + "\nplain,-34.6,-58.4\nñ,-34.6,-58.4\n", "latin-1")
    message = sites(city, path, code=1)
    for part in ("line 3", "0xf1", "offset 29", "--encoding latin-1", str(path)):
        assert part in message
    assert sites(city, path, "--encoding", "latin-1", "--id", "id")["imported"] == 2


def test_utf_16_without_a_mark_is_read_when_named(city, files) -> None:
    path = files.text("t.csv", HEADER + "\n" + rows("a"), "utf-16-le")
    assert "utf-16-le" in sites(city, path, code=1)
    assert sites(city, path, "--encoding", "utf-16-le")["imported"] == 1


def test_an_unknown_encoding_is_named(city, files) -> None:
    path = files.text("t.csv", HEADER + "\n" + rows("a"))
    assert "no such encoding" in sites(city, path, "--encoding", "klingon", code=1)


def test_quoted_line_breaks_and_delimiters_keep_row_numbers(city, files) -> None:
    text = 'id;name;lat;lon\n1;"two\nlines; one cell";-34,60;-58,40\n2;x;bad;-58,40\n'
    result = sites(city, files.text("t.csv", text), "--id", "id", "--name", "name")
    assert result["imported"] == 1
    assert result["rejected"] == [
        {"row": 3, "field": "lat", "value": "bad", "why": "is not a number (id 2)"}
    ]


def test_broken_rows_are_rejected_one_by_one(city, files) -> None:
    text = HEADER + '\na,-34.6,-58.4,extra\nb,-34.6\nc,"-34.6"x,-58.4\nd,-34.6,-58.4\n'
    result = sites(city, files.text("t.csv", text), "--id", "id")
    assert result["read"] == 4
    assert result["imported"] == 1
    assert [r["row"] for r in result["rejected"]] == [2, 3, 4]
    assert "4 cells where the header has 3" in result["rejected"][0]["why"]
    assert result["rejected"][1]["why"] == "the longitude is missing (id b)"
    assert result["warnings"][0]["row"] == 3


@pytest.mark.parametrize(
    ("name", "data", "parts"),
    [
        ("a.csv", b"", ["empty"]),
        ("a.csv", b"\n\n", ["empty"]),
        ("a.csv", b"id,lat,lon\n", ["empty", "no rows"]),
        ("a.csv", b'id,lat,lon\n"a,1,2\n', ["row 2", "never closed"]),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", ["not what its ending says", "binary"]),
        ("a.csv", b"<!DOCTYPE html><html>", ["not what its ending says", "web page"]),
        ("a.csv", b"%PDF-1.4", ["PDF"]),
        ("a.csv", b'{"type": "FeatureCollection", "features": []}', ["JSON", ".geojson"]),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", [".xls"]),
        ("a.csv", b"i\0d\0,\0l\0a\0t\0", ["UTF-16"]),
        ("a.xlsx", b"id,lat,lon\n1,2,3\n", ["not what its ending says"]),
        ("a.geojson", b"id,lat,lon\n1,2,3\n", ["not what its ending says"]),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [', ["cannot be read"]),
        ("a.gpkg", b'{"type": "FeatureCollection"}', ["not what its ending says"]),
        ("a.shp", b"SQLite format 3\0", ["not what its ending says", "GeoPackage"]),
        ("a.gpkg", b"SQLite format 3\0" + b"\0" * 100, ["cannot be read"]),
        ("a.xls", b"x", [".xls", "use .csv"]),
        ("a", b"x", ["use .csv"]),
    ],
)
def test_faults_of_the_whole_file(city, files, name, data, parts) -> None:
    path = files.bytes(name, data)
    message = sites(city, path, code=1)
    assert str(path) in message
    for part in parts:
        assert part in message


def test_a_file_that_is_not_there_and_a_folder(city, files) -> None:
    assert "No such file" in sites(city, files.folder / "none.csv", code=1)
    folder = files.folder / "d.csv"
    folder.mkdir()
    assert "folder" in sites(city, folder, code=1)


def test_a_workbook_called_csv_is_refused(city, files) -> None:
    path = files.xlsx("t.xlsx", ["id", "lat", "lon"], ["a", -34.6, -58.4])
    wrong = path.rename(path.with_suffix(".csv"))
    message = sites(city, wrong, code=1)
    assert "Excel workbook" in message
    assert "rename it to end in .xlsx" in message


def test_a_missing_column_names_those_that_are_there_and_the_nearest(city, files) -> None:
    path = files.text("t.csv", "Clave única,Latitud,Longitud\na,-34.6,-58.4\n")
    message = sites(city, path, "--id", "clave unica", code=1)
    for part in ("'clave unica'", "--id", "'Clave única', 'Latitud', 'Longitud'", "did you mean"):
        assert part in message
    assert sites(city, path, "--id", " Clave única ")["imported"] == 1


def test_a_title_above_the_header_is_named(city, files) -> None:
    path = files.text("t.csv", "Access points 2024,,\nid,lat,lon\na,-34.6,-58.4\n")
    message = sites(city, path, "--id", "id", "--lat", "lat", "--lon", "lon", code=1)
    assert "row 2 looks like the header" in message


def test_a_column_that_stands_twice_is_refused_only_when_asked_for(city, files) -> None:
    path = files.text("t.csv", "id,id,lat,lon\na,b,-34.6,-58.4\n")
    assert "more than once" in sites(city, path, "--id", "id", code=1)
    assert sites(city, path)["imported"] == 1


@pytest.mark.parametrize(
    ("lat", "lon"),
    [("latitude", "longitude"), ("LATITUD", "LONGITUD"), ("Breitengrad", "Längengrad"),
     ("Lat.", "Lng"), ("y", "x"), ("Geo_Lat", "Geo_Lon"), ("latitudine", "longitudine"),
     ("LATITUDE (WGS84)", "LONGITUDE (WGS84)"), ("Breite", "Länge")],
)  # fmt: skip
def test_positions_are_guessed_by_name_and_told(city, files, lat, lon) -> None:
    path = files.text("t.csv", f"who,{lon},{lat}\na,-58.4,-34.6\n")
    done = city("import", "sites", path, "--json")
    assert done.json["imported"] == 1
    assert f"{lat!r}" in done.err


def test_no_position_to_be_guessed_is_a_fault_of_the_file(city, files) -> None:
    path = files.text("t.csv", "who,where\na,b\n")
    assert "--lat" in sites(city, path, code=1)
    path = files.text("t.csv", "who,lat,lon\na,-34.6,-58.4\n")
    assert "both" in sites(city, path, "--lat", "lat", code=1)


def test_workbooks_numbers_text_and_leading_zeros(city, files, db) -> None:
    path = files.xlsx(
        "t.xlsx", ["id", "lat", "lon"], [123, -34.6, -58.4], [124.0, "-34,6", -58.4],
        ["0125", -34.6, "-58.4 "], [], [126, -34.6, -58.4], [127, None, -58.4],
        formats={"A6": "00000"},
    )  # fmt: skip
    result = sites(city, path, "--id", "id")
    assert (result["read"], result["imported"]) == (5, 4)
    assert result["rejected"][0]["row"] == 7
    from inventory import queries

    with db() as session:
        assert [s.id for s in queries.sites(session)] == ["00126", "0125", "123", "124"]


def test_sheets_are_chosen_by_name(city, files) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["nothing here"])
    other = book.create_sheet("Points")
    other.append(["lat", "lon"])
    other.append([-34.6, -58.4])
    path = files.folder / "two.xlsx"
    book.save(path)
    assert "no rows" in sites(city, path, code=1)
    assert sites(city, path, "--sheet", "Points")["imported"] == 1
    message = sites(city, path, "--sheet", "points", code=1)
    assert "did you mean 'Points'" in message


def test_broken_workbooks_and_bombs_are_refused(city, files, monkeypatch) -> None:
    good = files.xlsx("t.xlsx", ["lat", "lon"], [-34.6, -58.4])
    cut = files.bytes("cut.xlsx", good.read_bytes()[:-200])
    sites(city, cut, code=1)
    broken = files.folder / "broken.xlsx"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[: len(data) // 2] if "sheet1" in name else data)
    assert "broken" in sites(city, broken, code=1)
    bomb = files.folder / "bomb.xlsx"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with new.open("xl/media/image1.bin", "w", force_zip64=True) as out:
            for _ in range(40):
                out.write(bytes(1 << 20))
    monkeypatch.setattr("inventory.importers.xlsx_file.MAX_UNPACKED_BYTES", 30 << 20)
    assert "unpacks to" in sites(city, bomb, code=1)


def test_a_huge_cell_is_cut_in_the_report(city, files) -> None:
    path = files.text("t.csv", f"{HEADER}\n{'x' * 500_000},-34.6,-58.4\n" + rows("ok"))
    result = sites(city, path, "--id", "id")
    assert result["imported"] == 1
    assert len(result["rejected"][0]["value"]) < 300


def test_strict_imports_nothing_and_names_the_first(city, files, db) -> None:
    path = files.text("t.csv", HEADER + "\n" + rows("a") + "b,x,-58.4\n")
    done = city("import", "sites", path, "--id", "id", "--strict", "--json", code=1)
    assert "row 3" in done.err
    assert done.json["imported"] == 0
    from inventory import queries

    with db() as session:
        assert queries.sites(session) == []


def test_the_reject_file_can_be_mended_and_imported(city, files) -> None:
    path = files.text("t.csv", HEADER + "\n" + rows("a") + "b,x,-58.4\n")
    result = sites(city, path, "--id", "id")
    rejects = Path(result["reject_file"])
    lines = rejects.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,lat,lon,farola_row,farola_field,farola_value,farola_why"
    assert lines[1] == "b,x,-58.4,3,lat,x,is not a number (id b)"
    rejects.write_text("\n".join(lines).replace("b,x,", "b,-34.6,"), encoding="utf-8")
    assert sites(city, rejects, "--id", "id")["imported"] == 1
    good = sites(city, files.text("u.csv", HEADER + "\n" + rows("c")), "--id", "id")
    assert good["reject_file"] is None


def test_output_for_people_is_short_and_for_machines_is_json_only(city, files) -> None:
    text = HEADER + "\n" + "".join(f"a{i},x{i},-58.4\n" for i in range(600)) + rows("ok")
    path = files.text("t.csv", text)
    done = city("import", "sites", path, "--id", "id")
    assert len(done.out.splitlines()) < 15
    assert "597 more" in done.out
    assert len(city("import", "sites", path, "--id", "id", "--json").json["rejected"]) == 600
