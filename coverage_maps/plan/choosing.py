"""Makes the choice that a request asks for, and tries it under other weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from coverage_maps.cover.cells import Points
from coverage_maps.cover.projection import Floats
from coverage_maps.plan.candidates import Candidates
from coverage_maps.plan.plans import Alternative, PlanRequest
from coverage_maps.siting import Indices, Siting, greedy, maximal_coverage
from coverage_maps.solving.constrained import constrained_coverage
from farola.errors import PlanningError


def allowed_candidates(pool: Candidates, request: PlanRequest) -> NDArray[np.bool_]:
    """Which candidates may be taken, shape (c,).

    Raises
    ------
    PlanningError
        A place that must or may not be taken is no candidate, or one is both.
    """
    both = set(request.must) & set(request.forbidden)
    if both:
        raise PlanningError(f"{min(both)} is both a --must and a --forbid: say one of the two")
    allowed = np.ones(len(pool.xy), dtype=bool)
    allowed[indices_of(pool, request.forbidden, "--forbid")] = False
    # A van's stop is no place for a mast.
    allowed[[k for k, record in enumerate(pool.records) if record.kind == "mobile"]] = False
    return allowed


def barred(costs: Floats, allowed: NDArray[np.bool_], limit: float) -> Floats:
    """`costs`, with what is not allowed dearer than `limit`."""
    return np.where(allowed, costs, 2 * limit + 1)


def indices_of(pool: Candidates, ids: Sequence[str], option: str) -> Indices:
    """Where the candidates of these `ids` are in the pool.

    Raises
    ------
    PlanningError
        One is no candidate.
    """
    if not ids:
        return np.empty(0, dtype=np.intp)
    where = {record.id: k for k, record in enumerate(pool.records)}
    strange = [one for one in ids if one not in where]
    if strange:
        told = "generated candidates have no ids" if not where else "no candidate has this id"
        raise PlanningError(
            f"{option} {strange[0]}: {told}; import it with `farola import candidates FILE`"
        )
    return np.array(sorted({where[one] for one in ids}), dtype=np.intp)


def choose(
    pool: Candidates,
    covers: csr_array,
    weights: Floats,
    request: PlanRequest,
    *,
    limit: float,
    seconds: float,
) -> Siting:
    """The choice within `limit` (sites, or money), in order of gain, with its bound.

    Places that must be taken are part of what was covered and of the bound.

    Raises
    ------
    PlanningError
        Such a place is no candidate, or they need more than the limit.
    """
    must = indices_of(pool, request.must, "--must")
    allowed = allowed_candidates(pool, request)
    costs = None if request.budget is None else pool.costs
    taken = len(must) if costs is None else float(costs[must].sum())
    if taken > limit * (1 + 1e-12):
        raise PlanningError(
            f"the {len(must)} places that --must names need {taken:g} of {limit:g}: raise --sites "
            "or --budget, or name fewer"
        )
    if not constrained(request):
        usable = np.flatnonzero(allowed)
        answer = maximal_coverage(
            csr_array(covers[usable]), weights,
            costs=None if costs is None else costs[usable], budget=limit, time_limit=seconds,
        )  # fmt: skip
        return replace(answer, chosen=usable[answer.chosen])
    capacity = None if request.capacity is None else request.capacity / request.busy_share
    answer = constrained_coverage(
        covers, weights, costs=costs, budget=limit, must=must.tolist(),
        forbidden=np.flatnonzero(~allowed).tolist(), xy=pool.xy, spacing=request.spacing,
        capacity=capacity, time_limit=seconds,
    )  # fmt: skip
    # In order of gain; what must be there and adds nothing comes last.
    both = answer.chosen
    ordered = both[greedy(csr_array(covers[both]), weights, np.zeros(len(both)), 0.0)]
    rest = both[~np.isin(both, ordered)]
    return replace(answer, chosen=np.concatenate((ordered, rest)))


def constrained(request: PlanRequest) -> bool:
    """Whether more is asked for than a number of sites or a budget."""
    return bool(request.must) or request.spacing > 0 or request.capacity is not None


def sensitivity(
    pool: Candidates,
    covers: csr_array,
    points: Points,
    request: PlanRequest,
    *,
    chosen: Indices,
    factors: Mapping[str, Floats],
    limit: float,
    measured: Callable[[str, Indices], Alternative],
) -> tuple[tuple[Alternative, ...], Floats | None]:
    """Other weightings, and for each chosen site the share of them that take it too.

    Each is chosen for greedily. On a grid a place within the radius of the site is the same. None
    where there is no other weighting. `measured` makes the record of a choice.
    """
    if not factors:
        return (), None
    told = []
    costs = np.ones(len(pool.xy)) if request.budget is None else pool.costs
    costs = barred(costs, allowed_candidates(pool, request), limit)
    kept = np.zeros(len(chosen))
    for name, factor in factors.items():
        weights = points.residents * factor[points.owner]
        if constrained(request):  # by the same rules, or they would seem to bring more
            others = choose(pool, covers, weights, request, limit=limit, seconds=0.0).chosen
        else:
            others = greedy(covers, weights, costs, limit)
        told.append(measured(name, others))
        if pool.grid is None:
            kept += np.isin(chosen, others)
        elif len(others):
            kept += KDTree(pool.xy[others]).query(pool.xy[chosen])[0] <= request.radius
    return tuple(told), kept / len(factors)
