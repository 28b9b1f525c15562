"""What the pages say: a full city, an empty one, and one whose parts are down."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient

from farola.errors import FarolaError
from farola.settings import Settings
from inventory import events, queries
from inventory.models import Device, Neighbourhood, PlanRecord, Site
from tests.web.conftest import settled, signed_in
from web.app import create_app

PAGES = ["/", "/coverage", "/plan", "/plan/1", "/devices", "/devices/ap-002", "/changes",
         "/changes/1", "/changes/2", "/events", "/?neighbourhood=N44", "/?site=site-007",
         "/?proposed=2", "/?radius=50&by=grade", "/coverage?cell=c3&sort=share",
         "/devices?state=down&sort=clients&desc=1"]  # fmt: skip


class Inline(HTMLParser):
    """Collects what the content security policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (
            tag == "script" and "src" not in given and given.get("type") != "application/json"
        ):
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name == "style" or name.startswith("on")]
        self.addresses += [v for k, v in attrs if k in {"src", "href", "action"} and v]


@pytest.mark.parametrize("path", [*PAGES, "/login", "/public", "/nowhere"])
def test_a_page_loads_nothing_inline_and_nothing_from_elsewhere(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code in {200, 302, 404}
    parser = Inline()
    parser.feed(settled(client, path))
    assert parser.found == []
    assert [a for a in parser.addresses if not a.startswith(("/", "#", "geo:"))] == []
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", PAGES)
def test_a_made_up_city_says_so_on_each_page(client: FlaskClient, path: str) -> None:
    assert "everything here is made up" in settled(client, path)


def test_a_real_city_does_not(app: Flask, client: FlaskClient) -> None:
    from inventory.models import Fact

    with app.extensions["farola"].inventory.session() as session:
        session.delete(session.get(Fact, "simulated"))
    assert "made up" not in client.get("/events").text


def test_the_map_page_tells_the_figures_without_the_map(client: FlaskClient) -> None:
    text = settled(client, "/?radius=80")
    assert "Residents with no free Wi-Fi within 80" in text
    assert "1 (most deprived)" in text
    assert "15 sites</strong> would reach" in text
    assert text.count('class="cell biv-') == 9


def test_a_neighbourhood_a_site_and_a_proposal_explain_themselves(client: FlaskClient) -> None:
    assert "Barrio 41" in settled(client, "/?neighbourhood=N44")
    about = client.get("/about/neighbourhood?id=N44&radius=80").text
    assert "Rank, 1 is most deprived" in about
    assert "Library 8" in client.get("/about/site?id=site-007").text
    proposal = client.get("/about/proposed?plan=1&id=2").text
    assert "Proposed site 2 of 15" in proposal
    assert "residents who have no Wi-Fi within 80 m" in proposal
    for missing in ("neighbourhood?id=x", "site?id=x", "proposed?plan=1&id=99", "proposed?id=x"):
        assert client.get(f"/about/{missing}").status_code == 404


def test_a_neighbourhood_without_residents_has_no_colour(client: FlaskClient) -> None:
    settled(client, "/")
    assert "so it has no colour" in client.get("/about/neighbourhood?id=N40").text


def test_the_coverage_table_filters_and_exports(client: FlaskClient) -> None:
    everything = settled(client, "/coverage")
    one = client.get("/coverage?q=barrio+41").text
    assert "Barrio 41" in one
    assert len(one) < len(everything) / 2
    lines = client.get("/coverage?format=csv&cell=c3").text.splitlines()
    assert lines[0].startswith("id,name,borough,population,covered_share")
    assert all(line.endswith(",c3") for line in lines[1:])
    assert len(lines) > 1


def test_the_plan_is_explained_and_can_be_taken_away(client: FlaskClient) -> None:
    text = client.get("/plan").text
    assert "better is possible" in text or "Proven: no other choice" in text
    download = client.get("/plan/1.geojson")
    assert "attachment" in download.headers["Content-Disposition"]
    features = json.loads(download.data)["features"]
    assert [f["properties"]["rank"] for f in features] == list(range(1, 16))
    assert client.get("/plan/99").status_code == client.get("/plan/99.geojson").status_code == 404


def test_a_change_shows_failures_first_and_equal_diffs_once(client: FlaskClient) -> None:
    text = client.get("/changes/1").text
    assert "unknown option &#39;isolat&#39;" in text
    assert text.index("Look at these first") < text.index(">Diffs<")
    assert text.count('class="card diff-card"') == 1  # host names aside, all get the same lines
    assert "‹device›" in text
    assert client.get("/changes/99").status_code == 404


def test_events_can_be_narrowed_to_a_kind(client: FlaskClient) -> None:
    text = client.get("/events?kind=trap.config-changed").text
    assert "configuration changed on the device" in text
    assert "neighbourhoods imported" not in text


def test_a_device_page_holds_its_day(client: FlaskClient) -> None:
    text = client.get("/devices/ap-007").text
    assert 'class="cell-down"' in text
    assert 'class="cell-none"' in text
    chart = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', text)[0])
    assert None in chart["series"][0]["values"]
    assert "02:fa:2a:00:00:07" in text
    assert client.get("/devices/ap-999").status_code == 404
    assert "nobody polled this device then" in client.get("/devices/ap-007?day=2020-01-01").text
    assert client.get("/devices/ap-007?day=neverday&interface=x").status_code == 200


@pytest.mark.parametrize("path", [p for p in PAGES if "ap-" not in p and not re.search(r"/\d", p)])
def test_an_empty_city_says_which_command_comes_next(empty_app: Flask, path: str) -> None:
    client = signed_in(empty_app)
    answer = client.get(path)
    assert answer.status_code == 200
    if path.split("?", maxsplit=1)[0] != "/events":
        assert "farola " in settled(client, path)


def test_the_public_page_is_small_and_keeps_nothing(stranger: FlaskClient) -> None:
    page = stranger.get("/public")
    assert "Set-Cookie" not in page.headers
    assert "<script" not in page.text
    linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    styles = sum(len(stranger.get(path).data) for path in linked)
    assert len(page.data) + styles < 50_000
    assert "Santa Farola Libre" in page.text
    found = stranger.get("/public?q=plaza+ribera").text
    assert "Plaza 1<" not in found or "Ribera" in found
    assert "No place matches" in stranger.get("/public?q=%25%25_").text


def test_the_public_page_counts_nobody(app: Flask, stranger: FlaskClient) -> None:
    """How many people are connected is for staff: residents learn whether a place works."""
    fleet = app.extensions["farola"].fleet.get()
    assert any(row.clients for row in fleet.rows)
    text = stranger.get("/public").text
    assert "works now" in text
    for item in re.findall(r"<li><strong>.*?</li>", text):
        told = re.sub(r"<strong>.*?</strong>|<[^>]*>|Open in a map app", " ", item)
        assert not re.search(r"\d|client|people|connected", told), item


def test_hostile_names_are_shown_harmless(app: Flask, client: FlaskClient) -> None:
    evil = "<script>alert(1)</script>\u202e\"'`{{7*7}}" + "x" * 10_000
    with app.extensions["farola"].inventory.session() as session:
        for kind, key in ((Device, "ap-001"), (Site, "site-001"), (Neighbourhood, "N44")):
            row = session.get(kind, key)
            row.name = evil
        record = queries.latest_plan(session)
        result = json.loads(json.dumps(record.result))
        result["sites"][0] |= {"name": evil, "why": evil, "by_grade": {evil: 3}}
        session.add(PlanRecord(parameters={}, result=result))
        events.record(session, evil[:80], evil, device_id="ap-001", actor=evil)
    for path in (
        *PAGES,
        "/devices/ap-001",
        "/public",
        "/about/site?id=site-001",
        f"/devices?q={evil[:60]}",
    ):
        text = settled(client, path)
        assert "<script>alert" not in text, path
        assert "49" not in re.findall(r"\{\{7\*7\}\}|49x", text), path
    shapes = json.loads(client.get("/map/neighbourhoods.geojson").data)
    assert evil in {f["properties"]["name"] for f in shapes["features"]}


def test_without_measurements_the_pages_say_what_is_missing(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    for file in (settings.home / "series").glob("*.db*"):
        file.write_bytes(b"this is no database" * 1000)
    assert "Measurements cannot be read" in client.get("/devices").text
    assert "Measurements cannot be read" in client.get("/devices/ap-001").text
    assert client.get("/public").status_code == 200
    shutil.rmtree(settings.home / "series")
    after = create_app(settings)
    assert "Nothing was polled yet" in signed_in(after).get("/devices").text
    after.extensions["farola"].close()


def test_without_its_database_the_console_says_so(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    app.extensions["farola"].inventory.close()
    for file in settings.home.glob("inventory.db*"):
        file.unlink()
    for path in ("/", "/devices", "/public", "/login", "/plan"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert "Access points keep working" in answer.text
        assert "Traceback" not in answer.text
        # Who it is cannot be looked up: a stranger learns nothing of what lies behind.
        assert not re.search(r"sqlite|no such table|inventory\.db", answer.text), path
    assert client.get("/healthz").json["inventory"] is False


@pytest.mark.parametrize(
    ("said", "shown"),
    [("cannot open /srv/city/raw.db: damaged", "/srv/city/raw.db"), ("", "FarolaError")],
)
def test_details_of_a_trouble_are_for_those_who_signed_in(
    app: Flask, client: FlaskClient, stranger: FlaskClient, said: str, shown: str
) -> None:
    def broken() -> str:
        raise FarolaError(said)

    app.view_functions["public.index"] = broken
    inside, outside = client.get("/public"), stranger.get("/public")
    assert inside.status_code == outside.status_code == 503
    assert shown in inside.text
    assert shown not in outside.text
    assert "Access points keep working" in outside.text


def test_a_fault_of_ours_is_a_page_not_a_traceback(app: Flask, client: FlaskClient) -> None:
    def broken() -> str:
        raise RuntimeError("secret detail")

    app.view_functions["events.index"] = broken
    answer = client.get("/events")
    assert answer.status_code == 500
    assert "on our side" in answer.text
    assert "secret detail" not in answer.text


def test_the_theme_is_kept_and_followed(client: FlaskClient) -> None:
    page = client.get("/events").text
    assert 'data-theme="auto"' in page
    sent = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert sent
    answer = client.post("/theme", data={"csrf": sent[1], "theme": "dark", "next": "/events"})
    assert answer.location == "/events"
    assert 'data-theme="dark"' in client.get("/events").text
    client.post("/theme", data={"csrf": sent[1], "theme": '"><script>'})
    assert 'data-theme="auto"' in client.get("/events").text
