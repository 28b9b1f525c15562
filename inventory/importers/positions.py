"""Judges positions: in range, near the city, and if not, what they look like instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inventory.places import Floats, Places

FAR_KM = 50.0
"""Further from all neighbourhoods than this, a point is a mistake."""

_Variant = tuple[str, Callable[[Floats, Floats], tuple[Floats, Floats]]]
VARIANTS: tuple[_Variant, ...] = (
    (
        "latitude and longitude look swapped: exchange them",
        lambda lat, lon: (lon, lat),
    ),
    (
        "the latitude looks to have the wrong sign (wrong hemisphere): turn its sign",
        lambda lat, lon: (-lat, lon),
    ),
    (
        "the longitude looks to have the wrong sign (wrong hemisphere): turn its sign",
        lambda lat, lon: (lat, -lon),
    ),
    (
        "latitude and longitude look to have the wrong sign (wrong hemisphere): turn both",
        lambda lat, lon: (-lat, -lon),
    ),
    (
        "latitude and longitude look swapped and one of them has the wrong sign",
        lambda lat, lon: (-lon, lat),
    ),
    (
        "latitude and longitude look swapped and one of them has the wrong sign",
        lambda lat, lon: (lon, -lat),
    ),
)
"""Mistakes (what to do about it, how to undo it), the likeliest first."""
_WHOLE_FILE = " (--lat and --lon the other way round if the whole file is so)"
_LOST_POINT = "a decimal point looks lost: put it back"


@dataclass(frozen=True)
class Verdict:
    """What is known of one position. `bad` says why it is refused ("" if it is not)."""

    neighbourhood: int
    """Index, -1 outside all (or where none are known)."""
    distance_km: float
    bad: str = ""
    reason: str = ""
    field: str = "lat"
    """The coordinate at fault."""


def judge(lats: Floats, lons: Floats, places: Places | None) -> list[Verdict]:
    """A verdict for each position (degrees); without `places` only what no city could have."""
    ranged = (np.abs(lats) <= 90) & (np.abs(lons) <= 180)
    index = np.full(len(lats), -1, dtype=np.int64)
    metres = np.zeros(len(lats))
    if places is not None and ranged.any():
        index[ranged], metres[ranged] = places.locate(lats[ranged], lons[ranged])
    near = ranged & (metres <= FAR_KM * 1000)
    if places is None:
        near &= (lats != 0) | (lons != 0)
    hints = _hints(lats[~near], lons[~near], places)
    verdicts = [Verdict(int(i), m / 1000) for i, m in zip(index, metres, strict=True)]
    for position, hint in zip(np.flatnonzero(~near), hints, strict=True):
        lat, lon, km = lats[position], lons[position], metres[position] / 1000
        field = "lat"
        if abs(lat) > 90:
            what = f"latitude {lat:g} is not between -90 and 90"
            reason = "latitude out of range"
        elif abs(lon) > 180:
            what = f"longitude {lon:g} is not between -180 and 180"
            reason, field = "longitude out of range", "lon"
        elif lat == lon == 0:
            what = reason = "0, 0 stands for no position"
        else:
            what = f"{km:,.0f} km from every neighbourhood (at most {FAR_KM:g} km is believed)"
            reason = f"more than {FAR_KM:g} km from every neighbourhood"
            if "the longitude" in hint:
                field = "lon"
        verdicts[position] = Verdict(
            -1, km, "; ".join(filter(None, (what, hint))),
            "; ".join(filter(None, (reason, hint))), field,
        )  # fmt: skip
    return verdicts


def _hints(lats: Floats, lons: Floats, places: Places | None) -> list[str]:
    hints = [""] * len(lats)

    def offer(hint: str, fits: NDArray[np.bool_]) -> None:
        for i in np.flatnonzero(fits):
            hints[i] = hints[i] or hint

    for hint, change in _variants(lats, lons):
        lat, lon = change(lats, lons)
        ranged = (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
        fits = np.zeros(len(lats), dtype=bool)
        if places is not None and ranged.any():
            _, metres = places.locate(lat[ranged], lon[ranged])
            fits[ranged] = metres <= FAR_KM * 1000
        offer(hint, fits)
    if places is None:
        swapped = (np.abs(lats) > 90) & (np.abs(lats) <= 180) & (np.abs(lons) <= 90)
        offer(VARIANTS[0][0] + _WHOLE_FILE, swapped)
    metres_like = (np.abs(lats) > 1000) & (np.abs(lons) > 1000)
    offer("looks like metres in a projection: name it with --crs EPSG:N", metres_like)
    return hints


def _variants(lats: Floats, lons: Floats) -> list[_Variant]:
    def shifted(power: float) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
        def change(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
            return (
                np.where(np.abs(lat) > 90, lat / power, lat),
                np.where(np.abs(lon) > 180, lon / power, lon),
            )

        return change

    (swapped, exchange), *others = VARIANTS
    points = [(swapped + _WHOLE_FILE, exchange), *others]
    if not ((np.abs(lats) > 180) | (np.abs(lons) > 180)).any():
        return points
    return [*points, *((_LOST_POINT, shifted(10.0**n)) for n in range(1, 16))]
