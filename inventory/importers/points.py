"""Turns rows with a position into places: sites, candidates, and where a device stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from farola.errors import InputError
from inventory.importers import crs as crs_module
from inventory.importers.boroughs import Boroughs, borough_key
from inventory.importers.contents import Row, Source
from inventory.importers.names import fold
from inventory.importers.positions import judge
from inventory.importers.radios import read_height, read_indoor
from inventory.importers.report import BadCellError, Report, shown
from inventory.importers.rows import Reader
from inventory.places import Places

LATITUDES = (
    "latitude", "latitud", "lat", "latitudine", "breitengrad", "breite", "geobreite", "latdd",
    "decimallatitude", "latitudedecimal", "latituddecimal", "latwgs84", "wgs84lat", "latitudewgs84",
    "gpslat", "gpslatitude", "geolat", "latgps", "ylat", "laty", "szerokosc", "breddegrad",
    "leveysaste", "coordy", "ycoord", "coordenaday", "pointy", "y",
)  # fmt: skip
LONGITUDES = (
    "longitude", "longitud", "lon", "lng", "long", "longitudine", "langengrad", "laengengrad",
    "lange", "laenge", "geolange", "londd", "decimallongitude", "longitudedecimal",
    "longituddecimal", "lonwgs84", "wgs84lon", "longitudewgs84", "gpslon", "gpslng",
    "gpslongitude", "geolon", "geolng", "longps", "xlon", "lonx", "dlugosc", "lengdegrad",
    "pituusaste", "coordx", "xcoord", "coordenadax", "pointx", "x",
)  # fmt: skip
"""Names of columns, folded, the likeliest first."""


@dataclass(frozen=True)
class City:
    """What is known of the city before an import: its neighbourhoods, if any."""

    places: Places | None
    boroughs: Boroughs


@dataclass(frozen=True)
class Point:
    """An accepted row: a place in WGS84 degrees. `more` is what `read_points` was told to read
    beside it.
    """

    row: int
    id: str
    name: str
    lat: float
    lon: float
    borough: str | None
    programme: str | None
    cost: float | None
    more: Any = None
    height_m: float | None = None
    indoor: bool | None = None


def guess_column(columns: Sequence[str], names: Sequence[str]) -> str:
    """The column named like one of `names` (the first that fits), or ""."""
    folded = {fold(column): column for column in reversed(columns)}
    return next((folded[name] for name in names if name in folded), "")


def read_points(
    source: Source,
    chosen: Mapping[str, str],
    city: City,
    report: Report,
    *,
    crs: str = "",
    read_more: Callable[[Reader, Row], Any] | None = None,
) -> list[Point]:
    """Judge every row of `source`; rejected ones go into `report`.

    `chosen` maps id, name, lat, lon, borough, programme, cost, height, indoor (and what
    `read_more` reads) to columns. Without lat and lon a layer's own points are used, or columns
    guessed by name.

    Raises
    ------
    InputError
        A column is not there, or no position can be found in the file.
    """
    chosen = _with_position(source, dict(chosen), report)
    reader = Reader(source, chosen, report)
    layer = source.geometries is not None and not reader.has("lat")
    projected = bool(crs) and crs_module.parse_crs(crs).is_projected
    points: list[Point] = []
    numbers = range(len(source.rows))
    for position, row in zip(numbers, source.rows, strict=True):
        try:
            lat, lon = (
                _vertex(source.geometries[position]) if layer else _degrees(reader, row, projected)
            )
            cost = reader.amount(row, "cost")
            identity = reader.identity(row, f"{lat!r},{lon!r}".encode() if layer else b"")
            points.append(
                Point(
                    row.number,
                    identity,
                    reader.text(row, "name") or "",
                    lat,
                    lon,
                    reader.text(row, "borough"),
                    reader.text(row, "programme"),
                    cost,
                    read_more(reader, row) if read_more else None,
                    read_height(reader, row),
                    read_indoor(reader, row),
                )
            )
        except BadCellError as error:
            report.reject(row.number, error.of(reader.label(row)))
    points = _to_degrees(points, source, crs, layer, report)
    around = _in_place(points, reader, city, report)
    points = _unique([point for point in points if point.row in around], reader, report)
    return _boroughs(points, around, reader, city, report)


def _with_position(source: Source, chosen: dict[str, str], report: Report) -> dict[str, str]:
    given = [field for field in ("lat", "lon") if chosen.get(field)]
    if len(given) == 1:
        raise InputError("give both --lat and --lon, or neither")
    if given or source.geometries is not None:
        return chosen
    lat, lon = (guess_column(source.columns, names) for names in (LATITUDES, LONGITUDES))
    if not lat or not lon:
        raise InputError(
            f"{source.path}: no columns of latitude and longitude recognised: name them with --lat "
            f"and --lon; the columns are {', '.join(map(repr, source.columns))}"
        )
    report.notes.append(
        f"positions are read from columns {lat!r} (latitude) and {lon!r} (longitude), guessed by "
        "their names; --lat and --lon say otherwise"
    )
    return chosen | {"lat": lat, "lon": lon}


def _vertex(geometry: Any) -> tuple[float, float]:
    if geometry is None or geometry.is_empty:
        raise BadCellError("geometry", "", "has no position", "has no position")
    if geometry.geom_type == "MultiPoint" and len(geometry.geoms) == 1:
        geometry = geometry.geoms[0]
    if geometry.geom_type != "Point":
        raise BadCellError("geometry", geometry.geom_type, "is no point")
    if not (np.isfinite(geometry.x) and np.isfinite(geometry.y)):
        raise BadCellError("geometry", str(geometry), "is not a finite position")
    return geometry.y, geometry.x


def _degrees(reader: Reader, row: Row, projected: bool) -> tuple[float, float]:
    found = []
    for field, word in (("lat", "latitude"), ("lon", "longitude")):
        value = reader.number(row, field, "measure" if projected else "degrees")
        if value is None:
            raise BadCellError(reader.column(field), "", f"the {word} is missing")
        found.append(value)
    return found[0], found[1]


def _to_degrees(
    points: list[Point], source: Source, crs: str, layer: bool, report: Report
) -> list[Point]:
    """`points` in WGS84, from the layer's own system or the one that --crs names."""
    if not points or not (layer or crs):
        return points
    x_y = np.array([(point.lon, point.lat) for point in points])
    projection = crs_module.choose(source.path, source.crs if layer else None, crs, x_y)
    report.notes += projection.notes
    report.extra["crs"] = projection.name
    moved = []
    for point, (lon, lat) in zip(points, projection.to_wgs84(x_y).tolist(), strict=True):
        if np.isfinite(lon) and np.isfinite(lat):
            moved.append(replace(point, lat=lat, lon=lon))
        else:
            value = f"{point.lon:.10g}, {point.lat:.10g}"
            report.reject(
                point.row, BadCellError("geometry", value, f"is no place in {projection.name}")
            )
    return moved


