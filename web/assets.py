"""Serves the bundled front end: names with a digest in them, kept for ever, gzipped at build."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask, Response, abort, request, send_from_directory, url_for

FOLDER = Path(__file__).parent / "static" / "dist"


@dataclass
class Assets:
    """Current names of the bundled files; empty before the front end was built."""

    folder: Path = FOLDER
    names: dict[str, str] = field(default_factory=dict)

    def load(self) -> Assets:
        """Read the manifest; without one the pages work, unstyled."""
        try:
            found = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
            self.names = {str(k): str(v) for k, v in found["files"].items()}
        except (OSError, ValueError, KeyError, AttributeError):
            self.names = {}
        return self

    def url(self, name: str) -> str:
        """Where the page finds `name`; empty if it was not built."""
        found = self.names.get(name)
        return url_for("static_file", name=found) if found else ""


def serve_assets(app: Flask, folder: Path = FOLDER) -> Assets:
    """Add the route for bundled files, and `asset()` to the templates."""
    assets = Assets(folder).load()
    app.jinja_env.globals["asset"] = assets.url

    @app.get("/static/<path:name>", endpoint="static_file")
    def static_file(name: str) -> Response:
        if name not in assets.names.values() and not name.endswith(".txt"):
            abort(404)
        packed = folder / f"{name}.gz"
        if packed.is_file() and request.accept_encodings["gzip"] > 0:
            response = send_from_directory(folder, packed.name)
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = send_from_directory(folder, name)
        response.headers["Content-Type"] = _type(name)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Vary"] = "Accept-Encoding"
        return response

    @app.get("/icon.svg", endpoint="icon")
    def icon() -> Response:
        response = send_from_directory(folder.parent, "lamp.svg", mimetype="image/svg+xml")
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response

    return assets


def _type(name: str) -> str:
    known = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
    kind = known.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    text = kind is not None and (kind.startswith("text/") or kind.endswith("xml"))
    return f"{kind}; charset=utf-8" if text else kind or "application/octet-stream"
