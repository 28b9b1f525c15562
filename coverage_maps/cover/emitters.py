"""What sends: one radio (or a site taken whole) at a place on the ground's plane, and how far it
reaches. Propagation says the range; coverage unites what the emitters reach.

The reach of an emitter is, in this order: its `footprint` where one was computed (walls, measured
levels), else a shape with the range of each bearing (a sector antenna), else a disc.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from coverage_maps.cover.projection import Floats, Geometries
from farola.errors import PlanningError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from coverage_maps.cover.ground import Ground
    from inventory.records import RadioRecord, SiteRecord

LARGEST_RANGE = 50_000.0
CORNERS = 32
_TURN = 2 * math.pi / CORNERS
OUTER = math.sqrt(_TURN / math.sin(_TURN))
"""Distance of a disc's corners from its middle, in ranges: its area is that of the circle."""
INNER = OUTER * math.cos(_TURN / 2)
"""Distance of a disc's sides from its middle, in ranges."""


@dataclass(frozen=True, slots=True)
class Emitter:
    """A radio, or a site taken whole; metres on the ground's plane, x east and y north."""

    id: str
    """`device/radio`, or the site's id."""
    site_id: str
    x: float
    y: float
    range_m: float
    """Metres; 0 reaches nobody."""
    kind: str = "disc"
    """What the range is from: `disc`, or the propagation model's name."""
    band: str = ""
    """`2.4`, `5`, `6` (GHz), or "" where the range is not of a band."""
    device_id: str | None = None
    place: str = "outdoor"
    """Where the receiver is: `outdoor` or `indoor`."""
    limited_by: str = ""
    """What ends the range: `downlink`, `uplink`, `validity`, …; "" where it was given."""
    ranges_m: tuple[float, ...] = ()
    """Ranges at equal steps of bearing clockwise from north, where it is not the same all around;
    at least 8. `range_m` is then the largest.
    """
    footprint: BaseGeometry | None = field(default=None, compare=False)
    """A polygon on the plane that was computed for it; it stands in for the range."""


def from_sites(ground: Ground, sites: Sequence[SiteRecord], radius: float) -> list[Emitter]:
    """One emitter for each site, all of the same range `radius` in metres."""
    if not sites:
        return []
    xy = ground.plane.xy([s.lat for s in sites], [s.lon for s in sites])
    return [
        Emitter(site.id, site.id, x, y, radius)
        for site, (x, y) in zip(sites, xy.tolist(), strict=True)
    ]


def from_radios(
    ground: Ground, sites: Sequence[SiteRecord], radios: Iterable[RadioRecord], radius: float
) -> list[Emitter]:
    """One emitter for each radio at one of `sites`, and one for each site without a known radio.

    All have the range `radius`: propagation replaces it (`with_range`).
    """
    alone = {emitter.site_id: emitter for emitter in from_sites(ground, sites, radius)}
    sending = [
        replace(
            alone[radio.site_id], id=f"{radio.device_id}/{radio.name}",
            device_id=radio.device_id, band=radio.band,
        )
        for radio in radios
        if radio.site_id in alone
    ]  # fmt: skip
    known = {emitter.site_id for emitter in sending}
    return [*sending, *(e for site, e in alone.items() if site not in known)]


def with_range(
    emitter: Emitter, range_m: float, *, kind: str, limited_by: str = "", place: str = "outdoor"
) -> Emitter:
    """`emitter` with the range that a propagation model gives it."""
    return replace(emitter, range_m=range_m, kind=kind, limited_by=limited_by, place=place)


def checked(emitters: Iterable[Emitter]) -> list[Emitter]:
    """Those that reach anything.

    Raises
    ------
    PlanningError
        A range is negative, not a number or above 50 km, or a position is not finite.
    """
    kept = []
    for emitter in emitters:
        reach = (emitter.range_m, *emitter.ranges_m)
        if not all(0 <= r <= LARGEST_RANGE for r in reach):  # false for nan too
            raise PlanningError(
                f"{emitter.id}: a range of {max(reach):g} m cannot be: metres from 0 to 50,000"
            )
        if emitter.ranges_m and len(emitter.ranges_m) < 8:
            raise PlanningError(f"{emitter.id}: give ranges for at least 8 bearings, or for none")
        if not (math.isfinite(emitter.x) and math.isfinite(emitter.y)):
            raise PlanningError(f"{emitter.id}: its site has no position on the city's plane")
        if emitter.range_m > 0 or emitter.footprint is not None:
            kept.append(emitter)
    return kept


def outermost(emitters: Sequence[Emitter]) -> list[Emitter]:
    """`emitters` without the discs that a disc no smaller at the same place (to the centimetre)
    hides: the bands of one access point are such.
    """
    best: dict[tuple[int, int], Emitter] = {}
    others = []
    for emitter in emitters:
        if emitter.footprint is not None or emitter.ranges_m:
            others.append(emitter)
            continue
        place = round(emitter.x * 100), round(emitter.y * 100)
        known = best.get(place)
        if known is None or emitter.range_m > known.range_m:
            best[place] = emitter
    return [*best.values(), *others]


def shapes(emitters: Sequence[Emitter]) -> Geometries:
    """What each emitter reaches, as a polygon on the plane, shape (n,)."""
    out = np.empty(len(emitters), dtype=object)
    round_ones = [k for k, e in enumerate(emitters) if e.footprint is None and not e.ranges_m]
    if round_ones:
        xy = np.array([(emitters[k].x, emitters[k].y) for k in round_ones])
        out[round_ones] = discs(xy, np.array([emitters[k].range_m for k in round_ones]))
    for k, emitter in enumerate(emitters):
        if emitter.footprint is not None:
            out[k] = emitter.footprint
        elif emitter.ranges_m:
            out[k] = _star(emitter)
    broken = ~shapely.is_valid(out)
    out[broken] = shapely.make_valid(out[broken])
    return out


def discs(xy: Floats, radius: float | Floats) -> Geometries:
    """One 32-gon for each of the n positions `xy`, shape (n, 2), all in metres.

    `radius` is one for all or of shape (n,). Each polygon has the area of the circle: corners
    stand at radius × √(2π / (n·sin(2π/n))), so a union of them misses the exact answer by at most
    0.14 points of a city block.
    """
    angles = np.arange(CORNERS) * _TURN
    corner = np.column_stack((np.cos(angles), np.sin(angles))) * OUTER
    scale = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(xy),))
    rings = xy[:, np.newaxis, :] + scale[:, np.newaxis, np.newaxis] * corner
    return np.asarray(shapely.polygons(rings))


def _star(emitter: Emitter) -> shapely.Polygon:
    """The polygon through the ranges by bearing, its area that of the sectors they stand for."""
    ranges = np.array(emitter.ranges_m)
    step = 2 * math.pi / len(ranges)
    bearing = np.arange(len(ranges)) * step
    triangles = 0.5 * math.sin(step) * float(np.sum(ranges * np.roll(ranges, -1)))
    sectors = 0.5 * step * float(np.sum(ranges**2))
    grow = math.sqrt(sectors / triangles) if triangles > 0 else 1.0
    x = emitter.x + grow * ranges * np.sin(bearing)
    y = emitter.y + grow * ranges * np.cos(bearing)
    return shapely.Polygon(np.column_stack((x, y)))
