"""Chooses a layer's coordinate system, brings coordinates to WGS84, and says when they contradict
each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from farola.errors import InputError
from inventory.places import Floats

MARGIN_DEGREES = 5.0
"""How far outside a system's area of use coordinates may lie before it must be the wrong one."""


@dataclass(frozen=True)
class Projection:
    """A coordinate system, where it came from, and what to tell about that."""

    crs: CRS
    name: str
    notes: tuple[str, ...] = ()

    def to_wgs84(self, x_y: Floats) -> Floats:
        """(n, 2) of x, y (longitude, latitude order) as WGS84 degrees; inf where impossible."""
        if self.crs == CRS("OGC:CRS84") or self.crs.to_epsg() == 4326:
            return x_y
        transformer = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        return np.column_stack(transformer.transform(x_y[:, 0], x_y[:, 1]))


def parse_crs(text: str) -> CRS:
    """The system that `--crs` names; InputError if there is none."""
    try:
        return CRS.from_user_input(int(text) if text.isdigit() else text)
    except (CRSError, ValueError):  # ValueError: thousands of digits
        raise InputError(
            f"--crs {text}: no such coordinate system; use a code such as EPSG:6372"
        ) from None


def choose(path: Path, own: str | None, given: str, x_y: Floats) -> Projection:
    """The system of the coordinates `x_y` ((n, 2), finite): `given`, else the file's `own`, else
    WGS84 where they look like degrees.

    Raises
    ------
    InputError
        No system is known, or the coordinates cannot be in it.
    """
    if not len(x_y):  # nothing to contradict: every feature will be rejected for its geometry
        return Projection(CRS("EPSG:4326"), "none")
    largest = np.abs(x_y).max(axis=0)
    degrees_like = bool(largest[0] <= 360 and largest[1] <= 90)
    if given:
        crs, origin = parse_crs(given), "--crs says"
    elif own:
        try:
            crs, origin = CRS.from_user_input(own), "the file says"
        except CRSError:
            raise InputError(
                f"{path}: its coordinate system cannot be understood: name it with --crs EPSG:N"
            ) from None
    elif degrees_like:
        crs, origin = CRS("EPSG:4326"), "is assumed"
    else:
        raise InputError(
            f"{path}: names no coordinate system and its coordinates are no degrees (such as "
            f"{x_y[0, 0]:.10g}, {x_y[0, 1]:.10g}): name it with --crs EPSG:N"
        )
    name = _name(crs)
    example = f"such as {x_y[0, 0]:.10g}, {x_y[0, 1]:.10g}"
    if crs.is_geographic and not degrees_like:
        swapped = largest[0] <= 90 and largest[1] <= 360
        advice = (
            "longitude and latitude look swapped in the file"
            if swapped
            else "name the right one with --crs EPSG:N"
        )
        raise InputError(
            f"{path}: {origin} {name}, but coordinates {example} are no degrees of longitude and "
            f"latitude: {advice}"
        )
    if crs.is_projected and degrees_like:
        raise InputError(
            f"{path}: {origin} {name}, which counts in {crs.axis_info[0].unit_name}s, but "
            f"coordinates {example} look like degrees: try --crs EPSG:4326"
        )
    notes = []
    if origin == "is assumed":
        notes.append("the file names no coordinate system; its coordinates look like degrees, "
                     "WGS84 (EPSG:4326) is assumed")  # fmt: skip
    elif given and own and not _same(crs, own):
        notes.append(f"the file says {_own_name(own)}; {name} is used, as --crs says")
    projection = Projection(crs, name)
    notes += _check_area(path, projection, origin, x_y)
    return Projection(crs, name, tuple(notes))


def _check_area(path: Path, projection: Projection, origin: str, x_y: Floats) -> list[str]:
    area = projection.crs.area_of_use
    if area is None:
        return []
    lon, lat = projection.to_wgs84(x_y).T
    width = (area.east - area.west) % 360 or 360
    across = (lon - area.west + MARGIN_DEGREES) % 360 <= width + 2 * MARGIN_DEGREES
    with np.errstate(invalid="ignore"):
        inside = (
            across & (lat >= area.south - MARGIN_DEGREES) & (lat <= area.north + MARGIN_DEGREES)
        )
    if inside.any():
        return []
    what = f"{origin} {projection.name}, which is meant for {area.name}, but all coordinates fall "
    if origin == "--crs says":
        raise InputError(f"{path}: {what}far outside it: name the right one with --crs EPSG:N")
    return [what + "far outside it: if places look wrong, name the right one with --crs EPSG:N"]


def _name(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code} ({crs.name})" if code else str(crs.name)


def _own_name(own: str) -> str:
    try:
        return _name(CRS.from_user_input(own))
    except CRSError:
        return "something unreadable"


def _same(crs: CRS, own: Any) -> bool:
    try:
        other = CRS.from_user_input(own)
    except CRSError:
        return False
    return bool(crs == other or crs.to_epsg(20) == other.to_epsg(20) is not None)
