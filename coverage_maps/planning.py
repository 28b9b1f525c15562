"""Proposes where to deploy next: coverage gaps × deprivation × portal use, within a budget.

Pure: records in, a frozen `Plan` out. The choice is made on points (`cells`, `siting`); what it
brings in residents is measured again on the exact ground, site by site in the order of ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import shapely
from scipy.spatial import KDTree

from coverage_maps.cache import cached_cover
from coverage_maps.candidates import Candidates, choose_candidates
from coverage_maps.cells import covers_matrix, demand_points
from coverage_maps.coverage import Coverage
from coverage_maps.demand import CAVEATS, Demand, demand_index
from coverage_maps.effect import UNGROUPED, Effect, measure
from coverage_maps.footprint import check_radius
from coverage_maps.ground import Ground, lay_out, positions
from coverage_maps.groups import Grouping, grouping
from coverage_maps.plans import Plan, PlannedSite, PlanRequest
from coverage_maps.projection import Floats
from coverage_maps.siting import Indices, greedy, maximal_coverage, union_weight
from coverage_maps.weights import resident_weights
from coverage_maps.words import Facts, reason, several
from farola.errors import PlanningError
from inventory.records import NeighbourhoodRecord, SiteRecord, UsageRecord

DEFAULT_EQUITY = 0.25
SEARCH_SECONDS = 5.0


def make_plan(
    neighbourhoods: Sequence[NeighbourhoodRecord],
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
    request: PlanRequest,
    *,
    cache: Path | None = None,
    advance: Callable[[int], None] = lambda _n: None,
) -> Plan:
    """Choose sites and say why.

    `sites` are all of the inventory's: the live ones cover, the candidates may be chosen.
    `cache` is the folder where coverage is kept; `advance` counts neighbourhoods while it is
    computed.

    Raises
    ------
    PlanningError
        The request makes no sense, the inventory lacks what it needs, or nothing is left to do.
    """
    check_request(request)
    ground = lay_out(neighbourhoods)
    equity = _equity(ground, request)
    live = positions(ground, [site for site in sites if site.status == "live"])
    before = cached_cover(ground, live, request.radius, cache, advance)
    if not float((ground.residents * (1 - before.shares)).sum()) >= 1:
        raise PlanningError(
            f"all residents are within {request.radius:g} m of a live site: nothing to plan; "
            "try a smaller --radius"
        )
    demand = demand_index(ground, before, sites, usage)
    pool = choose_candidates(ground, before, sites, request)
    points = demand_points(ground, before, pool.xy, pool.grid)
    covers = covers_matrix(pool.xy, points.xy, request.radius)
    weights = points.residents * resident_weights(ground, equity, demand.index)[points.owner]
    useful = np.flatnonzero(covers @ weights > 0)
    if not len(useful):
        raise PlanningError(
            f"none of the {len(pool.xy):,} {pool.source} candidates would reach a resident who is "
            "not covered yet: use --candidates generated, or import others"
        )
    costs = None if request.budget is None else pool.costs
    limit = float(request.sites if request.budget is None else request.budget)  # type: ignore[arg-type]  # check_request: one of the two is given
    answer = maximal_coverage(covers, weights, costs=costs, budget=limit, time_limit=SEARCH_SECONDS)
    if not len(answer.chosen):
        raise PlanningError(
            f"--budget {limit:g} pays for none of the {len(useful):,} useful candidates: the "
            f"cheapest costs {pool.costs[useful].min():g}"
        )
    prices = np.ones(len(pool.xy)) if costs is None else costs

    def reached(weights: Floats) -> float:
        """Residents that a plan by these weights would reach."""
        return union_weight(covers, points.residents, greedy(covers, weights, prices, limit))

    ours = union_weight(covers, points.residents, answer.chosen)
    by_heads = reached(points.residents)
    # What fairness costs is measured against a plan of the same demand, and the other way round.
    by_demand = reached(points.residents * demand.index[points.owner]) if demand.used else by_heads
    groups = grouping(ground)
    effects = measure(ground, before, pool.xy[answer.chosen], groups)
    planned = _sites(
        ground, before, pool, chosen=answer.chosen, effects=effects, groups=groups, demand=demand
    )
    covered = float((ground.residents * before.shares).sum())
    weighed = equity > 0 or demand.used
    cost = float(pool.costs[answer.chosen].sum())
    return Plan(
        sites=planned,
        objective=answer.covered,
        upper_bound=answer.upper_bound,
        gap=answer.gap,
        covered_before=covered,
        covered_after=covered + math.fsum(site.newly_covered for site in planned),
        population=float(ground.residents.sum()),
        unit="weighted residents newly covered" if weighed else "residents newly covered",
        groups=groups.by,
        group_names=tuple(effects[0].by_group),
        radius=request.radius,
        equity=equity,
        candidates=len(pool.xy),
        candidate_source=pool.source,
        total_cost=None if math.isnan(cost) else cost,
        forgone=max(0.0, 1 - ours / by_demand) if equity > 0 else 0.0,
        forgone_to_demand=max(0.0, 1 - by_demand / by_heads),
        warnings=_warnings(
            ground, sites, request,
            groups=groups, demand=demand, planned=len(planned), useful=len(useful),
        ),
        caveats=CAVEATS if demand.used else (),
    )  # fmt: skip


def check_request(request: PlanRequest) -> None:
    """Raise PlanningError unless `request` makes sense whatever the city."""
    check_radius(request.radius)
    if (request.sites is None) == (request.budget is None):
        raise PlanningError("say how much to build: either --sites N or --budget X, one of the two")
    if request.sites is not None and request.sites < 1:
        raise PlanningError(f"--sites {request.sites} plans nothing: give 1 or more")
    for name, value in (("--budget", request.budget), ("--default-cost", request.default_cost)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise PlanningError(f"{name} {value:g} cannot be spent: give an amount above 0")


def _equity(ground: Ground, request: PlanRequest) -> float:
    rated = bool(np.isfinite(ground.badness).any())
    equity = request.equity
    if equity is None:
        equity = DEFAULT_EQUITY if rated else 0.0
    resident_weights(ground, equity, np.ones(len(ground.records)))  # tells a wrong one early
    return equity


def _sites(
    ground: Ground,
    before: Coverage,
    pool: Candidates,
    *,
    chosen: Indices,
    effects: Sequence[Effect],
    groups: Grouping,
    demand: Demand,
) -> tuple[PlannedSite, ...]:
    xy = pool.xy[chosen]
    homes, inside = _homes(ground, xy)
    away: Floats | None = None
    if len(before.positions):
        away = KDTree(before.positions).query(xy)[0]
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
        lat, lon = float(pool.lats[candidate]), float(pool.lons[candidate])
        record = pool.records[candidate] if pool.records else None
        cost = float(pool.costs[candidate])
        planned.append(
            PlannedSite(
                rank=k + 1,
                site_id=record.id if record else f"generated:{lat:.6f},{lon:.6f}",
                name=record.name if record else f"Generated point in {home.name}",
                source=pool.source,
                lat=lat,
                lon=lon,
                newly_covered=effects[k].residents,
                by_grade=effects[k].by_group,
                neighbourhood=home.name,
                borough=home.borough or (record.borough if record else None),
                cost=None if math.isnan(cost) else cost,
                demand=index,
                why=reason(effects[k], facts),
            )
        )
    return tuple(planned)


def _homes(ground: Ground, xy: Floats) -> tuple[Indices, np.ndarray[tuple[int], np.dtype[np.bool]]]:
    """For each position the neighbourhood it is in (the smallest of several), else the nearest."""
    points = shapely.points(xy)
    homes = np.asarray(ground.tree.nearest(points), dtype=np.intp)
    inside = np.zeros(len(xy), dtype=bool)
    point, which = ground.tree.query(points, predicate="intersects")
    for k, i in sorted(zip(point, which, strict=True), key=lambda pair: -ground.areas[pair[1]]):
        homes[k], inside[k] = i, True
    return homes, inside


def _warnings(
    ground: Ground,
    sites: Sequence[SiteRecord],
    request: PlanRequest,
    *,
    groups: Grouping,
    demand: Demand,
    planned: int,
    useful: int,
) -> tuple[str, ...]:
    said = []
    if request.sites is not None and planned < request.sites:
        said.append(
            f"{several(request.sites, 'site')} asked for, but after {planned:,} no candidate "
            f"reaches anybody new ({useful:,} reach somebody today)"
        )
    statuses = [site.status for site in sites]
    if "live" not in statuses:
        said.append("no live sites: the plan starts from nothing")
    ahead = sum(status in {"planned", "building"} for status in statuses)
    if ahead:
        said.append(
            f"planned or being built, and not counted as covering: {several(ahead, 'site')}"
        )
    said += [
        f"left out of the plan: {several(out.neighbourhoods, 'neighbourhood')}, {out.why}"
        for out in groups.left_out
        if out.population is None
    ]
    said += [
        f"in the plan as '{UNGROUPED}': {several(out.neighbourhoods, 'neighbourhood')} with "
        f"{out.population:,.0f} residents, {out.why}"
        for out in groups.left_out
        if out.population is not None
    ]
    if not np.isfinite(ground.badness).any():
        said.append("no deprivation value was imported: every resident counts the same")
    return (*said, *groups.notes, *demand.notes)
