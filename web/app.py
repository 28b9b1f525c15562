"""Makes the console: one Flask app, its pages, guards, assets and error pages."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Any

from flask import Flask, Response, g, jsonify, redirect, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from farola.errors import FarolaError
from farola.settings import Settings
from inventory import queries
from web import auth, formats, security
from web.assets import serve_assets
from web.context import Console, console
from web.pages import changes, coverage, devices, events, planner, plans, public
from web.secret import session_key

LOG = logging.getLogger("farola.web")
THEMES = ("auto", "light", "dark")


def create_app(settings: Settings, *, https: bool = False) -> Flask:
    """The console of one city. `https`: it stands behind TLS, so cookies are sent over it only.

    Raises
    ------
    SettingsError
        The session key cannot be kept safely.
    """
    app = Flask("web", root_path=os.path.dirname(__file__), static_folder=None)  # noqa: PTH120
    app.config.update(
        SECRET_KEY=session_key(settings.home),
        SESSION_COOKIE_NAME="farola",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        MAX_CONTENT_LENGTH=1_000_000,
        HTTPS=https,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["farola"] = Console(settings)
    security.guard(app)
    formats.install(app)
    serve_assets(app)
    for page in (auth, planner, coverage, plans, devices, changes, events, public):
        app.register_blueprint(page.pages)
    app.context_processor(_everywhere)
    app.add_url_rule("/healthz", "health", _health)
    app.add_url_rule("/theme", "theme", _theme, methods=["POST"])
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(FarolaError, _trouble)
    app.register_error_handler(SQLAlchemyError, _trouble)
    app.register_error_handler(Exception, _fault)
    return app


def _everywhere() -> dict[str, Any]:
    """What each template knows: who is signed in, the city, the theme, and what is made up."""
    return {
        "person": g.get("person"),
        "city": console().settings.city,
        "theme": _chosen_theme(),
        "simulated": _simulated(),
        "here": request.full_path.rstrip("?"),
    }


def _simulated() -> bool:
    if g.get("broken"):
        return False
    with console().inventory.session() as session:
        return queries.fact(session, "simulated") is not None


def _chosen_theme() -> str:
    theme = request.cookies.get("theme", "auto")
    return theme if theme in THEMES else "auto"


def _theme() -> BaseResponse:
    """Keep the chosen theme in a cookie and go back."""
    theme = request.form.get("theme", "auto")
    response = redirect(security.safe_target(request.form.get("next")), 303)
    response.set_cookie(
        "theme", theme if theme in THEMES else "auto", max_age=31_536_000, samesite="Lax",
        httponly=True, secure=request.is_secure,
    )  # fmt: skip
    return response


def _health() -> tuple[Response, int]:
    """For a supervisor or load balancer: whether inventory and store answer."""
    answer: dict[str, Any] = {}
    try:
        with console().inventory.session() as session:
            answer["inventory"] = bool(queries.counts(session))
    except (FarolaError, SQLAlchemyError):
        answer["inventory"] = False
    try:
        answer["store"] = console().store().health().ok
    except FarolaError:
        answer["store"] = False
    answer["ok"] = all(answer.values())
    return jsonify(answer), 200 if answer["ok"] else 503


def _page(code: int, title: str, what: str, todo: str) -> tuple[str, int]:
    """An error page; it asks nothing of the database, which may be what failed."""
    g.broken = True
    if request.headers.get("HX-Request"):
        return render_template("parts/trouble.html", title=title, what=what, todo=todo), code
    return render_template("error.html", code=code, title=title, what=what, todo=todo), code


def _http_error(error: HTTPException) -> tuple[str, int] | HTTPException:
    code = error.code or 500
    if code < 400:
        return error
    if code == 404:
        return _page(
            404, "Nothing is here", f"There is no page {request.path}.",
            "It may have been renamed or retired. Start again at the map.",
        )  # fmt: skip
    return _page(code, error.name, error.description or "", "Go back and try again.")


def _trouble(error: Exception) -> tuple[str, int]:
    """Inventory or store cannot be read: say what is stale and what is safe.

    Which file or server it was is told to somebody who signed in; the log has it in any case.
    """
    LOG.error("%s: %s: %s", request.path, type(error).__name__, error)
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    what = first if g.get("person") else "The city's records do not answer; the reason is logged."
    return _page(
        503, "Data cannot be read right now", what,
        "Access points keep working and nothing is lost: pages come back by themselves when the "
        "database does. `farola doctor` tells what is wrong.",
    )  # fmt: skip


def _fault(error: Exception) -> tuple[str, int]:
    LOG.exception("fault in %s", request.path, exc_info=error)
    return _page(
        500, "Something went wrong on our side",
        "The console hit a fault; it was written to its log.",
        "Nothing was changed. Try again; if it stays, tell your administrator the time and page.",
    )  # fmt: skip
