"""Proposes where to deploy next: coverage gaps × deprivation × portal use, within a budget.

Pure: records in, a frozen `Plan` out. The choice is made on points (`cells`, `choosing`); what it
brings in residents is measured again on the exact ground, site by site in the order of ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from coverage_maps.cover.cache import cached_cover
from coverage_maps.cover.cells import covers_matrix, demand_points
from coverage_maps.cover.footprint import check_radius
from coverage_maps.cover.ground import Ground, lay_out, positions
from coverage_maps.cover.groups import grouping
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.index import Demand, plan_demand
from coverage_maps.plan.candidates import choose_candidates
from coverage_maps.plan.choosing import allowed_candidates, barred, choose, constrained, sensitivity
from coverage_maps.plan.effect import measure
from coverage_maps.plan.inputs import fingerprints
from coverage_maps.plan.plans import Plan, PlanRequest
from coverage_maps.plan.prices import check_prices
from coverage_maps.plan.proposals import Choice, propose
from coverage_maps.plan.standing import changes, fairness, measuring, shares_after
from coverage_maps.plan.vans import propose_stops
from coverage_maps.plan.weights import blend, resident_weights
from coverage_maps.siting import Indices, greedy, union_weight
from coverage_maps.telling.messages import language
from coverage_maps.telling.remarks import remarks
from farola.errors import PlanningError
from inventory.records import NeighbourhoodRecord, SiteRecord, UsageRecord

DEFAULT_EQUITY = 0.25
"""Where each further resident of the worst-off begins to cost more (docs/siting.md)."""
COMPARED_EQUITY = (0.15, 0.2, 0.25, 0.3, 0.4, 1.0)
SEARCH_SECONDS = 5.0
COMPARED_SECONDS = 1.0
"""For a plan that only tells what a weight costs."""


def make_plan(
    neighbourhoods: Sequence[NeighbourhoodRecord],
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
    request: PlanRequest,
    *,
    uptime: Mapping[str, float] | None = None,
    cache: Path | None = None,
    advance: Callable[[int], None] = lambda _n: None,
) -> Plan:
    """Choose sites and say why.

    `sites` are all of the inventory's: the live ones cover, the candidates may be chosen. `uptime`
    is the share of the time that sites (by id) were up in the periods of `usage`.
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
    live = positions(ground, [site for site in sites if site.stands])
    before = cached_cover(ground, live, request.radius, cache, advance)
    if not float((ground.residents * (1 - before.shares)).sum()) >= 1:
        raise PlanningError(
            f"all residents are within {request.radius:g} m of a live site: nothing to plan; "
            "try a smaller --radius"
        )
    demand = plan_demand(ground, before, sites, usage, uptime)
    pool = choose_candidates(ground, before, sites, request)
    points = demand_points(ground, before, pool.xy, pool.grid)
    covers = covers_matrix(pool.xy, points.xy, request.radius)
    weights = points.residents * resident_weights(ground, equity, demand.index)[points.owner]
    allowed = allowed_candidates(pool, request)
    useful = np.flatnonzero(allowed & (covers @ weights > 0))
    nobody = PlanningError(
        f"none of the {len(pool.xy):,} {pool.source} candidates would reach a resident who is "
        "not covered yet: use --candidates generated, or import others"
    )
    if not len(useful):
        raise nobody
    limit = float(request.sites if request.budget is None else request.budget)  # type: ignore[arg-type]  # check_request: one of the two is given
    answer = choose(pool, covers, weights, request, limit=limit, seconds=SEARCH_SECONDS)
    if not len(answer.chosen):
        raise PlanningError(
            f"--budget {limit:g} pays for none of the {len(useful):,} useful candidates: the "
            f"cheapest costs {pool.costs[useful].min():g}"
        )
    prices = np.ones(len(pool.xy)) if request.budget is None else pool.costs

    def rival(weights: Floats) -> Indices:
        """A plan by these weights, the same asked for beside them."""
        if constrained(request):
            return choose(
                pool, covers, weights, request, limit=limit, seconds=COMPARED_SECONDS
            ).chosen
        return greedy(covers, weights, barred(prices, allowed, limit), limit)

    by_demand = points.residents * demand.index[points.owner]
    forgone, forgone_to_demand = _forgone(
        covers, points.residents, by_demand,
        [answer.chosen, rival(points.residents), *([rival(by_demand)] if demand.used else [])],
    )  # fmt: skip
    groups = grouping(ground)
    effects = measure(ground, before, pool.xy[answer.chosen], groups)
    if not request.must and all(effect.alone < 0.5 for effect in effects):
        # Points between a live site's disc and the polygon that stands for it look uncovered.
        raise nobody
    factors = _factors(ground, equity, demand)
    measured = measuring(ground, before.shares, points, covers)
    weightings, survives = sensitivity(
        pool, covers, points, request,
        chosen=answer.chosen, factors=_others(ground, equity, demand), limit=limit,
        measured=measured,
    )  # fmt: skip
    choice = Choice(
        pool, covers, weights, answer.chosen, prices,
        spare=limit - float(prices[answer.chosen].sum()), allowed=allowed, factors=factors,
        spacing=request.spacing,
    )  # fmt: skip
    planned = propose(
        ground, before, choice, effects=effects, groups=groups, demand=demand, survives=survives
    )
    after = shares_after(ground, before, effects)
    first, second = fairness(ground, before.shares, after)
    covered = float((ground.residents * before.shares).sum())
    weighed = equity > 0 or demand.used
    cost = float(pool.costs[answer.chosen].sum())
    said = remarks(ground, sites, request, groups=groups, demand=demand, planned=len(planned),
                   useful=len(useful))  # fmt: skip
    english = language("en")
    return Plan(
        sites=planned,
        objective=answer.covered,
        upper_bound=answer.upper_bound,
        gap=answer.gap,
        covered_before=covered,
        covered_after=covered + math.fsum(site.newly_covered for site in planned),
        population=float(ground.residents.sum()),
        unit=("weighted " if weighed else "")
        + ("residents newly covered" if request.capacity is None else "residents newly served"),
        groups=groups.by,
        group_names=tuple(effects[0].by_group),
        radius=request.radius,
        equity=equity,
        candidates=len(pool.xy),
        candidate_source=pool.source,
        total_cost=None if math.isnan(cost) else cost,
        forgone=forgone if equity > 0 else 0.0,
        forgone_to_demand=forgone_to_demand if demand.used else 0.0,
        warnings=tuple(english.said(remark) for remark in said),
        caveats=demand.caveats,
        remarks=said,
        changes=changes(ground, before.shares, after),
        before=first,
        after=second,
        weightings=weightings,
        own=measured("plan", answer.chosen),
        vans=propose_stops(
            ground,
            before,
            pool,
            covers,
            weights,
            chosen=answer.chosen,
            stops=request.vans,
            groups=groups,
        ),
        inputs=fingerprints(neighbourhoods, sites, usage, request, uptime),
    )


