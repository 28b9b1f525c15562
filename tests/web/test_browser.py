"""The console in a real browser with the network closed: every page, phone to wall, both themes.

Screenshots go to test-artifacts/ for people to look at; the tests hold what a machine can judge.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farola.keys import create_key
from tests.conftest import ROOT, require
from tests.web.made_city import NAME, PASSWORD

try:
    from playwright import sync_api as playwright
except ImportError:
    playwright = None
pytestmark = pytest.mark.browser

ARTIFACTS = ROOT / "test-artifacts"
PAGES = {
    "login": "/login", "map": "/", "neighbourhood": "/?neighbourhood=N74",
    "proposed": "/?proposed=1",
    "coverage": "/coverage", "plan": "/plan", "devices": "/devices", "device": "/devices/ap-007",
    "changes": "/changes", "change": "/changes/1", "events": "/events", "public": "/public",
    "missing": "/nowhere",
}  # fmt: skip
MAPS = {"map", "neighbourhood", "proposed"}
SIZES = {360: 740, 1280: 800, 1920: 1080}
FLAGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-component-update", "--no-first-run",
    # No name but the server's own can be looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip


@contextmanager
def served(home: Path, key: Path) -> Iterator[str]:
    """`farola web` in a process of its own; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "FAROLA_HOME": str(home), "FAROLA_KEY_FILE": str(key),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "farola", "web", "--port", str(port)],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/healthz").close()
                break
            except OSError:
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def address(template_home: Path) -> Iterator[str]:
    """The made city, served."""
    from web.assets import FOLDER

    built = (FOLDER / "manifest.json").exists()
    require(built, "the front end is not built: python web/frontend/hatch_build.py")
    with served(template_home, template_home.parent / "key") as found:
        yield found


