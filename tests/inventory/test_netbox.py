"""NetBox over real HTTP. The server below is a stand-in that speaks the part of NetBox's REST API
that pynetbox asks for (shapes as NetBox 4's documentation gives them); it is not NetBox.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from inventory import queries

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PAGE = 2


def site(
    number: int, lat: float | None, lon: float | None, status: str = "active"
) -> dict[str, Any]:
    return {
        "id": number, "url": f"http://netbox/api/dcim/sites/{number}/", "name": f"Site {number}",
        "slug": f"site-{number}", "status": {"value": status, "label": status.title()},
        "region": {"id": 1, "name": "NANDU ALTO", "slug": "nandu"}, "latitude": lat,
        "longitude": lon, "custom_fields": {}, "tags": [],
    }  # fmt: skip


def device(
    number: int, site_number: int, address: str | None, status: str = "active"
) -> dict[str, Any]:
    return {
        "id": number, "url": f"http://netbox/api/dcim/devices/{number}/", "name": f"ap-{number}",
        "site": {"id": site_number, "name": f"Site {site_number}", "slug": "s"},
        "role": {"id": 1, "name": "Access point", "slug": "access-point"},
        "platform": {"id": 1, "name": "OpenWrt", "slug": "openwrt"}, "serial": f"SN{number}",
        "status": {"value": status, "label": status.title()},
        "primary_ip": address and {"id": number, "family": {"value": 4}, "address": address},
        "custom_fields": {}, "tags": [],
    }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    tables: dict[str, list[dict[str, Any]]] = {}  # noqa: RUF012 - set by each test

    def do_GET(self) -> None:
        if self.headers.get("Authorization") not in {f"Token {TOKEN}", f"Bearer {TOKEN}"}:
            self.answer(403, {"detail": "Invalid token"})
            return
        parts = urlsplit(self.path)
        rows = self.tables.get(parts.path.strip("/"))
        if rows is None:
            self.answer(404 if parts.path != "/api/" else 200, {})
            return
        offset = int(parse_qs(parts.query).get("offset", ["0"])[0])
        page = rows[offset : offset + PAGE]
        end = offset + PAGE
        base = f"http://{self.headers['Host']}{parts.path}"
        following = f"{base}?limit={PAGE}&offset={end}" if end < len(rows) else None
        self.answer(200, {"count": len(rows), "next": following, "previous": None, "results": page})

    def answer(self, code: int, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("API-Version", "4.2")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def netbox() -> Iterator[str]:
    """The stand-in's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Handler.tables = {
        "api/dcim/sites": [
            site(1, -34.6, -58.4), site(2, -34.601, -58.4, "planned"), site(3, None, None),
            site(4, 34.6, -58.4), site(5, -34.602, -58.4, "retired"),
        ],
        "api/dcim/devices": [
            device(1, 1, "10.0.0.1/24"), device(2, 1, None, "offline"),
            device(3, 3, "2001:db8::1/64", "planned"), device(4, 2, "10.0.0.4/24", "odd"),
        ],
    }  # fmt: skip
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def run(city, url, *options, code=0):
    city("device", "credential", "netbox", "--field", "token", stdin=TOKEN)
    return city("import", "netbox", "--url", url, "--credential", "netbox", "--json", *options,
                code=code)  # fmt: skip


def test_sites_and_devices_are_read_page_by_page(city, db, netbox) -> None:
    result = run(city, netbox).json
    assert (result["read"], result["imported"]) == (9, 6)
    assert [(r["row"], r["field"]) for r in result["rejected"]] == [
        (3, "site.latitude"), (4, "device.status"), (4, "site.latitude"),
    ]  # fmt: skip
    assert "wrong sign" in result["rejected"][2]["why"]
    assert ("device.site", 3) in [(w["field"], w["row"]) for w in result["warnings"]]
    with db() as session:
        sites = {s.id: s for s in queries.sites(session)}
        devices = {d.id: d for d in queries.devices(session)}
    assert {k: s.status for k, s in sites.items()} == {
        "netbox-site-1": "live", "netbox-site-2": "planned", "netbox-site-5": "retired",
    }  # fmt: skip
    assert sites["netbox-site-1"].borough == "Ñandú Alto"
    assert devices["netbox-1"].management_address == "10.0.0.1"
    assert devices["netbox-1"].platform == "openwrt"
    assert devices["netbox-1"].site_id == "netbox-site-1"
    assert devices["netbox-3"].management_address == "2001:db8::1"
    assert devices["netbox-3"].site_id is None
    assert {d.source for d in devices.values()} == {"netbox"}


def test_a_second_run_changes_nothing_and_never_turns_a_site_back(city, db, netbox) -> None:
    run(city, netbox)
    again = run(city, netbox).json
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 6)
    Handler.tables["api/dcim/sites"][0]["status"]["value"] = "planned"
    Handler.tables["api/dcim/devices"][1]["status"]["value"] = "planned"
    result = run(city, netbox).json
    assert "left as it is here" in result["warnings"][0]["why"]
    with db() as session:
        assert {s.id: s.status for s in queries.sites(session)}["netbox-site-1"] == "live"


def test_strict_imports_nothing(city, db, netbox) -> None:
    run(city, netbox, "--strict", code=1)
    with db() as session:
        assert queries.devices(session) == []


def test_what_cannot_be_read_is_told_in_a_line_without_the_token(city, netbox) -> None:
    for url, part in (
        ("http://127.0.0.1:1", "cannot be reached"),
        (netbox + "/elsewhere", "404"),
        ("ftp://127.0.0.1", "--url"),
        (f"http://{TOKEN}@127.0.0.1", "credential"),
    ):
        done = run(city, url, code=1)
        assert part in done.err
        assert TOKEN not in done.err
    city("device", "credential", "wrong", "--field", "token", stdin="nope")
    done = city("import", "netbox", "--url", netbox, "--credential", "wrong", code=1)
    assert "403" in done.err
    city("device", "credential", "none", stdin="nope")
    done = city("import", "netbox", "--url", netbox, "--credential", "none", code=1)
    assert "holds no token" in done.err
    done = city("import", "netbox", "--url", netbox, "--credential", "absent", code=1)
    assert "no credential" in done.err
