"""Every server that can stream does; those that cannot are refused with a line that says why."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable

import pytest

from .client import typical_delay
from .conftest import SERVERS
from .servers import HEARTBEAT, RETRY, Server
from .together import AtOnce

ALL = pytest.mark.parametrize("kind", SERVERS)


def test_plain_route_and_problem(server: Server) -> None:
    assert server.json("/api/nap?seconds=0") == "rested"
    status, headers, body = server.ask("/api/nap?seconds=soon")
    assert (status, headers["Content-Type"]) == (422, "application/problem+json")
    assert json.loads(body)["errors"][0]["loc"] == ["seconds"]


def test_head_of_a_stream(server: Server, key: str) -> None:
    stream = server.open("ticker", key)
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert stream.headers["sse-heartbeat"] == f"{HEARTBEAT:g}"
    assert "content-encoding" not in stream.headers
    assert "content-length" not in stream.headers
    stream.next()
    assert len(stream.retries) == 1
    assert 0.75 * RETRY <= stream.retries[0] <= 1.25 * RETRY


def ticks(server: Server, key: str) -> None:
    every = 0.2
    stream = server.open("ticker", key, count=8, every=every)
    arrivals = [stream.next() for _ in range(8)]
    assert [a.json["n"] for a in arrivals] == list(range(8))
    assert typical_delay(arrivals) < every / 4


@ALL
def test_events_arrive_as_they_are_yielded(at_once: AtOnce, kind: str) -> None:
    at_once(ticks, kind=kind)


def test_finite_stream_ends_with_its_terminal_event(server: Server, key: str) -> None:
    stream = server.open("finite", key, count=3)
    stream.read_to_end()
    assert [a.json for a in stream.events] == [0, 1, 2, "the end"]
    assert stream.names == ["message"] * 3 + ["end"]
    assert stream.complete
    assert stream.last_event_id.endswith("~end")
    assert server.journal.outcome(key) == "completed"
    again = server.open("finite", key, headers={"Last-Event-ID": stream.last_event_id})
    assert again.status == 204
    assert len(server.journal.entries(key, "opened")) == 1


@pytest.mark.parametrize("server", ["gevent", "gthread", "pywsgi"], indirect=True)
def test_connection_serves_on_after_a_stream(server: Server, key: str) -> None:
    """Where the server keeps connections open; `flask run` does not."""
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    connection.connect()
    kept = connection.sock
    with contextlib.closing(connection):
        for n in range(3):
            connection.request("GET", f"/api/finite?key={key}-{n}")
            assert b"event: end" in connection.getresponse().read()
            assert server.journal.outcome(f"{key}-{n}") == "completed"
        connection.request("GET", "/api/ping")
        assert connection.getresponse().status == 200
        assert connection.sock is kept


def test_handler_that_fails_before_its_first_event(server: Server, key: str) -> None:
    stream = server.open("failing", key, after=0)
    assert stream.status == 500
    assert stream.headers["content-type"] == "application/problem+json"
    assert server.journal.outcome(key) == "error"
    assert "hunter2" in server.log


def test_handler_that_fails_after_its_first_event(server: Server, key: str) -> None:
    stream = server.open("failing", key, after=1)
    stream.read_to_end()
    assert stream.names == ["message", "error"]
    problem = stream.events[1].json
    assert problem["status"] == 500
    assert "hunter2" not in stream.events[1].event.data
    assert problem["error_id"] in server.log
    assert stream.complete
    assert server.journal.outcome(key) == "error"


def test_hook_that_rejects(server: Server, key: str) -> None:
    stream = server.open("rejected", key)
    assert stream.status == 401
    assert server.journal.outcome(key) == "rejected"
    assert not server.journal.entries(key, "opened")


def test_head_request(server: Server, key: str) -> None:
    status, headers, body = server.ask(f"/api/ticker?key={key}", "HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert server.journal.outcome(key) == "completed"
    assert not server.journal.entries(key, "opened")


def rotates(server: Server, key: str) -> None:
    stream = server.open("lasting", key)
    stream.read_to_end(5)
    opened = server.journal.wait(key, "opened").at
    finished = server.journal.wait(key, "cleanup").at
    assert 0.9 < finished - opened < 2
    assert stream.complete
    assert set(stream.names) == {"message"}
    assert 500 <= stream.retries[-1] <= 3000
    assert len(stream.retries) == 2
    assert server.journal.outcome(key) == "shutdown"
    again = server.open("lasting", key, headers={"Last-Event-ID": stream.last_event_id})
    assert again.next().json["n"] == len(stream.events), "it did not go on where it was"


@ALL
def test_max_duration(at_once: AtOnce, kind: str) -> None:
    at_once(rotates, kind=kind)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [("sync", "-k gevent or -k gthread"), ("unpatched", "gevent.monkey.patch_all()")],
)
def test_server_that_cannot_stream(
    launch: Callable[..., Server], key: str, kind: str, advice: str
) -> None:
    server = launch(kind)
    stream = server.open("ticker", key)
    assert stream.status == 500
    assert stream.headers["content-type"] == "application/problem+json"
    lines = [line for line in server.log.splitlines() if advice in line]
    assert len(lines) == 1
    assert "'ticker'" in lines[0]
    assert not server.journal.entries(key, "opened")


def test_waitress(launch: Callable[..., Server], key: str) -> None:
    """Without a heartbeat in time, only asking waitress tells that the client is gone."""
    server = launch("waitress", settings={"FLASK_SSE_HEARTBEAT": 60})
    stream = server.open("ticker", key, every=0.2, count=5)
    arrivals = [stream.next() for _ in range(5)]
    assert typical_delay(arrivals) < 0.05
    assert stream.next().event.event == "end"
    left = server.open("sleeper", f"{key}-left", how="ctx", seconds=60)
    closed = left.next().at
    left.close()
    assert server.journal.outcome(f"{key}-left", 5) == "disconnected"
    # It is asked once a second.
    assert server.journal.wait(f"{key}-left", "cleanup").at - closed < 3
    server.settle()
