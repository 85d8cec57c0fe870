"""Fixtures of the explorer's tests: a server, pages that note what goes wrong, and what is done
on them again and again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from .serving import Serving

WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.violatedDirective}`);
});
"""
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module", name="shop")
def serve_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(
        "clients.explored:app", tmp_path_factory.mktemp("server"), settings={"SSE_RETRY": 100}
    )
    yield serving
    serving.kill()


@pytest.fixture(name="open_page")
def make_open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Open a page in a context of its own; nothing that it does may be refused or fail."""
    contexts, faults = [], []

    def note(text: str) -> None:
        # That a response is an error is told on the console too.
        if "Failed to load resource: the server responded" not in text:
            faults.append(text)

    def start(url: str, **options: object) -> Page:
        context = chromium.new_context(**options)  # type: ignore[arg-type]  # checked there
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.on("console", lambda said: note(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(url)
        page.locator("nav a").first.wait_for(state="attached")
        return page

    yield start
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture(name="visit")
def make_visit(shop: Serving, open_page: OpenPage) -> OpenPage:
    """Open the explorer at a route."""
    return lambda route="", **options: open_page(f"{shop.url}/api/explorer#{route}", **options)


def call(page: Page) -> Locator:
    page.get_by_role("button", name="Call", exact=True).click()
    return page.locator(".result")


def open_stream(page: Page) -> Locator:
    page.get_by_role("button", name="Open the stream").click()
    return page.locator(".stream").first


def figure(stream: Locator, title: str) -> str:
    return stream.locator("dt", has_text=title).locator("xpath=following-sibling::dd").inner_text()


def number(stream: Locator, title: str) -> int:
    return int(re.sub(r"\D", "", figure(stream, title)))
