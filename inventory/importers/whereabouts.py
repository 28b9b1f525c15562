"""Judges where polygons lie: together, near what the inventory holds, and where the city's time
zone can be. Nothing else would tell a neighbourhood drawn with swapped coordinates, or in the wrong
hemisphere, from a true one.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH, ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray

from inventory.importers.positions import VARIANTS
from inventory.places import Floats

APART_KM = 500.0
"""Polygons with less than this between them belong together, and so do theirs: a large state or a
chain of islands is one, however long."""
HOME_KM = 200.0
"""A mistake explains a far polygon if undoing it brings the polygon this near to the others."""
CLOSE_KM, CLOSE_HOME_KM = 100.0, 25.0
"""The same for a mistake that moves a polygon less than `APART_KM` (a wrong sign near the equator):
nearer than the first, or than five times the city's own reach, none is looked for."""
LONE = 2
"""So many far polygons are mistakes; more that lie together are an island group, say."""
ZONE_DEGREES = 60.0
"""Four hours: no zone's clock is further from the sun's."""
ZONE_NEAR_KM, ZONE_FAR_KM = 1000.0, 2000.0
"""How near to its zone's own city a place is expected, and how far is doubtful."""
EARTH_KM = 6371.0
CELL = 0.005
"""Positions are thinned to cells of this side (32 km) before their groups are sought."""


@dataclass(frozen=True)
class Found:
    """What is to be told of where polygons lie. `far` maps indices to why they are refused,
    `whole` holds what is doubtful about the file: (the place as text, why).
    """

    far: dict[int, str]
    whole: tuple[tuple[str, str], ...]


def inside_points(geometries: Sequence[Any]) -> Floats:
    """(n, 2) of latitude and longitude inside each of the (valid) polygons."""
    points = shapely.point_on_surface(np.asarray(geometries, dtype=object))
    lon_lat: Floats = shapely.get_coordinates(points)
    return lon_lat[:, ::-1]


def judge(lat_lon: Floats, stored: Floats, at_home: NDArray[np.bool_], zone: str) -> Found:
    """Judge the file's polygons by a point in each.

    Parameters
    ----------
    lat_lon, stored
        (n, 2), degrees: those of the file, and those that the inventory holds already.
    at_home
        (n,): whether the inventory holds the polygon within `APART_KM` of there already.
    zone
        The city's time zone; "UTC" says nothing.
    """
    if not len(lat_lon):
        return Found({}, ())
    units = _unit(lat_lon)
    groups = _groups(units)
    sizes = np.bincount(groups)
    largest = np.flatnonzero(sizes == sizes.max())
    whole = []
    if len(largest) > 1 and len(stored):  # a tie: the inventory knows which is the city
        near = [_nearest_km(units[groups == g], _unit(stored)).min() for g in largest]
        largest = largest[[int(np.argmin(near))]]
    main = units[groups == largest[0]]
    middle = _middle(main)
    far: dict[int, str] = {}
    if len(largest) > 1:
        places = " and ".join(_place(_middle(units[groups == g])) for g in largest[:3])
        why = (
            f"the polygons lie in {len(sizes)} places more than {APART_KM:g} km apart, none of "
            "which has most of them: look for swapped coordinates or a wrong sign"
        )
        whole.append((places, why))
    else:
        far, strays = _far(lat_lon, units, groups, int(largest[0]), at_home)
        whole += strays
    if len(stored):
        whole += _against_stored(main, middle, _unit(stored), len(stored))
    if zone != "UTC":
        whole += _against_zone(middle, zone)
    return Found(far, tuple(whole))


def _far(
    lat_lon: Floats, units: Floats, groups: NDArray[np.int64], city: int,
    at_home: NDArray[np.bool_],
) -> tuple[dict[int, str], list[tuple[str, str]]]:  # fmt: skip
    """Why polygons outside the main group are refused, and what is told of groups that are not."""
    inside = np.flatnonzero(groups == city)
    main = units[inside]
    reach = _km(main, _unit(np.array([_middle(main)]))[0])
    width = 2 * float(reach.max())
    far = _near_mistakes(lat_lon, units, inside, reach)
    told = []
    for group in np.unique(groups[groups != city]):
        members = np.flatnonzero(groups == group)
        km = _nearest_km(units[members], main)
        advice = _advice(lat_lon[members], main)
        lone = len(members) <= LONE and float(km.min()) > width
        strays = 0
        for i, away, hint in zip(members.tolist(), km, advice, strict=True):
            if hint or (lone and not at_home[i]):
                remedy = hint or "if it is right, import it from a file of its own"
                far[i] = f"{away:,.0f} km from the other polygons; {remedy}"
            else:
                strays += 1
        if strays and not at_home[members].all():
            it = "1 polygon lies" if strays == 1 else f"{strays} polygons lie"
            why = f"{it} {km.min():,.0f} km from the others: if that is wrong, mend the file"
            told.append((_place(_middle(units[members])), why))
    return far, told


def _near_mistakes(
    lat_lon: Floats, units: Floats, inside: NDArray[np.int64], reach: Floats
) -> dict[int, str]:
    """Why polygons of the main group are refused: `reach` is how far they are from its middle."""
    odd = reach > max(CLOSE_KM, 5 * float(np.quantile(reach, 0.75)))
    if not odd.any():
        return {}
    home = units[inside[~odd]]
    km = _nearest_km(units[inside[odd]], home)
    advice = _advice(lat_lon[inside[odd]], home, CLOSE_HOME_KM)
    return {
        int(i): f"{away:,.0f} km from the other polygons; {hint}"
        for i, away, hint in zip(inside[odd], km, advice, strict=True)
        if hint and away > CLOSE_KM
    }


