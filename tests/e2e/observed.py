"""The application under test with metrics and spans.

Spans go to the file that `E2E_SPANS` names, a line each.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask, g
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from flask_sse_routes import RouteBlueprint, SSERoutes
from flask_sse_routes.metrics import PrometheusMetrics
from flask_sse_routes.tracing import traced_streams

from .apps import note_request, record, routes


def as_line(span: ReadableSpan) -> str:
    return json.dumps(json.loads(span.to_json())) + "\n"


def make_provider() -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    if path := os.environ.get("E2E_SPANS"):
        file = Path(path).open("a")  # noqa: SIM115  # for as long as the process lives
        exporter = ConsoleSpanExporter(out=file, formatter=as_line)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


provider = make_provider()
tracer = provider.get_tracer(__name__)
sse = SSERoutes(hooks=[traced_streams(provider=provider)])
# The test waits for what one worker writes and the other reads.
metrics = PrometheusMetrics(sse, every=0.3)


def begin_span() -> None:
    """Do what an instrumentation of Flask does."""
    g.span = tracer.start_span("request")
    g.token = context.attach(trace.set_span_in_context(g.span))


def end_span(_error: BaseException | None) -> None:
    if "span" in g:
        g.span.end()
        context.detach(g.token)


def create_app() -> Flask:
    app = Flask(__name__)
    sse.init_app(app)
    app.before_request(begin_span)
    app.before_request(note_request)
    app.teardown_request(end_span)
    app.add_url_rule("/metrics", "metrics", metrics.view)
    app.register_blueprint(
        RouteBlueprint("api", __name__, routes, hooks=[record], url_prefix="/api")
    )
    return app


app = create_app()
