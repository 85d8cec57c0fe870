"""The testing tools: a client for streams that do not end, and a leak check that really fails."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from flask_sse_routes import Context, Event, define_route
from flask_sse_routes.testing import StreamEnded, StreamTimeout, no_leaks, sse_client

ROOT = Path(__file__).parents[1]


def numbers(ctx: Context, n: int = 3, wait: bool = False) -> Iterator[Any]:
    for each in range(n):
        yield Event({"n": each}, id=str(each))
    if wait:
        ctx.sleep(3600)


def sse(handler: Any = numbers, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


@pytest.fixture(name="app")
def an_app(make_app: Any) -> Flask:
    app: Flask = make_app({"it": sse()})
    return app


def test_events_one_by_one(app: Flask) -> None:
    with sse_client(app).open("/api/it?wait=1") as stream:
        assert (stream.status, stream.headers["Content-Type"][:17]) == (200, "text/event-stream")
        assert stream.next().data == '{"n":0}'
        assert stream.json() == {"n": 1}
        assert stream.last_event_id in {"1", "2"}
        assert stream.next(timeout=10).id == "2"
        assert stream.last_event_id == "2"
        assert 1125 <= (stream.retry or 0) <= 1875
        assert [event.id for event in stream.received] == ["0", "1", "2"]


def test_iterating_to_the_end(app: Flask) -> None:
    with sse_client(app).open("/api/it?n=2") as stream:
        assert [event.event for event in stream] == ["message", "message", "end"]
        assert list(stream) == []
        assert stream.raw.endswith(b"event: end\nid: 1~end\ndata: null\n\n")


def test_a_timeout_shows_what_was_received(app: Flask) -> None:
    with sse_client(app).open("/api/it?n=2&wait=1") as stream:
        stream.next()
        stream.next()
        begun = time.monotonic()
        with pytest.raises(StreamTimeout) as caught:
            stream.next(timeout=0.05)
        assert time.monotonic() - begun < 10
    message = str(caught.value)
    for part in ("0.05 s", "Status 200", '{"n":0}', '{"n":1}', "retry: "):
        assert part in message
    assert isinstance(caught.value, AssertionError)


def test_a_timeout_says_when_there_was_nothing(make_app: Any) -> None:
    def silent(ctx: Context) -> Iterator[int]:
        ctx.sleep(3600)
        yield 1

    stream = sse_client(make_app({"it": sse(silent, open_timeout=0)})).open("/api/it")
    with stream, pytest.raises(StreamTimeout, match="nothing"):
        stream.next(timeout=0.05)


def test_an_end_shows_what_was_received(app: Flask) -> None:
    with sse_client(app).open("/api/it?n=1") as stream:
        assert [stream.next().event, stream.next().event] == ["message", "end"]
        for _ in range(2):
            with pytest.raises(StreamEnded, match=r'(?s)ended.*\{"n":0\}'):
                stream.next()


def test_an_answer_that_is_no_stream_is_shown(app: Flask) -> None:
    with sse_client(app).open("/api/it?n=x") as stream:
        assert stream.status == 422
        with pytest.raises(StreamEnded, match=r"(?s)Status 422.*int_parsing"):
            stream.next()


def test_closing_is_a_disconnect(make_app: Any) -> None:
    seen: list[str] = []

    def handler(ctx: Context) -> Iterator[int]:
        try:
            yield 1
            ctx.sleep(3600)
        finally:
            seen.append("finally")

    app = make_app({"it": sse(handler)})
    stream = sse_client(app).open("/api/it")
    stream.next()
    stream.close()
    stream.close()
    with no_leaks():
        pass
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:
        time.sleep(0.005)
    assert seen == ["finally"]


def test_heartbeats_are_counted(make_app: Any, eventually: Any) -> None:
    app = make_app({"it": sse()}, SSE_HEARTBEAT=0.03)
    with sse_client(app).open("/api/it?wait=1") as stream:
        eventually(lambda: stream.heartbeats >= 2)
        assert len(list(zip(range(3), stream, strict=False))) == 3


def test_a_position_a_body_and_headers_can_be_sent(make_app: Any) -> None:
    def handler(ctx: Context, words: list[str]) -> Any:
        return [ctx.last_event_id, words, request.headers["X-Name"], request.headers["Accept"]]

    app = make_app({"it": sse(handler, method="POST")})
    with sse_client(app).open(
        "/api/it", method="POST", json={"words": ["a"]}, last_event_id="7", headers={"X-Name": "me"}
    ) as stream:
        assert [stream.json() for _ in range(4)] == ["7", ["a"], "me", "text/event-stream"]


def test_a_test_clients_cookies_are_shared(make_app: Any) -> None:
    def handler() -> Any:
        return [request.cookies["theme"]]

    client = make_app({"it": sse(handler)}).test_client()
    client.set_cookie("theme", "dark")
    with sse_client(client).open("/api/it") as stream:
        assert stream.json() == "dark"


def test_an_exception_of_the_app_reaches_the_test(make_app: Any) -> None:
    def fails() -> Iterator[int]:
        raise ValueError("mine")
        yield 1

    app = make_app({"it": sse(fails)}, TESTING=True)
    with pytest.raises(ValueError, match="mine"):
        sse_client(app).open("/api/it")


def test_many_streams_at_once(app: Flask) -> None:
    client = sse_client(app)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(client.open("/api/it?wait=1")) for _ in range(50)]
        assert [stream.json() for stream in streams] == [{"n": 0}] * 50


# --- the leak check


def test_nothing_leaked_is_no_failure(app: Flask) -> None:
    with no_leaks(), sse_client(app).open("/api/it") as stream:
        list(stream)


def test_what_was_there_before_is_no_leak(app: Flask) -> None:
    with sse_client(app).open("/api/it?wait=1") as stream:
        stream.next()
        with no_leaks(patience=0.2):
            pass


def test_what_is_on_its_way_out_is_waited_for() -> None:
    with no_leaks(patience=30):
        threading.Thread(target=time.sleep, args=(0.1,), name="soon over").start()


def leak(make: Any) -> str:
    """What the check says of a block that leaves something behind."""
    with pytest.raises(AssertionError) as caught, no_leaks(patience=0.2):
        make()
    return str(caught.value)


def test_a_leaked_stream_fails(app: Flask) -> None:
    opened: list[Any] = []
    message = leak(lambda: opened.append(sse_client(app).open("/api/it?wait=1")))
    assert "Left behind" in message
    assert "stream 'api.it'" in message
    opened[0].close()


def test_a_leaked_response_fails(app: Flask) -> None:
    opened: list[Any] = []
    assert "stream 'api.it'" in leak(lambda: opened.append(app.test_client().get("/api/it?wait=1")))
    opened[0].close()


def test_a_leaked_thread_or_greenlet_fails() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, name="leaked one", daemon=True)
    try:
        assert "Left behind" in leak(thread.start)
    finally:
        gate.set()
        thread.join()


@pytest.mark.gevent
def test_a_leaked_greenlet_fails() -> None:
    import gevent

    gate, spawned = threading.Event(), []
    try:
        assert "Left behind: <Greenlet" in leak(lambda: spawned.append(gevent.spawn(gate.wait)))
    finally:
        gate.set()
        gevent.joinall(spawned)


@pytest.mark.parametrize("kind", ["app_context", "test_request_context"])
def test_a_leaked_context_fails(app: Flask, kind: str) -> None:
    context = getattr(app, kind)()
    assert "context is still pushed" in leak(context.push)
    context.pop()


def test_a_failing_block_fails_as_it_does() -> None:
    with pytest.raises(ValueError, match="mine"), no_leaks(patience=0.1):
        raise ValueError("mine")


SUITE = """
import threading
from flask import Flask

def test_clean(no_sse_leaks):
    pass

def test_leaks_a_thread(no_sse_leaks):
    threading.Thread(target=threading.Event().wait, daemon=True, name="forgotten").start()

def test_leaks_a_context(no_sse_leaks):
    Flask("application").app_context().push()
"""


@pytest.mark.threads
def test_the_fixture_is_imported_into_a_conftest(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import flask_sse_routes.testing as tools\n"
        "tools.PATIENCE = 0.2\n"
        "tools.no_leaks.__wrapped__.__defaults__ = (0.2,)\n"
        "from flask_sse_routes.testing import no_sse_leaks\n"
    )
    (tmp_path / "test_it.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "3 passed, 2 errors" in done.stdout, done.stdout + done.stderr
    assert "forgotten" in done.stdout
    assert "context is still pushed" in done.stdout


@pytest.mark.threads
def test_without_pytest_the_tools_can_be_imported() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None; import flask_sse_routes.testing as tools;"
        "print(callable(tools.sse_client), callable(tools.no_leaks), hasattr(tools, 'nothing'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
