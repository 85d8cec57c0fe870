"""The guide to htmx, in Chromium: pieces of HTML, streams that end, streams that fail."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clients.serving import OURS, Serving
from e2e.waiting import wait_for
from playwright.sync_api import Browser, Page

from tests.docs.blocks import block

from .integrations import lay_out, serve

PAGE = "guides/htmx.md"
TITLES = (
    "board.py",
    "templates/orders.html",
    "templates/index.html",
    "templates/index4.html",
    "static/errors.js",
)
SCRIPTS = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "sse.min.js": "htmx-ext-sse/dist/sse.min.js",
    "htmx4.min.js": "htmx4/dist/htmx.min.js",
    "hx-sse.min.js": "htmx4/dist/ext/hx-sse.min.js",
}
HOSTILE = '<img src=x onerror="window.hit = true">'
ENDS = {"ctx.sleep(0.2)": "ctx.sleep(0.05)"}
FAILS = {"ctx.sleep(0.2)": "step < 2 or 1 / 0\n        ctx.sleep(0.3)"}
SECOND_PAGE = 'return render_template("second.html")'

Start = Callable[..., tuple[Serving, Page]]


@pytest.fixture
def start(
    tmp_path: Path, chromium: Browser, node_modules: Callable[[str], Path]
) -> Iterator[Start]:
    """Serve the page's files, with lines of them replaced, and open the first page."""
    started: list[Serving] = []
    context = chromium.new_context()

    def make(path: str = "/", worker: str = "flask", **replace: str) -> tuple[Serving, Page]:
        lay_out(tmp_path, PAGE, *TITLES, replace=replace)
        for name, source in SCRIPTS.items():
            package, _, inner = source.partition("/")
            shutil.copy(node_modules(package) / inner, tmp_path / "static" / name)
        serving = serve(tmp_path, "board", worker=worker)
        started.append(serving)
        page = context.new_page()
        page.goto(f"{serving.url}{path}")
        return serving, page

    yield make
    context.close()
    for serving in started:
        serving.kill()


def runs(serving: Serving, steps: int) -> int:
    """How often a task has run: the development server notes each answer."""
    return len(re.findall(rf'"GET /api/build\?steps={steps} HTTP/1.1" 200', serving.log))


def order(page: Page, item: str) -> None:
    page.fill("input", item)
    page.click("button")


def items(page: Page, count: int) -> list[str]:
    page.wait_for_function(f"document.querySelectorAll('li').length === {count}", timeout=15_000)
    return page.locator("li").all_text_contents()


@contextmanager
def no_attack(page: Page) -> Iterator[None]:
    yield
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0


def test_a_list_and_a_task(start: Start) -> None:
    begins = '<p hx-get="/count" hx-trigger="sse:ready, sse:reset" id="begins"></p>\n</section>'
    _, page = start(worker=OURS, **{"</section>\n\n<form": f"{begins}\n\n<form"})
    with no_attack(page):
        page.wait_for_function("document.querySelector('#begins').textContent === '0 orders'")
        order(page, "tea")
        assert items(page, 1) == ["tea"]
        order(page, HOSTILE)
        assert items(page, 2) == ["tea", HOSTILE]
        page.wait_for_function("document.querySelector('p').textContent === '2 orders'")
        page.wait_for_function("document.querySelector('progress')?.value === 4")
        page.reload()
        assert items(page, 2) == ["tea", HOSTILE]


@pytest.mark.parametrize(
    ("line", "task"),
    [(' sse-close="end"', ENDS), ('<script src="/static/errors.js"></script>', FAILS)],
    ids=["ends", "fails"],
)
def test_a_task_runs_once(start: Start, tmp_path: Path, line: str, task: dict[str, str]) -> None:
    """Beside a page without the line that sees to it, where it runs again and again."""
    serving, page = start(**task, **{'return f"{len(orders)} orders"': SECOND_PAGE})
    text = block(PAGE, "templates/index.html")
    assert line in text
    without = text.replace(line, "").replace("steps=4", "steps=5")
    (tmp_path / "templates" / "second.html").write_text(without)
    second = page.context.new_page()
    second.goto(f"{serving.url}/count")
    wait_for(lambda: runs(serving, 5) > 1, "the second run", 20)
    assert runs(serving, 4) == 1


def test_htmx_4(start: Start) -> None:
    addition = {'return f"{len(orders)} orders"': 'return render_template("index4.html")'}
    serving, page = start("/count", **ENDS, **addition)
    page.wait_for_function("document.querySelector('progress')?.value === 4", timeout=15_000)
    with no_attack(page):
        for item in ("tea", HOSTILE):
            page.request.post(f"{serving.url}/api/order", data={"item": item})
        assert items(page, 2) == ["tea", HOSTILE]
    assert runs(serving, 4) == 1
