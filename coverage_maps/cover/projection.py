"""A flat map in metres around one city, on which areas are true.

Lambert's azimuthal equal-area projection, centred on the city: no zone seams (a UTM zone ends
somewhere in many cities) and no break at the antimeridian. Within 50 km of the centre lengths
are true to one part in 100,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]


@dataclass(frozen=True)
class LocalPlane:
    """The projection centred on `lat`, `lon` (WGS84 degrees); x east, y north, in metres."""

    lat: float
    lon: float

    @cached_property
    def _transformer(self) -> Transformer:
        plane = f"+proj=laea +lat_0={self.lat!r} +lon_0={self.lon!r} +datum=WGS84 +units=m"
        return Transformer.from_crs("EPSG:4326", plane, always_xy=True)

    def xy(self, lats: ArrayLike, lons: ArrayLike) -> Floats:
        """Positions in metres, shape (n, 2), of n positions in degrees."""
        lon, lat = np.atleast_1d(lons), np.atleast_1d(lats)
        return np.column_stack(self._transformer.transform(lon, lat)).astype(np.float64)

    def degrees(self, xy: Floats) -> tuple[Floats, Floats]:
        """Latitudes and longitudes of `xy`, shape (n, 2) in metres."""
        lon, lat = self._transformer.transform(xy[:, 0], xy[:, 1], direction="INVERSE")
        return lat, lon

    def flatten(self, geometries: Sequence[Any] | Geometries) -> Geometries:
        """Geometries in degrees (longitude, latitude) → valid geometries in metres."""

        def to_plane(coordinates: Floats) -> Floats:
            return self.xy(coordinates[:, 1], coordinates[:, 0])

        flat = np.asarray(shapely.transform(np.asarray(geometries, dtype=object), to_plane))
        broken = ~shapely.is_valid(flat)
        flat[broken] = shapely.make_valid(flat[broken])
        return flat


def local_plane(geometries: Sequence[Any] | Geometries) -> LocalPlane:
    """The plane centred on the middle of all vertices of `geometries` (longitude, latitude).

    The mean is taken of directions from the middle of the earth, so a city on both sides of
    the antimeridian is centred on itself and not on Greenwich.
    """
    degrees = shapely.get_coordinates(np.asarray(geometries, dtype=object))
    lon, lat = np.radians(degrees).T
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    mean = np.array([x.mean(), y.mean(), z.mean()])
    return LocalPlane(
        round(float(np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1])))), 6),
        round(float(np.degrees(np.arctan2(mean[1], mean[0]))), 6),
    )
