"""The demo as it is deployed: two workers of gunicorn, whose streams hear of all changes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from clients.serving import Serving
from e2e.waiting import wait_for

from flask_sse_routes.wire import Decoder, Event

STATES = ["placed", "packed", "shipped", "delivered"]
# Workers share one socket: that of so many streams none goes to one of them is next to impossible.
MOST = 64


@pytest.fixture(name="serving")
def serve(tmp_path: Path) -> Iterator[Serving]:
    environment = {"FLASK_DEMO_ACCOUNTS": "1", "FLASK_DATA_FOLDER": str(tmp_path / "data")}
    serving = Serving("app:create_app()", tmp_path, workers=2, environment=environment)
    yield serving
    serving.kill()


class Browser:
    """The requests of one session."""

    def __init__(self, serving: Serving, name: str, password: str) -> None:
        self.port = serving.port
        self.cookie = ""
        claim = {"name": name, "password": password}
        with self.request("POST", "/api/login", claim) as answer:
            assert answer.status == 200
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]

    def request(self, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Cookie": self.cookie, "Content-Type": "application/json", "Connection": "close"}
        connection.request(method, path, json.dumps(body or {}), headers)
        return connection.getresponse()

    def value(self, method: str, path: str, body: Any = None) -> Any:
        with self.request(method, path, body) as answer:
            return json.load(answer)

    def stream(self) -> Stream:
        return Stream(self.request("GET", "/api/orders"))


class Stream:
    """An open stream, read event by event."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        assert response.status == 200
        self._response = response
        self._decoder = Decoder()
        self._events: list[Event] = []

    def next(self) -> Event:
        while not self._events:
            chunk = self._response.read1(65536)
            assert chunk, "The stream ended."
            self._events += self._decoder.feed(chunk)
        return self._events.pop(0)

    def json(self) -> Any:
        return json.loads(self.next().data)

    def close(self) -> None:
        self._response.close()


def on_both_workers(serving: Serving, browser: Browser, stack: ExitStack) -> list[Stream]:
    """Open streams until each worker has at least one."""
    streams: list[Stream] = []
    while len(streams) < MOST:
        streams.append(browser.stream())
        stack.callback(streams[-1].close)
        assert streams[-1].next().event == "snapshot"
        if len(streams) > 1 and all(has_stream(pid, serving.port) for pid in serving.workers()):
            return streams
    raise AssertionError("One worker got all streams.")


def has_stream(pid: int, port: int) -> bool:
    connections = psutil.Process(pid).net_connections("tcp")
    return any(each.laddr.port == port and each.status == "ESTABLISHED" for each in connections)


def test_order_is_told_on_every_worker_and_signing_out_ends_all(serving: Serving) -> None:
    alice = Browser(serving, "alice", "alice-buys")
    bob = Browser(serving, "bob", "bob-buys-too")
    olga = Browser(serving, "olga", "olga-ships")
    with ExitStack() as stack:
        streams = on_both_workers(serving, alice, stack)
        of_bob = bob.stream()
        stack.callback(of_bob.close)
        assert of_bob.json() == []
        order = alice.value("POST", "/api/orders", {"item": "Lamp"})["id"]
        for _ in range(3):
            olga.value("POST", f"/api/orders/{order}/advance")
        for stream in streams:
            told = [stream.json() for _ in STATES]
            assert [(each["id"], each["state"]) for each in told] == [
                (order, state) for state in STATES
            ]
        alice.value("POST", "/api/logout")
        for stream in streams:
            last = stream.next()
            assert (last.event, json.loads(last.data)["status"]) == ("error", 403)
        with alice.request("GET", "/api/orders") as refused:
            assert refused.status == 401
        own = bob.value("POST", "/api/orders", {"item": "Chair"})["id"]
        assert of_bob.json()["id"] == own
    wait_for(lambda: serving.log.count("orders disconnected") >= 1, "the log of bob's stream", 10)
    assert serving.log.count("app.streams: orders error after") == len(streams)
    assert "Traceback" not in serving.log


def test_orders_and_sessions_outlive_a_restart(serving: Serving) -> None:
    alice = Browser(serving, "alice", "alice-buys")
    with ExitStack() as stack:
        stream = alice.stream()
        stack.callback(stream.close)
        stream.next()
        order = alice.value("POST", "/api/orders", {"item": "Lamp"})["id"]
        position = stream.next().id
    before = serving.workers()
    serving.reload()
    wait_for(lambda: len(serving.workers() - before) == 2, "two new workers", 30)
    wait_for(lambda: not serving.workers() & before, "the end of the old ones", 30)
    olga = Browser(serving, "olga", "olga-ships")
    olga.value("POST", f"/api/orders/{order}/advance")
    with ExitStack() as stack:
        again = Stream(alice.request("GET", f"/api/orders?last_event_id={position}"))
        stack.callback(again.close)
        told = again.json()
    assert (told["id"], told["state"]) == (order, "packed")
