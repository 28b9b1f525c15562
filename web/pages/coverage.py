"""The map's facts as a table: for the keyboard, a screen reader, and where WebGL is missing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, render_template, request

from inventory import queries
from web.context import console
from web.coverage import Area, Failed, Picture, Working
from web.pages.planner import chosen_radius
from web.pages.plans import find_plan

pages = Blueprint("coverage", __name__)
SIZE = 100

SORTS: dict[str, Callable[[Area], Any]] = {
    "uncovered": lambda a: -(a.uncovered or 0),
    "name": lambda a: a.name.casefold(),
    "borough": lambda a: ((a.borough or "").casefold(), a.name.casefold()),
    "population": lambda a: -(a.population or 0),
    "share": lambda a: a.share,
    "deprivation": lambda a: -(a.badness if a.badness is not None else float("-inf")),
}


@pages.get("/coverage")
def index() -> str | Response:
    """Neighbourhoods, most uncovered residents first; `?cell=` and `?q=` narrow them."""
    radius = chosen_radius(find_plan())
    picture = console().coverage.get(radius)
    if not isinstance(picture, Picture):
        reason = picture.reason if isinstance(picture, Failed) else ""
        with console().inventory.session() as session:
            counts = queries.counts(session)
        return render_template(
            "coverage.html", picture=None, working=isinstance(picture, Working), failed=reason,
            counts=counts,
        )  # fmt: skip
    query, cell = request.args.get("q", "").strip(), request.args.get("cell", "")
    sort = request.args.get("sort", "uncovered")
    wanted = query.casefold()
    rows = sorted(
        (
            area
            for area in picture.areas.values()
            if (not cell or area.cell == cell)
            and (not wanted or wanted in f"{area.name} {area.id} {area.borough or ''}".casefold())
        ),
        key=SORTS.get(sort, SORTS["uncovered"]),
    )
    if request.args.get("format") == "csv":
        return _csv(rows)
    page = max(request.args.get("page", 1, int), 1)
    return render_template(
        "coverage.html", picture=picture, rows=rows[(page - 1) * SIZE : page * SIZE],
        total=len(rows), page=page, pages=-(-len(rows) // SIZE), q=query, cell=cell, sort=sort,
        radius=radius, people=sum(a.uncovered or 0 for a in rows), working=False, failed="",
    )  # fmt: skip


def _csv(rows: list[Area]) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["id", "name", "borough", "population", "covered_share", "uncovered_residents",
         "deprivation", "grade", "cell"]
    )  # fmt: skip
    for a in rows:
        writer.writerow(
            [a.id, _plain(a.name), _plain(a.borough), a.population, round(a.share, 4),
             None if a.uncovered is None else round(a.uncovered, 1), a.deprivation,
             _plain(a.grade), a.cell]
        )  # fmt: skip
    return Response(
        out.getvalue(), mimetype="text/csv",
        headers={"Content-Disposition": 'attachment; filename="farola-coverage.csv"'},
    )  # fmt: skip


def _plain(text: str | None) -> str:
    """Text that a spreadsheet will not take for a formula."""
    text = text or ""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
