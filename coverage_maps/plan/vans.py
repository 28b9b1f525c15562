"""Stops of mobile sites (a van with a timetable), proposed beside the fixed sites of a plan.

What a van reaches is reached for some hours a week, so it is in none of the plan's figures.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import Grouping
from coverage_maps.cover.projection import Floats
from coverage_maps.plan.candidates import Candidates
from coverage_maps.plan.effect import measure
from coverage_maps.plan.plans import PlannedSite
from coverage_maps.plan.proposals import home_of, named
from coverage_maps.siting import Indices, greedy


def propose_stops(
    ground: Ground,
    before: Coverage,
    pool: Candidates,
    covers: csr_array,
    weights: Floats,
    *,
    chosen: Indices,
    stops: int,
    groups: Grouping,
) -> tuple[PlannedSite, ...]:
    """Up to `stops` places for a van, best first, for those whom the chosen sites leave out.

    Places are the candidates of kind `mobile`, or all candidates where there are none.
    """
    if not stops:
        return ()
    left = weights.copy()
    left[covers[chosen].indices] = 0.0
    may = np.ones(len(pool.xy), dtype=bool)
    mobile = np.array([record.kind == "mobile" for record in pool.records])
    if mobile.any():
        may = mobile
    may[chosen] = False
    places = np.flatnonzero(may)
    taken = places[greedy(csr_array(covers[places]), left, np.ones(len(places)), float(stops))]
    if not len(taken):
        return ()
    xy = pool.xy[np.concatenate((chosen, taken))]
    effects = measure(ground, before, xy, groups)[len(chosen) :]
    homes, inside = home_of(ground, pool.xy[taken])
    told = []
    for k, candidate in enumerate(taken.tolist()):
        home = ground.records[homes[k]]
        record = pool.records[candidate] if pool.records else None
        site_id, name = named(ground, pool, candidate, int(homes[k]))
        cost = float(pool.costs[candidate])
        timetable = tuple(dict(stop) for stop in record.timetable) if record else ()
        told.append(
            PlannedSite(
                rank=k + 1, site_id=site_id, name=name, source=pool.source,
                lat=float(pool.lats[candidate]), lon=float(pool.lons[candidate]),
                newly_covered=effects[k].residents, by_grade=effects[k].by_group,
                neighbourhood=home.name,
                borough=home.borough or (record.borough if record else None),
                cost=None if np.isnan(cost) else cost, demand=None,
                why=f"a van here reaches {effects[k].residents:,.0f} residents whom no site "
                    "reaches, while it is there",
                inside=bool(inside[k]), share_uncovered=1 - float(before.shares[homes[k]]),
                kind="mobile", timetable=timetable,
            )
        )  # fmt: skip
    return tuple(told)
