"""The clock made by hand: what is due comes at once, exactly as often as by the real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, abort

from flask_sse_routes import Context, RouteBlueprint, SSERoutes, define_hook, define_route
from flask_sse_routes import clock as process_clock
from flask_sse_routes.clock import get_clock
from flask_sse_routes.testing import FakeClock, fake_clock, sse_client

LONG = 1e6


def sse(handler: Any, *hooks: Any, **options: Any) -> Any:
    return define_route(handler, kind="sse", hooks=hooks, **options)


def first_then_wait(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(LONG)


def ticking(ctx: Context) -> Iterator[int]:
    n = 0
    while True:
        yield n
        n += 1
        ctx.sleep(1)


@pytest.fixture(name="clock")
def a_clock() -> Iterator[FakeClock]:
    with fake_clock() as clock:
        yield clock


def test_a_heartbeat_comes_at_its_time_and_not_before(make_app: Any, clock: FakeClock) -> None:
    with sse_client(make_app({"it": sse(first_then_wait)})).open("/api/it") as stream:
        stream.next()
        clock.advance(14.9)
        assert stream.heartbeats == 0
        clock.advance(0.1)
        assert stream.heartbeats == 1
        stream.wait_for_heartbeat()


@pytest.mark.parametrize("steps", [(600,), (15,) * 40, (7, 8) * 40, (0.1,) * 300 + (570,)])
def test_every_heartbeat_of_a_long_time_comes(
    make_app: Any, clock: FakeClock, steps: tuple[float, ...]
) -> None:
    with sse_client(make_app({"it": sse(first_then_wait)})).open("/api/it") as stream:
        stream.next()
        for seconds in steps:
            clock.advance(seconds)
        assert stream.heartbeats == 40


def test_streams_do_not_wait_for_one_another(make_app: Any, clock: FakeClock) -> None:
    client = sse_client(make_app({"it": sse(first_then_wait)}))
    with client.open("/api/it") as one:
        one.next()
        clock.advance(10)
        with client.open("/api/it") as other:
            other.next()
            clock.advance(10)
            assert (one.heartbeats, other.heartbeats) == (1, 0)
            clock.advance(5)
            assert (one.heartbeats, other.heartbeats) == (1, 1)


def test_a_handler_sleeps_by_it(make_app: Any, clock: FakeClock) -> None:
    with sse_client(make_app({"it": sse(ticking)})).open("/api/it") as stream:
        clock.advance(100)
        assert [stream.json() for _ in range(101)] == list(range(101))
        assert stream.heartbeats == 0
        clock.advance(0.5)
        with pytest.raises(AssertionError, match="No event"):
            stream.next(timeout=0.05)
        clock.advance(0.5)
        assert stream.json() == 101


def test_the_longest_duration(make_app: Any, clock: FakeClock) -> None:
    app = make_app({"it": sse(first_then_wait, max_duration=600)})
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        clock.advance(599)
        assert stream.outcome is None
        clock.advance(1)
        assert stream.expect_end() is None
        assert stream.outcome == "shutdown"
        assert 500 <= (stream.retry or 0) <= 3000


def test_hooks_are_asked_again(make_app: Any, clock: FakeClock) -> None:
    allowed = [True]

    def before(_ctx: Context) -> None:
        if not allowed[0]:
            abort(403)

    app = make_app({"it": sse(first_then_wait, define_hook(before=before), reauthorize=60)})
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        allowed[0] = False
        clock.advance(59)
        assert stream.outcome is None
        clock.advance(1)
        assert stream.expect_error(403)["status"] == 403


def test_a_frozen_client_is_cut_off_after_the_send_timeout(make_app: Any, clock: FakeClock) -> None:
    def flood() -> Iterator[str]:
        while True:
            yield "x" * 1000

    with sse_client(make_app({"it": sse(flood)})).open("/api/it") as stream:
        stream.next()
        stream.freeze()
        clock.advance(29)
        assert stream.outcome is None
        clock.advance(8)
        assert (stream.outcome, stream.dropped) == ("disconnected", True)


def test_a_client_that_goes_on_is_kept(make_app: Any, clock: FakeClock) -> None:
    with sse_client(make_app({"it": sse(ticking)})).open("/api/it") as stream:
        stream.freeze()
        clock.advance(29)
        stream.thaw()
        stream.next()
        clock.advance(30)
        assert (stream.outcome, stream.dropped) == (None, False)


def test_the_open_timeout_passes_for_who_waits_elsewhere(
    make_app: Any, clock: FakeClock, eventually: Any
) -> None:
    def silent(ctx: Context) -> Iterator[int]:
        ctx.sleep(LONG)
        yield 1

    client = sse_client(make_app({"it": sse(silent, open_timeout=3600)}))
    opened: list[Any] = []
    begun = threading.Event()

    def open_it() -> None:
        begun.set()
        opened.append(client.open("/api/it"))

    opener = threading.Thread(target=open_it)
    opener.start()
    begun.wait()

    def has_opened() -> bool:
        clock.advance(3600)
        return bool(opened)

    eventually(has_opened)
    opener.join()
    opened[0].close()


def test_a_channel_goes_by_it(clock: FakeClock) -> None:
    extension = SSERoutes()
    app = Flask("application")
    routes = {"it": sse(lambda: extension.subscribe("a"))}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    extension.init_app(app)
    with sse_client(app).open("/api/it") as stream:
        assert stream.next().event == "ready"
        clock.advance(15)
        assert stream.heartbeats == 1


def test_a_handler_that_waits_for_something_else_is_not_waited_for_long(
    make_app: Any, clock: FakeClock
) -> None:
    gate = threading.Event()

    def handler() -> Iterator[int]:
        yield 1
        gate.wait()

    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        stream.next()
        begun = time.monotonic()
        for _ in range(100):
            clock.advance(15)
        assert time.monotonic() - begun < 20, "it is waited for once, not a hundred times"
        assert stream.heartbeats == 100
        gate.set()


def test_a_handler_that_has_others_take_turns_holds_nothing_up(
    make_app: Any, clock: FakeClock
) -> None:
    enough = threading.Event()

    def handler(ctx: Context) -> Iterator[int]:
        yield 1
        while not enough.is_set():
            ctx.sleep(0)

    # Where time would never pass for the handler, the test is not to wait for ever.
    limit = threading.Timer(5, enough.set)
    limit.start()
    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        stream.next()
        clock.advance(60)
        assert not enough.is_set()
        assert stream.heartbeats == 4
    limit.cancel()
    limit.join()


def test_it_does_not_go_back(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match=r"forward.*-1"):
        clock.advance(-1)


def test_there_is_one_at_a_time(clock: FakeClock) -> None:
    with pytest.raises(RuntimeError, match="one time"), fake_clock():
        pass


def test_it_leaves_everything_as_it_was(make_app: Any) -> None:
    before = process_clock.now, process_clock.wait, dict(vars(get_clock()))
    with fake_clock() as clock:
        assert process_clock.now() == clock.now()
        clock.advance(5)
    assert (process_clock.now, process_clock.wait) == before[:2]
    assert vars(get_clock()).keys() == before[2].keys()


def test_a_stream_that_is_left_open_goes_on_by_the_real_time(make_app: Any) -> None:
    app = make_app({"it": sse(ticking)}, SSE_HEARTBEAT=0.05)
    with fake_clock() as clock:
        stream = sse_client(app).open("/api/it")
        clock.advance(3)
        assert [stream.json() for _ in range(4)] == [0, 1, 2, 3]
    assert stream.json(timeout=10) == 4
    stream.close()
    assert stream.outcome == "disconnected"
