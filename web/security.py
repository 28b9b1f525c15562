"""What guards every request: sign-in, CSRF tokens, headers, where one may be sent on to, and how
often a password may be tried.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import defaultdict, deque
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from web.context import console
from web.users import Person, find_person

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",  # MapLibre's style sheet draws its buttons from data: pictures
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

OPEN = frozenset(
    {"auth.login", "auth.sign_in", "static_file", "icon", "public.index", "health", "theme", None}
)
"""Endpoints that answer without a sign-in; None is a page that does not exist."""


def guard(app: Flask) -> None:
    """Install the guards on `app`."""
    app.before_request(_check_csrf)
    app.before_request(_require_person)
    app.after_request(_add_headers)
    app.jinja_env.globals["csrf_token"] = csrf_token


def csrf_token() -> str:
    """The session's token, masked anew for each page so that compression leaks nothing of it."""
    secret = bytes.fromhex(session.setdefault("csrf", secrets.token_hex(16)))
    pad = secrets.token_bytes(len(secret))
    return (pad + bytes(a ^ b for a, b in zip(pad, secret, strict=True))).hex()


def _check_csrf() -> None:
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    given = request.form.get("csrf") or request.headers.get("X-CSRF-Token", "")
    expected = session.get("csrf", "")
    try:
        raw = bytes.fromhex(given)
    except ValueError:
        raw = b""
    half = len(raw) // 2
    plain = bytes(a ^ b for a, b in zip(raw[:half], raw[half:], strict=False)).hex()
    if not expected or not hmac.compare_digest(plain, expected):
        abort(400, "This form has expired. Nothing was changed: go back, reload and send it again.")


def _require_person() -> BaseResponse | None:
    g.person = None
    if request.endpoint in {"static_file", "icon", "health"}:
        return None
    name, stamp = session.get("user"), session.get("stamp")
    if name:
        with console().inventory.session() as database:
            person = find_person(database, name)
        if person and hmac.compare_digest(person.stamp, str(stamp)):
            g.person = person
        else:  # the person is gone or has a new password
            session.pop("user", None)
            session.pop("stamp", None)
    if g.person or request.endpoint in OPEN:
        return None
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    sign_in = url_for("auth.login", next=target)
    if request.headers.get("HX-Request"):
        return Response(status=204, headers={"HX-Redirect": url_for("auth.login")})
    return redirect(sign_in)


def sign_in(person: Person) -> None:
    """Begin a session for `person`; what an earlier one held is dropped."""
    session.clear()
    session["user"], session["stamp"] = person.name, person.stamp
    session.permanent = True


def safe_target(target: str | None) -> str:
    """`target` if it is a page of ours, else the first page."""
    if not target or not target.startswith("/") or any(c < " " or c == "\\" for c in target):
        return "/"
    parts = urlsplit(target)
    return target if not parts.netloc and not target.startswith("//") else "/"


class Throttle:
    """Lets `limit` failures happen for a key within `window` seconds; it never locks for ever."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit, self.window = limit, window
        self._failures: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def wait(self, key: str, now: float | None = None) -> float:
        """Seconds until `key` may try again; 0 is now."""
        now = time.monotonic() if now is None else now
        with self._lock:
            recent = self._recent(key, now)
            if len(recent) < self.limit:
                return 0.0
            return recent[-self.limit] + self.window - now

    def fail(self, key: str, now: float | None = None) -> None:
        """Count a failure for `key`."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._recent(key, now)
            self._failures[key].append(now)
            if len(self._failures) > 10_000:  # somebody tries names at random: keep the newest
                for old in list(self._failures)[:5_000]:
                    del self._failures[old]

    def _recent(self, key: str, now: float) -> deque[float]:
        recent = self._failures[key]
        while recent and recent[0] <= now - self.window:
            recent.popleft()
        if not recent:
            del self._failures[key]
            return deque()
        return recent


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-cache"
    return response
