"""`farola coverage --footprints FILE.geojson`: what each access point, and each of its radios,
reaches, as a polygon with the residents in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely

from coverage_maps.cover.emitters import Emitter, checked, shapes
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.projection import Floats, Geometries
from farola.errors import InputError
from farola.files import written_whole

DIGITS = 6
"""Of degrees: 0.1 m."""


def check_target(path: Path) -> None:
    """InputError unless a file can be made at `path`."""
    if path.suffix.lower() not in {".geojson", ".json"}:
        raise InputError(f"{path}: footprints are written as GeoJSON: name a file .geojson")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.absolute().parent}")


def write_footprints(path: Path, ground: Ground, emitters: Sequence[Emitter]) -> int:
    """Write the footprints; return how many. InputError where the file cannot be written.

    `residents` are those within the footprint, whoever else covers them too.
    """
    sending = checked(emitters)
    reached = shapes(sending)
    people = residents_within(ground, reached)
    lon_lat = to_degrees(ground, reached)
    features = [
        {
            "type": "Feature",
            "properties": {
                "id": e.id, "site": e.site_id, "device": e.device_id, "band": e.band or None,
                "model": e.kind, "place": e.place, "range_m": round(e.range_m, 1),
                "limited_by": e.limited_by or None, "residents": round(float(count), 1),
            },
            "geometry": json.loads(shape),
        }
        for e, count, shape in zip(sending, people, shapely.to_geojson(lon_lat), strict=True)
    ]  # fmt: skip
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    try:
        with written_whole(path, 0o644) as out:
            out.write(text.encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    return len(features)


def residents_within(ground: Ground, reached: Geometries) -> Floats:
    """Residents within each of the shapes `reached`, shape (n,)."""
    people: Floats = np.zeros(len(reached))
    density = ground.residents / ground.areas
    which, area = ground.tree.query(reached, predicate="intersects")
    shared = shapely.area(shapely.intersection(reached[which], ground.polygons[area]))
    np.add.at(people, which, shared * density[area])
    return people


def to_degrees(ground: Ground, shapes: Geometries) -> Geometries:
    """`shapes` on the ground's plane as longitude and latitude, rounded. One across the
    antimeridian stays in one piece, with longitudes beyond 180.
    """
    middle = ground.plane.lon

    def lon_lat(metres: Floats) -> Floats:
        lat, lon = ground.plane.degrees(metres)
        lon = middle + (lon - middle + 180) % 360 - 180
        return np.asarray(np.round(np.column_stack((lon, lat)), DIGITS))

    return np.asarray(shapely.transform(shapes, lon_lat))
