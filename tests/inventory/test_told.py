"""What an import says points to the place where a person can mend it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from inventory import queries


def polygon(key):
    lon = int(key) / 100
    ring = [[lon, 0], [lon + 0.01, 0], [lon + 0.01, 0.01], [lon, 0.01], [lon, 0]]
    return {
        "type": "Feature",
        "properties": {"key": key},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def joined(cli, files):
    """Imports polygons 001 … 004 joined with the rows of a table `tb.csv`."""
    cli("init")
    path = files.geojson("p.geojson", *(polygon(f"00{i}") for i in range(1, 5)))

    def call(*rows, options=()):
        table = files.text("tb.csv", "\n".join(["code;people;idhm", *rows]) + "\n")
        done = cli(
            "import", "neighbourhoods", path, "--id", "key", "--join", table, "--join-key", "code",
            "--population", "people", "--deprivation", "idhm", "--json", *options,
        )  # fmt: skip
        return {**done.json, "err": done.err}

    return call


GOOD = ("003;30;0.3", "002;20;0.2", "001;10;0.1", "004;40;0.4")


def rejects(result):
    with Path(result["reject_file"]).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_bad_cell_of_a_joined_table_is_told_with_the_tables_row(joined, db) -> None:
    joined(*GOOD)
    result = joined("003;30,;0.3", "002;;0.2", "001;10;0.1", "004;many;0.4")
    (reject,) = result["rejected"]
    assert (reject["row"], reject["field"], reject["value"]) == (5, "people", "many")
    assert reject["why"].startswith("row 5 of tb.csv: ")
    assert "key 004" in reject["why"]
    (repair,) = result["repaired"]
    assert (repair["row"], repair["became"]) == (2, "30")
    assert "tb.csv" in repair["why"]
    (warning,) = result["warnings"]
    assert warning["row"] == 3
    assert "row 3 of tb.csv" in warning["why"]
    (row,) = rejects(result)
    assert (row["code"], row["people"], row["idhm"]) == ("004", "many", "0.4")
    assert "not in this file" not in result["err"], "004 is in the file"
    assert "1 neighbourhood whose row was rejected stayed as before (004)" in result["err"]
    with db() as session:
        assert {n.id: n.population for n in queries.neighbourhoods(session)}["004"] == 40


def test_replace_spares_a_polygon_whose_row_in_the_table_is_bad(joined, db) -> None:
    joined(*GOOD)
    result = joined(*GOOD[:3], "004;many;0.4", options=("--replace",))
    assert "removed nothing" in result["err"]
    with db() as session:
        assert len(queries.neighbourhoods(session)) == 4


def test_importing_again_keeps_the_order_of_deprivation(joined, db) -> None:
    def worse():
        with db() as session:
            return {n.high_is_worse for n in queries.neighbourhoods(session)}

    joined(*GOOD, options=("--deprivation-order", "low-is-worse"))
    again = joined(*GOOD)
    assert again["unchanged"] == 4
    assert "a low 'idhm' is taken as worse, as in the import before" in again["err"]
    assert worse() == {False}
    joined(*GOOD, options=("--deprivation-order", "high-is-worse"))
    assert worse() == {True}


def test_two_stored_orders_of_deprivation_must_be_settled(cli, files) -> None:
    cli("init")
    options = ("--id", "key", "--deprivation", "d")
    for key, order in (("001", "low"), ("002", "high")):
        shape = polygon(key)
        shape["properties"]["d"] = 1
        path = files.geojson("p.geojson", shape)
        cli("import", "neighbourhoods", path, *options, "--deprivation-order", f"{order}-is-worse")
    assert "give --deprivation-order" in cli("import", "neighbourhoods", path, *options, code=1).err


def test_a_row_with_too_many_cells_can_be_mended_in_the_reject_file(cli, files, db) -> None:
    cli("init")
    path = files.text("s.csv", "id,lat,lon,name\na,19.4,-99.1,Plaza\nb,19.4,-99.2,Kiosk, north\n")
    result = cli("import", "sites", path, "--id", "id", "--name", "name", "--json").json
    assert [r["row"] for r in result["rejected"]] == [3]
    reject_file = Path(result["reject_file"])
    lines = reject_file.read_text().splitlines()
    assert lines[1].startswith("b,19.4,-99.2,Kiosk, north,3,")
    lines[1] = lines[1].replace("Kiosk, north", '"Kiosk, north"', 1)
    mended = files.text("mended.csv", "\n".join(lines) + "\n")
    cli("import", "sites", mended, "--id", "id", "--name", "name")
    with db() as session:
        assert {s.id: s.name for s in queries.sites(session)} == {"a": "Plaza", "b": "Kiosk, north"}


def test_an_empty_file_and_a_folder_are_told_with_a_remedy(cli, files) -> None:
    cli("init")
    header = files.text("h.csv", "id,lat,lon\n")
    assert "a header but no rows: get the file again" in cli("import", "sites", header, code=1).err
    none = cli("import", "neighbourhoods", files.geojson("n.geojson"), code=1).err
    assert "it has no features: get the file again" in none
    assert "header" not in none
    assert "is a folder: name a file in it" in cli("import", "sites", files.folder, code=1).err


def test_one_is_told_in_the_singular(cli, files) -> None:
    cli("init")
    first = files.geojson("1.geojson", polygon("001"), polygon("002"))
    cli("import", "neighbourhoods", first, "--id", "key")
    second = files.geojson("2.geojson", polygon("001"))
    told = cli("import", "neighbourhoods", second, "--id", "key").err
    assert "1 neighbourhood of earlier imports is not in this file and was kept (002)" in told
    told = cli("import", "neighbourhoods", second, "--id", "key", "--replace").err
    assert "1 neighbourhood not in this file was removed" in told
