"""How much the portal is used where it can be reached: a demand index for each neighbourhood.

The index is use per covered resident against the whole city's, drawn towards 1 where little was
counted and kept within 0.5..2. It multiplies what a resident is worth to the plan. It is thin on
purpose: it describes use, it does not explain it (see `CAVEATS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from coverage_maps.coverage import Coverage
from coverage_maps.footprint import discs
from coverage_maps.ground import Ground, positions
from coverage_maps.projection import Floats
from coverage_maps.usage import recent_use
from inventory.records import SiteRecord, UsageRecord

PRIOR = 100.0
"""People or sessions that must be counted before an index is half its own and half the city's."""
LOWEST, HIGHEST = 0.5, 2.0
REACH = 1_000.0
"""Metres from a site (or three radii) up to which its use tells of demand, fading to nothing."""
SHOWN_FROM = 10.0

CAVEATS = (
    "Use of the portal is not need: where people cannot connect they cannot be counted, and a "
    "broken access point looks like no interest.",
    "Figures of places are read as if they were of the residents around them; visitors are "
    "counted too, and devices with changing addresses are counted more than once.",
    "Beyond 1 km (or three radii) of any figure nothing is inferred: demand is neutral there.",
)


@dataclass(frozen=True, eq=False)
class Demand:
    """Demand of n neighbourhoods."""

    index: Floats
    """Shape (n,): 1 is the city's mean, and what stands where nothing is known."""
    known: NDArray[np.bool_]
    """Shape (n,): whether any figure bears on it."""
    shown: NDArray[np.bool_]
    """Shape (n,): whether at least ten were counted, so that it may be told."""
    metric: str = ""
    """`users` or `sessions`; empty where no usage was found."""
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> bool:
        """Whether the index changes any weight."""
        return bool(self.known.any())

    def told(self, i: int) -> tuple[float | None, str]:
        """The index of neighbourhood `i` if it may be told, and the words for it."""
        if not self.known[i]:
            return None, "demand: no data"
        if not self.shown[i]:
            return None, f"demand: fewer than {SHOWN_FROM:.0f} {self.metric} nearby, not shown"
        value = float(self.index[i])
        return value, f"demand: {self.metric} per covered resident {value:.2f} × the city's mean"


def demand_index(
    ground: Ground,
    before: Coverage,
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
) -> Demand:
    """The index from usage of sites and neighbourhoods; figures of a neighbourhood go first.

    For neighbourhood n, with observed use O and the use E expected of as many covered residents
    at the city's mean, the index is (O + PRIOR) / (E + PRIOR). The use of a site, and the
    residents within its disc, are attributed to the neighbourhoods within `REACH`, with a
    weight that falls from 1 at no distance to 0.
    """
    count = len(ground.records)
    observed, expected, counted = np.zeros(count), np.zeros(count), np.zeros(count)
    recent = recent_use(usage)
    notes = list(recent.notes)
    where = {site.id: site for site in sites}
    strange = sorted(set(recent.sites) - set(where))
    if strange:
        notes.append(
            f"usage of {len(strange)} places is not used: no site {strange[0]!r} in the inventory"
        )
    at_sites = [(where[p], use) for p, use in recent.sites.items() if p in where]
    if at_sites:
        _attribute_sites(
            ground, before.radius, at_sites, observed=observed, expected=expected, counted=counted
        )

    names = {record.id: i for i, record in enumerate(ground.records)}
    strange = sorted(set(recent.neighbourhoods) - set(names))
    if strange:
        notes.append(
            f"usage of {len(strange)} neighbourhoods is not used: no {strange[0]!r} in the "
            "inventory"
        )
    rows = [(names[p], use) for p, use in recent.neighbourhoods.items() if p in names]
    covered = ground.residents * before.shares
    rows = [(i, use) for i, use in rows if covered[i] > 0]
    if rows:
        index = np.array([i for i, _ in rows])
        use = np.array([u for _, u in rows])
        observed[index] = use
        expected[index] = covered[index] * use.sum() / covered[index].sum()
        counted[index] = use

    known = expected > 0
    ratio = np.where(known, (observed + PRIOR) / (expected + PRIOR), 1.0)
    return Demand(
        np.clip(ratio, LOWEST, HIGHEST), known, counted >= SHOWN_FROM,
        recent.metric if known.any() else "", tuple(notes),
    )  # fmt: skip


def _attribute_sites(
    ground: Ground,
    radius: float,
    at_sites: Sequence[tuple[SiteRecord, float]],
    *,
    observed: Floats,
    expected: Floats,
    counted: Floats,
) -> None:
    xy = positions(ground, [site for site, _ in at_sites])
    use = np.array([u for _, u in at_sites])
    shapes = discs(xy, radius)
    site, which = ground.tree.query(shapes, predicate="intersects")
    density = ground.residents[which] / ground.areas[which]
    within = shapely.area(shapely.intersection(shapes[site], ground.polygons[which])) * density
    residents = np.bincount(site, weights=within, minlength=len(xy))
    # A site in a park has no residents to be measured against.
    lived = residents > 0
    if not lived.any():
        return
    mean = use[lived].sum() / residents[lived].sum()
    reach = max(REACH, 3 * radius)
    points = np.asarray(shapely.points(xy))
    site, which = ground.tree.query(points, predicate="dwithin", distance=reach)
    away = shapely.distance(points[site], ground.polygons[which])
    near = np.where(lived[site], 1 - away / reach, 0.0)
    size = len(observed)
    observed += np.bincount(which, weights=near * use[site], minlength=size)
    expected += np.bincount(which, weights=near * residents[site] * mean, minlength=size)
    counted += np.bincount(which, weights=(near > 0) * use[site], minlength=size)
