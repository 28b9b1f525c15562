"""Small made-up cities whose coverage can be worked out on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from coverage_maps.cover.projection import LocalPlane
from inventory.records import NeighbourhoodRecord, SiteRecord


class City:
    """Makes neighbourhoods and sites from metres east and north of a place on earth."""

    def __init__(self, lat: float = 19.4, lon: float = -99.1) -> None:
        self.plane = LocalPlane(lat, lon)

    def degrees(self, x: float, y: float) -> tuple[float, float]:
        lat, lon = self.plane.degrees(np.array([[x, y]], dtype=float))
        return float(lat[0]), float(lon[0])

    def area(self, shape: BaseGeometry, name: str = "n", **known: Any) -> NeighbourhoodRecord:
        """`shape` in metres; `known` overrides 1,000 residents, no deprivation, no grade."""

        def to_degrees(metres: Any) -> Any:
            lat, lon = self.plane.degrees(metres)
            return np.column_stack((lon, lat))

        geometry = shapely.transform(shape, to_degrees)
        values: dict[str, Any] = {
            "borough": None, "population": 1000.0, "deprivation": None, "high_is_worse": True,
            "grade": None,
        } | known  # fmt: skip
        return NeighbourhoodRecord(id=name, name=name, geometry=geometry, **values)

    def square(self, x: float, y: float, side: float, name: str = "n", **known: Any) -> Any:
        """A square with its lower left corner at x, y."""
        return self.area(box(x, y, x + side, y + side), name, **known)

    def site(self, x: float, y: float, name: str = "s", **known: Any) -> SiteRecord:
        lat, lon = self.degrees(x, y)
        values: dict[str, Any] = {
            "kind": "fixed", "status": "live", "programme": None, "borough": None, "cost": None,
            "source": "imported",
        } | known  # fmt: skip
        return SiteRecord(id=name, name=name, lat=lat, lon=lon, **values)

    def sites(self, places: Sequence[tuple[float, float]], **known: Any) -> list[SiteRecord]:
        return [self.site(x, y, f"s{k}", **known) for k, (x, y) in enumerate(places)]


@pytest.fixture(scope="session")
def city() -> City:
    return City()


@pytest.fixture(scope="session")
def city_at() -> Callable[[float, float], City]:
    return City