def _against_stored(
    main: Floats, middle: tuple[float, float], stored: Floats, count: int
) -> list[tuple[str, str]]:
    km = float(_nearest_km(stored, main).min())
    if km <= APART_KM:
        return []
    held = f"the {count:,} neighbourhoods" if count > 1 else "the only neighbourhood"
    hint = _advice(np.array([middle]), stored)[0]
    why = (
        f"this file puts the city at {_place(middle)}, {km:,.0f} km from {held} that the inventory "
        f"held before ({_place(_middle(stored))}): "
        + (f"in one of the two {hint}; " if hint else "")
        + "if those were wrong, import this file with --replace"
    )
    return [(_place(middle), why)]


def _against_zone(middle: tuple[float, float], zone: str) -> list[tuple[str, str]]:
    """Whether the city can lie in `zone`: by the sun, and by the zone's own city."""
    hours = _standard_offset(zone) / timedelta(hours=1)
    apart = abs((middle[1] - 15 * hours + 180) % 360 - 180)
    at = zone_city(zone)
    hint, km = "", 0.0
    if at is not None:
        there = _unit(np.array([at]))
        km = float(_km(_unit(np.array([middle])), there[0])[0])
        if km > ZONE_FAR_KM:
            hint = _advice(np.array([middle]), there, ZONE_NEAR_KM)[0]
    if apart <= ZONE_DEGREES and not hint:
        return []
    how = f"{km:,.0f} km from where that zone has its name" if km else f"not at UTC{hours:+g}"
    why = (
        f"this file puts the city at {_place(middle)}, which the time zone {zone} does not fit "
        f"({how}): {hint or 'look for swapped coordinates or a wrong sign, or mend the time zone'}"
    )
    return [(_place(middle), why)]


def _standard_offset(zone: str) -> timedelta:
    now = datetime.now(ZoneInfo(zone))
    return (now.utcoffset() or timedelta()) - (now.dst() or timedelta())


def zone_city(zone: str) -> tuple[float, float] | None:
    """Latitude and longitude of the city that `zone` is named after (IANA's zone.tab); None where
    the table or the zone is not known.
    """
    tables = [Path(folder) / "zone.tab" for folder in TZPATH]
    with suppress(ModuleNotFoundError):  # the system's table, or none
        tables.append(Path(str(importlib.resources.files("tzdata") / "zoneinfo" / "zone.tab")))
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        return None
    for line in table.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if not line.startswith("#") and fields[2] == zone:
            lat, lon = re.findall(r"[+-]\d+", fields[1])
            return _degrees(lat), _degrees(lon)
    return None


def _degrees(text: str) -> float:
    """±DDMM, ±DDDMM, ±DDMMSS or ±DDDMMSS, as ISO 6709 writes them; seconds are left out."""
    whole = len(text) - (5 if len(text) >= 7 else 3)
    digits = text[1:]
    degrees = float(digits[:whole]) + float(digits[whole : whole + 2]) / 60
    return -degrees if text[0] == "-" else degrees


def _advice(lat_lon: Floats, home: Floats, within: float = HOME_KM) -> list[str]:
    """For each position what would bring it `within` km of `home` (unit vectors); "" if nothing."""
    advice = [""] * len(lat_lon)
    for hint, change in VARIANTS:
        lat, lon = change(lat_lon[:, 0], lat_lon[:, 1])
        possible = np.abs(lat) <= 90
        km = _nearest_km(_unit(np.column_stack([lat, lon])), home)
        for i in np.flatnonzero(possible & (km <= within)):
            advice[i] = advice[i] or hint
    return advice


def _groups(units: Floats) -> NDArray[np.int64]:
    """A number for each position: equal where a chain of others less than `APART_KM` apart
    connects them (to within a cell).
    """
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    cells, inverse = np.unique(np.round(units / CELL), axis=0, return_inverse=True)
    tree = cKDTree(cells * CELL)
    near = tree.sparse_distance_matrix(tree, 2 * np.sin(APART_KM / EARTH_KM / 2))
    _, labels = connected_components(near, directed=False)
    return np.asarray(labels, dtype=np.int64)[inverse.ravel()]


def apart_km(one: Floats, other: Floats) -> float:
    """Great-circle distance of two positions (latitude and longitude, degrees)."""
    return float(_km(_unit(one[None, :]), _unit(other[None, :])[0])[0])


def _nearest_km(units: Floats, others: Floats) -> Floats:
    from scipy.spatial import cKDTree

    chord, _ = cKDTree(others).query(units)
    return 2 * EARTH_KM * np.arcsin(np.clip(np.asarray(chord) / 2, 0, 1))


def _km(units: Floats, other: Floats) -> Floats:
    return EARTH_KM * np.arccos(np.clip(units @ other, -1, 1))


def _unit(lat_lon: Floats) -> Floats:
    lat, lon = np.radians(lat_lon[:, 0]), np.radians(lat_lon[:, 1])
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _middle(units: Floats) -> tuple[float, float]:
    """The median position: a few far ones do not move it."""
    x, y, z = np.median(units, axis=0)
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def _place(lat_lon: tuple[float, float]) -> str:
    return f"{lat_lon[0]:.2f}, {lat_lon[1]:.2f}"
