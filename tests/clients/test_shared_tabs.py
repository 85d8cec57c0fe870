"""One connection for all tabs: ten of them in Chromium on HTTP/1.1, and what becomes of them when
the one that reads is closed, leaves, crashes, sleeps or hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Browser, BrowserContext, Error, Page

from .serving import Serving
from .tabs import Asking, Publisher, Tab, leader_of, open_tabs

# Streams that a browser lets one origin have on HTTP/1.1, and a call beside them.
CONNECTIONS = 6
# A tab that does not hear what the others tell while `deaf` is set.
DEAF = """
const { set, get } = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, "onmessage");
Object.defineProperty(BroadcastChannel.prototype, "onmessage", {
    get,
    set(listener) { set.call(this, (event) => { if (!window.deaf) listener(event); }); },
});
"""
# A tab that asks every half a second at most whether the one that reads is there.
IMPATIENT = """
const original = setInterval;
window.setInterval = (callback, time) => original(callback, time / 40);
"""
HANG = """setTimeout(() => {
    const end = Date.now() + 4000;
    while (Date.now() < end);
    seen.hung = true;
}), undefined"""
TAKE_SLOWLY = """async () => {
    seen.going = new Promise((resolve) => { seen.go = resolve; });
    for await (const { data } of seen.connection) { await seen.going; seen.order.push(data); }
}"""

# What a page does that mounts a component, takes it away and mounts it again.
AGAIN = """async ([gap, times]) => {
    const { $sse } = await import("/api/client.js");
    const gaps = {
        none: () => null,
        microtask: () => Promise.resolve(),
        timeout: () => new Promise((resolve) => setTimeout(resolve)),
    };
    const seen = { data: [] };
    const open = () => $sse.news({}, { shared: true, onMessage: (data) => seen.data.push(data) });
    for (let time = 0; time < times; time += 1) {
        const early = open();
        const waiting = gaps[gap]();
        if (waiting) await waiting;
        early.close();
    }
    seen.open = () => { seen.connection = open(); };
    window.seen = seen;
    if (times === 1) seen.open();
}"""
# How many hold a stream's lock, and how many wait for it.
LOCKS = """async () => {
    const { held, pending } = await navigator.locks.query();
    const isOurs = ({ name }) => name.startsWith("flask_sse_routes");
    return [held.filter(isOurs).length, pending.filter(isOurs).length];
}"""
# Sooner than tabs ask whether the one that reads is there.
SOON = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(
        "clients.shared_app:app",
        tmp_path_factory.mktemp("server"),
        settings={"SSE_RETRY": 50, "SSE_HISTORY": 10_000},
    )
    yield serving
    serving.kill()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def asking(server: Serving) -> Asking:
    asking = Asking(server.port)
    wait_for(lambda: asking.get("/api/stats")["streams"] == 0, "the streams of other tests to end")
    return asking


def times_asked(asking: Asking, name: str) -> int:
    return int(asking.get("/api/stats")["asked"].count(name))


def numbers(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


def test_ten_tabs_stay_usable(server: Serving, context: BrowserContext, asking: Asking) -> None:
    tabs = open_tabs(context, server.url, "news", 10)
    assert asking.get("/api/stats")["streams"] == 1
    for tab in tabs:
        assert tab.page.evaluate("seen.$api.hello()") == {"hello": "world"}
    asking.post("/api/say", first=1, count=100)
    for tab in tabs:
        assert tab.wait_for_last(100) == numbers(1, 100)
    assert asking.get("/api/stats")["streams"] == 1
    assert len({tab.get("connection.lastEventId") for tab in tabs}) == 1


def test_without_it_the_seventh_waits(
    server: Serving, context: BrowserContext, asking: Asking
) -> None:
    tabs = [Tab(context.new_page(), server.url, "news", shared=False) for _ in range(CONNECTIONS)]
    for tab in tabs:
        tab.wait_for_open()
    assert asking.get("/api/stats")["streams"] == CONNECTIONS
    tab = tabs[0]
    tab.page.evaluate("seen.$api.hello().then(() => { seen.answered = true; }), undefined")
    with pytest.raises(Error, match="Timeout"):
        tab.wait("seen.answered", 0.5)
    tabs[1].page.evaluate("seen.connection.close()")
    tab.wait("seen.answered")


def close(page: Page) -> None:
    page.close()


def leave(page: Page) -> None:
    page.goto("about:blank")


def crash(page: Page) -> None:
    with pytest.raises(Error):
        page.goto("chrome://crash")


def stop_reading(page: Page) -> None:
    page.evaluate("seen.connection.close()")


@pytest.mark.parametrize("end", [close, leave, crash, stop_reading])
def test_the_one_that_reads_is_gone(
    server: Serving, context: BrowserContext, asking: Asking, end: Callable[[Page], None]
) -> None:
    """Nothing is lost or doubled in what is left, twice in a row, while publishing goes on."""
    tabs = open_tabs(context, server.url, "news", 3)
    with Publisher(server.port) as publisher:
        for _ in range(2):
            publisher.wait_for_more(25)
            leader = leader_of(tabs)
            tabs.remove(leader)
            end(leader.page)
        publisher.wait_for_more(25)
    for tab in tabs:
        assert tab.wait_for_last(publisher.said) == numbers(1, publisher.said)
        assert tab.get("errors") == []
    assert asking.get("/api/stats")["streams"] == 1


def test_the_one_that_reads_is_put_to_sleep(
    server: Serving, context: BrowserContext, asking: Asking
) -> None:
    """Told so by the events that a browser sends to a page before and after."""
    tabs = open_tabs(context, server.url, "news", 3)
    leader = leader_of(tabs)
    others = [tab for tab in tabs if tab is not leader]
    with Publisher(server.port) as publisher:
        publisher.wait_for_more(25)
        leader.page.evaluate("document.dispatchEvent(new Event('freeze'))")
        other = leader_of(others)
        publisher.wait_for_more(25)
        leader.page.evaluate("document.dispatchEvent(new Event('resume'))")
        publisher.wait_for_more(25)
        others.remove(other)
        other.page.close()
        others[0].page.close()
        assert leader_of([leader]) is leader
        publisher.wait_for_more(25)
    assert leader.wait_for_last(publisher.said) == numbers(1, publisher.said)
    assert asking.get("/api/stats")["streams"] == 1


def test_the_one_that_reads_hangs(server: Serving, context: BrowserContext, asking: Asking) -> None:
    """The others ask whether it is there, and have its place when it does not answer."""
    [hanging] = open_tabs(context, server.url, "news", 1)
    context.add_init_script(IMPATIENT)
    tabs = open_tabs(context, server.url, "news", 2)
    hanging.page.evaluate(HANG)
    asking.post("/api/say", first=1, count=50)
    for tab in tabs:
        assert tab.wait_for_last(50) == numbers(1, 50)
    assert leader_of(tabs) in tabs
    assert hanging.get("hung") is True
    asking.post("/api/say", first=51, count=50)
    for tab in [*tabs, hanging]:
        assert tab.wait_for_last(100) == numbers(1, 100)
    wait_for(lambda: asking.get("/api/stats")["streams"] == 1, "one stream")


def test_one_that_comes_later_gets_what_comes_from_then_on(
    server: Serving, context: BrowserContext, asking: Asking
) -> None:
    with Publisher(server.port) as publisher:
        [early] = open_tabs(context, server.url, "news", 1)
        publisher.wait_for_more(20)
        late = open_tabs(context, server.url, "news", 3)
        publisher.wait_for_more(20)
        leader_of([early, *late]).page.close()
        publisher.wait_for_more(20)
    for tab in late:
        got = tab.wait_for_last(publisher.said)
        assert got == numbers(got[0], publisher.said)
        assert got[0] > 20


@pytest.mark.parametrize(
    ("last", "ends", "errors"),
    [(-1, ["done"], []), (-2, [], [[409, "The task was given up."]])],
    ids=["end", "error"],
)
def test_its_end_reaches_all(
    server: Serving,
    context: BrowserContext,
    asking: Asking,
    last: int,
    ends: list[str],
    errors: list[list[object]],
) -> None:
    before = times_asked(asking, "task")
    tabs = open_tabs(context, server.url, "task", 4)
    asking.post("/api/say", first=1, count=3)
    for tab in tabs:
        tab.wait_for_last(3)
    asking.post("/api/say", first=last)
    for tab in tabs:
        tab.wait("seen.connection.readyState === 2")
        assert (tab.get("data"), tab.get("ends"), tab.get("errors")) == ([1, 2, 3], ends, errors)
    wait_for(lambda: tabs[0].finds_leader() is None, "the lock to be given back")
    assert times_asked(asking, "task") == before + 1


def test_a_refusal_reaches_all(server: Serving, context: BrowserContext, asking: Asking) -> None:
    tabs = [Tab(context.new_page(), server.url, "forbidden") for _ in range(3)]
    for tab in tabs:
        tab.wait("seen.connection.readyState === 2")
        assert tab.get("errors") == [[403, "Not for you."]]


def test_all_are_told_that_the_connection_is_lost(
    serve: Callable[..., Serving], context: BrowserContext
) -> None:
    server = serve("clients.shared_app:app", settings={"SSE_RETRY": 50})
    tabs = open_tabs(context, server.url, "clock", 3)
    server.lose_workers()
    for tab in tabs:
        tab.wait("seen.retries.length > 0 && seen.connection.readyState === 1")
        attempt, name, detail = tab.get("retries[0]")
        assert (attempt, name) == (1, "RouteError")
        assert detail.startswith("The connection ended before the stream did")
        assert tab.get("opened") >= 2
    assert tabs[0].get("retries") == tabs[1].get("retries") == tabs[2].get("retries")


def test_one_that_was_deaf_loses_nothing(
    server: Serving, context: BrowserContext, asking: Asking
) -> None:
    """A tab that finds that it has missed something goes on by a connection of its own."""
    context.add_init_script(DEAF)
    tabs = open_tabs(context, server.url, "news", 3)
    [deaf] = [tab for tab in tabs if tab is not leader_of(tabs)][:1]
    asking.post("/api/say", first=1, count=10)
    deaf.wait_for_last(10)
    deaf.page.evaluate("window.deaf = true")
    asking.post("/api/say", first=11, count=10)
    for tab in tabs:
        if tab is not deaf:
            tab.wait_for_last(20)
    deaf.page.evaluate("window.deaf = false")
    assert deaf.get("data") == numbers(1, 10)
    asking.post("/api/say", first=21, count=10)
    for tab in tabs:
        assert tab.wait_for_last(30) == numbers(1, 30)
    assert asking.get("/api/stats")["streams"] == 2


def test_a_slow_loop_loses_nothing(
    server: Serving, context: BrowserContext, asking: Asking
) -> None:
    [fast] = open_tabs(context, server.url, "news", 1)
    slow = Tab(context.new_page(), server.url, "news", onMessage=None)
    slow.page.evaluate(f"({TAKE_SLOWLY})(), undefined")
    slow.wait_for_open()
    asking.post("/api/say", first=1, count=3000)
    assert fast.wait_for_last(3000) == numbers(1, 3000)
    slow.page.evaluate("seen.go()")
    slow.wait("seen.order.length >= 3000")
    assert slow.get("order") == numbers(1, 3000)


def test_streams_without_ids_begin_anew(server: Serving, context: BrowserContext) -> None:
    tabs = open_tabs(context, server.url, "clock", 3)
    leader = leader_of(tabs)
    rest = [tab for tab in tabs if tab is not leader]
    for tab in rest:
        tab.wait("seen.data.length > 10")
    leader.page.close()
    for tab in rest:
        tab.wait("seen.opened === 2 && seen.data.lastIndexOf(0) > 5")
        got = tab.get("data")
        again = got.index(0, 1)
        assert got == numbers(got[0], got[again - 1]) + numbers(0, got[-1])


def test_two_in_one_tab(server: Serving, context: BrowserContext, asking: Asking) -> None:
    [tab] = open_tabs(context, server.url, "news", 1)
    tab.page.evaluate("window.first = seen")
    tab.page.evaluate(
        """async () => {
            const { $sse } = await import("/api/client.js");
            const seen = { data: [] };
            const onMessage = (data) => seen.data.push(data);
            seen.connection = $sse.news({}, { shared: true, onMessage });
            window.seen = seen;
        }"""
    )
    tab.wait_for_open()
    asking.post("/api/say", first=1, count=5)
    assert tab.wait_for_last(5) == numbers(1, 5)
    assert tab.page.evaluate("first.data") == numbers(1, 5)
    assert asking.get("/api/stats")["streams"] == 1


@pytest.mark.parametrize("gap", ["none", "microtask", "timeout"])
def test_one_closed_as_soon_as_it_was_opened_is_in_nobodys_way(
    server: Serving, context: BrowserContext, asking: Asking, gap: str
) -> None:
    page = context.new_page()
    page.goto(server.url)
    page.evaluate(AGAIN, [gap, 1])
    page.wait_for_function("seen.connection.readyState === 1", timeout=SOON * 1000)
    assert page.evaluate(LOCKS) == [1, 0]
    other = Tab(context.new_page(), server.url, "news")
    other.wait("seen.connection.readyState === 1", SOON)
    asking.post("/api/say", first=1, count=5)
    assert other.wait_for_last(5) == numbers(1, 5)
    page.wait_for_function("seen.data.at(-1) >= 5")
    assert page.evaluate("seen.data") == numbers(1, 5)
    assert asking.get("/api/stats")["streams"] == 1


@pytest.mark.parametrize("gap", ["none", "microtask", "timeout"])
def test_fifty_opened_and_closed_leave_no_lock(
    server: Serving, context: BrowserContext, asking: Asking, gap: str
) -> None:
    page = context.new_page()
    page.goto(server.url)
    page.evaluate(AGAIN, [gap, 50])
    wait_for(lambda: page.evaluate(LOCKS) == [0, 0], "the locks to be given back", SOON)
    page.evaluate("seen.open()")
    page.wait_for_function("seen.connection.readyState === 1", timeout=SOON * 1000)
    assert page.evaluate(LOCKS) == [1, 0]


@pytest.mark.parametrize("lacking", ["Navigator.prototype.locks", "BroadcastChannel"])
def test_where_the_browser_lacks_it_each_has_its_own(
    server: Serving, context: BrowserContext, asking: Asking, lacking: str
) -> None:
    context.add_init_script(f"delete {lacking}")
    tabs = open_tabs(context, server.url, "news", 2)
    asking.post("/api/say", first=1, count=5)
    for tab in tabs:
        assert tab.wait_for_last(5) == numbers(1, 5)
    assert asking.get("/api/stats")["streams"] == 2


def test_one_with_a_position_has_its_own(
    server: Serving, context: BrowserContext, asking: Asking
) -> None:
    [tab] = open_tabs(context, server.url, "news", 1)
    asking.post("/api/say", first=1, count=5)
    tab.wait_for_last(5)
    position = tab.get("connection.lastEventId")
    asking.post("/api/say", first=6, count=5)
    tab.wait_for_last(10)
    other = Tab(context.new_page(), server.url, "news", lastEventId=position)
    assert other.wait_for_last(10) == numbers(6, 10)
