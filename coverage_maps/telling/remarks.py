"""What must be said beside a plan: what it could not take in, and what it took for granted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import Grouping
from coverage_maps.demand.index import Demand
from coverage_maps.plan.plans import PlanRequest
from coverage_maps.telling.messages import Remark, counted, remark
from inventory.records import SiteRecord


def remarks(
    ground: Ground,
    sites: Sequence[SiteRecord],
    request: PlanRequest,
    *,
    groups: Grouping,
    demand: Demand,
    planned: int,
    useful: int,
) -> tuple[Remark, ...]:
    """Remarks on a plan of `planned` sites, from `useful` candidates that reach somebody."""
    said = []
    if request.sites is not None and planned < request.sites:
        said.append(
            counted(
                "{n} site asked for, but after {planned} no candidate that may be taken reaches "
                "anybody new "
                "({useful} reach somebody today)",
                "{n} sites asked for, but after {planned} no candidate that may be taken reaches "
                "anybody new "
                "({useful} reach somebody today)",
                request.sites, planned=planned, useful=useful,
            )
        )  # fmt: skip
    statuses = [site.status for site in sites]
    if "live" not in statuses:
        said.append(remark("no live sites: the plan starts from nothing"))
    ahead = sum(status in {"planned", "building"} for status in statuses)
    if ahead:
        said.append(
            counted(
                "planned or being built, and not counted as covering: {n} site",
                "planned or being built, and not counted as covering: {n} sites", ahead,
            )
        )  # fmt: skip
    said += [
        counted(
            "left out of the plan, population unknown: {n} neighbourhood",
            "left out of the plan, population unknown: {n} neighbourhoods", out.neighbourhoods,
        )
        if out.why == "population unknown" else
        counted(
            "left out of the plan, without an area: {n} neighbourhood",
            "left out of the plan, without an area: {n} neighbourhoods", out.neighbourhoods,
        )
        for out in groups.left_out
        if out.population is None
    ]  # fmt: skip
    said += [
        counted(
            "in the plan as 'unknown': {n} neighbourhood with {residents} residents, whose grade "
            "or deprivation is unknown",
            "in the plan as 'unknown': {n} neighbourhoods with {residents} residents, whose grade "
            "or deprivation is unknown",
            out.neighbourhoods, residents=out.population,
        )
        for out in groups.left_out
        if out.population is not None
    ]  # fmt: skip
    if not np.isfinite(ground.badness).any():
        said.append(remark("no deprivation value was imported: every resident counts the same"))
    # Other modules' notes are whole English sentences.
    return (*said, *(Remark(n) for n in (*groups.notes, *demand.notes)))
