"""Turns a layer of polygons into neighbourhoods in WGS84, with people and deprivation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from farola.errors import InputError
from inventory.importers import crs as crs_module
from inventory.importers.contents import Row, Source
from inventory.importers.join import Joined, join
from inventory.importers.report import BadCellError, Report
from inventory.importers.rows import Reader


@dataclass(frozen=True)
class Area:
    """An accepted polygon (WGS84); None is unknown."""

    row: int
    id: str
    name: str
    geometry: Any
    borough: str | None
    population: float | None
    deprivation: float | None
    grade: str | None


def read_areas(
    source: Source,
    chosen: Mapping[str, str],
    report: Report,
    *,
    crs: str = "",
    table: Source | None = None,
    join_key: str = "",
) -> list[Area]:
    """Judge every polygon of `source`; rejected ones go into `report`.

    `chosen` maps id, name, population, deprivation, grade and borough to columns of the layer or
    of `table`, which is joined by `join_key` to the id.

    Raises
    ------
    InputError
        The file has no geometry, a column is not there, or the coordinate system is unknown or
        contradicts the coordinates.
    """
    if source.geometries is None:
        raise InputError(
            f"{source.path}: a table has no polygons: give a .geojson, .shp or .gpkg, and the "
            "table with --join"
        )
    joined = Joined(source, frozenset(), frozenset())
    if table is not None:
        if not chosen.get("id") or not join_key:
            raise InputError("--join needs --id (the polygons' key) and --join-key (the table's)")
        joined = join(source, chosen["id"], table, join_key, report)
        report.notes += [
            f"column {column!r} stands in both files: that of {source.path.name} is used"
            for field, column in chosen.items()
            if column in joined.shadowed and field != "id"
        ]
    reader = Reader(joined.source, chosen, report)
    geometries = _wgs84(source, crs, report)
    areas: list[Area] = []
    first: dict[str, int] = {}
    for row, own, geometry in zip(joined.source.rows, source.geometries, geometries, strict=True):
        try:
            polygon = _polygon(row, geometry, report)
            identity = reader.identity(row, shapely.to_wkb(own))
            area = _area(row, identity, polygon, reader, joined)
            if area.id in first:
                why = f"the id stands in feature {first[area.id]} already"
                raise BadCellError(reader.column("id"), area.id, why, "the id is a duplicate")  # noqa: TRY301
        except BadCellError as error:
            report.reject(row.number, error.of(reader.label(row)))
            continue
        first[area.id] = row.number
        areas.append(area)
    return areas


def _area(row: Row, identity: str, polygon: Any, reader: Reader, joined: Joined) -> Area:
    report = reader.report
    population = reader.amount(row, "population", "count")
    deprivation = reader.number(row, "deprivation")
    if row.number in joined.unmatched:
        report.warn(
            row.number, reader.column("id"), identity,
            "has no row in the joined table: its population is unknown",
        )  # fmt: skip
    else:
        for field, value in (("population", population), ("deprivation", deprivation)):
            if value is None and reader.has(field):
                report.warn(
                    row.number, reader.column(field), "",
                    f"the {field} of {identity} is empty: it is unknown",
                    f"the {field} is empty: it is unknown",
                )  # fmt: skip
    return Area(
        row.number, identity, reader.text(row, "name") or identity, polygon,
        reader.text(row, "borough"), population, deprivation, reader.text(row, "grade"),
    )  # fmt: skip


def _wgs84(source: Source, crs: str, report: Report) -> Any:
    """The layer's geometries in WGS84; vertices that have no place there are infinite."""
    geometries = np.asarray(source.geometries, dtype=object)
    x_y = shapely.get_coordinates(geometries)
    projection = crs_module.choose(source.path, source.crs, crs, x_y[np.isfinite(x_y).all(axis=1)])
    report.notes += projection.notes
    report.extra["crs"] = projection.name
    return shapely.transform(geometries, projection.to_wgs84)


def _polygon(row: Row, geometry: Any, report: Report) -> Any:
    """A valid Polygon or MultiPolygon with an area; what was mended is told."""
    if geometry is None or geometry.is_empty:
        raise BadCellError(
            "geometry",
            "",
            "is empty or broken (a ring that is not closed, a coordinate that is no number)",
        )
    if geometry.geom_type not in {"Polygon", "MultiPolygon", "GeometryCollection"}:
        raise BadCellError("geometry", geometry.geom_type, "is no polygon")
    coordinates = shapely.get_coordinates(geometry)
    if not np.isfinite(coordinates).all():
        raise BadCellError("geometry", geometry.geom_type, "has a vertex without a finite position")
    kind = geometry.geom_type
    if np.ptp(coordinates[:, 0]) > 180 or coordinates[:, 0].max() > 180:
        geometry = _split_at_antimeridian(geometry)
        report.repair(row.number, "geometry", kind, geometry.geom_type, "cut at the antimeridian")
    if not geometry.is_valid:
        why = shapely.is_valid_reason(geometry)
        kind = geometry.geom_type
        geometry = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
        geometry = _polygons_of(geometry)
        if geometry.area > 0:
            report.repair(
                row.number, "geometry", f"{kind}: {why}", f"valid {geometry.geom_type}",
                f"{why.split('[')[0].strip().lower() or 'invalid'} repaired",
            )  # fmt: skip
    geometry = _polygons_of(geometry)
    if not geometry.area > 0:
        raise BadCellError("geometry", kind, "has no area")
    return geometry


def _polygons_of(geometry: Any) -> Any:
    """The polygonal part of `geometry`."""
    if geometry.geom_type in {"Polygon", "MultiPolygon"}:
        return geometry
    parts = [
        part
        for part in shapely.get_parts(shapely.get_parts(geometry))
        if part.geom_type in {"Polygon", "MultiPolygon"}
    ]
    return shapely.union_all(parts)


def _split_at_antimeridian(geometry: Any) -> Any:
    """`geometry` as parts on either side of ±180°, where it was drawn across it."""

    def east(lon_lat: Any) -> Any:
        return np.column_stack([lon_lat[:, 0] % 360, lon_lat[:, 1]])

    whole = shapely.make_valid(shapely.transform(geometry, east))
    left = shapely.intersection(whole, shapely.box(0, -90, 180, 90))
    right = shapely.intersection(whole, shapely.box(180, -90, 360, 90))
    right = shapely.transform(right, lambda lon_lat: lon_lat - [360, 0])
    return _polygons_of(shapely.union(left, right))
