"""Brings figures of sites and neighbourhoods to neighbourhoods: use, how much of the service the
figures tell of, and uptime. Sums are kept: what is split is split by the residents in reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import csr_array

from coverage_maps.cover.footprint import discs
from coverage_maps.cover.ground import Ground, positions
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.usage import RecentUse
from inventory.records import SiteRecord


@dataclass(frozen=True, eq=False)
class UseOfPlaces:
    """Of n neighbourhoods; arrays of shape (n,)."""

    use: Floats
    """Counts in a usual period; nan is unknown."""
    exposure: Floats
    """Share of the residents in reach who are so of sites with figures, 0..1."""
    uptime: Floats
    """Share of the time that the sites were up, 0..1; nan is unknown."""
    metric: str = ""
    days: float = 0.0
    """Length of a usual period."""
    notes: tuple[str, ...] = ()


def bring_home(
    ground: Ground,
    radius: float,
    sites: Sequence[SiteRecord],
    recent: RecentUse,
    uptime: Mapping[str, float],
) -> UseOfPlaces:
    """Use by neighbourhood; figures of a neighbourhood itself go before those of its sites.

    A site's use is split between the neighbourhoods that its disc of `radius` metres meets, by
    residents in reach; where nobody lives in reach it is left out. `uptime` is by site.
    """
    count = len(ground.records)
    use, exposure = np.full(count, np.nan), np.zeros(count)
    live = [site for site in sites if site.stands]
    notes = list(recent.notes)
    notes += _strange(recent, {s.id for s in sites}, {s.id for s in live}, ground)
    days = recent.days.get("neighbourhood") or recent.days.get("site") or 0.0
    up = np.full(count, np.nan)
    if (recent.sites or uptime) and live:
        reach = reach_of(ground, positions(ground, live), radius)
        of_all = np.asarray(reach.sum(axis=0))
        told = np.array([site.id in recent.sites for site in live])
        counts = np.array([recent.sites.get(site.id, 0.0) for site in live])
        lived = np.asarray(reach.sum(axis=1))
        lost = told & ~(lived > 0)
        if lost.any():
            notes.append(f"use of {int(lost.sum())} sites is left out: nobody lives in their reach")
        share = np.divide(counts, lived, out=np.zeros(len(live)), where=told & (lived > 0))
        of_told = reach.T @ told.astype(float)
        scale = days / recent.days["site"] if recent.days.get("site") else 1.0
        known = of_told > 0
        use[known] = (reach.T @ share)[known] * scale
        exposure[known] = of_told[known] / of_all[known]
        up = _uptime(reach, live, uptime)
    index = {record.id: i for i, record in enumerate(ground.records)}
    for place, counted in recent.neighbourhoods.items():
        if place in index:
            use[index[place]], exposure[index[place]] = counted, 1.0
    return UseOfPlaces(use, exposure, up, recent.metric, days, tuple(notes))


def reach_of(ground: Ground, xy: Floats, radius: float) -> csr_array:
    """Residents of each neighbourhood within `radius` of each site, shape (sites, n)."""
    if not len(xy):
        return csr_array((0, len(ground.records)))
    shapes = discs(xy, radius)
    site, which = ground.tree.query(shapes, predicate="intersects")
    density = ground.residents[which] / ground.areas[which]
    within = shapely.area(shapely.intersection(shapes[site], ground.polygons[which])) * density
    return csr_array((within, (site, which)), shape=(len(xy), len(ground.records)))


def _uptime(reach: csr_array, live: Sequence[SiteRecord], uptime: Mapping[str, float]) -> Floats:
    known = np.array([site.id in uptime for site in live], dtype=float)
    share = np.array([uptime.get(site.id, 0.0) for site in live])
    weight, up = reach.T @ known, reach.T @ (known * share)
    return np.asarray(np.divide(up, weight, out=np.full(len(up), np.nan), where=weight > 0))


def _strange(recent: RecentUse, known: set[str], live: set[str], ground: Ground) -> list[str]:
    """Figures of places that are not in the inventory, or are not live."""
    told = []
    areas = {record.id for record in ground.records}
    for noun, lost in (
        ("site", sorted(set(recent.sites) - known)),
        ("neighbourhood", sorted(set(recent.neighbourhoods) - areas)),
    ):
        if lost:
            told.append(
                f"usage of {len(lost)} {noun}s is not used: no {noun} {lost[0]!r} in the inventory"
            )
    idle = sorted((set(recent.sites) & known) - live)
    if idle:
        told.append(
            f"usage of {len(idle)} sites is not used: {idle[0]!r} is not live, or a van's stop, "
            "so it has no coverage to be set against"
        )
    return told
