"""OpenTelemetry: a span for each stream, which ends when the stream ends.

Floor 2, needs the extra `tracing`. A hook, so it is the same on every transport; a request's own
span, which whatever instruments Flask makes, is over when the stream has only begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .context import Context
from .hooks import Hook, hook
from .kinds import get_kind

try:
    from opentelemetry import trace
except ImportError as error:
    raise ImportError(
        f"Spans need opentelemetry-api ({error}): pip install 'flask_sse_routes[tracing]'"
    ) from error

TRACER = "flask_sse_routes"


def traced_streams(*, provider: trace.TracerProvider | None = None) -> Hook:
    """Return a hook that makes a span for each stream: `SSERoutes(hooks=[traced_streams()])`.

    The span is a child of the one that is current when the hook runs, the request's for example,
    and is `ctx.state.stream_span` for hooks after it and the handler. It has the route with its
    blueprints, the outcome, and how many events and bytes were sent; nothing that a client or a
    user brought. A stream whose outcome is `error` has the status of an error, and the type of
    the exception. `provider` is where the tracer comes from (default: the global one).
    """
    tracer = trace.get_tracer(TRACER, tracer_provider=provider)

    @hook
    def traced_stream(ctx: Context) -> Iterator[None]:
        if not _streams(ctx) or hasattr(ctx.state, "stream_span"):
            yield  # answered at once, or asked again by reauthorize=, during the stream
            return
        route = ctx.request.endpoint or ctx.route.name
        span = tracer.start_span(f"stream {route}", attributes={"sse.route": route})
        ctx.state.stream_span = span
        try:
            yield
        finally:
            _end(span, ctx)

    return traced_stream


def _streams(ctx: Context) -> bool:
    if ctx.request.method == "HEAD":
        return False
    return get_kind(ctx.route.kind, ctx.route.owner).describe(ctx.route).streams


def _end(span: Any, ctx: Context) -> None:
    span.set_attribute("sse.outcome", ctx.outcome or "error")
    span.set_attribute("sse.events", ctx.events_sent)
    span.set_attribute("sse.bytes", ctx.bytes_sent)
    if ctx.outcome == "error":
        if ctx.error is not None:
            span.set_attribute("error.type", type(ctx.error).__qualname__)
        span.set_status(trace.Status(trace.StatusCode.ERROR))
    span.end()