def _forgone(
    covers: csr_array, residents: Floats, by_demand: Floats, plans: Sequence[Indices]
) -> tuple[float, float]:
    """Shares of residents (0..1) given up to equity by the first of `plans`, against the one that
    is best by demand, and to demand by that one, against the one that reaches most.

    Each is the best of all `plans` by its own measure: a search that was trapped under one measure
    is no price of it.
    """
    people = [union_weight(covers, residents, chosen) for chosen in plans]
    wanted = [union_weight(covers, by_demand, chosen) for chosen in plans]
    best = max(range(len(plans)), key=lambda k: (wanted[k], people[k]))
    return max(0.0, 1 - people[0] / people[best]), 1 - people[best] / max(people)


def _factors(ground: Ground, equity: float, demand: Demand) -> dict[str, Floats]:
    """What a resident of each neighbourhood counts, by what it is for."""
    factors = {}
    if equity > 0:
        factors["deprivation"] = blend(ground, equity)
    if demand.used:
        factors["demand"] = demand.index
    return factors


def _others(ground: Ground, equity: float, demand: Demand) -> dict[str, Floats]:
    """Other ways to weigh the residents of each neighbourhood that a planner might have taken."""
    neutral = np.ones(len(ground.records))
    ways = {"heads": neutral}
    if np.isfinite(ground.badness).any():
        ways |= {f"equity {e:g}": blend(ground, e) for e in COMPARED_EQUITY}
    if demand.used:
        ways |= {f"{name}, demand": way * demand.index for name, way in ways.items()}
    ours = blend(ground, equity) * demand.index
    return {name: way for name, way in ways.items() if not np.allclose(way, ours)}


def check_request(request: PlanRequest) -> None:
    """Raise PlanningError unless `request` makes sense whatever the city."""
    check_radius(request.radius)
    if (request.sites is None) == (request.budget is None):
        raise PlanningError("say how much to build: either --sites N or --budget X, one of the two")
    if request.sites is not None and request.sites < 1:
        raise PlanningError(f"--sites {request.sites} plans nothing: give 1 or more")
    if not (math.isfinite(request.spacing) and request.spacing >= 0):
        raise PlanningError(f"--spacing {request.spacing:g} is no distance: give metres, 0 or more")
    if request.capacity is not None and not (
        math.isfinite(request.capacity) and request.capacity > 0
    ):
        raise PlanningError(f"--capacity {request.capacity:g} serves nobody: give clients above 0")
    if not 0 < request.busy_share <= 1:
        raise PlanningError(f"--busy-share {request.busy_share:g} is no share above 0 and up to 1")
    if request.vans < 0:
        raise PlanningError(f"--vans {request.vans} cannot be: give 0 or more")
    check_prices(request.prices)
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
