"""More tabs than a browser opens connections to one host: their streams are shared."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from .test_orders import place, row, taken
from .visitors import NewVisitor, pill

# Over HTTP/1.1 a browser opens six connections to a host.
TABS = 8
# Milliseconds in which a tab is live, though those behind it get little of a busy machine.
PATIENCE = 30_000
# A stream of orders without any, which ends.
EMPTY = {
    "content_type": "text/event-stream",
    "body": "retry: 60000\nid: 1-1\nevent: snapshot\ndata: []\n\n",
}


@pytest.mark.parametrize(
    "paths",
    [["/dashboard"] * TABS, ["/scores", "/tasks", "/", "/scores", "/tasks", "/", "/tasks", "/"]],
    ids=["dashboard", "others"],
)
def test_more_tabs_than_connections_are_live(visitor: NewVisitor, paths: list[str]) -> None:
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


def test_orders_of_a_session_are_live_in_every_tab(visitor: NewVisitor) -> None:
    session = visitor()
    listed = session.sign_in("alice")
    numbers = [place(listed, f"Shared {number}") for number in range(TABS - 2)]
    paths = ["/orders", *(f"/orders/{number}" for number in numbers)]
    tabs = [listed, *(session.open(path, state=None) for path in paths)]
    for page in tabs:
        expect(pill(page)).to_have_text("Live", timeout=PATIENCE)
    olga = visitor().sign_in("olga")
    for number in numbers:
        olga.get_by_role("button", name=f"Mark order {number} packed").click()
    for page in tabs[2:]:
        expect(taken(page.locator("#order"))).to_have_count(2, timeout=PATIENCE)
    # The one that holds the stream goes.
    listed.close()
    last = tabs[1]
    expect(taken(row(last, numbers[-1]))).to_have_count(2, timeout=PATIENCE)
    olga.get_by_role("button", name=f"Mark order {numbers[0]} shipped").click()
    expect(taken(row(last, numbers[0]))).to_have_count(3, timeout=PATIENCE)
    expect(taken(tabs[2].locator("#order"))).to_have_count(3, timeout=PATIENCE)


def test_order_that_the_list_lacks_is_shown(visitor: NewVisitor) -> None:
    """A page of an order takes its changes from the list, which has the newest orders alone."""
    session = visitor()
    number = place(session.sign_in("bob"), "An old one")
    session.context.route("**/api/orders?*", lambda route: route.fulfill(**EMPTY))
    page = session.open(f"/orders/{number}")
    expect(taken(page.locator("#order"))).to_have_count(1)


def test_log_is_whole_in_every_tab(visitor: NewVisitor) -> None:
    session = visitor()
    console = session.console
    written = [f"shared line {number}" for number in range(30)]
    lines = iter(written)
    console.append(*(next(lines) for _ in range(10)))
    tabs = []
    for _ in range(TABS):
        tabs.append(session.open(f"/logs?file={console.log_file}&level=INFO", state=None))
        console.append(next(lines))
        expect(pill(tabs[-1])).to_have_text("Live", timeout=PATIENCE)
    for page in tabs:
        expect_lines(page, written[: 10 + TABS])
    tabs.pop(0).close()
    console.append(*lines)
    for page in tabs:
        expect_lines(page, written)


def expect_lines(page: Page, written: list[str]) -> None:
    """Each of the lines is there, once and in order."""
    shown = page.locator(".log p .text").filter(has_text=re.compile("^shared line"))
    expect(shown).to_have_text(written, timeout=PATIENCE)


def test_tab_that_joins_has_the_prices_of_its_round(visitor: NewVisitor) -> None:
    session = visitor()
    pages = [session.open("/prices", state=None) for _ in range(2)]
    for page in pages:
        expect(pill(page)).to_have_text("Live", timeout=PATIENCE)
    first_month = re.compile(r"^M46\.0 ")
    for page in pages:
        line = page.locator(".chart .line").first
        expect(line).to_have_attribute("d", first_month, timeout=PATIENCE)
    month = pages[1].locator("#prices .month")
    before = month.inner_text()
    expect(month).not_to_have_text(before, timeout=PATIENCE)


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
