"""The chosen places as proposed sites: where each stands, what it brings, and what it beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from coverage_maps.cover.coverage import Coverage
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import Grouping
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.index import Demand
from coverage_maps.plan.candidates import Candidates
from coverage_maps.plan.effect import Effect, in_place_of
from coverage_maps.plan.plans import PlannedSite, Rival, Unmet
from coverage_maps.plan.rivals import RunnerUp, heading, runners_up, why_lost
from coverage_maps.siting import Indices
from coverage_maps.telling.reasons import Facts, reason


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and from what; gains in the unit of `weights`."""

    pool: Candidates
    covers: csr_array
    weights: Floats
    """Of the demand points."""
    chosen: Indices
    costs: Floats
    """What each candidate takes of the budget."""
    spare: float
    """What is left of the budget."""
    allowed: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Which candidates may be taken."""
    factors: dict[str, Floats]
    """What a resident of each neighbourhood counts, by factor."""
    spacing: float = 0.0
    """Metres that two sites are apart at least."""


def propose(
    ground: Ground,
    before: Coverage,
    choice: Choice,
    *,
    effects: Sequence[Effect],
    groups: Grouping,
    demand: Demand,
    survives: Floats | None = None,
) -> tuple[PlannedSite, ...]:
    """One site a chosen place, in the order of ranks; `survives` is of shape (chosen,)."""
    pool, chosen = choice.pool, choice.chosen
    xy = pool.xy[chosen]
    homes, inside = home_of(ground, xy)
    away: Floats | None = None
    if len(before.positions):
        away = KDTree(before.positions).query(xy)[0]
    rivals = _rivals(ground, before, choice, effects)
    planned = []
    for k, candidate in enumerate(chosen):
        home = ground.records[homes[k]]
        index, demand_words = demand.told(int(homes[k]))
        facts = Facts(
            neighbourhood=home.name,
            inside=bool(inside[k]),
            share_uncovered=1 - float(before.shares[homes[k]]),
            nearest_live=None if away is None else float(away[k]),
            radius=before.radius,
            grouped_by=groups.by,
            demand=demand_words,
        )
        known, shown = bool(demand.known[homes[k]]), bool(demand.shown[homes[k]])
        record = pool.records[candidate] if pool.records else None
        site_id, name = named(ground, pool, int(candidate), int(homes[k]))
        cost = float(pool.costs[candidate])
        planned.append(
            PlannedSite(
                rank=k + 1,
                site_id=site_id,
                name=name,
                source=pool.source,
                lat=float(pool.lats[candidate]),
                lon=float(pool.lons[candidate]),
                newly_covered=effects[k].residents,
                by_grade=effects[k].by_group,
                neighbourhood=home.name,
                borough=home.borough or (record.borough if record else None),
                cost=None if math.isnan(cost) else cost,
                demand=index,
                why=reason(effects[k], facts),
                inside=facts.inside,
                share_uncovered=facts.share_uncovered,
                nearest_live=facts.nearest_live,
                alone=effects[k].alone,
                only=effects[k].only,
                demand_state="known" if shown else "few" if known else "none",
                demand_metric=demand.metric,
                unmet=_unmet(demand, int(homes[k])),
                cost_parts={
                    part: float(amounts[candidate])
                    for part, amounts in pool.parts.items()
                    if amounts[candidate] > 0
                },
                weights={f: float(values[homes[k]]) for f, values in choice.factors.items()},
                runner_up=rivals[k],
                survives=None if survives is None else float(survives[k]),
                kind=record.kind if record else "fixed",
            )
        )
    return tuple(planned)


def nearby(radius: float) -> float:
    """Metres within which a runner-up is looked for first, for a reach of `radius`."""
    return max(1_000.0, 5 * radius)


def _unmet(demand: Demand, i: int) -> Unmet | None:
    if not (demand.shown[i] and demand.by_model(i)):
        return None
    return Unmet(
        float(demand.unmet[i]), float(demand.low[i]), float(demand.high[i]),
        demand.metric, demand.days,
    )  # fmt: skip


def _rivals(
    ground: Ground, before: Coverage, choice: Choice, effects: Sequence[Effect]
) -> list[Rival | None]:
    pool, chosen = choice.pool, choice.chosen
    found = runners_up(
        choice.covers, choice.weights, pool.xy, chosen=chosen, costs=choice.costs,
        spare=choice.spare, spacing=choice.spacing, allowed=choice.allowed,
        # Of a fine grid the next point is the same place.
        apart=before.radius if pool.grid is not None else 0.01, near=nearby(before.radius),
    )  # fmt: skip
    swaps = [(k, pool.xy[one.candidate]) for k, one in enumerate(found) if one is not None]
    residents = iter(in_place_of(ground, before, pool.xy[chosen], swaps))
    homes: Sequence[int] = []
    if swaps:
        homes = home_of(ground, np.array([place for _, place in swaps]))[0].tolist()
    told: list[Rival | None] = [None] * len(chosen)
    for (k, place), home in zip(swaps, homes, strict=True):
        one = found[k]
        assert one is not None  # noqa: S101 - swaps are of those that are there
        told[k] = _rival(
            ground, choice, k, one=one, home=home, place=place,
            residents=next(residents), against=effects[k].only,
        )  # fmt: skip
    return told


def _rival(
    ground: Ground, choice: Choice, k: int, *, one: RunnerUp, home: int, place: Floats,
    residents: float, against: float,
) -> Rival:  # fmt: skip
    pool, site = choice.pool, int(choice.chosen[k])
    costs = [float(pool.costs[j]) for j in (one.candidate, site)]
    cost, ours = (None if math.isnan(value) else value for value in costs)
    site_id, name = named(ground, pool, one.candidate, home)
    return Rival(
        site_id=site_id,
        name=name,
        lat=float(pool.lats[one.candidate]),
        lon=float(pool.lons[one.candidate]),
        distance=float(np.hypot(*(place - pool.xy[site]))),
        heading=heading(pool.xy[site], place),
        residents=residents,
        cost=cost,
        nearby=one.nearby,
        lost_by=why_lost(
            residents=residents, against=against, gain=one.gain, gain_against=one.against,
            cost=cost, cost_against=ours,
        ),
    )  # fmt: skip


def named(ground: Ground, pool: Candidates, candidate: int, home: int) -> tuple[str, str]:
    """Id and name of a candidate; a generated one is called after its neighbourhood."""
    if pool.records:
        return pool.records[candidate].id, pool.records[candidate].name
    place = f"{pool.lats[candidate]:.6f},{pool.lons[candidate]:.6f}"
    return f"generated:{place}", f"Generated point in {ground.records[home].name}"


def home_of(
    ground: Ground, xy: Floats
) -> tuple[Indices, np.ndarray[tuple[int], np.dtype[np.bool]]]:
    """For each position the neighbourhood it is in (the smallest of several), else the nearest."""
    points = shapely.points(xy)
    homes = np.asarray(ground.tree.nearest(points), dtype=np.intp)
    inside = np.zeros(len(xy), dtype=bool)
    point, which = ground.tree.query(points, predicate="intersects")
    for k, i in sorted(zip(point, which, strict=True), key=lambda pair: -ground.areas[pair[1]]):
        homes[k], inside[k] = i, True
    return homes, inside
