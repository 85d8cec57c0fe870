"""A process that has no room for another stream says so, and still answers plain requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from .servers import Server
from .waiting import wait_for


@pytest.mark.parametrize("server", ["gthread"], indirect=True)
def test_threads_that_streams_leave_free(server: Server, key: str) -> None:
    """Of gunicorn's eight threads six may have a stream, without any configuration."""
    refused = server.stats()["refused"]
    streams = [server.open("ticker", f"{key}-{n}") for n in range(6)]
    for stream in streams:
        stream.next()
    late = server.open("ticker", f"{key}-late")
    assert late.status == 200
    assert late.headers["sse-refused"] == "capacity"
    late.read_to_end()
    assert late.complete
    assert not late.events
    assert 3000 <= late.retries[0] <= 10_000
    assert len(late.retries) == 1
    assert server.stats()["refused"] == refused + 1
    assert server.journal.outcome(f"{key}-late") == "rejected"

    streams[0].close()
    server.journal.wait(f"{key}-0", "cleanup")
    wait_for(lambda: server.stats()["streams"] == 5, "the place is free")
    assert server.open("ticker", f"{key}-next").next().json["n"] == 0


@pytest.mark.parametrize(
    ("route", "method", "accept"),
    [("ticker", "GET", "*/*"), ("job", "POST", "text/event-stream")],
)
def test_client_that_is_no_event_source(
    full: Server, key: str, route: str, method: str, accept: str
) -> None:
    status, headers, body = full.ask(f"/api/{route}?key={key}", method, Accept=accept)
    assert status == 503
    assert 3 <= int(headers["Retry-After"]) <= 10
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == 503
    assert full.journal.outcome(key) == "rejected"
    assert full.ask("/api/ping")[0] == 200


@pytest.fixture(params=["gevent", "sseworker"])
def full(request: pytest.FixtureRequest, launch: Callable[..., Server]) -> Iterator[Server]:
    """A server with room for one stream, which is open."""
    server = launch(request.param, settings={"FLASK_SSE_MAX_STREAMS": 1})
    server.open("ticker", "first").next()
    yield server
    server.settle()
