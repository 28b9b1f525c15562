"""Geometry for the map: simplified so that a city of thousands of polygons loads on a phone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

DECIMALS = 5
"""Of a degree: about a metre."""

Bounds = tuple[float, float, float, float]


def bounds_of(geometries: Sequence[BaseGeometry]) -> Bounds | None:
    """West, south, east, north in degrees; None where there is nothing."""
    total = shapely.total_bounds(np.asarray(geometries, dtype=object)) if len(geometries) else None
    if total is None or not np.isfinite(total).all():
        return None
    west, south, east, north = (float(v) for v in total)
    return west, south, east, north


def simplify(geometries: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Fewer points for display; neighbours keep their common edges (GEOS's coverage simplifier).

    The tolerance is 1/4,000 of the city's extent: a third of a pixel when the whole of it is on a
    screen. A shape that the simplifier would lose is kept as it was.
    """
    bounds = bounds_of(geometries)
    if bounds is None:
        return list(geometries)
    extent = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    given = np.asarray(geometries, dtype=object)
    simple = shapely.coverage_simplify(given, extent / 4000)
    simple = np.where(shapely.is_empty(simple) | shapely.is_missing(simple), given, simple)
    rounded = shapely.transform(simple, lambda xy: np.round(xy, DECIMALS))
    return list(rounded)


def polygons_geojson(
    geometries: Sequence[BaseGeometry], properties: Sequence[Mapping[str, object]]
) -> bytes:
    """A FeatureCollection of `geometries`, each with its properties."""
    shapes = shapely.to_geojson(np.asarray(geometries, dtype=object))
    features = (
        f'{{"type":"Feature","properties":{_json(values)},"geometry":{shape}}}'
        for shape, values in zip(shapes, properties, strict=True)
    )
    return ('{"type":"FeatureCollection","features":[' + ",".join(features) + "]}").encode()


def points_geojson(
    points: Sequence[tuple[float, float]], properties: Sequence[Mapping[str, object]]
) -> bytes:
    """A FeatureCollection of points (longitude, latitude)."""
    features = [
        {
            "type": "Feature",
            "properties": dict(values),
            "geometry": {
                "type": "Point",
                "coordinates": [round(lon, DECIMALS), round(lat, DECIMALS)],
            },
        }
        for (lon, lat), values in zip(points, properties, strict=True)
    ]
    return _json({"type": "FeatureCollection", "features": features}).encode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
