"""What portal use makes a resident worth to a plan: a demand index for each neighbourhood.

Where the model of unmet demand speaks (`coverage_maps.demand.unmet`), the index is the further use
that it expects of each resident newly covered, against the city's mean. Elsewhere it is use per
covered resident, drawn towards 1 where little was counted: thin on purpose, it describes use and
does not explain it (see `CAVEATS`). Either is kept within 0.5..2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.footprint import discs
from coverage_maps.cover.ground import Ground, positions
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.usage import recent_use
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
    unmet: Floats = field(default_factory=lambda: np.empty(0))
    """Further uses in a usual period with reference coverage; nan where the model is silent, and
    empty where it says nothing at all. `low` and `high` hold it by 80 %.
    """
    low: Floats = field(default_factory=lambda: np.empty(0))
    high: Floats = field(default_factory=lambda: np.empty(0))
    days: float = 0.0
    """Length of a usual period."""
    refusal: str = ""
    """Why the model says nothing; empty where it speaks."""

    @property
    def caveats(self) -> tuple[str, ...]:
        """What must be said with any figure of demand."""
        if not self.used:
            return ()
        if not len(self.unmet):
            return CAVEATS
        from coverage_maps.demand.unmet import CAVEATS as OF_MODEL

        return OF_MODEL

    def by_model(self, i: int) -> bool:
        """Whether the model finds unmet demand in neighbourhood `i`: none where it is silent, nor
        where coverage is what it is compared with already.
        """
        return bool(len(self.unmet) and self.unmet[i] > 0)

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
        if self.by_model(i):
            return value, (
                f"demand: {self.unmet[i]:,.0f} more {self.metric} in {self.days:.0f} days with "
                f"usual coverage (80 % interval {self.low[i]:,.0f} to {self.high[i]:,.0f})"
            )
        return value, f"demand: {self.metric} per covered resident {value:.2f} × the city's mean"


def plan_demand(
    ground: Ground,
    before: Coverage,
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
    uptime: Mapping[str, float] | None = None,
) -> Demand:
    """The model's demand where it speaks, the index of use elsewhere.

    `uptime` is by site, the share of the time (0..1) in the periods of `usage`. The model is not
    gone by unless use rises with coverage beyond doubt (80 %).
    """
    from coverage_maps.demand.unmet import estimate
    from coverage_maps.demand.use_of_places import bring_home

    index = demand_index(ground, before, sites, usage)
    if not index.used:
        return index
    places = bring_home(ground, before.radius, sites, recent_use(usage), uptime or {})
    found = estimate(ground, before, places)
    refusal = found.refusal
    if not refusal and not found.rises:
        refusal = "use does not rise with coverage beyond doubt"
    if refusal or found.result is None or not found.speaks.any():
        refusal = refusal or "no neighbourhood is like those with figures"
        said = f"the model of demand is silent, and use per covered resident counts: {refusal}"
        return replace(index, refusal=refusal, notes=(*index.notes, said))
    worth = found.per_resident
    open_residents = (ground.residents * (1 - before.shares))[found.speaks]
    if not open_residents.sum() > 0:
        return index
    relative = worth / np.average(worth[found.speaks], weights=open_residents)
    silent = int((~found.speaks & (ground.residents > 0)).sum())
    notes = [*index.notes]
    if silent:
        notes.append(
            f"the model of demand is silent of {silent} neighbourhoods: there use per covered "
            "resident counts, where it is known"
        )
    return replace(
        index,
        index=np.where(found.speaks, np.clip(relative, LOWEST, HIGHEST), index.index),
        known=index.known | found.speaks,
        shown=index.shown | found.speaks,
        notes=tuple(notes),
        unmet=found.result.unmet, low=found.result.low, high=found.result.high, days=found.days,
    )  # fmt: skip


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
