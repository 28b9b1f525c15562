"""Makes a plan from the inventory and keeps it there; the same input gives the plan kept before.

The search for a plan is stopped by the clock, so a second run might end a little elsewhere. What
was found is kept with fingerprints of all that went in, and is told again as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from coverage_maps.demand.uptime_of_usage import uptime_of_usage
from coverage_maps.demand.usage import recent_use
from coverage_maps.plan.inputs import fingerprints
from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import Plan, PlanRequest
from coverage_maps.plan.scenarios import parameters_of
from coverage_maps.telling.exports import plan_json, read_plan
from coverage_maps.telling.messages import Language
from coverage_maps.telling.report import Background
from farola.errors import PlanningError
from farola.settings import Settings
from inventory import events, queries
from inventory.db import Inventory, open_inventory
from inventory.models import PlanRecord

LOOKED_THROUGH = 50
"""Plans, the newest first, among which one of the same input is looked for."""


@dataclass(frozen=True)
class Made:
    """A plan as it is kept."""

    plan: Plan
    told: dict[str, Any]
    """As JSON, explained in the language asked for."""
    id: int
    again: bool
    """Whether it was kept before."""
    around: Background


def make_and_keep(
    settings: Settings,
    request: PlanRequest,
    *,
    explained: Language | None,
    fresh: bool,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
) -> Made:
    """The plan for `request`: one kept before of the same input unless `fresh`, else a new one.

    Raises
    ------
    PlanningError
        As `make_plan`.
    """
    inventory = open_inventory(settings)
    with inventory.session() as session:
        neighbourhoods = queries.neighbourhoods(session)
        known = queries.sites(session)
        usage = queries.usage(session)
    uptime, _ = uptime_of_usage(settings, known, recent_use(usage))
    around = Background(settings.city.name, neighbourhoods, known, settings.home / "cache")
    inputs = fingerprints(neighbourhoods, known, usage, request, uptime)
    if not fresh and (found := _kept(inventory, inputs)) is not None:
        number, plan = found
        return Made(plan, plan_json(plan, explained), number, True, around)
    with progress("Clipping neighbourhoods", len(neighbourhoods)) as advance:
        made = make_plan(
            neighbourhoods, known, usage, request,
            uptime=uptime, cache=settings.home / "cache", advance=advance,
        )  # fmt: skip
    told = plan_json(made, explained)
    parameters = parameters_of(request) | {
        "equity": made.equity, "candidates": made.candidate_source,
    }  # fmt: skip
    with inventory.session() as session:
        record = PlanRecord(parameters=parameters, result=told)
        session.add(record)
        session.flush()
        gained = made.covered_after - made.covered_before
        text = f"plan {record.id}: {len(made.sites)} sites for {gained:,.0f} more residents"
        events.record(session, "plan.made", text, detail={"plan": record.id})
        # Read back, so that the first telling has the same figures as every later one.
        return Made(read_plan(told), told, record.id, False, around)


def _kept(inventory: Inventory, inputs: dict[str, str]) -> tuple[int, Plan] | None:
    with inventory.session() as session:
        rows = session.execute(
            select(PlanRecord.id, PlanRecord.result)
            .order_by(PlanRecord.id.desc())
            .limit(LOOKED_THROUGH)
        )
        for number, result in rows:
            if result.get("inputs") == inputs:
                try:
                    return number, read_plan(result)
                except PlanningError:  # kept by an earlier Farola: made anew
                    return None
    return None
