"""More tabs than a browser opens connections to one host: their streams are shared."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from .visitors import NewVisitor, pill

# Over HTTP/1.1 a browser opens six connections to a host.
TABS = 7
# Milliseconds in which a tab is live, though those behind it get little of a busy machine.
PATIENCE = 30_000


@pytest.mark.parametrize(
    "paths",
    [["/dashboard"] * TABS, ["/scores", "/tasks", "/", "/scores", "/tasks", "/", "/tasks"]],
    ids=["dashboard", "others"],
)
def test_seven_tabs_are_live(visitor: NewVisitor, paths: list[str]) -> None:
    session = visitor()
    session.expects("willReadFrequently")
    pages = []
    for path in paths:
        pages.append(session.open(path, state=None))
        expect(pill(pages[-1])).to_have_text("Live", timeout=PATIENCE)
        expect_content(pages[-1], path)
    for page in pages[:-1]:
        page.close()
    expect(pill(pages[-1])).to_have_text("Live", timeout=PATIENCE)
    expect_content(pages[-1], paths[-1])


def expect_content(page: Page, path: str) -> None:
    if path == "/dashboard":
        expect(page.locator('[data-figure="cpu"]')).to_have_text(re.compile(r"^\d"))
        expect(page.locator("#cores > li")).not_to_have_count(0)
    elif path == "/scores":
        expect(page.locator('[data-figure="days"]')).to_have_text("of 66")
    elif path == "/tasks":
        expect(page.locator("#import option")).not_to_have_count(0)
    else:
        expect(page.locator("#activity .workers > li")).not_to_have_count(0)


def test_tab_that_joins_has_the_prices_of_its_round(visitor: NewVisitor) -> None:
    session = visitor()
    pages = [session.open("/prices", state=None) for _ in range(2)]
    for page in pages:
        expect(pill(page)).to_have_text("Live", timeout=PATIENCE)
    for page in pages:
        month = page.locator("#prices .month")
        before = month.inner_text()
        expect(month).not_to_have_text(before, timeout=PATIENCE)
        page.locator("#scale").select_option("total")
        label = re.compile("^Change since")
        expect(page.locator(".chart svg")).to_have_attribute("aria-label", label)
    first = pages[1].locator(".chart .line").first
    expect(first).to_have_attribute("d", re.compile(r"^M46\.0 "))


def test_history_comes_with_the_stream(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("status of 503")
    refused = []

    def refuse(route: Route) -> None:
        refused.append(route)
        route.fulfill(status=503)

    page = session.open("/")
    for number in range(12):
        session.console.publish(
            "notifications",
            {"message": f"kept {number}", "level": "info", "at": "2026-01-01T12:00:00Z"},
        )
    session.context.route("**/api/history*", refuse)
    for joined in (session.open("/"), visitor().open("/")):
        expect(joined.locator(".notes > li")).to_have_count(10)
        expect(joined.locator(".notes > li").first).to_contain_text("kept 11")
    page.reload()
    older = page.get_by_role("button", name="Show older ones")
    older.click()
    expect(page.locator("#notifications .problem")).to_be_visible()
    assert len(refused) == 1
    session.context.unroute("**/api/history*")
    older.click()
    expect(page.locator("#notifications .problem")).to_be_hidden()
    expect(page.locator(".notes > li").nth(11)).to_contain_text("kept 0")
