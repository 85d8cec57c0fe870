"""The server is lost, or the network: the console says so, comes back by itself, and has it all."""

from __future__ import annotations

import re
from collections import Counter

from playwright.sync_api import Page, expect

from .consoles import Console
from .visitors import NewVisitor, Visitor, pill

AWAY = re.compile(r"^Reconnecting")
# What the browser says by itself of a connection that it lost.
LOST = r"net::ERR_|Failed to load resource"
# Milliseconds in which new workers are there.
BACK = 60_000
AT = "2026-01-01T12:00:00Z"


def notifications(*messages: str) -> list[dict[str, object]]:
    return [{"message": text, "level": "info", "at": AT, "by": None} for text in messages]


def shown(page: Page) -> Counter[str]:
    return Counter(page.locator(".notes .text").all_inner_texts())


def go_offline(session: Visitor) -> None:
    """Cut off a visitor: a browser that is told to be offline keeps the streams that it has."""
    session.context.set_offline(True)
    session.console.serving.lose_workers()


def test_server_is_killed_and_comes_back(own_console: Console, visitor: NewVisitor) -> None:
    console, session = own_console, visitor(console=own_console)
    session.expects(LOST)
    overview, dashboard = session.open("/"), session.open("/dashboard")
    logs = session.open(f"/logs?file={console.log_file}&level=INFO")
    prices = session.open("/prices")
    pages = [overview, dashboard, logs, prices]
    console.publish("notifications", *notifications("before"))
    console.append("a line before")
    expect(overview.locator(".notes")).to_contain_text("before")
    expect(logs.locator(".log")).to_contain_text("a line before")
    console.serving.kill()
    for page in pages:
        expect(pill(page)).to_have_text(AWAY)
        expect(page.locator("#connection summary")).to_contain_text(AWAY)
    expect(dashboard.locator("main")).to_have_attribute("data-stale", "yes")
    missed = [f"missed {number}" for number in range(20)]
    console.publish("notifications", *notifications(*missed))
    console.append(*(f"line {text}" for text in missed))
    console.restart()
    for page in pages:
        expect(pill(page)).to_have_text("Live", timeout=BACK)
        expect(page.locator("#connection summary")).to_have_text("Live")
    expect(overview.locator(".notes")).to_contain_text(missed[-1])
    assert [shown(overview)[text] for text in missed] == [1] * len(missed)
    for text in missed:
        expect(logs.locator(".log p .text").filter(has_text=f"line {text}")).not_to_have_count(0)
    lines = Counter(logs.locator(".log p .text").all_inner_texts())
    assert [lines[f"line {text}"] for text in ["missed 0", missed[-1]]] == [1, 1]
    month = prices.locator("#prices .month")
    before = month.inner_text()
    expect(month).not_to_have_text(before)
    expect(dashboard.locator("main")).to_have_attribute("data-stale", "no", timeout=BACK)


def test_tab_is_offline_and_back(console: Console, visitor: NewVisitor) -> None:
    session = visitor()
    session.expects(LOST)
    page = session.open("/")
    go_offline(session)
    expect(pill(page)).to_have_text(AWAY)
    missed = [f"while away {number}" for number in range(5)]
    console.publish("notifications", *notifications(*missed))
    page.get_by_label("Message").fill("lost?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#notifications .problem")).to_have_text("The server did not answer.")
    session.context.set_offline(False)
    expect(pill(page)).to_have_text("Live", timeout=BACK)
    expect(page.locator(".notes")).to_contain_text(missed[-1])
    assert [shown(page)[text] for text in missed] == [1] * len(missed)
    # What could not be sent is still in its field.
    expect(page.get_by_label("Message")).to_have_value("lost?")


def test_dashboard_is_pale_while_it_is_offline(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects(LOST)
    page = session.open("/dashboard")
    go_offline(session)
    expect(page.locator("main")).to_have_attribute("data-stale", "yes")
    session.context.set_offline(False)
    expect(page.locator("main")).to_have_attribute("data-stale", "no", timeout=BACK)


def test_reason_is_told_on_every_panel(own_console: Console, visitor: NewVisitor) -> None:
    session = visitor(console=own_console)
    session.expects(LOST)
    pages = [session.open(path) for path in ("/", "/dashboard", "/logs", "/tasks", "/scores")]
    own_console.serving.kill()
    for page in pages:
        expect(pill(page)).to_have_text(AWAY)
        expect(page.locator("main .why").first).not_to_be_empty()
        expect(page.locator("#announcement")).to_have_text("Reconnecting")