def _in_place(points: list[Point], reader: Reader, city: City, report: Report) -> dict[int, int]:
    """The neighbourhood's index (-1 outside all) of each point that may be where it says, by row;
    outside all neighbourhoods is told.
    """
    if city.places is None:
        report.notes.append(
            "no neighbourhoods are known yet, so positions were not checked against the city: "
            "import neighbourhoods first"
        )
    report.extra["positions_checked"] = city.places is not None
    lats = np.array([point.lat for point in points], dtype=float)
    lons = np.array([point.lon for point in points], dtype=float)
    around = {}
    for point, verdict in zip(points, judge(lats, lons, city.places), strict=True):
        field = reader.column(verdict.field) if reader.has(verdict.field) else "geometry"
        value = f"{point.lat:.10g}, {point.lon:.10g}"
        label = f" ({_label(point, reader)})"
        if verdict.bad:
            why = verdict.bad + label
            report.reject(point.row, BadCellError(field, value, why, verdict.reason))
            continue
        if verdict.distance_km > 0:
            report.warn(
                point.row, field, value,
                f"lies {_far(verdict.distance_km)} outside all neighbourhoods{label}",
                "lies outside all neighbourhoods",
            )  # fmt: skip
        around[point.row] = verdict.neighbourhood
    return around


def _label(point: Point, reader: Reader) -> str:
    field = "id" if reader.has("id") or not point.name else "name"
    return f"{reader.column(field)} {shown(point.id if field == 'id' else point.name)}"


def _far(km: float) -> str:
    return f"{km:.1f} km" if km >= 1 else f"{km * 1000:.0f} m"


def _unique(points: list[Point], reader: Reader, report: Report) -> list[Point]:
    first: dict[str, int] = {}
    kept = []
    for point in points:
        if point.id not in first:
            first[point.id] = point.row
            kept.append(point)
        elif reader.has("id"):
            why = f"the id stands in row {first[point.id]} already"
            report.reject(
                point.row, BadCellError(reader.column("id"), point.id, why, "the id is a duplicate")
            )
        else:
            why = f"is the same as row {first[point.id]}, cell by cell"
            report.reject(
                point.row, BadCellError("", point.name, why, "is the same as another row")
            )  # fmt: skip
    return kept


def _boroughs(
    points: list[Point], around: Mapping[int, int], reader: Reader, city: City, report: Report
) -> list[Point]:
    """Boroughs in the neighbourhoods' spelling; one that contradicts the map is told."""
    return [
        _borough(point, around[point.row], reader, city, report) if point.borough else point
        for point in points
    ]


def _borough(point: Point, index: int, reader: Reader, city: City, report: Report) -> Point:
    borough, column = point.borough or "", reader.column("borough")
    known = city.boroughs.spelling(borough)
    if known != borough:
        report.repair(point.row, column, borough, known, "written as the neighbourhoods write it")
        point = replace(point, borough=known)
    around = city.places.neighbourhoods[index] if city.places and index >= 0 else None
    if around and around.borough and borough_key(around.borough) != borough_key(known):
        why = (
            f"the position lies in {around.borough} (neighbourhood {around.id}; "
            f"{_label(point, reader)})"
        )
        report.warn(point.row, column, known, why, "the position lies in another borough")
    return point
