"""The planner's map: who is left out, and where next. The map is an island; the same facts stand
in the panel, and as a table under /coverage.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import select

from inventory import queries
from inventory.models import Device, Placement, Site
from web.bivariate import cells
from web.context import console
from web.coverage import DEFAULT_RADIUS, RADII, Area, Failed, Picture, Working
from web.pages.plans import find_plan
from web.plan_view import PlanView, plan_points

pages = Blueprint("planner", __name__)


def chosen_radius(plan: PlanView | None) -> float:
    """From the address, else the newest plan's, else 80 m.

    Only what the page offers is worked out: each radius costs seconds and megabytes.
    """
    given = request.args.get("radius", type=float)
    if given in offered(plan):
        return given
    return (plan.radius if plan else None) or DEFAULT_RADIUS


def offered(plan: PlanView | None) -> list[float]:
    """The radii to choose from, metres: three, and the plan's own."""
    return sorted({*RADII, *((plan.radius,) if plan and plan.radius else ())})


@pages.get("/")
def index() -> str:
    """Map, figures, plan; the drawer is open if the address names something."""
    plan = find_plan()
    radius = chosen_radius(plan)
    picture = console().coverage.get(radius)
    by = request.args.get("by", "fifth")
    facts: dict[str, object] = {}
    with console().inventory.session() as session:
        facts["counts"] = queries.counts(session)
    if isinstance(picture, Picture):
        groups = picture.groups.get(by) or next(iter(picture.groups.values()), ())
        facts.update(
            groups=groups, by=by if by in picture.groups else next(iter(picture.groups), ""),
            worst=picture.cells.get("c3", 0.0), cells=cells(),
            drawer=_drawer(picture, plan), top=plan.sites[:8] if plan else (),
        )  # fmt: skip
    return render_template(
        "planner.html", plan=plan, radius=radius, radii=offered(plan), picture=picture,
        ready=isinstance(picture, Picture), working=isinstance(picture, Working),
        failed=picture.reason if isinstance(picture, Failed) else "", **facts,
    )  # fmt: skip


def _drawer(picture: Picture, plan: PlanView | None) -> str:
    """The drawer's content for `?neighbourhood=`, `?site=` or `?proposed=`."""
    if (area := request.args.get("neighbourhood")) in picture.areas:
        return _about_area(picture, picture.areas[str(area)])
    if site := request.args.get("site"):
        return _about_site(site)
    rank = request.args.get("proposed", type=int)
    if plan and rank and 1 <= rank <= len(plan.sites):
        return _about_proposed(plan, rank)
    return ""


@pages.get("/about/neighbourhood")
def about_neighbourhood() -> str:
    """What is known of a neighbourhood, for the drawer."""
    picture = _picture()
    area = picture.areas.get(request.args.get("id", "")) or abort(404)
    return _about_area(picture, area)


@pages.get("/about/site")
def about_site() -> str:
    """What is known of a site, for the drawer."""
    return _about_site(request.args.get("id", "")) or abort(404)


@pages.get("/about/proposed")
def about_proposed() -> str:
    """Why a site is proposed, for the drawer."""
    plan = find_plan(request.args.get("plan", type=int))
    rank = request.args.get("id", 0, int)
    if plan is None or not 1 <= rank <= len(plan.sites):
        abort(404)
    return _about_proposed(plan, rank)


def _picture() -> Picture:
    picture = console().coverage.get(chosen_radius(find_plan()), patience=60)
    return picture if isinstance(picture, Picture) else abort(503)


def _about_area(picture: Picture, area: Area) -> str:
    graded = [a.badness for a in picture.areas.values() if a.badness is not None]
    rank = sum(1 for b in graded if area.badness is not None and b > area.badness) + 1
    return render_template(
        "parts/neighbourhood.html", area=area, picture=picture, rank=rank, graded=len(graded)
    )


def _about_site(site_id: str) -> str:
    with console().inventory.session() as session:
        site = session.get(Site, site_id)
        if site is None:
            return ""
        devices = session.execute(
            select(Device.id, Device.name)
            .join(Placement, Placement.device_id == Device.id)
            .where(Placement.site_id == site_id, Placement.valid_to.is_(None))
            .where(Device.status != "retired")
            .order_by(Device.name)
        ).all()
    states = {row.id: row for row in console().fleet.get().rows if row.site_id == site_id}
    return render_template("parts/site.html", site=site, devices=devices, states=states)


def _about_proposed(plan: PlanView, rank: int) -> str:
    return render_template("parts/proposed.html", plan=plan, site=plan.sites[rank - 1])


@pages.get("/map/neighbourhoods.geojson")
def neighbourhoods() -> Response:
    """Polygons with their cell of gap × deprivation."""
    return _packed(_picture().neighbourhoods_geojson)


@pages.get("/map/sites.geojson")
def sites() -> Response:
    """Existing sites as points."""
    return _packed(_picture().sites_geojson)


@pages.get("/map/plan-<int:plan_id>.geojson")
def proposed(plan_id: int) -> Response:
    """Proposed sites as points."""
    plan = find_plan(plan_id)
    return _packed(plan_points(plan)) if plan else abort(404)


def _packed(body: bytes) -> Response:
    """`body` with an ETag, gzipped where understood: nothing in it is secret to who may read it."""
    etag = hashlib.sha256(body).hexdigest()[:20]
    response = Response(mimetype="application/geo+json")
    response.set_etag(etag)
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    # Asked again each time, answered by 304 while nothing changed.
    response.headers["Cache-Control"] = "private, no-cache"
    if request.accept_encodings["gzip"] > 0:
        response.set_data(_gzip(etag, body))
        response.headers["Content-Encoding"] = "gzip"
    else:
        response.set_data(body)
    response.make_conditional(request)
    return response


@lru_cache(maxsize=8)
def _gzip(_etag: str, body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)
