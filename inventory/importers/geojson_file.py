"""Reads GeoJSON (RFC 7946, and the older `crs` member). Properties keep their JSON types, so that
a key such as 0901 or one of 18 digits is what the file says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from farola.errors import InputError
from inventory.importers.contents import Options, Row, Source, check_rows, digest
from inventory.importers.csv_file import decode
from inventory.importers.report import Fault, printable, shown

GEOMETRIES = frozenset({
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon",
    "GeometryCollection",
})  # fmt: skip


def read_geojson(path: Path, options: Options) -> Source:
    """Features of `path`, numbered from 1; heights are dropped, a geometry that cannot be read is
    None. A feature's own `id` is the column `id` unless a property has that name.
    """
    import shapely

    text, notes = decode(path, path.read_bytes(), options.encoding)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: cannot be read as JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}: get the file again or mend that line"
        ) from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from None
    features = _features(path, data)
    check_rows(path, ("geometry",), len(features), "features")
    names: dict[str, None] = {}
    good, faults = [], []
    for number, feature in enumerate(features, start=1):
        if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
            faults.append(Fault(number, "", shown(feature), "is no GeoJSON feature"))
            continue
        properties = feature.get("properties")
        cells = dict(properties) if isinstance(properties, Mapping) else {}
        if "id" in feature:
            cells.setdefault("id", feature["id"])
        names |= dict.fromkeys(cells)
        good.append((number, cells, feature.get("geometry")))
    try:
        rows = tuple(
            Row(number, tuple(_cell(cells.get(name)) for name in names))
            for number, cells, _ in good
        )
        drawn = [json.dumps(geometry) if geometry else None for _, _, geometry in good]
    except RecursionError as error:
        raise _unreadable(path, error) from None
    geometries = shapely.force_2d(shapely.from_geojson(drawn, on_invalid="ignore"))
    return Source(
        path, tuple(name.strip() for name in names), rows, digest(path), geometries,
        _crs(path, data), faults=tuple(faults), notes=notes,
    )  # fmt: skip


def _unreadable(path: Path, error: Exception) -> InputError:
    """`error` of Python's JSON reader: too deep, or a number of thousands of digits."""
    why = "it is nested too deep" if isinstance(error, RecursionError) else "a number is too long"
    return InputError(f"{path}: cannot be read as JSON: {why}: get the file again or mend it")


def _features(path: Path, data: Any) -> list[Any]:
    kind = data.get("type") if isinstance(data, Mapping) else None
    if kind == "FeatureCollection" and isinstance(data.get("features"), list):
        return list(data["features"])
    if kind == "Feature":
        return [data]
    if isinstance(kind, str) and kind in GEOMETRIES:
        return [{"type": "Feature", "properties": {}, "geometry": data}]
    raise InputError(
        f"{path} is JSON but no GeoJSON (its type is {shown(kind)!r}): convert it to a GeoJSON "
        "FeatureCollection"
    )


def _cell(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and not value.strip():
        return None
    return value


def _crs(path: Path, data: Mapping[str, Any]) -> str:
    """The system that the file names; GeoJSON without one is WGS84."""
    member = data.get("crs")
    if member is None:
        return "EPSG:4326"
    try:
        return printable(str(member["properties"]["name"]))
    except (KeyError, TypeError):
        raise InputError(
            f"{path}: its crs member names no coordinate system: name it with --crs EPSG:N"
        ) from None
