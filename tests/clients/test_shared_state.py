"""A stream that begins with its state, shared by tabs that come one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Browser, BrowserContext

from .serving import Serving
from .tabs import Asking, Publisher, Tab, leader_of

# Keeps the state and what came after it, together.
FOLLOW = """async (name) => {
    const { $sse } = await import("/api/client.js");
    const seen = { states: 0, data: [], errors: [] };
    seen.connection = $sse[name]({}, {
        shared: true,
        on: { snapshot(data) { seen.states += 1; seen.data = data; } },
        onMessage(data) { seen.data.push(data); },
        onError(error) { seen.errors.push(error.message); },
    });
    window.seen = seen;
    const me = `tab ${Math.random()}`;
    navigator.locks.request(me, () => new Promise(() => {}));
    return me;
}"""


class Board(Tab):
    """A tab that keeps the state and what came after it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.page.goto(url)
        self.me = self.page.evaluate(FOLLOW, "board")

    def wait_for_state(self) -> None:
        self.wait("seen.states > 0")

    def check(self, last: int) -> None:
        """It has everything, once, in order, and was told the state a single time."""
        assert self.wait_for_last(last) == list(range(1, last + 1))
        assert (self.get("states"), self.get("errors")) == (1, [])


@pytest.fixture(name="server")
def server(tmp_path: Any) -> Iterator[Serving]:
    serving = Serving(
        "clients.shared_app:app", tmp_path, settings={"SSE_RETRY": 50, "SSE_HISTORY": 10_000}
    )
    yield serving
    serving.kill()


@pytest.fixture(name="context")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    yield context
    context.close()


def open_streams(asking: Asking) -> int:
    return int(asking.get("/api/stats")["streams"])


def test_each_tab_has_the_state(server: Serving, context: BrowserContext) -> None:
    asking = Asking(server.port)
    asking.post("/api/say", first=1, count=3)
    tabs = [Board(context, server.url)]
    tabs[0].check(3)
    asking.post("/api/say", first=4, count=2)
    tabs[0].check(5)
    # Nothing has been said between its coming and its state, nor after.
    tabs.append(Board(context, server.url))
    tabs[1].check(5)
    asking.post("/api/say", first=6)
    for tab in tabs:
        tab.check(6)
    wait_for(lambda: open_streams(asking) == 1, "a single stream to be open")


def test_one_that_had_its_own_state_leads(server: Serving, context: BrowserContext) -> None:
    asking = Asking(server.port)
    asking.post("/api/say", first=1, count=3)
    first = Board(context, server.url)
    first.wait_for_state()
    second, third = Board(context, server.url), None
    second.wait_for_state()
    first.page.close()
    assert leader_of([second]) is second
    asking.post("/api/say", first=4)
    second.check(4)
    third = Board(context, server.url)
    third.check(4)
    asking.post("/api/say", first=5)
    for tab in (second, third):
        tab.check(5)
    wait_for(lambda: open_streams(asking) == 1, "a single stream to be open")


def test_tabs_come_and_go_while_there_is_news(server: Serving, context: BrowserContext) -> None:
    tabs = [Board(context, server.url)]
    with Publisher(server.port) as publisher:
        for _ in range(4):
            publisher.wait_for_more(20)
            tabs.append(Board(context, server.url))
        for tab in tabs:
            tab.wait_for_state()
        for _ in range(2):
            leader = leader_of(tabs)
            tabs.remove(leader)
            leader.page.close()
            publisher.wait_for_more(20)
            tabs.append(Board(context, server.url))
        publisher.wait_for_more(20)
    for tab in tabs:
        tab.check(publisher.said)
    wait_for(lambda: open_streams(Asking(server.port)) == 1, "a single stream to be open")
