"""What a test may ask of its stream: expectations with clear failures, scripted clients."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, abort

from flask_sse_routes import Context, Event, StreamError, define_hook, define_route
from flask_sse_routes.testing import (
    StreamClient,
    StreamEnded,
    StreamServer,
    StreamTimeout,
    UnexpectedEvent,
    sse_client,
    sse_server,
)


def sse(handler: Any, *hooks: Any, **options: Any) -> Any:
    return define_route(handler, kind="sse", hooks=hooks, **options)


def job(ctx: Context, n: int = 3, then: str = "end") -> Iterator[Any]:
    after = int(ctx.last_event_id or 0)
    for each in range(after + 1, n + 1):
        yield Event({"n": each}, id=str(each), event="step" if each < n else "last")
    if then == "wait":
        ctx.sleep(1e6)
    if then == "fail":
        raise StreamError("No flour.", status=409)


def private(_ctx: Context) -> None:
    abort(401, "Who are you?")


@pytest.fixture(name="app")
def an_app(make_app: Any) -> Flask:
    app: Flask = make_app({"job": sse(job), "private": sse(job, define_hook(before=private))})
    return app


@pytest.fixture(name="client", params=["local", "socket"])
def a_client(app: Flask, request: Any) -> Iterator[StreamClient | StreamServer]:
    """Both ways to open a stream do the same."""
    if request.param == "local":
        yield sse_client(app)
    else:
        with sse_server(app) as server:
            yield server


def test_an_event_is_waited_for_by_name(client: Any) -> None:
    with client.open("/api/job") as stream:
        assert stream.wait_for("last").data == '{"n":3}'
        assert [event.event for event in stream.received] == ["step", "step", "last"]
        with pytest.raises(StreamEnded, match=r"(?s)ended without event 'last'.*\"n\":3"):
            stream.wait_for("last")


def test_an_event_that_does_not_come(client: Any) -> None:
    with client.open("/api/job?then=wait") as stream:
        stream.next()
        with pytest.raises(StreamTimeout) as caught:
            stream.wait_for("done", timeout=0.05)
    for part in ("No event 'done' within 0.05 s", '{"n":3}', "Server's side: open, 3 events"):
        assert part in str(caught.value)


def test_the_end_is_expected(client: Any) -> None:
    with client.open("/api/job?n=1") as stream:
        stream.next()
        last = stream.expect_end()
        assert (last.event, last.data) == ("end", "null")
        assert stream.outcome == "completed"


@pytest.mark.parametrize(
    ("query", "failure", "words"),
    [
        ("", UnexpectedEvent, r"Expected the end, got .*\"n\":2"),
        ("n=1&then=wait", StreamTimeout, r"No end within 0\.1 s"),
        ("n=1&then=fail", UnexpectedEvent, r"Expected the end, got .*No flour"),
    ],
)
def test_the_end_does_not_come(
    app: Flask, query: str, failure: type[AssertionError], words: str
) -> None:
    with sse_client(app).open(f"/api/job?{query}") as stream:
        stream.next()
        with pytest.raises(failure, match=words):
            stream.expect_end(timeout=0.1)


def test_an_error_is_expected(client: Any) -> None:
    with client.open("/api/job?n=1&then=fail") as stream:
        stream.next()
        assert stream.expect_error(409)["detail"] == "No flour."
        assert stream.outcome == "error"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("n=1&then=fail", 403, r"an error of status 403, got .*No flour"),
        ("", None, r"an error, got .*\"n\":2"),
    ],
)
def test_an_error_that_is_another(app: Flask, query: str, status: Any, words: str) -> None:
    with sse_client(app).open(f"/api/job?{query}") as stream:
        stream.next()
        with pytest.raises(UnexpectedEvent, match=words):
            stream.expect_error(status)


def test_a_refusal_is_expected(app: Flask) -> None:
    client = sse_client(app)
    assert client.expect_refusal("/api/private", 401)["detail"] == "Who are you?"
    with pytest.raises(UnexpectedEvent, match=r"(?s)status 403, got 401.*Who are you"):
        client.expect_refusal("/api/private", 403)
    with pytest.raises(UnexpectedEvent, match=r"(?s)status 401, got 200.*open"):
        client.expect_refusal("/api/job?then=wait", 401)
    with pytest.raises(UnexpectedEvent, match="Expected a refusal, got a stream"):
        client.expect_refusal("/api/job?then=wait", 200)


def test_a_refusal_over_a_socket(app: Flask) -> None:
    with sse_server(app) as server, server.open("/api/private") as stream:
        stream.expect_status(401)
        assert stream.problem()["detail"] == "Who are you?"
        assert (stream.refused, stream.outcome) == (None, None)


def test_a_full_process_says_so(make_app: Any) -> None:
    client = sse_client(make_app({"it": sse(job)}, SSE_MAX_STREAMS=1))
    with client.open("/api/it?then=wait"), client.open("/api/it") as second:
        assert (second.status, second.refused, second.outcome) == (200, "capacity", None)


def test_heartbeats_are_waited_for(make_app: Any) -> None:
    app = make_app({"it": sse(job)}, SSE_HEARTBEAT=0.02)
    with sse_client(app).open("/api/it?then=wait") as stream:
        for _ in range(3):
            stream.wait_for_heartbeat()
        assert stream.heartbeats >= 3


def test_heartbeats_that_do_not_come(app: Flask) -> None:
    client = sse_client(app)
    missing = pytest.raises(StreamTimeout, match=r"No heartbeat within 0\.05 s")
    with client.open("/api/job?then=wait") as stream, missing:
        stream.wait_for_heartbeat(timeout=0.05)
    with client.open("/api/job") as stream, pytest.raises(StreamEnded, match="without a heartbeat"):
        stream.wait_for_heartbeat()


def test_a_client_reconnects_after_what_it_has_taken(client: Any) -> None:
    stream = client.open("/api/job?n=5&then=wait")
    assert [stream.next().id, stream.next().id] == ["1", "2"]
    with stream.reconnect() as again:
        assert stream.outcome == "disconnected"
        assert [again.next().id for _ in range(3)] == ["3", "4", "5"]
    with again.reconnect() as third, pytest.raises(StreamTimeout):
        third.next(timeout=0.05)


def test_a_client_that_has_taken_nothing_asks_as_before(client: Any) -> None:
    with client.open("/api/job?n=5", last_event_id="3").reconnect() as stream:
        assert stream.next().id == "4"


def test_a_finished_stream_stays_finished(client: Any) -> None:
    stream = client.open("/api/job?n=1")
    assert [event.id for event in stream] == ["1", "1~end"]
    with stream.reconnect() as again:
        again.expect_status(204)
        assert again.outcome is None


def test_a_client_leaves_after_some_events(client: Any) -> None:
    with client.open("/api/job?then=wait") as stream:
        stream.next()
        stream.disconnect(after=2)
        assert [event.id for event in stream.received] == ["1", "2"]
        assert stream.outcome == "disconnected"
        stream.disconnect(after=1)
    with client.open("/api/job?n=1") as stream, pytest.raises(StreamEnded):
        stream.disconnect(after=9)


def test_a_client_that_closes_its_half_has_left(client: Any) -> None:
    with client.open("/api/job?n=1&then=wait") as stream:
        stream.next()
        stream.half_close()
        assert list(stream) == []
        assert stream.outcome == "disconnected"


def test_a_frozen_client_takes_nothing_until_it_thaws(client: Any) -> None:
    with client.open("/api/job?then=wait") as stream:
        stream.wait_for("last")
        taken = stream.raw
        stream.freeze()
        with pytest.raises(StreamTimeout):
            stream.next(timeout=0.05)
        assert stream.raw == taken
        stream.thaw()


def test_a_frozen_client_can_leave(client: Any) -> None:
    with client.open("/api/job?n=500&then=wait") as stream:
        stream.freeze()
        stream.close()
        assert stream.outcome == "disconnected"


@pytest.mark.threads
def test_a_handler_that_goes_on_is_named(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def stubborn() -> Iterator[int]:
        yield 1
        gate.wait()

    monkeypatch.setattr("flask_sse_routes.testing.stream.PATIENCE", 0.05)
    stream = sse_client(make_app({"it": sse(stubborn)})).open("/api/it")
    stream.next()
    stream.close(timeout=5)
    try:
        with pytest.raises(StreamTimeout, match=r"(?s)handler has not ended.*told to end"):
            assert stream.outcome
    finally:
        gate.set()
