"""Cardinality is a promise: what may be a tag is listed here and in docs/timeseries.md."""

from __future__ import annotations

from pathlib import Path

from timeseries import SCHEMA

BOUNDED = {"device", "interface", "radio", "band", "ssid", "site", "collector", "check"}
"""Things that the city owns. A client, a session, an address or a text is none of them."""
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "timeseries.md"


def test_only_what_the_city_owns_is_a_tag() -> None:
    for shape in SCHEMA.values():
        assert set(shape.tags) <= BOUNDED, shape.name
        assert shape.tags, shape.name
        assert not set(shape.tags) & set(shape.fields), shape.name


def test_the_guide_tells_the_cardinality_of_each_measurement() -> None:
    rows = {
        cells[0].strip("` "): [tag.strip() for tag in cells[1].split(",")]
        for line in GUIDE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and len(cells := line.strip("|").split("|")) == 4
    }
    assert rows == {shape.name: list(shape.tags) for shape in SCHEMA.values()}


def test_fields_have_one_of_four_types() -> None:
    for shape in SCHEMA.values():
        assert set(shape.fields.values()) <= {int, float, bool, str}, shape.name
