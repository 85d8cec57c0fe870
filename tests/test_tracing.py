"""A span for each stream, and for nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, abort
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_sse_routes import Context, RouteBlueprint, SSERoutes, define_hook, define_route
from flask_sse_routes.testing import sse_client
from flask_sse_routes.tracing import traced_streams


def numbers(ctx: Context) -> Iterator[int]:
    ctx.state.stream_span.set_attribute("mine", "yes")
    yield from range(2)


def failing() -> Iterator[int]:
    yield 1
    raise LookupError("the password is hunter2")


asked_again = threading.Event()


def asked(ctx: Context) -> None:
    if hasattr(ctx.state, "asked"):
        asked_again.set()
    ctx.state.asked = True


def waiting(ctx: Context) -> Iterator[int]:
    yield 1
    assert asked_again.wait(10)


def refuse(ctx: Context) -> None:
    abort(403)


ROUTES = {
    "numbers": define_route(numbers, kind="sse"),
    "failing": define_route(failing, kind="sse"),
    "waiting": define_route(
        waiting, kind="sse", reauthorize=0.1, hooks=[define_hook(before=asked)]
    ),
    "closed": define_route(numbers, kind="sse", hooks=[define_hook(before=refuse)]),
    "plain": define_route(lambda: 1),
}


class Traced:
    """An app whose streams are traced, and the spans that have ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        app = Flask("site")
        hooks = [traced_streams(provider=self.provider)]
        SSERoutes(app, hooks=hooks, identify=lambda request: "ann@example.com")
        app.register_blueprint(RouteBlueprint("api", __name__, ROUTES, url_prefix="/api"))
        self.client = app.test_client()

    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def read(self, route: str) -> None:
        with sse_client(self.client).open(f"/api/{route}?q=secret") as stream:
            list(stream)


@pytest.fixture
def traced() -> Traced:
    return Traced()


def test_a_stream_that_completes(traced: Traced, eventually: Any) -> None:
    with traced.provider.get_tracer("test").start_as_current_span("request") as request:
        traced.read("numbers")
    eventually(lambda: len(traced.spans()) == 2)
    (span,) = (span for span in traced.spans() if span.name == "stream api.numbers")
    assert span.parent == request.get_span_context()
    attributes = dict(span.attributes or {})
    assert attributes.pop("sse.bytes") > 40  # type: ignore[operator]  # a number
    assert attributes == {
        "sse.route": "api.numbers",
        "sse.outcome": "completed",
        "sse.events": 3,
        "mine": "yes",
    }
    assert span.status.status_code is trace.StatusCode.UNSET


def test_a_stream_that_fails(traced: Traced, eventually: Any) -> None:
    traced.read("failing")
    eventually(lambda: len(traced.spans()) == 1)
    (span,) = traced.spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "LookupError"
    text = span.to_json()
    assert "hunter2" not in text
    assert "secret" not in text
    assert "ann@" not in text


def test_a_request_that_is_refused(traced: Traced) -> None:
    assert traced.client.get("/api/closed").status_code == 403
    (span,) = traced.spans()
    assert dict(span.attributes or {}) == {
        "sse.route": "api.closed",
        "sse.outcome": "rejected",
        "sse.events": 0,
        "sse.bytes": 0,
    }


def test_no_span_for_what_is_no_stream(traced: Traced) -> None:
    assert traced.client.get("/api/plain").json == 1
    assert traced.client.get("/api/nowhere").status_code == 404
    assert traced.client.head("/api/numbers").status_code == 200
    assert traced.spans() == ()


def test_hooks_that_ask_again_begin_no_other_span(traced: Traced, eventually: Any) -> None:
    traced.read("waiting")
    assert asked_again.is_set()
    eventually(lambda: traced.spans())
    assert [span.name for span in traced.spans()] == ["stream api.waiting"]
