"""The plan: ranked sites, why each, whom they reach, and how much better is possible at most."""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import select

from inventory import queries
from inventory.models import PlanRecord
from web.context import console
from web.plan_view import PlanView, plan_geojson, plan_view

pages = Blueprint("plans", __name__)
SIZE = 100


def find_plan(plan_id: int | None = None) -> PlanView | None:
    """The plan of that number, or the newest; None where there is none."""
    record = _record(plan_id)
    return plan_view(record) if record else None


def _record(plan_id: int | None) -> PlanRecord | None:
    with console().inventory.session() as session:
        if plan_id is None:
            return queries.latest_plan(session)
        return session.get(PlanRecord, plan_id)


@pages.get("/plan")
@pages.get("/plan/<int:plan_id>")
def index(plan_id: int | None = None) -> str:
    """One plan, the newest by default, and a list of the others."""
    plan = find_plan(plan_id)
    if plan_id is not None and plan is None:
        abort(404)
    with console().inventory.session() as session:
        others = session.execute(
            select(PlanRecord.id, PlanRecord.created_at).order_by(PlanRecord.id.desc()).limit(10)
        ).all()
    page = max(request.args.get("page", 1, int), 1)
    shown = plan.sites[(page - 1) * SIZE : page * SIZE] if plan else ()
    total = len(plan.sites) if plan else 0
    return render_template(
        "plan.html", plan=plan, others=others, shown=shown, page=page, pages=-(-total // SIZE),
    )  # fmt: skip


@pages.get("/plan/<int:plan_id>.geojson")
def download(plan_id: int) -> Response:
    """The plan's sites as a file."""
    record = _record(plan_id)
    if record is None:
        abort(404)
    return Response(
        plan_geojson(record),
        mimetype="application/geo+json",
        headers={"Content-Disposition": f'attachment; filename="farola-plan-{plan_id}.geojson"'},
    )
