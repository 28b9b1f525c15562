"""What happened lately: pushes, traps, imports, sign-ins."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy import select

from inventory import queries
from inventory.models import Event
from web.context import console

pages = Blueprint("events", __name__)
SIZE = 200


@pages.get("/events")
def index() -> str:
    """The newest events, of one kind or all."""
    kind = request.args.get("kind", "")
    with console().inventory.session() as session:
        rows = queries.events(session, SIZE, kind)
        kinds = sorted(session.scalars(select(Event.kind).distinct()))
    return render_template("events.html", rows=rows, kinds=kinds, kind=kind, size=SIZE)
