"""Chromium's own `EventSource`: streams that end, fail, are refused, and carry any text."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from .chromium import chromium_at
from .samples import TEXTS, VALUES, as_received
from .servers import Server
from .waiting import wait_for

# Opens a native EventSource and keeps what it says.
OPEN = """([name, target]) => {
    const source = new EventSource(target);
    const seen = {source, opened: 0, failed: 0, events: []};
    const keep = (e) => seen.events.push([e.type, e.data, e.lastEventId]);
    source.onopen = () => { seen.opened += 1; };
    source.onerror = (e) => { if (e.data === undefined) seen.failed += 1; else keep(e); };
    for (const type of ["message", "end", "json", "raw"]) source.addEventListener(type, keep);
    window[name] = seen;
}"""
CLOSED = 2
# Kinds of server that say when to come back.
LIMITED = ["gevent", "sseworker"]


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(program("chromium")) as browser:
        yield browser


class Tab:
    """One page with its event sources, by name."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        page.goto(server.url)

    def open(self, name: str, target: str) -> None:
        self.page.evaluate(OPEN, [name, target])

    def wait(self, condition: str, seconds: float = 10) -> None:
        self.page.wait_for_function(condition, timeout=seconds * 1000)

    def events(self, name: str) -> list[tuple[str, str]]:
        return [(kind, data) for kind, data, _ in self.page.evaluate(f"{name}.events")]

    def state(self, name: str) -> int:
        return int(self.page.evaluate(f"{name}.source.readyState"))


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def tab(page: Page, server: Server) -> Iterator[Tab]:
    yield Tab(page, server)
    page.goto("about:blank")


def sent_ids(server: Server, key: str) -> list[str | None]:
    """What each request of a source sent as its Last-Event-ID."""
    return [entry.facts["sent_id"] for entry in server.journal.entries(key, "request")]


def test_stream_that_ends(server: Server, tab: Tab, key: str) -> None:
    tab.open("it", f"/api/finite?key={key}&count=3")
    tab.wait("it.source.readyState === 2")
    assert tab.events("it") == [
        ("message", "0"),
        ("message", "1"),
        ("message", "2"),
        ("end", '"the end"'),
    ]
    first, again = sent_ids(server, key)
    assert first is None
    assert again is not None
    assert again.endswith("~end")
    assert len(server.journal.entries(key, "opened")) == 1
    assert server.journal.outcome(key) == "completed"


def test_stream_that_fails_after_its_first_event(server: Server, tab: Tab, key: str) -> None:
    tab.open("it", f"/api/failing?key={key}&after=1")
    tab.wait("it.source.readyState === 2")
    (message, error) = tab.events("it")
    assert message == ("message", "0")
    assert error[0] == "error"
    assert json.loads(error[1])["status"] == 500
    assert len(sent_ids(server, key)) == 2
    assert len(server.journal.entries(key, "opened")) == 1
    assert server.journal.outcome(key) == "error"


def test_stream_that_fails_before_its_first_event(server: Server, tab: Tab, key: str) -> None:
    tab.open("it", f"/api/failing?key={key}&after=0")
    tab.wait("it.source.readyState === 2")
    assert tab.events("it") == []
    assert tab.page.evaluate("it.opened") == 0
    assert sent_ids(server, key) == [None]
    assert len(server.journal.entries(key, "opened")) == 1
    assert server.journal.outcome(key) == "error"


def test_any_text_and_any_value(server: Server, tab: Tab, key: str) -> None:
    tab.open("it", f"/api/samples?key={key}")
    tab.wait("it.source.readyState === 2")
    events = tab.events("it")
    values = [json.loads(data) for kind, data in events if kind == "json"]
    assert values == VALUES
    # What the page itself parses is the same, to the last code unit.
    parsed = "it.events.filter(e => e[0] === 'json').map(e => JSON.stringify(JSON.parse(e[1])))"
    assert [json.loads(text) for text in tab.page.evaluate(parsed)] == VALUES
    assert [data for kind, data in events if kind == "raw"] == list(map(as_received, TEXTS))
    assert events[-1] == ("end", "null")


def test_page_that_closes_its_source(server: Server, tab: Tab, key: str) -> None:
    tab.open("it", f"/api/sleeper?key={key}&how=ctx")
    tab.wait("it.events.length === 1")
    tab.page.evaluate("it.source.close()")
    assert server.journal.outcome(key, 2) == "disconnected"
    assert len(sent_ids(server, key)) == 1


@pytest.mark.parametrize("server", ["gevent", "sseworker"], indirect=True)
def test_worker_that_rotates_its_streams(server: Server, tab: Tab, key: str) -> None:
    """`max_duration` ends the stream; the source comes back by itself and goes on."""
    tab.open("it", f"/api/lasting?key={key}&every=0.2")
    tab.wait("it.opened >= 2 && it.events.length >= 8", 15)
    numbers = [json.loads(data)["n"] for _, data in tab.events("it")]
    assert numbers == list(range(len(numbers))), "nothing lost, nothing twice"
    tab.page.evaluate("it.source.close()")


class Full:
    """A server with room for one stream, a source that has it, and one that has been refused."""

    def __init__(self, server: Server, page: Page, key: str) -> None:
        self.server = server
        self.key = f"{key}-second"
        self.tab = Tab(page, server)
        self.tab.open("first", f"/api/ticker?key={key}-first")
        self.tab.wait("first.events.length > 0")
        self.tab.open("second", f"/api/ticker?key={self.key}")
        self.tab.wait("second.failed > 0")
        self.state, self.events = self.tab.state("second"), self.tab.events("second")
        self.outcome = server.journal.outcome(self.key)
        self.refused = server.stats()["refused"]

    def make_room(self) -> None:
        self.tab.page.evaluate("first.source.close()")
        wait_for(lambda: not self.server.stats()["streams"], "the first stream has ended")


@pytest.fixture(scope="module")
def full(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Full]]:
    """One of each kind; the sources that were refused wait at the same time."""
    with contextlib.ExitStack() as stack:
        found = {}
        for kind in LIMITED:
            folder = tmp_path_factory.mktemp(kind)
            server = Server(kind, folder, settings={"FLASK_SSE_MAX_STREAMS": 1})
            stack.callback(server.kill)
            page = stack.enter_context(contextlib.closing(browser.new_page()))
            found[kind] = Full(server, page, kind)
        for each in found.values():
            each.make_room()
        yield found


@pytest.mark.parametrize("kind", LIMITED)
def test_source_that_finds_no_room(full: dict[str, Full], kind: str) -> None:
    """It comes back until it is let in; a bare 503 would have ended it."""
    its = full[kind]
    assert its.state != CLOSED
    assert its.events == []
    assert its.outcome == "rejected"
    assert its.refused == 1
    its.tab.wait("second.events.length > 0", 15)
    assert len(its.server.journal.entries(its.key, "opened")) == 1
    its.tab.page.goto("about:blank")
    its.server.settle()