@pytest.fixture(scope="module")
def browser(needs_program: Callable[[str, str], str]) -> Iterator[playwright.Browser]:
    """Debian's chromium."""
    require(playwright is not None, "playwright is missing: pip install playwright")
    program = needs_program("chromium", "chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield found
        found.close()


class Visitor:
    """Somebody at a screen who notes what goes wrong and where requests go."""

    def __init__(self, browser: playwright.Browser, address: str, width: int, theme: str) -> None:
        self.address = address
        self.context = browser.new_context(
            viewport={"width": width, "height": SIZES[width]}, color_scheme=theme,
            device_scale_factor=2 if width < 400 else 1,
        )  # fmt: skip
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        self.weight = 0
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._request)
        self.page.on("requestfinished", self._weigh)

    def _console(self, message: playwright.ConsoleMessage) -> None:
        # A page that answers 404 is itself reported by the browser: that one is meant.
        if message.type in {"error", "warning"} and "/nowhere" not in str(message.location):
            self.wrong.append(message.text)

    def _request(self, request: playwright.Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(request.url)

    def _weigh(self, request: playwright.Request) -> None:
        sizes = request.sizes()
        self.weight += sizes["responseBodySize"] + sizes["responseHeadersSize"]

    def enter(self) -> None:
        self.page.goto(f"{self.address}/login")
        self.page.fill("[name=name]", NAME)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("button.primary")
        self.page.wait_for_url(f"{self.address}/")

    def visit(self, path: str, a_map: bool = False) -> None:
        self.page.goto(f"{self.address}{path}")
        if a_map:
            self.page.wait_for_selector("#map[data-ready]", timeout=60_000)
        self.page.evaluate("document.fonts.ready")


@pytest.fixture(
    params=[(w, t) for w in SIZES for t in ("light", "dark")], ids=lambda p: f"{p[0]}-{p[1]}"
)
def visitor(
    request: pytest.FixtureRequest, browser: playwright.Browser, address: str
) -> Iterator[Visitor]:
    """A visitor for each width and theme."""
    found = Visitor(browser, address, *request.param)
    found.name = f"{request.param[0]}-{request.param[1]}"  # type: ignore[attr-defined]
    yield found
    found.context.close()


def test_every_page_fits_and_asks_nobody_else(visitor: Visitor) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    wide = []
    for name, path in PAGES.items():
        if name == "map":
            visitor.enter()
        visitor.visit(path, name in MAPS)
        if visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
        visitor.page.screenshot(path=ARTIFACTS / f"{name}-{visitor.name}.png")  # type: ignore[attr-defined]
    assert visitor.wrong == []
    assert visitor.foreign == []
    assert wide == []


@pytest.mark.parametrize(
    "visitor", [(360, "light"), (1280, "light"), (1280, "dark")], indirect=True, ids=str
)
def test_the_map_shows_the_colours_of_its_legend(visitor: Visitor) -> None:
    visitor.enter()
    visitor.visit("/", a_map=True)
    legend = {
        name: visitor.page.eval_on_selector(
            f".legend .biv-{name}", "e => getComputedStyle(e).backgroundColor"
        )
        for name in ("a1", "c1", "a3", "c3")
    }
    counts = colours(visitor, visitor.page.locator("#map canvas").first.screenshot())
    for name, colour in legend.items():
        wanted = tuple(int(part) for part in colour[4:-1].split(","))
        near = sum(
            count
            for found, count in counts.items()
            if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 3
        )
        assert near > 50, (name, wanted)


def colours(visitor: Visitor, png: bytes) -> dict[tuple[int, ...], int]:
    """How many pixels of each colour a picture has; the browser itself decodes it."""
    page = visitor.context.new_page()
    counted = page.evaluate(
        """async (data) => {
            const image = new Image();
            image.src = data;
            await image.decode();
            const canvas = new OffscreenCanvas(image.width, image.height);
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const pixels = context.getImageData(0, 0, image.width, image.height).data;
            const counts = {};
            for (let i = 0; i < pixels.length; i += 4) {
                const key = `${pixels[i]},${pixels[i + 1]},${pixels[i + 2]}`;
                counts[key] = (counts[key] ?? 0) + 1;
            }
            return counts;
        }""",
        "data:image/png;base64," + b64encode(png).decode(),
    )
    page.close()
    return {tuple(map(int, key.split(","))): count for key, count in counted.items()}


@pytest.mark.parametrize("visitor", [(1280, "light")], indirect=True)
class TestByHand:
    """What one does with the pages."""

    def test_slash_leads_to_the_search_which_finds_a_device(self, visitor: Visitor) -> None:
        visitor.enter()
        visitor.visit("/events")
        visitor.page.keyboard.press("/")
        visitor.page.keyboard.type("02:fa:20:00:00:07")
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_url("**/devices?q=*")
        assert visitor.page.locator("#device-list tbody tr").count() == 1

    def test_typing_narrows_the_list_without_a_new_page(self, visitor: Visitor) -> None:
        visitor.enter()
        visitor.visit("/devices")
        visitor.page.evaluate("window.stayed = true")
        visitor.page.fill("#device-text", "10.20.0.8")
        playwright.expect(visitor.page.locator("#device-list tbody tr")).to_have_count(11)
        assert visitor.page.evaluate("window.stayed")
        assert "q=10.20.0.8" in visitor.page.url
        assert visitor.wrong == []

    @pytest.mark.parametrize("path", ["/devices", "/plan", "/coverage"])
    def test_a_long_name_pushes_no_column_out_of_sight(self, visitor: Visitor, path: str) -> None:
        visitor.enter()
        visitor.visit(path)
        over = visitor.page.evaluate(
            """() => {
                const [first, second] = document.querySelectorAll(".list tbody th");
                (first.querySelector("a") ?? first).textContent = "x".repeat(150);
                (second.querySelector("a") ?? second).textContent = "long names ".repeat(15);
                const frame = first.closest(".scroll");
                return frame.scrollWidth - frame.clientWidth;
            }"""
        )
        assert over == 0

    def test_a_click_explains_and_the_address_remembers(self, visitor: Visitor) -> None:
        visitor.enter()
        visitor.visit("/", a_map=True)
        visitor.page.click(".ranked a >> nth=1")
        drawer = visitor.page.locator("#drawer")
        drawer.locator("text=Proposed site 2 of 15").wait_for()
        assert "proposed=2" in visitor.page.url
        visitor.page.reload()
        visitor.page.wait_for_selector("#map[data-ready]", timeout=60_000)
        assert "Proposed site 2 of 15" in drawer.inner_text()
        visitor.page.keyboard.press("Escape")
        playwright.expect(drawer).to_be_hidden()
        visitor.visit("/", a_map=True)
        box = visitor.page.locator("#map").bounding_box()
        assert box
        for across in (0.30, 0.35, 0.40, 0.45):  # one of these is no cluster, which would zoom in
            visitor.page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] / 2)
            visitor.page.wait_for_timeout(700)
            if drawer.is_visible():
                break
        assert any(part in visitor.page.url for part in ("neighbourhood=", "site=", "proposed="))
        visitor.page.go_back()
        playwright.expect(drawer).to_be_hidden()
        assert visitor.wrong == []

    def test_the_toggle_changes_the_theme(self, visitor: Visitor) -> None:
        visitor.enter()
        visitor.visit("/events")
        ground = "getComputedStyle(document.body).backgroundColor"
        before = visitor.page.evaluate(ground)
        visitor.page.click("button[name=theme]")
        visitor.page.wait_for_selector("html[data-theme=dark]")
        assert visitor.page.evaluate(ground) != before

    def test_a_chart_is_drawn_with_its_last_value(self, visitor: Visitor) -> None:
        visitor.enter()
        visitor.visit("/devices/ap-001")
        visitor.page.wait_for_selector(".u-wrap canvas")
        assert "Clients" in visitor.page.locator(".chart .last").first.inner_text()

    def test_pages_weigh_little(self, visitor: Visitor) -> None:
        visitor.enter()
        visitor.weight = 0
        visitor.context.clear_cookies()
        visitor.visit("/public")
        assert visitor.weight < 50_000


def test_without_webgl_the_table_is_offered(
    needs_program: Callable[[str, str], str], browser: playwright.Browser, address: str
) -> None:
    program = needs_program("chromium", "chromium")
    plain = browser.browser_type.launch(
        executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
    )
    visitor = Visitor(plain, address, 1280, "light")
    visitor.enter()
    visitor.page.locator("text=The same facts as a table").wait_for()
    plain.close()


def test_an_empty_city_looks_meant(
    browser: playwright.Browser, home: Path, empty_settings: object, tmp_path: Path
) -> None:
    from inventory.db import open_inventory
    from web.users import set_user

    inventory = open_inventory(empty_settings)  # type: ignore[arg-type]
    with inventory.session() as session:
        set_user(session, NAME, PASSWORD, "viewer")
    inventory.close()
    with served(home, create_key(home)) as address:
        visitor = Visitor(browser, address, 1280, "light")
        visitor.enter()
        for name in ("map", "coverage", "plan", "devices", "changes", "events"):
            visitor.visit(PAGES[name])
            visitor.page.screenshot(path=ARTIFACTS / f"empty-{name}.png")
        assert visitor.wrong == []
        assert visitor.foreign == []
        visitor.context.close()
