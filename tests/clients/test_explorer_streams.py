"""The explorer in a real browser, against a real server: streams that it opens."""

from __future__ import annotations

import json
import re

from e2e.waiting import wait_for
from playwright.sync_api import expect

from .explored import HOSTILE
from .explorer_pages import (
    OpenPage,
    call,
    figure,
    make_open_page,
    make_visit,
    number,
    open_stream,
    serve_shop,
)

__all__ = ["make_open_page", "make_visit", "serve_shop"]

# How long it takes until the page can do something else, in milliseconds, again and again.
MEASURE = """() => {
  window.waits = [];
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.waits.push(now - last);
    last = now;
  }, 10);
}"""


def test_a_stream_has_the_faults_of_its_input_shown_too(visit: OpenPage) -> None:
    page = visit("countdown")
    page.get_by_label("start").fill("51")
    stream = open_stream(page)
    expect(stream.locator(".state")).to_have_text("failed")
    expect(page.locator('[data-field="start"] .fault')).to_contain_text("less than or equal to 50")


def test_a_stream_opens_and_closes(visit: OpenPage) -> None:
    page = visit("ticks")
    page.get_by_label("interval").fill("0.02")
    stream = open_stream(page)
    expect(stream.locator(".state")).to_have_text("open")
    rows = stream.locator("tbody tr")
    expect(rows.filter(has_text="tick 9").first).to_be_attached()
    expect(rows.filter(has_text="progress").first).to_contain_text('"step": "packing"')
    expect(rows.filter(has_text="tick 9").first).to_contain_text(
        re.compile(r"\d\d:\d\d:\d\d\.\d{3}")
    )
    expect(page.locator('nav a[aria-current="page"] .open')).to_have_text("1 open")
    expect(stream.locator(".rate figcaption")).to_contain_text(re.compile(r"[1-9]\d*/s,"))
    expect(stream.locator(".rate path")).to_have_attribute("d", re.compile("M"))
    stream.get_by_role("button", name="Close").click()
    expect(stream.locator(".state")).to_have_text("closed")
    expect(page.locator('nav a[aria-current="page"] .open')).to_be_hidden()
    assert number(stream, "Events") >= 10
    assert re.fullmatch(r"[1-9][\d.]* (bytes|kB)", figure(stream, "Received"))
    assert number(stream, "Reconnects") == 0
    newest = rows.first.locator(".id").inner_text()
    assert figure(stream, "Last event id") == newest
    stream.get_by_role("button", name="Remove").click()
    expect(page.locator(".stream")).to_have_count(0)


def test_events_are_filtered_ordered_paused_and_cleared(visit: OpenPage) -> None:
    page = visit("ticks")
    page.get_by_label("interval").fill("0.02")
    stream = open_stream(page)
    rows = stream.locator("tbody tr")
    expect(rows.filter(has_text="progress").first).to_be_attached()
    stream.get_by_label("Show events named").select_option("progress")
    expect(rows.filter(has_text="message")).to_have_count(0)
    expect(rows.filter(has_text="progress").first).to_be_attached()
    stream.get_by_label("Show events named").select_option("All events")
    stream.get_by_label("Newest first").uncheck()
    expect(rows.first).to_contain_text("tick 1")
    stream.get_by_role("button", name="Pause").click()
    expect(stream.get_by_role("button", name="Resume")).to_contain_text(re.compile(r"\d+ new"))
    before = rows.count()
    seen = number(stream, "Events")
    wait_for(lambda: number(stream, "Events") > seen + 5, "more events")
    assert rows.count() == before
    stream.get_by_role("button", name="Resume").click()
    wait_for(lambda: rows.count() > before + 5, "their rows")
    stream.get_by_role("button", name="Clear").click()
    expect(rows.filter(has_text=re.compile(r"tick 1\b"))).to_have_count(0)


def test_a_stream_comes_back(visit: OpenPage) -> None:
    page = visit("returning")
    states = """() => {
      window.states = new Set();
      const look = (pill) => window.states.add(pill.textContent);
      new MutationObserver(() => document.querySelectorAll(".state").forEach(look))
        .observe(document.querySelector("main"), { subtree: true, childList: true });
    }"""
    page.evaluate(states)
    stream = open_stream(page)
    wait_for(lambda: number(stream, "Reconnects") >= 2, "reconnects")
    expect(stream.locator("tbody tr").nth(1)).to_be_attached()
    stream.get_by_role("button", name="Close").click()
    seen = page.evaluate("() => [...window.states]")
    assert {"connecting", "open", "waiting to reconnect", "closed"} <= set(seen)


def test_a_stream_ends(visit: OpenPage) -> None:
    page = visit("countdown")
    stream = open_stream(page)
    expect(stream.locator(".state")).to_have_text("ended")
    names = stream.locator("tbody .event-name")
    expect(names).to_have_text(["end", "message", "message", "message"])


def test_a_stream_fails(visit: OpenPage) -> None:
    page = visit("broken")
    stream = open_stream(page)
    expect(stream.locator(".state")).to_have_text("failed")
    expect(stream.locator(".reason")).to_have_text("The belt has torn.")


def test_a_post_streams(visit: OpenPage) -> None:
    page = visit("answer")
    page.get_by_label("question").fill("how so")
    stream = open_stream(page)
    expect(stream.locator(".state")).to_have_text("ended")
    expect(stream.locator("tbody .data")).to_have_text(["null", "so", "how"])


def test_several_are_open_at_once(visit: OpenPage) -> None:
    page = visit("ticks")
    open_stream(page)
    open_stream(page)
    expect(page.locator(".state", has_text="open")).to_have_count(2)
    page.get_by_role("link", name="/countdown").click()
    expect(open_stream(page).locator(".state")).to_have_text("ended")
    expect(page.get_by_role("link", name="/ticks")).to_contain_text("2 open")
    page.go_back()
    seen = number(page.locator(".stream").first, "Events")
    wait_for(lambda: number(page.locator(".stream").first, "Events") > seen, "more events")


def test_hostile_texts_are_shown_as_texts(visit: OpenPage) -> None:
    page = visit("ticks")
    page.get_by_label("hostile").check()
    stream = open_stream(page)
    cell = stream.locator("tbody .data").last
    expect(cell).to_contain_text(json.dumps(HOSTILE))
    page.get_by_role("link", name="/page").click()
    expect(call(page).locator("pre")).to_have_text(f"<h1>{HOSTILE}</h1>")
    page.get_by_role("link", name="/answer").click()
    page.get_by_label("question").fill(HOSTILE)
    expect(page.locator(".lines code")).to_contain_text("alert(1)")
    expect(open_stream(page).locator("tbody")).to_contain_text("</script><script>alert(1)</script>")
    assert "owned" not in page.title()
    assert page.locator("main img, main script, main h1").count() == 0


def test_a_fast_stream_leaves_the_page_responsive(visit: OpenPage) -> None:
    page = visit("flood")
    stream = open_stream(page)
    page.evaluate(MEASURE)
    expect(stream.locator(".state")).to_have_text("ended", timeout=30_000)
    waits = sorted(page.evaluate("() => window.waits"))
    # The page counts once in a while.
    wait_for(lambda: number(stream, "Events") == 6001, "all events to be counted")
    assert stream.locator("tbody tr").count() == 1000
    expect(stream.locator("tbody tr").nth(1)).to_contain_text('"number": 6000')
    # The last of them is what an idle machine does in 0.1 s, and a busy one within a second.
    assert waits[len(waits) // 2] < 50
    assert waits[-1] < 1000
