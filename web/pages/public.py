"""For residents: where free Wi-Fi is. No sign-in, no script, a few kilobytes."""

from __future__ import annotations

import unicodedata

from flask import Blueprint, render_template, request
from sqlalchemy import func, or_, select

from inventory.models import Site
from web.context import console
from web.coverage import BUILT

pages = Blueprint("public", __name__)
SIZE = 50


@pages.get("/public")
def index() -> str:
    """Sites whose name, programme or borough holds the words asked for."""
    query = unicodedata.normalize("NFC", request.args.get("q", "").strip())[:100]
    with console().inventory.session() as session:
        found = select(Site.id, Site.name, Site.borough, Site.lat, Site.lon).where(
            Site.status.in_(BUILT)
        )
        for word in query.split()[:6]:
            like = f"%{_escaped(word)}%"
            found = found.where(
                or_(
                    *(c.ilike(like, escape="\\") for c in (Site.name, Site.borough, Site.programme))
                )
            )
        total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
        rows = session.execute(found.order_by(Site.name, Site.id).limit(SIZE)).all()
        boroughs = session.scalars(
            select(Site.borough).where(Site.status.in_(BUILT), Site.borough.is_not(None))
            .group_by(Site.borough).order_by(func.count().desc()).limit(20)
        ).all()  # fmt: skip
    states = _states({row.id for row in rows})
    return render_template(
        "public.html", q=query, rows=rows, total=total, size=SIZE,
        boroughs=sorted(b for b in boroughs if b), states=states,
    )  # fmt: skip


def _states(site_ids: set[str]) -> dict[str, str]:
    """`up` where any access point of the site is, `down` where all are, else unknown."""
    seen: dict[str, set[str]] = {}
    for row in console().fleet.get().rows:
        if row.site_id in site_ids:
            seen.setdefault(row.site_id, set()).add(row.state)
    return {
        site: "up" if "up" in found else "down" if found == {"down"} else "unknown"
        for site, found in seen.items()
    }


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
