"""The site that `make docs` builds: every link leads somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

from .blocks import README, ROOT, pages
from .commands import Command, environment, wait_for
from .ports import Ports
from .resources import foreign, loaded_by_css, loaded_by_page
from .servers import connects

NEEDED = ("mkdocs", "material", "mkdocstrings")
# Bears the time of its build.
DATED = {"sitemap.xml", "sitemap.xml.gz"}


def build(folder: Path) -> Path:
    command = ["-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml")]
    done = subprocess.run(
        [sys.executable, *command, "--site-dir", str(folder)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a link that leads nowhere fails it."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"{missing} is not installed")
    return build(tmp_path_factory.mktemp("site") / "site")


def html_of(page: str) -> str:
    return page.removesuffix("README.md").removesuffix(".md") + ".html"


def test_every_page_is_built(site: Path) -> None:
    written = {html_of(page) for page in pages() if page != README}
    assert written <= {path.relative_to(site).as_posix() for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_another_origin(site: Path) -> None:
    found = {}
    for path in site.rglob("*.html"):
        page = loaded_by_page(path.read_text())
        assert page.addresses
        found[path.name] = foreign(page.addresses)
        # The script of the theme fetches a library where a page has a diagram of this class.
        assert "mermaid" not in page.classes, path
    for path in site.rglob("*.css"):
        found[path.name] = foreign(loaded_by_css(path.read_text()))
    assert not {name: addresses for name, addresses in found.items() if addresses}


def test_what_is_loaded_from_another_origin_is_found() -> None:
    html = """<link rel="preconnect" href="https://a.test"><a href="https://no.test">
    <link rel="canonical" href="https://no.test"><script src="//b.test/x.js"></script>
    <style>@import "https://c.test/x.css";</style><p style="background: url(https://d.test)">
    <img srcset="/x.png 1x, https://e.test/x.png 2x">"""
    found = [urlsplit(each).netloc for each in foreign(loaded_by_page(html).addresses)]
    assert found == ["a.test", "b.test", "c.test", "d.test", "e.test"]
    css = 'x { src: url("https://a.test/x") } y { src: url(data:x) }'
    assert foreign(loaded_by_css(css)) == ["https://a.test/x"]


def test_a_second_build_is_the_same(site: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "site")
    files = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    assert not [
        name
        for name in files
        if name.name not in DATED and (site / name).read_bytes() != (again / name).read_bytes()
    ]


class Reading:
    """A tab that reads the site, what it asked other origins for, and what went wrong in it."""

    def __init__(self, origin: str, page: Page) -> None:
        self._origin = origin
        self.page = page
        self.foreign: list[str] = []
        self.faults: list[str] = []
        page.context.on("request", self._note)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self.foreign.append(request.url)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def open(self, page: str) -> None:
        self.page.goto(f"{self._origin}/{page}")


@pytest.fixture
def reading(site: Path, tmp_path: Path, chromium: Browser) -> Iterator[Reading]:
    folder = tmp_path / "page"
    folder.mkdir()
    ports = Ports()
    serve = f"python -m http.server --bind 127.0.0.1 --directory {site} {ports.used(8000)}"
    server = Command(serve, folder, environment(folder, {}), background=True)
    context = chromium.new_context(color_scheme="light")
    try:
        assert wait_for(lambda: connects(ports.used(8000)))
        yield Reading(f"http://127.0.0.1:{ports.used(8000)}", context.new_page())
    finally:
        context.close()
        server.kill()


def search_for_resuming(page: Page) -> Locator:
    """Search, and return the results that lead to that page."""
    page.locator("[data-md-component=search-query]").first.click()
    # What is typed before its index is there finds nothing.
    page.get_by_text("Type to start searching").wait_for(timeout=15_000)
    page.keyboard.type("resuming")
    page.locator(".md-search-result__link").first.wait_for(timeout=15_000)
    return page.locator(".md-search-result__link[href*=resuming]")


def test_a_browser_reads_it_from_disk(site: Path, chromium: Browser) -> None:
    """A page that was opened as a file finds others, and leads to them."""
    context = chromium.new_context()
    try:
        reading = Reading(site.as_uri(), context.new_page())
        reading.open("tutorial/first-route.html")
        search_for_resuming(reading.page).first.click()
        reading.page.wait_for_url("**/tutorial/resuming.html*")
        assert "Resuming" in reading.page.title()
        assert not reading.foreign
        assert not reading.faults
    finally:
        context.close()


def test_a_browser_reads_it_without_a_network(reading: Reading) -> None:
    """The search finds, the colours change, code can be copied."""
    reading.open("tutorial/first-route.html")
    page = reading.page
    assert search_for_resuming(page).count()
    page.keyboard.press("Escape")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "before => getComputedStyle(document.body).backgroundColor !== before", arg=before
    )
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = page.locator("div.highlight", has_text="curl http://127.0.0.1:5000/api/menu")
    block.locator("button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    # Neither the prompt nor what is printed.
    assert copied.strip() == "curl http://127.0.0.1:5000/api/menu"
    reading.open("index.html")
    assert "flask_sse_routes" in page.title()
    assert not reading.foreign
    assert not reading.faults
