"""Deployments: sites of a plan that somebody accepted, on their way to live and measured.

accepted → provisioned → live → measured, or withdrawn before it is live. The site goes along:
candidate (or a generated point) → planned → live. What was forecast is kept as it was then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InventoryError
from farola.people import person
from inventory import events
from inventory.models import Deployment, PlanRecord, Site
from inventory.planning_models import Scenario

ACCEPTED, PROVISIONED, LIVE, MEASURED = "accepted", "provisioned", "live", "measured"
WITHDRAWN = "withdrawn"
NEXT = {
    PROVISIONED: {ACCEPTED},
    LIVE: {ACCEPTED, PROVISIONED},
    MEASURED: {LIVE, MEASURED},
    WITHDRAWN: {ACCEPTED, PROVISIONED},
}
"""From which statuses each may be reached."""


@dataclass(frozen=True)
class Known:
    """A deployment as it is listed; `forecast` has the keys of docs/deployments.md."""

    id: int
    site_id: str
    name: str
    borough: str | None
    status: str
    plan_id: int | None
    scenario: str
    accepted_by: str
    created_at: datetime
    live_at: datetime | None
    forecast: Mapping[str, Any]


def deployments(session: Session, *, withdrawn: bool = True) -> list[Known]:
    """All deployments by number; without those that were withdrawn if so asked."""
    query = (
        select(Deployment, Site).join(Site, Site.id == Deployment.site_id).order_by(Deployment.id)
    )
    if not withdrawn:
        query = query.where(Deployment.status != WITHDRAWN)
    return [
        Known(
            row.id, row.site_id, site.name, site.borough, row.status, row.plan_id, row.scenario,
            row.accepted_by, row.created_at, row.live_at, row.forecast,
        )
        for row, site in session.execute(query)
    ]  # fmt: skip


def plan_of(session: Session, plan: int | None, scenario: str) -> PlanRecord:
    """The plan of that number, or the newest of a scenario, or the newest there is.

    Raises
    ------
    InventoryError
        There is none.
    """
    if scenario:
        kept = session.scalar(select(Scenario).where(Scenario.name == scenario))
        if kept is None or kept.plan_id is None:
            raise InventoryError(f"no scenario {scenario!r}: `farola scenario list` names them")
        plan = kept.plan_id
    if plan is None:
        newest = session.scalars(select(PlanRecord).order_by(PlanRecord.id.desc()).limit(1)).first()
        if newest is None:
            raise InventoryError("there is no plan yet: run `farola plan --sites N` first")
        return newest
    found = session.get(PlanRecord, plan)
    if found is None:
        raise InventoryError(f"there is no plan {plan}: leave --plan out to take the newest")
    return found


def sites_of(plan: PlanRecord, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The plan's sites that are `wanted` by id or by rank, each once.

    Raises
    ------
    InventoryError
        The plan has no such site.
    """
    proposed: list[dict[str, Any]] = plan.result.get("sites", [])
    by_id = {str(site["site_id"]): site for site in proposed}
    by_rank = {str(site["rank"]): site for site in proposed}
    found: dict[str, dict[str, Any]] = {}
    for word in wanted:
        site = by_id.get(word) or by_rank.get(word)
        if site is None:
            raise InventoryError(
                f"plan {plan.id} has no site {word!r}: give a rank from 1 to {len(proposed)}, or "
                "the id of one of its sites"
            )
        found[str(site["site_id"])] = site
    return list(found.values())


def accept(
    session: Session,
    plan: PlanRecord,
    site: Mapping[str, Any],
    forecast: dict[str, Any],
    *,
    scenario: str = "",
) -> Deployment:
    """Make a deployment of a plan's `site`, with the `forecast` that it will be held against.

    Raises
    ------
    InventoryError
        The site is one already, is built already, or is gone from the inventory.
    """
    name = str(site["site_id"])
    running = session.scalar(
        select(Deployment).where(Deployment.site_id == name, Deployment.status != WITHDRAWN)
    )
    if running is not None:
        raise InventoryError(f"site {name!r} is deployment {running.id} already ({running.status})")
    row = session.get(Site, name)
    if row is None:
        if site.get("source") != "generated":
            raise InventoryError(
                f"site {name!r} of plan {plan.id} is no more in the inventory: plan again"
            )
        row = Site(
            id=name, name=str(site["name"]), lat=float(site["lat"]), lon=float(site["lon"]),
            borough=site.get("borough"), cost=site.get("cost"), source="generated",
            kind=str(site.get("kind") or "fixed"),
            timetable=[dict(stop) for stop in site.get("timetable") or ()],
            cost_parts=dict(site.get("cost_parts") or {}),
        )  # fmt: skip
        session.add(row)
    elif row.status not in {"candidate", "planned", "retired"}:
        raise InventoryError(f"site {name!r} is {row.status} already: there is nothing to deploy")
    row.status = "planned"
    made = Deployment(
        site_id=name, plan_id=plan.id, scenario=scenario, accepted_by=person(), forecast=forecast
    )
    session.flush()  # the site before what points to it
    session.add(made)
    session.flush()
    _tell(session, made, f"{row.name} accepted from plan {plan.id}")
    return made


def found(session: Session, word: str) -> Deployment:
    """The deployment of that number, or of the site of that id that is not withdrawn.

    Raises
    ------
    InventoryError
        There is none.
    """
    by_site = session.scalar(
        select(Deployment).where(Deployment.site_id == word, Deployment.status != WITHDRAWN)
    )
    if by_site is not None:
        return by_site
    # SQLite's integers end there.
    number = int(word) if word.isdecimal() and word.isascii() and len(word) < 19 else 0
    by_number = session.get(Deployment, number)
    if by_number is None:
        raise InventoryError(
            f"no deployment {word!r}: `farola deployments list` names numbers and sites"
        )
    return by_number


def move(
    session: Session, deployment: Deployment, status: str, *, at: datetime | None = None
) -> None:
    """Bring a deployment to `status`; `at` (UTC, without a zone) is when it went live.

    Raises
    ------
    InventoryError
        It cannot go there from where it is.
    """
    if deployment.status not in NEXT[status]:
        raise InventoryError(
            f"deployment {deployment.id} ({deployment.site_id}) is {deployment.status}, and cannot "
            f"become {status}"
        )
    site = session.get(Site, deployment.site_id)
    deployment.status = status
    if status == LIVE:
        deployment.live_at = at
    if site is not None:
        if status == LIVE:
            site.status = "live"
        if status == WITHDRAWN:
            site.status = "retired" if site.source == "generated" else "candidate"
    _tell(session, deployment, f"{site.name if site else deployment.site_id} is {status}")


def _tell(session: Session, deployment: Deployment, text: str) -> None:
    events.record(
        session, f"deployment.{deployment.status}", f"deployment {deployment.id}: {text}",
        site_id=deployment.site_id, actor=person(), detail={"deployment": deployment.id},
    )  # fmt: skip
