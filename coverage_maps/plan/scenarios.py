"""Scenarios: plans that a planner keeps under a name, with all that was asked for, and compares."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coverage_maps.plan.plans import Plan, PlanRequest
from coverage_maps.telling.exports import read_plan
from farola.errors import InputError, PlanningError
from farola.people import person
from inventory import events
from inventory.models import PlanRecord, utcnow
from inventory.planning_models import Scenario

LONGEST = 200


@dataclass(frozen=True)
class Kept:
    """A scenario and the newest plan made for it; None where that plan is gone."""

    name: str
    author: str
    note: str
    created_at: datetime
    changed_at: datetime
    parameters: Mapping[str, Any]
    plan_id: int | None
    plan: Plan | None


@dataclass(frozen=True)
class Shared:
    """Sites of two scenarios: in both, and of each alone."""

    both: int
    first_only: int
    second_only: int


def check_name(name: str) -> None:
    """Raise InputError unless `name` can be a scenario's: one line, up to 200 characters."""
    if not name.strip() or not name.isprintable() or len(name) > LONGEST:
        raise InputError(f"--save {name!r}: give a name on one line, of 1 to {LONGEST} characters")


def parameters_of(request: PlanRequest) -> dict[str, Any]:
    """A request as it is kept; the reach is `radius_m`, as in the plan."""
    values = asdict(request)
    return {"radius_m": values.pop("radius")} | values


def request_of(parameters: Mapping[str, Any]) -> PlanRequest:
    """The request that was kept; what an earlier Farola did not know is as if not asked for."""
    known = {field.name for field in fields(PlanRequest)}
    values = {name: value for name, value in parameters.items() if name in known}
    for name in ("must", "forbidden"):
        values[name] = tuple(values.get(name) or ())
    return PlanRequest(radius=parameters["radius_m"], **values)


def keep(
    session: Session, name: str, request: PlanRequest, plan_id: int, *, note: str = ""
) -> None:
    """Keep the request and its plan under `name`; one that is kept already is changed."""
    found = session.scalar(select(Scenario).where(Scenario.name == name))
    if found is None:
        found = Scenario(name=name, author=person())
        session.add(found)
    found.parameters = parameters_of(request)
    found.plan_id = plan_id
    found.changed_at = utcnow()
    found.note = note or found.note or ""
    detail = {"scenario": name, "plan": plan_id}
    events.record(session, "scenario.kept", f"scenario {name}: plan {plan_id}", detail=detail)


def kept(session: Session) -> list[Kept]:
    """All scenarios by name."""
    return [
        _read(session, row) for row in session.scalars(select(Scenario).order_by(Scenario.name))
    ]


def find(session: Session, name: str) -> Kept:
    """The scenario of that name.

    Raises
    ------
    PlanningError
        There is none.
    """
    return _read(session, _row(session, name))


def delete(session: Session, name: str) -> None:
    """Forget a scenario; its plan stays.

    Raises
    ------
    PlanningError
        There is none of that name.
    """
    session.delete(_row(session, name))
    events.record(session, "scenario.deleted", f"scenario {name} deleted",
                  detail={"scenario": name})  # fmt: skip


def shared(first: Plan, second: Plan) -> Shared:
    """How many sites two plans have in common, by id."""
    ours = {site.site_id for site in first.sites}
    theirs = {site.site_id for site in second.sites}
    return Shared(len(ours & theirs), len(ours - theirs), len(theirs - ours))


def _row(session: Session, name: str) -> Scenario:
    found = session.scalar(select(Scenario).where(Scenario.name == name))
    if found is None:
        raise PlanningError(
            f"no scenario is called {name!r}: `farola scenario list` shows those there are"
        )
    return found


def _read(session: Session, row: Scenario) -> Kept:
    record = session.get(PlanRecord, row.plan_id) if row.plan_id is not None else None
    plan = None
    if record is not None:
        with contextlib.suppress(PlanningError):  # kept by an earlier Farola: as if it were gone
            plan = read_plan(record.result)
    return Kept(
        row.name, row.author, row.note, row.created_at, row.changed_at, row.parameters,
        None if record is None else record.id, plan,
    )  # fmt: skip
