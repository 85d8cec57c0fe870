"""Tabs of one browser, each with a stream that they may share."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import Any

from e2e.waiting import wait_for
from playwright.sync_api import BrowserContext, Page

# Opens a stream in a page and keeps what it tells. A lock of the tab's own tells who it is.
OPEN = """async ([name, options]) => {
    const { $api, $sse } = await import("/api/client.js");
    const seen = { $api, data: [], opened: 0, retries: [], errors: [], ends: [], order: [] };
    seen.connection = $sse[name]({}, {
        onOpen() { seen.opened += 1; },
        onRetry({ attempt, error }) { seen.retries.push([attempt, error.name, error.detail]); },
        onMessage(data) { seen.data.push(data); },
        onError({ status, detail }) { seen.errors.push([status, detail]); },
        onEnd(data) { seen.ends.push(data); },
        ...options,
    });
    window.seen = seen;
    const me = `tab ${Math.random()}`;
    navigator.locks?.request(me, () => new Promise(() => {}));
    return me;
}"""
# The tab whose lock is held by whoever holds the stream's.
LEADER = """async () => {
    const { held } = await navigator.locks.query();
    const stream = held.find(({ name }) => name.startsWith("flask_sse_routes"));
    const own = held.find((l) => l.name.startsWith("tab") && l.clientId === stream?.clientId);
    return own?.name ?? null;
}"""


class Tab:
    """One page and the stream in it."""

    def __init__(self, page: Page, url: str, name: str, **options: Any) -> None:
        self.page = page
        page.goto(url)
        self.me = page.evaluate(OPEN, [name, {"shared": True, **options}])

    def get(self, expression: str) -> Any:
        return self.page.evaluate(f"seen.{expression}")

    def wait(self, condition: str, seconds: float = 15) -> None:
        self.page.wait_for_function(condition, timeout=seconds * 1000)

    def wait_for_open(self) -> None:
        self.wait("seen.connection.readyState === 1")

    def wait_for_last(self, number: int) -> list[int]:
        """Wait until it got this number; return all that it got."""
        self.wait(f"seen.data.at(-1) >= {number}")
        return list(self.get("data"))

    def finds_leader(self) -> str | None:
        found = self.page.evaluate(LEADER)
        return None if found is None else str(found)


def leader_of(tabs: list[Tab]) -> Tab:
    """Return the tab that reads for the others."""

    def find() -> Tab | None:
        me = tabs[0].finds_leader()
        return next((tab for tab in tabs if tab.me == me), None)

    found = wait_for(find, "a leader among the tabs")
    assert found is not None
    return found


def open_tabs(context: BrowserContext, url: str, name: str, count: int) -> list[Tab]:
    """Open tabs with a shared stream each, and wait until all of them have it."""
    tabs = [Tab(context.new_page(), url, name) for _ in range(count)]
    for tab in tabs:
        tab.wait_for_open()
    return tabs


class Asking:
    """Requests to a server apart from those of the browser."""

    def __init__(self, port: int) -> None:
        self._port = port

    def post(self, path: str, **body: Any) -> Any:
        return self._ask("POST", path, json.dumps(body))

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
            return json.loads(text)


class Publisher:
    """Says one number after the other, in a thread, for as long as it is entered."""

    def __init__(self, port: int) -> None:
        self._asking = Asking(port)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.said = 0

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        goal = self.said + count
        wait_for(lambda: self.said >= goal, f"{count} more to be said")

    def _run(self) -> None:
        while not self._over.wait(0.005):
            self._asking.post("/api/say", first=self.said + 1)
            self.said += 1
