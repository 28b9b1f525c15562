"""Signing in and out."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response

from inventory import events
from web.context import console
from web.security import Throttle, safe_target, sign_in
from web.users import check_password

pages = Blueprint("auth", __name__)


@dataclass(frozen=True)
class Throttles:
    """How often a password may be tried, for one app."""

    person: Throttle = field(default_factory=lambda: Throttle(limit=5, window=300))
    address: Throttle = field(default_factory=lambda: Throttle(limit=50, window=300))


@pages.record
def _install(state: BlueprintSetupState) -> None:
    state.app.extensions["farola.throttles"] = Throttles()


@pages.get("/login")
def login() -> str | Response:
    """The form; who is signed in already is sent on."""
    target = safe_target(request.args.get("next"))
    if g.person:
        return redirect(target)
    return render_template("login.html", target=target, name="", problem="")


@pages.post("/login", endpoint="sign_in")
def enter() -> tuple[str, int] | Response:
    """Check name and password; a failure says no more than that it failed."""
    name = request.form.get("name", "").strip()[:100]
    password = request.form.get("password", "")[:1000]
    target = safe_target(request.form.get("next"))
    address = request.remote_addr or ""
    # Keyed by name *and* address: a stranger's tries cannot lock an administrator out.
    key = f"{address} {name.casefold()}"
    throttles: Throttles = current_app.extensions["farola.throttles"]
    wait = max(throttles.person.wait(key), throttles.address.wait(address))
    if wait > 0:
        problem = f"Too many tries. Wait {wait / 60:.0f} min and try again." if wait > 90 else (
            f"Too many tries. Wait {wait:.0f} s and try again."
        )  # fmt: skip
        return render_template("login.html", target=target, name=name, problem=problem), 429
    with console().inventory.session() as database:
        person = check_password(database, name, password)
        if person:
            events.record(
                database, "console.sign-in", f"{person.name} signed in", actor=person.name
            )
    if person is None:
        throttles.person.fail(key)
        throttles.address.fail(address)
        problem = "That name and password do not fit together."
        return render_template("login.html", target=target, name=name, problem=problem), 401
    sign_in(person)
    return redirect(target, 303)


@pages.post("/logout")
def logout() -> Response:
    """End the session."""
    session.clear()
    return redirect(url_for("auth.login"), 303)
