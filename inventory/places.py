"""Where a point lies among the neighbourhoods: inside which, or how far from all of them.

Works in an azimuthal equidistant projection centred on the city, so distances are metres and a
city across the antimeridian is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from inventory.records import NeighbourhoodRecord

Floats = NDArray[np.float64]
FAR = 30_000_000.0
"""Metres; stands for points that the projection cannot show (near the antipode)."""


class Places:
    """The neighbourhoods, ready to be asked about many points at once."""

    def __init__(self, neighbourhoods: Sequence[NeighbourhoodRecord]) -> None:
        """`neighbourhoods` must not be empty; where two overlap the first one counts."""
        self.neighbourhoods = list(neighbourhoods)
        geometries = np.array([n.geometry for n in self.neighbourhoods], dtype=object)
        centroids = shapely.get_coordinates(shapely.centroid(geometries))
        lat, lon = _middle(centroids)
        self._to_plane = Transformer.from_crs(
            "EPSG:4326",
            f"+proj=aeqd +lat_0={lat:.6f} +lon_0={lon:.6f} +datum=WGS84 +units=m",
            always_xy=True,
        )
        self._tree = shapely.STRtree(shapely.transform(geometries, self._plane))

    def _plane(self, lon_lat: Floats) -> Floats:
        x, y = self._to_plane.transform(lon_lat[:, 0], lon_lat[:, 1])
        plane = np.column_stack([x, y])
        plane[~np.isfinite(plane).all(axis=1)] = FAR
        return plane

    def locate(self, lats: Any, lons: Any) -> tuple[NDArray[np.int64], Floats]:
        """For each point (degrees) the index of its neighbourhood, -1 outside all, and its
        distance in metres to the nearest one (0 inside).
        """
        lon_lat = np.column_stack([np.asarray(lons, float), np.asarray(lats, float)])
        points = shapely.points(self._plane(lon_lat))
        index = np.full(len(points), len(self.neighbourhoods), dtype=np.int64)
        asked, found = self._tree.query(points, predicate="intersects")
        np.minimum.at(index, asked, found)
        index[index == len(self.neighbourhoods)] = -1
        distance = np.zeros(len(points))
        outside = np.flatnonzero(index < 0)
        if len(outside):
            (which, _), metres = self._tree.query_nearest(
                points[outside], return_distance=True, all_matches=False
            )
            distance[outside[which]] = metres
        return index, distance


def _middle(lon_lat: Floats) -> tuple[float, float]:
    """Mean position on the sphere as (latitude, longitude), safe across the antimeridian."""
    lon, lat = np.radians(lon_lat[:, 0]), np.radians(lon_lat[:, 1])
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    x, y, z = x.mean(), y.mean(), z.mean()
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))
