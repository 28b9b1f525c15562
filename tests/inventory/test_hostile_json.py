"""GeoJSON that no honest program writes: a row's fault rejects the row, a file's is one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from farola.errors import InputError
from inventory import queries
from inventory.importers.source import open_source

GOOD = '{"type":"Feature","properties":{"key":"good","people":5,"name":"Good"},"geometry":%s}'
SQUARE = '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}'
OPTIONS = ("--id", "key", "--name", "name", "--population", "people")


@pytest.mark.parametrize(
    ("properties", "field", "why"),
    [
        (r'{"key":"bad","name":"\ud800"}', "name", "surrogate"),
        (r'{"key":"bad\ud800","name":"x"}', "key", "surrogate"),
        (r'{"key":"bad","people":"\ud800"}', "people", "is not a number"),
        ('{"key":"bad","people":%s}' % ("9" * 400), "people", "is not a finite number"),
        ('{"key":"bad","people":"%s"}' % ("9" * 5000), "people", "is not a finite number"),
        ('{"key":"bad","people":1e999}', "people", "is not a finite number"),
        ('{"key":"bad","people":NaN}', "people", "is not a finite number"),
        ('{"key":%s}' % ("9" * 400), "key", "200 characters"),
    ],
    ids=["name", "id", "half a digit", "400 digits", "5,000 as text", "1e999", "NaN", "id of 400"],
)  # fmt: skip
def test_a_cell_that_nothing_can_hold_rejects_its_row_alone(
    cli, files, db, properties, field, why
) -> None:
    cli("init")
    bad = f'{{"type":"Feature","properties":{properties},"geometry":{SQUARE}}}'
    text = f'{{"type":"FeatureCollection","features":[{GOOD % SQUARE},{bad}]}}'
    result = cli("import", "neighbourhoods", files.text("h.geojson", text), *OPTIONS, "--json").json
    assert result["imported"] == 1
    (reject,) = result["rejected"]
    assert (reject["row"], reject["field"]) == (2, field)
    assert why in reject["why"]
    with db() as session:
        assert [area.id for area in queries.neighbourhoods(session)] == ["good"]


def test_a_column_nobody_chose_may_hold_anything(cli, files) -> None:
    cli("init")
    odd = r'{"name":"x","\ud800":"\udfff","deep":[[{"a":"\ud800"}]]}'
    feature = f'{{"type":"Feature","properties":{odd},"geometry":{SQUARE}}}'
    path = files.text("h.geojson", f'{{"type":"FeatureCollection","features":[{feature},1]}}')
    result = cli("import", "neighbourhoods", path, "--name", "name", "--json").json
    assert (result["imported"], len(result["rejected"])) == (1, 1)
    again = cli("import", "neighbourhoods", path, "--name", "name", "--json").json
    assert again["unchanged"] == 1
    assert "\\ud800" in Path(result["reject_file"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"type":["x"]}', "no GeoJSON"),
        ('{"type":{"x":1}}', "no GeoJSON"),
        (r'{"type":"\ud800"}', "no GeoJSON"),
        ('{"type":"FeatureCollection","features":{}}', "no GeoJSON"),
        ('{"type":"Feature","properties":{"people":%s}}' % ("9" * 5000), "too long"),
        ('{"type":"Feature","properties":' + "[" * 9000 + "]" * 9000 + "}", "too deep"),
        ('{"type":"Feature","properties":{}', "line 1"),
        (r'{"type":"FeatureCollection","crs":{"properties":{"name":"\ud800"}},"features":['
         + GOOD % SQUARE + "]}", "--crs EPSG:N"),
        ('{"type":"FeatureCollection","crs":"x","features":[' + GOOD % SQUARE + "]}", "--crs"),
    ],
    ids=["list", "object", "surrogate", "features", "5,000 digits", "deep", "cut", "crs", "no crs"],
)  # fmt: skip
def test_a_file_that_is_wrong_as_a_whole_is_one_line(cli, files, text, part) -> None:
    cli("init")
    done = cli("import", "neighbourhoods", files.text("h.geojson", text), code=1)
    assert part in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("depth", range(900, 1000, 7))
def test_nesting_is_read_or_refused_at_every_depth(files, depth) -> None:
    """Writing a value needs a deeper stack than reading it: just below the limit one may fail."""
    text = (GOOD % SQUARE).replace('"Good"', "[" * depth + "]" * depth)
    path = files.text("deep.geojson", text)
    try:
        assert open_source(path).read == 1
    except InputError as error:
        assert "nested too deep" in str(error)  # noqa: PT017 - either outcome is right


def test_an_undecodable_file_name_is_imported_and_told(run, home) -> None:
    run("init")
    name = os.fsdecode(b"\xd1and\xfa.geojson")
    path = home.parent / name
    text = f'{{"type":"FeatureCollection","features":[{GOOD % SQUARE},1]}}'
    path.write_text(text, encoding="utf-8")
    assert "1 imported" in run("import", "neighbourhoods", path).stdout
    assert json.loads(run("import", "neighbourhoods", path, "--json").stdout)["imported"] == 1
