"""The set of an app's open streams: places, counters, drain, and orders that come meanwhile."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Request, abort

from flask_sse_routes import (
    BrokerUnavailable,
    Context,
    Event,
    Subscription,
    define_hook,
    define_route,
)
from flask_sse_routes.extension import runtime_of, this_app
from flask_sse_routes.streams import PROCESS, Streams, drain_all
from flask_sse_routes.testing import StreamTimeout, TestStream, sse_client

Order = Callable[[Streams], None]


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
            streams.reserve({"id": 1}, 1, None)  # type: ignore[arg-type]  # wrong on purpose
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
    streams.count_refusal("it", "broker")
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


# --- orders, also to streams on their way


def user_of(request: Request) -> str | None:
    return request.headers.get("X-User")


def follow_news() -> Subscription:
    owner = runtime_of(this_app()).owner
    assert owner is not None
    return owner.subscribe("news")


def give(order: Order) -> Any:
    """A hook that gives an order: its stream is noted by then, and not open yet."""
    return define_hook(before=lambda ctx: order(runtime_of(this_app()).streams))


def open_as(app: Flask, user: str | None, path: str = "/api/it") -> TestStream:
    return sse_client(app).open(path, headers={"X-User": user} if user else {})


def check_revoked(stream: TestStream) -> None:
    (event,) = list(stream)
    assert (event.event, event.id) == ("error", "~end")
    assert json.loads(event.data)["status"] == 403


def check_sent_away(stream: TestStream) -> None:
    """It said nothing that is final, and when to come back."""
    assert not [event for event in stream if event.event in ("end", "error")]
    assert 500 <= (stream.retry or 0) <= 3000


def check_open(app: Flask, stream: TestStream) -> None:
    with pytest.raises(StreamTimeout):
        stream.next(0.05)
    assert runtime_of(app).streams.stats().streams == 1
    stream.close()


@pytest.mark.parametrize("handler", [first_then_wait, follow_news])
@pytest.mark.parametrize(
    ("user", "channel", "revoked"),
    [
        ("ann", None, True),
        ("bob", None, False),
        ("", None, False),
        (None, "news", "channels"),
        (None, "weather", False),
        ("ann", "news", "channels"),
        ("bob", "news", False),
        ("ann", "weather", False),
    ],
)
def test_a_revoke_reaches_a_stream_on_its_way(
    make_app: Any, eventually: Any, handler: Any, user: Any, channel: Any, revoked: Any
) -> None:
    order = give(lambda streams: streams.revoke(user, channel))
    app = make_app({"it": sse(handler, hooks=[order])}, identify=user_of)
    stats = runtime_of(app).streams.stats
    with open_as(app, "ann") as stream:
        if revoked is True or (revoked == "channels" and handler is follow_news):
            check_revoked(stream)
            eventually(lambda: stats().ended == {"error": 1})
        else:
            stream.next()
            check_open(app, stream)
            eventually(lambda: stats().ended == {"disconnected": 1})


def test_a_revoke_during_the_handlers_call_reaches_its_stream(make_app: Any) -> None:
    def handler(ctx: Context) -> Iterator[int]:
        runtime_of(this_app()).streams.revoke("ann", None)
        return first_then_wait(ctx)

    app = make_app({"it": sse(handler)}, identify=user_of)
    with open_as(app, "ann") as stream:
        check_revoked(stream)
    with open_as(app, "bob") as stream:
        assert stream.json() == 1
        check_open(app, stream)


def test_a_revoke_reaches_all_streams_on_their_way_and_none_that_comes_later(make_app: Any) -> None:
    """Many at once, which wait in their hooks for the order to be given."""
    count = 8
    inside, given = threading.Barrier(count + 1, timeout=15), threading.Event()

    def wait(ctx: Context) -> None:
        if not given.is_set():
            inside.wait()
            assert given.wait(15)

    route = sse(first_then_wait, hooks=[define_hook(before=wait)])
    app = make_app({"it": route}, identify=user_of)
    streams: dict[int, TestStream] = {}

    def open_one(n: int) -> None:
        streams[n] = open_as(app, "ann" if n % 2 else "bob")

    threads = [threading.Thread(target=open_one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    inside.wait()
    runtime_of(app).streams.revoke("ann", None)
    given.set()
    for thread in threads:
        thread.join()
    with open_as(app, "ann") as later:
        assert later.json() == 1
        for n, stream in streams.items():
            if n % 2:
                check_revoked(stream)
            else:
                assert stream.json() == 1
        assert runtime_of(app).streams.stats().streams == count // 2 + 1
    for stream in streams.values():
        stream.close()


def test_a_recheck_ends_the_streams_of_users(make_app: Any, eventually: Any) -> None:
    app = make_app({"it": sse(first_then_wait), "news": sse(follow_news)}, identify=user_of)
    streams = runtime_of(app).streams
    theirs = [open_as(app, "ann"), open_as(app, "bob"), open_as(app, "ann", "/api/news")]
    nobodys = open_as(app, None)
    for stream in (*theirs, nobodys):
        stream.next()
    streams.recheck()
    for stream in theirs:
        check_sent_away(stream)
        stream.close()
    eventually(lambda: streams.stats().ended == {"shutdown": 3})
    check_open(app, nobodys)


@pytest.mark.parametrize("handler", [first_then_wait, follow_news])
def test_a_recheck_ends_the_streams_of_users_on_their_way(
    make_app: Any, eventually: Any, handler: Any
) -> None:
    app = make_app({"it": sse(handler, hooks=[give(Streams.recheck)])}, identify=user_of)
    stats = runtime_of(app).streams.stats
    with open_as(app, "ann") as stream:
        check_sent_away(stream)
    eventually(lambda: stats().ended == {"shutdown": 1})
    with open_as(app, None) as stream:
        stream.next()
        check_open(app, stream)


def test_who_is_sent_away_by_a_recheck_may_come_back(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)}, identify=user_of)
    with open_as(app, "ann") as stream:
        stream.next()
        runtime_of(app).streams.recheck()
        check_sent_away(stream)
    with open_as(app, "ann") as stream:
        assert stream.json() == 1


def unavailable() -> Iterator[int]:
    raise BrokerUnavailable("It is away.")


@pytest.mark.parametrize(
    ("before", "handler"),
    [
        (lambda ctx: abort(401), first_then_wait),
        (lambda ctx: abort(503), first_then_wait),
        (lambda ctx: None, unavailable),
    ],
    ids=["rejected", "unavailable", "no broker"],
)
def test_an_opening_that_was_refused_is_not_kept(
    make_app: Any, caplog: Any, no_gc: None, before: Any, handler: Any
) -> None:
    caplog.set_level(logging.ERROR)  # a record would keep the exception
    on_their_way: list[int] = []

    def look(ctx: Context) -> None:
        on_their_way.append(len(runtime_of(this_app()).streams._openings))

    hooks = [define_hook(before=look), define_hook(before=before)]
    app = make_app({"it": sse(handler, hooks=hooks)})
    app.test_client().get("/api/it", headers={"Accept": "text/event-stream"})
    assert on_their_way == [1]
    assert not runtime_of(app).streams._openings


def test_an_opening_without_a_place_is_not_kept(make_app: Any, no_gc: None) -> None:
    app = make_app({"it": sse(first_then_wait)}, SSE_MAX_STREAMS=1)
    openings = runtime_of(app).streams._openings
    with open_as(app, None) as first:
        assert first.json() == 1
        assert len(openings) == 1, "its handler may listen to channels yet"
        with open_as(app, None) as refused:
            assert refused.headers["SSE-Refused"] == "capacity"
        assert app.test_client().head("/api/it").status_code == 200
        assert len(openings) == 1
