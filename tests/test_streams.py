"""The set of an app's open streams: places, counters, drain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flask_sse_routes import Context, Event, define_route
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.streams import PROCESS, Streams, drain_all
from flask_sse_routes.testing import sse_client


def sse(handler: Any, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


def first_then_wait(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(3600)


def test_places_are_limited_in_all_and_by_client() -> None:
    streams = Streams()
    assert streams.reserve("a", 2, None)
    assert streams.reserve("b", 2, None)
    assert not streams.reserve("c", 2, None)
    streams.release("a")
    assert streams.reserve("c", 2, None)
    assert not streams.reserve("c", None, 1)
    assert streams.reserve("d", None, 1)
    assert streams.reserve("e", None, None)
    assert streams.stats().refused == 2


def test_a_client_that_cannot_be_counted_takes_no_place() -> None:
    streams = Streams()
    for _ in range(3):
        with pytest.raises(TypeError, match="unhashable"):
            streams.reserve({"id": 1}, 1, None)  # type: ignore[arg-type]
    assert streams.reserve("a", 1, None)


def test_no_more_places_than_the_limit_when_many_ask_at_once() -> None:
    streams = Streams()
    got: list[bool] = []

    def ask() -> None:
        got.extend(streams.reserve("a", 50, None) for _ in range(100))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 50
    assert streams.stats().refused == 750


def test_the_counters(make_app: Any, eventually: Any) -> None:
    def handler(n: int) -> Iterator[Any]:
        yield from range(n)
        yield Event(comment="no event")
        if n == 0:
            raise ValueError

    app = make_app({"it": sse(handler), "wait": sse(first_then_wait)}, SSE_MAX_STREAMS=2)
    stats = runtime_of(app).streams.stats
    assert stats() == (0, 0, 0, 0, {}, 0, 0, 0)
    total = 0
    for n in (3, 0):
        with sse_client(app).open(f"/api/it?n={n}") as stream:
            list(stream)
            total += len(stream.raw)
    eventually(lambda: stats().streams == 0)
    assert stats()[:3] == (0, 5, total)
    assert stats().ended == {"completed": 1, "error": 1}
    with sse_client(app).open("/api/wait") as one, sse_client(app).open("/api/wait") as two:
        assert (one.json(), two.json()) == (1, 1)
        app.test_client().get("/api/wait")
        assert (stats().streams, stats().events, stats().refused) == (2, 7, 1)
    eventually(lambda: stats().streams == 0)
    assert stats().ended == {"completed": 1, "error": 1, "disconnected": 2}
    assert stats().resets == stats().dropped == 0


def test_stats_are_a_snapshot(make_app: Any) -> None:
    streams = runtime_of(make_app()).streams
    before = streams.stats()
    streams.count_refusal()
    assert (before.refused, streams.stats().refused) == (0, 1)


def test_heartbeats_are_counted(make_app: Any, eventually: Any) -> None:
    app = make_app({"it": sse(first_then_wait)}, SSE_HEARTBEAT=0.05)
    with sse_client(app).open("/api/it") as stream:
        eventually(lambda: stream.heartbeats >= 2)
        assert runtime_of(app).streams.stats().heartbeats >= 2


def test_a_drained_app_lets_nobody_stay(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    runtime_of(app).streams.drain()
    with sse_client(app).open("/api/it") as stream:
        assert "end" not in [event.event for event in stream]
        assert 500 <= (stream.retry or 0) <= 3000


def test_all_apps_of_a_process_drain_together(make_app: Any) -> None:
    one, two = (make_app({"it": sse(first_then_wait)}) for _ in range(2))
    with sse_client(one).open("/api/it") as first, sse_client(two).open("/api/it") as second:
        assert (first.json(), second.json()) == (1, 1)
        drain_all(everything=False)
        assert list(first) == list(second) == []


def test_waiting_until_all_have_ended(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    streams = runtime_of(app).streams
    assert streams.wait_until_empty(0)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        assert not streams.wait_until_empty(0.02)
        streams.drain()
        assert streams.wait_until_empty(10)
        assert list(stream) == []


def test_a_server_may_limit_the_streams_of_its_process(
    make_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PROCESS, "max_streams", 1)
    app = make_app({"it": sse(first_then_wait)})
    more = make_app({"it": sse(first_then_wait)}, SSE_MAX_STREAMS=2)
    for each, refused in ((app, "capacity"), (more, None)):
        with sse_client(each).open("/api/it") as one, sse_client(each).open("/api/it") as two:
            assert one.json() == 1
            assert two.headers.get("SSE-Refused") == refused
