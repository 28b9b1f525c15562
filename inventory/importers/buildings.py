"""Turns a layer of building outlines into what stands in a signal's way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from sqlalchemy.orm import Session

from farola.errors import InputError
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.importers.contents import Row, Source
from inventory.importers.names import counted
from inventory.importers.outcome import finish, record_import, refused
from inventory.importers.polygons import to_wgs84, valid_polygon
from inventory.importers.positions import judge
from inventory.importers.report import BadCellError, Report
from inventory.importers.rows import Reader
from inventory.importers.run import Request, known_city
from inventory.importers.source import open_source
from inventory.importers.write import Stored, upsert
from inventory.places import Places
from inventory.planning_models import Building

STOREY_M = 3.0
TALLEST_M = 1000.0
LARGEST_HA = 40
"""The ground of the largest halls there are."""


@dataclass(frozen=True)
class Outline:
    """An accepted building (WGS84); None is unknown."""

    row: int
    id: str
    geometry: Any
    height_m: float | None
    wall: str


def import_buildings(request: Request) -> None:
    """Import building outlines."""
    settings = load_settings()
    source = open_source(request.file, request.options)
    report = source.begin("buildings")
    with closing(open_inventory(settings)) as inventory, inventory.session() as session:
        places = known_city(session).places
        outlines = read_outlines(source, request.chosen, places, report, crs=request.crs)
        if not refused(report, request.strict):
            stored = store_outlines(session, outlines, request.chosen)
            record_import(session, report, stored, len(outlines))
    finish(report, source, settings.home, strict=request.strict, as_json=request.as_json)


def read_outlines(
    source: Source, chosen: Mapping[str, str], places: Places | None, report: Report,
    *, crs: str = "",
) -> list[Outline]:  # fmt: skip
    """Judge every outline of `source`; rejected ones go into `report`.

    `chosen` maps id, height (metres), levels and wall to columns; levels are counted at
    `STOREY_M` where the height is not said.

    Raises
    ------
    InputError
        The file has no geometry, a column is not there, or the coordinate system is unknown.
    """
    if source.geometries is None:
        raise InputError(f"{source.path}: a table has no outlines: give a .geojson, .shp or .gpkg")
    reader = Reader(source, chosen, report)
    geometries = to_wgs84(source, crs, report)
    found: list[Outline] = []
    first: dict[str, int] = {}
    for row, own, geometry in zip(source.rows, source.geometries, geometries, strict=True):
        try:
            polygon = valid_polygon(row, geometry, report)
            identity = reader.identity(row, shapely.to_wkb(own))
            if identity in first:
                why = f"the id stands in feature {first[identity]} already"
                raise BadCellError(reader.column("id"), identity, why, "the id is a duplicate")  # noqa: TRY301
            wall = (reader.text(row, "wall") or "").lower()[:40]
            found.append(Outline(row.number, identity, polygon, _height(reader, row), wall))
        except BadCellError as error:
            report.reject(row.number, error.of(reader.label(row)))
            continue
        first[identity] = row.number
    return _in_place(found, places, report)


def _height(reader: Reader, row: Row) -> float | None:
    height = reader.amount(row, "height")
    if height is None:
        levels = reader.amount(row, "levels")
        height = None if levels is None else levels * STOREY_M
    if height is not None and height > TALLEST_M:
        field = "height" if reader.has("height") else "levels"
        raise BadCellError(
            reader.column(field), reader.cell(row, field), f"is above {TALLEST_M:g} m"
        )
    return height or None


def _in_place(found: list[Outline], places: Places | None, report: Report) -> list[Outline]:
    """`found` without the buildings that are of another city."""
    middles = shapely.point_on_surface(np.array([o.geometry for o in found], dtype=object))
    lats, lons = shapely.get_y(middles), shapely.get_x(middles)
    kept = []
    for outline, verdict in zip(found, judge(lats, lons, places), strict=True):
        if verdict.bad:
            value = outline.geometry.centroid.wkt
            report.reject(outline.row, BadCellError("geometry", value, verdict.bad, verdict.reason))
        else:
            kept.append(outline)
    _tell_large(kept, report)
    if places is None:
        report.notes.append(
            "no neighbourhoods are known yet, so positions were not checked against the city"
        )
    return kept


def _tell_large(outlines: list[Outline], report: Report) -> None:
    """One warning where outlines are larger than buildings are."""
    if not outlines:
        return
    shapes = np.array([o.geometry for o in outlines], dtype=object)
    lats = shapely.get_y(shapely.point_on_surface(shapes))
    hectares = shapely.area(shapes) * 111_320**2 * np.cos(np.radians(lats)) / 10_000
    large = np.flatnonzero(hectares > LARGEST_HA)
    if len(large):
        first = outlines[int(large[0])]
        report.warn(
            first.row, "geometry", f"{hectares[large[0]]:,.0f} ha",
            f"{counted(len(large), 'outline')} of more than {LARGEST_HA} ha: are these buildings, "
            "or blocks and neighbourhoods?",
        )  # fmt: skip


def store_outlines(session: Session, outlines: list[Outline], chosen: Mapping[str, str]) -> Stored:
    """Keep buildings; columns that were not chosen keep what an earlier import said."""
    bounds = shapely.bounds(np.array([o.geometry for o in outlines], dtype=object))
    rows = [
        {
            "id": outline.id, "geometry": shapely.to_wkb(outline.geometry), "west": west,
            "south": south, "east": east, "north": north, "height_m": outline.height_m,
            "wall": outline.wall, "source": "imported",
        }
        for outline, (west, south, east, north) in zip(
            outlines, bounds.reshape(-1, 4).tolist(), strict=True
        )
    ]  # fmt: skip
    fields = ["geometry", "west", "south", "east", "north"]
    if chosen.get("height") or chosen.get("levels"):
        fields.append("height_m")
    if chosen.get("wall"):
        fields.append("wall")
    return upsert(session, Building, rows, fields)
