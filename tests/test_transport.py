"""The WSGI transport: what servers, middleware and response-changing extensions see."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from flask_compress import Compress
from flask_cors import CORS
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_sse_routes import Context, define_hook, define_route
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.testing import sse_client
from flask_sse_routes.transport import StreamBody


def first_then_wait(ctx: Context) -> Iterator[str]:
    yield "x" * 2000
    ctx.sleep(3600)


def ticks() -> Iterator[str]:
    for _ in range(3):
        yield "x" * 2000


def sse(handler: Any = ticks, **options: Any) -> Any:
    # The duration ends a stream that something holds back, so that the test fails and not hangs.
    return define_route(handler, kind="sse", max_duration=20, **options)


def test_the_server_gets_the_streams_own_iterable(make_app: Any) -> None:
    app = make_app({"it": sse()})
    environ = EnvironBuilder("/api/it").get_environ()
    body = app(environ, lambda status, headers, *_: lambda data: None)
    assert type(body) is StreamBody
    assert b"".join(body).endswith(b"\n\n")
    body.close()


def test_closing_it_runs_what_flask_and_users_wait_for(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    seen: list[str] = []

    @app.after_request
    def note(response: Response) -> Response:
        response.call_on_close(lambda: seen.append("closed"))
        return response

    response = wsgi(app, "/api/it")
    response.chunk()
    assert seen == []
    response.close()
    response.close()
    assert seen == ["closed"]


@pytest.mark.parametrize("how", ["fails", "replaces"])
def test_a_response_that_is_not_sent_leaves_no_stream(
    make_app: Any, eventually: Any, no_gc: None, how: str
) -> None:
    ends: list[Any] = []
    cleanup = define_hook(cleanup=lambda ctx: ends.append(ctx.outcome))
    app = make_app({"it": sse(first_then_wait, hooks=[cleanup])}, SSE_MAX_STREAMS=1)

    @app.after_request
    def spoil(response: Response) -> Response:
        if request.args and how == "fails":
            raise ValueError("after_request went wrong")
        return Response("another") if request.args else response

    for n in range(3):
        response = app.test_client().get("/api/it?spoil=1")
        assert response.status_code == (500 if how == "fails" else 200)
        eventually(lambda n=n: len(ends) == n + 1)
    assert ends == ["disconnected"] * 3
    with sse_client(app).open("/api/it") as stream:
        assert stream.json() == "x" * 2000


@pytest.mark.threads
def test_a_body_that_was_dropped_is_closed_before_a_collector_finds_it(
    make_app: Any, no_gc: None
) -> None:
    """A collection may come while a lock is held that ending a stream needs."""
    app = make_app({"it": sse()})
    app.after_request(lambda response: 1 / 0)
    assert app.test_client().get("/api/it").status_code == 500
    streams = runtime_of(app).streams
    assert streams.wait_until_empty(10)
    collected: list[int] = []
    with streams._lock:
        thread = threading.Thread(target=lambda: collected.append(gc.collect()), daemon=True)
        thread.start()
        thread.join(10)
    assert collected


def test_after_the_end_there_is_nothing(make_app: Any, wsgi: Any) -> None:
    response = wsgi(make_app({"it": sse()}), "/api/it")
    assert response.rest()
    assert response.chunk() == b""
    response.close()
    assert response.chunk() == b""


def test_the_apps_response_class_is_kept(make_app: Any) -> None:
    class Own(Response):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.headers["X-Own"] = "1"

    app = make_app({"it": sse(), "one": define_route(lambda: 1)})
    app.response_class = Own
    assert app.test_client().get("/api/one").headers["X-Own"] == "1"
    with sse_client(app).open("/api/it") as stream:
        assert stream.headers["X-Own"] == "1"
        assert len(list(stream)) == 4


def arrives_event_by_event(app: Flask, **options: Any) -> Any:
    """Open a stream that stays open after its first event, and return its headers."""
    with sse_client(app).open("/api/it", **options) as stream:
        assert json.loads(stream.next(timeout=10).data) == "x" * 2000
        return stream.headers


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, deflate, br, zstd", "identity", "*"])
def test_flask_compress_leaves_streams_alone(make_app: Any, encoding: str) -> None:
    app = make_app({"it": sse(first_then_wait), "big": define_route(lambda: "x" * 5000)})
    app.config["COMPRESS_MIMETYPES"] = ["application/json", "text/event-stream"]
    Compress(app)
    accept = {"Accept-Encoding": encoding}
    headers = arrives_event_by_event(app, headers=accept)
    assert "Content-Encoding" not in headers
    assert "Content-Length" not in headers
    if "gzip" in encoding:
        plain = app.test_client().get("/api/big", headers=accept)
        assert plain.headers["Content-Encoding"] in ("gzip", "br", "zstd")


def test_flask_cors_adds_its_headers(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    CORS(app, origins=["https://example.org"])
    headers = arrives_event_by_event(app, headers={"Origin": "https://example.org"})
    assert headers["Access-Control-Allow-Origin"] == "https://example.org"


def test_both_at_once(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    Compress(app)
    CORS(app)
    headers = arrives_event_by_event(
        app, headers={"Origin": "https://example.org", "Accept-Encoding": "gzip"}
    )
    assert "Access-Control-Allow-Origin" in headers
    assert "Content-Encoding" not in headers


def test_without_extensions_nobody_is_allowed_across_origins(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    headers = arrives_event_by_event(app, headers={"Origin": "https://example.org"})
    assert not [name for name, _ in headers.items() if name.startswith("Access-Control")]


def test_wsgi_middleware_that_wraps_the_iterable_works(make_app: Any, eventually: Any) -> None:
    app = make_app({"it": sse()})
    inner = app.wsgi_app
    closed: list[str] = []

    def middleware(environ: Any, start_response: Any) -> Any:
        body = inner(environ, start_response)

        def wrapped() -> Iterator[bytes]:
            try:
                yield from body
            finally:
                body.close()
                closed.append("closed")

        return wrapped()

    app.wsgi_app = middleware
    chunks, status, _ = run_wsgi_app(app, EnvironBuilder("/api/it").get_environ())
    assert status == "200 OK"
    assert b"".join(chunks).count(b"\n\n") == 4
    assert closed == ["closed"]
