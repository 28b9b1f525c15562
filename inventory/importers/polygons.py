"""Turns a layer of polygons into neighbourhoods in WGS84, with people and deprivation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from farola.errors import InputError
from inventory.importers import crs as crs_module
from inventory.importers.contents import Row, Source
from inventory.importers.join import Joined, join
from inventory.importers.percent import read_percent, unit_of
from inventory.importers.report import BadCellError, Report
from inventory.importers.rows import Reader
from inventory.importers.values import read_text
from inventory.importers.whereabouts import APART_KM, apart_km, inside_points, judge
from inventory.records import NeighbourhoodRecord


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
    no_internet: float | None = None
    """Per cent, 0..100."""


def read_areas(
    source: Source,
    chosen: Mapping[str, str],
    report: Report,
    *,
    crs: str = "",
    table: Source | None = None,
    join_key: str = "",
    no_internet_unit: str | None = None,
) -> list[Area]:
    """Judge every polygon of `source`; rejected ones go into `report`.

    `chosen` maps id, name, population, deprivation, grade, no_internet and borough to columns of
    the layer or of `table`, which is joined by `join_key` to the id.

    Raises
    ------
    InputError
        The file has no geometry, a column is not there, or the coordinate system is unknown or
        contradicts the coordinates; `no_internet` may be shares or per cent, and nobody said.
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
    unit = unit_of(reader, "no_internet", no_internet_unit, "--no-internet")
    geometries = to_wgs84(source, crs, report)
    areas: list[Area] = []
    first: dict[str, int] = {}
    told = len(report.repaired), len(report.rejected), len(report.warnings)
    for row, own, geometry in zip(joined.source.rows, source.geometries, geometries, strict=True):
        try:
            polygon = valid_polygon(row, geometry, report)
            identity = reader.identity(row, shapely.to_wkb(own))
            area = _area(row, identity, polygon, reader, joined, unit=unit)
            if area.id in first:
                why = f"the id stands in feature {first[area.id]} already"
                raise BadCellError(reader.column("id"), area.id, why, "the id is a duplicate")  # noqa: TRY301
        except BadCellError as error:
            report.reject(row.number, error.of(reader.label(row)))
            report.rejected_ids.add(read_text(reader.cell(row, "id"))[0] or "")
            continue
        first[area.id] = row.number
        areas.append(area)
    joined.blame(report, *told)
    return areas


def in_place(
    areas: list[Area], stored: Sequence[NeighbourhoodRecord], zone: str, report: Report
) -> list[Area]:
    """`areas` without those that lie where no neighbourhood of this city can; doubts about the
    whole file are told. `stored` is what the inventory holds, `zone` the city's time zone.
    """
    lat_lon = inside_points([area.geometry for area in areas])
    held = inside_points([other.geometry for other in stored])
    at = {other.id: place for other, place in zip(stored, held, strict=True)}
    at_home = np.array(
        [
            area.id in at and apart_km(place, at[area.id]) <= APART_KM
            for area, place in zip(areas, lat_lon, strict=True)
        ],
        dtype=bool,
    )
    found = judge(lat_lon, held, at_home, zone)
    for place, why in found.whole:
        report.warn(0, "geometry", place, why)
    for i, why in found.far.items():
        lat, lon = lat_lon[i]
        error = BadCellError("geometry", f"{lat:.4f}, {lon:.4f}", why, why.partition("; ")[2])
        report.reject(areas[i].row, error.of(areas[i].id))
        report.rejected_ids.add(areas[i].id)
    return [area for i, area in enumerate(areas) if i not in found.far]


OVERLAP = 0.01
"""Neighbours' outlines seldom agree to the metre: a smaller share in two of them is not told."""


def tell_overlaps(geometries: Sequence[Any], report: Report) -> None:
    """One warning if more than `OVERLAP` of the city's area lies in two or more neighbourhoods:
    their people would be counted twice.
    """
    shapes = np.asarray(geometries, dtype=object)
    whole = shapely.union_all(shapes).area
    if shapely.area(shapes).sum() <= whole * (1 + OVERLAP):
        return
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    shared = shapely.intersection(shapes[one], shapes[other])
    real = shapely.area(shared) > OVERLAP * np.minimum(
        shapely.area(shapes[one]), shapely.area(shapes[other])
    )
    share = shapely.union_all(shared[real]).area / whole
    if share <= OVERLAP:
        return
    count = len(np.union1d(one[real], other[real]))
    report.warn(
        0, "geometry", f"{count} of {len(shapes)} neighbourhoods",
        f"overlap: {share:.0%} of the city's area lies in two or more of them, where people may be "
        "counted twice: import one set of outlines (--replace removes others)",
    )  # fmt: skip


def _area(
    row: Row, identity: str, polygon: Any, reader: Reader, joined: Joined, *, unit: str
) -> Area:
    report = reader.report
    population = reader.amount(row, "population", "count")
    deprivation = reader.number(row, "deprivation")
    no_internet = read_percent(reader, row, "no_internet", unit)
    if row.number in joined.unmatched:
        report.warn(
            row.number, reader.column("id"), identity,
            "has no row in the joined table: its population is unknown",
        )  # fmt: skip
    else:
        for field, what, value in (
            ("population", "population", population),
            ("deprivation", "deprivation", deprivation),
            ("no_internet", "share without Internet", no_internet),
        ):
            if value is None and reader.has(field):
                report.warn(
                    row.number, reader.column(field), "",
                    f"the {what} of {identity} is empty: it is unknown",
                    f"the {what} is empty: it is unknown",
                )  # fmt: skip
    return Area(
        row.number, identity, reader.text(row, "name") or identity, polygon,
        reader.text(row, "borough"), population, deprivation, reader.text(row, "grade"),
        no_internet,
    )  # fmt: skip


def to_wgs84(source: Source, crs: str, report: Report) -> Any:
    """The layer's geometries in WGS84; vertices that have no place there are infinite."""
    geometries = np.asarray(source.geometries, dtype=object)
    x_y = shapely.get_coordinates(geometries)
    projection = crs_module.choose(source.path, source.crs, crs, x_y[np.isfinite(x_y).all(axis=1)])
    report.notes += projection.notes
    report.extra["crs"] = projection.name
    return shapely.transform(geometries, projection.to_wgs84)


def valid_polygon(row: Row, geometry: Any, report: Report) -> Any:
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
