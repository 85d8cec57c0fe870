"""The `sse` kind: the handler yields many times, the response is a stream of events.

Floor 2. `respond` decides whether there is a stream; from then on `streams.Stream` does.
"""

from __future__ import annotations

import functools
import logging
import operator
import random
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NamedTuple

from flask.wrappers import Response
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable

from .. import wire
from ..codec import EventCodec, EventTypes
from ..concurrency import cooperative
from ..context import CURRENT, Context, sent_id
from ..errors import BrokerUnavailable, DeclarationError, EventError, OutputError
from ..hooks import HookRun
from ..problems import problem_of
from ..routes import Route
from ..schema import OutputSchema, union_members, yielded_type
from ..sockets import client_socket
from ..sources import GeneratorSource, Source
from ..stalls import get_stall_watch
from ..steps import CONTEXTS, Scope, contexts
from ..stream import TRY_LATER, Peer, Stream, Timing, retry_between
from ..subscriptions import Subscription
from ..transport import StreamBody, remember, stream_response
from .base import Call, Kind

log = logging.getLogger(__name__)

EVENT_STREAM = "text/event-stream"
UNAVAILABLE = frozenset({502, 503, 504})
# What `iter` takes and yet is no stream of events.
NO_STREAMS = (str, bytes, bytearray, Mapping)


class Choice(NamedTuple):
    """An option of the kind with a fixed set of values."""

    name: str
    values: tuple[str | None, ...]


CHOICES = (
    Choice("context", CONTEXTS),
    Choice("on_end", ("stop", "reconnect")),
    Choice("drain", (None, "now", "finish")),
)


class SseKind(Kind):
    """One request, a stream of events.

    Options: `context` (`step`, `stream`, `none`), `on_end` (`stop`, `reconnect`), `drain`
    (`now`, `finish`; by default `now` for GET), `max_duration` and `open_timeout` (seconds).
    """

    options: ClassVar[Mapping[str, Any]] = {
        "context": "step",
        "on_end": "stop",
        "drain": None,
        "max_duration": None,
        "open_timeout": None,
    }

    def check(self, route: Route) -> Route:
        route = super().check(route)
        for choice in CHOICES:
            _check_choice(route, choice)
        _check_seconds(route, "max_duration", least=0.001)
        _check_seconds(route, "open_timeout", least=0)
        return replace(route, event_types=_event_types(route))

    def respond(self, call: Call) -> Response:
        ctx = call.context()
        if _is_finished(call):
            return call.app.response_class(status=204)
        _refuse_server(call)
        call.read_input(ctx)
        run = HookRun(call.hooks, ctx)
        refusal = _before(call, run, ctx)
        if refusal is not None:
            return refusal
        if call.request.method == "HEAD":
            call.cleanup(run, ctx, "completed")
            return _head(call)
        return _open(call, run, ctx)


def _check_choice(route: Route, choice: Choice) -> None:
    value = route.options[choice.name]
    if value not in choice.values:
        known = ", ".join(repr(v) for v in choice.values if v is not None)
        raise DeclarationError(f"{route.owner}: {choice.name}={value!r} is not one of {known}.")


def _check_seconds(route: Route, name: str, least: float) -> None:
    value = route.options[name]
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
        raise DeclarationError(
            f"{route.owner}: {name}={value!r} must be a number of seconds, {least} or more."
        )


def _event_types(route: Route) -> EventTypes:
    for name in route.events:
        try:
            wire.check(wire.Event(raw="", event=name))
        except EventError as error:
            raise DeclarationError(f"{route.owner}: events= has {name!r}: {error}") from error
    named = {n: OutputSchema(f"{route.owner}, event {n!r}", t) for n, t in route.events.items()}
    declared = route.output if route.output is not None else _yielded(route)
    message = OutputSchema(route.owner, declared) if declared is not None else None
    return EventTypes(route.owner, message, named)


def _yielded(route: Route) -> Any:
    """Return the type of unnamed events by the annotation: T of `Iterator[T]`, less the rest."""
    others = (None, Any, wire.Event, *route.events.values())
    members = [m for m in union_members(yielded_type(route.returns)) if m not in others]
    if not members or members == [type(None)]:
        return None
    return functools.reduce(operator.or_, members)


def _is_finished(call: Call) -> bool:
    """Tell whether a client comes back to a stream that has told it its end (204, 9.2)."""
    if call.route.options["on_end"] == "reconnect":
        return False
    return sent_id(call.request).endswith(wire.END_SUFFIX)


def _refuse_server(call: Call) -> None:
    """Refuse servers under which a stream would block everything else, or never end."""
    environ = call.request.environ
    software = environ.get("SERVER_SOFTWARE", "")
    advice = None
    if software.startswith("gunicorn") and not environ.get("wsgi.multithread"):
        advice = "gunicorn's sync worker cannot stream: start it with -k gevent or -k gthread."
    elif type(environ.get("wsgi.input")).__module__ == "gevent.pywsgi" and not cooperative():
        advice = (
            "gevent.pywsgi serves a process that gevent has not patched: call "
            "gevent.monkey.patch_all() before anything else is imported."
        )
    if advice is not None:
        log.error("%s refused: %s", call.route.owner, advice)
        raise InternalServerError("This server is not set up for event streams.")


def _before(call: Call, run: HookRun, ctx: Context) -> Response | None:
    """Run the before hooks; return a refusal that an EventSource understands, if there is one."""
    try:
        answer = run.before()
        if answer is not None:
            raise TypeError(
                f"{call.route.owner}: a before hook returned {answer!r}; on an sse route it can "
                "only let pass or raise, with abort() for example."
            )
    except HTTPException as error:
        call.cleanup(run, ctx, "rejected", error)
        if error.code not in UNAVAILABLE:
            raise
        call.runtime.streams.count_refusal()
        return _refuse(call, "unavailable", error.description, getattr(error, "retry_after", None))
    except BaseException as error:
        call.cleanup(run, ctx, "error", error)
        raise
    return None


def _is_event_source(call: Call) -> bool:
    """Tell whether the client is one that gives up for good at a 503 (9.2.3)."""
    return call.request.method == "GET" and any(
        media == EVENT_STREAM for media, _ in call.request.accept_mimetypes
    )


def _refuse(call: Call, why: str, detail: str | None, retry_after: Any = None) -> Response:
    """Have a client come back later: an EventSource by a stream that says only when."""
    if not _is_event_source(call):
        raise ServiceUnavailable(detail, retry_after=retry_after or random.randint(3, 10))
    heartbeat = call.runtime.config.heartbeat
    return stream_response(
        call.app.response_class, retry_between(TRY_LATER), heartbeat, SSE_Refused=why
    )


def _unavailable(call: Call, error: BrokerUnavailable) -> Response:
    log.warning("%s refused: %s", call.route.owner, error)
    call.runtime.streams.count_refusal()
    return _refuse(call, "unavailable", "The broker does not answer.")


def _head(call: Call) -> Response:
    return stream_response(call.app.response_class, b"", call.runtime.config.heartbeat)


def _open(call: Call, run: HookRun, ctx: Context) -> Response:
    streams = call.runtime.streams
    reserved = False
    try:
        get_stall_watch().start()
        call.runtime.obey()
        limit, per_client = call.runtime.max_streams, call.runtime.config.max_streams_per_client
        client = _client(call, ctx) if per_client is not None else None
        reserved = streams.reserve(client, limit, per_client)
        stream = _stream(call, run, ctx, client) if reserved else None
    except BaseException as error:
        if reserved:
            streams.release(client)
        call.cleanup(run, ctx, "error", error)
        if isinstance(error, BrokerUnavailable):
            return _unavailable(call, error)
        raise
    if stream is not None:
        return _respond(call, ctx, stream)
    call.cleanup(run, ctx, "rejected")
    return _refuse(call, "capacity", "Too many streams are open.")


def _client(call: Call, ctx: Context) -> Hashable:
    """Return whom the stream counts for: the user, or else the address."""
    user = ctx.user if ctx.user is not None else call.request.remote_addr
    if not isinstance(user, Hashable):
        raise TypeError(
            f"identify= returned a {type(user).__name__}; SSE_MAX_STREAMS_PER_CLIENT needs "
            "something hashable, the user's id for example."
        )
    return user


def _stream(call: Call, run: HookRun, ctx: Context, client: Any) -> Stream:
    """Call the handler and make a stream of what it returns; a generator does not run yet."""
    route, runtime, config = call.route, call.runtime, call.runtime.config
    assert route.event_types is not None
    codec = EventCodec(
        route.event_types,
        max_bytes=config.max_event_bytes,
        validate=config.validate_output,
        fallback=runtime.fallback,
    )
    source = _source(call, ctx, codec)
    drain = route.options["drain"] or ("now" if route.method == "GET" else "finish")
    return Stream(
        route.name,
        source,
        Timing(config.heartbeat, config.send_timeout, config.retry, route.options["max_duration"]),
        _peer(call),
        client=client,
        user=ctx.user,
        describe_error=partial(_error_frame, call, codec),
        finished=partial(_finished, call, run, ctx),
        terminal=route.options["on_end"] == "stop",
        finish_on_drain=drain == "finish",
    )


def _source(call: Call, ctx: Context, codec: EventCodec) -> Source:
    route = call.route
    result = route.call(ctx)
    if isinstance(result, Subscription):
        ctx.settle(None)
        followed = result.open(_resume_from(call, ctx))
        call.runtime.obey()  # channels are in use, if they were not before
        return followed
    iterator = _iterator(route, result)
    step, scope = contexts(call.app, route.options["context"], route.owner)
    source = GeneratorSource(
        iterator, codec, name=route.name, step=step, scope=_current(ctx, scope)
    )
    ctx.settle(source)
    return source


def _resume_from(call: Call, ctx: Context) -> str | None:
    """Return the client's position; where it is not one, a text that no broker has handed out."""
    return "?" if ctx.last_event_id is None and sent_id(call.request) else ctx.last_event_id


def _current(ctx: Context, scope: Scope) -> Scope:
    """Make `ctx` the current one of the task that the handler runs in."""

    def outer(run: Callable[[], None]) -> Callable[[], None]:
        def inner() -> None:
            CURRENT.set(ctx)
            run()

        return scope(inner)

    return outer


def _peer(call: Call) -> Peer:
    environ = call.request.environ
    return Peer(client_socket(environ), environ.get("waitress.client_disconnected"))


def _iterator(route: Route, result: Any) -> Iterator[Any]:
    if not isinstance(result, NO_STREAMS):
        try:
            return iter(result)
        except TypeError:
            pass
    raise DeclarationError(
        f"{route.owner}: its handler returned {type(result).__name__}; an sse handler yields, or "
        "returns an iterable of events. To answer once, use kind='http'."
    )


def _respond(call: Call, ctx: Context, stream: Stream) -> Response:
    """Start the stream and wait a moment for its first event, or for its first exception."""
    config, option = call.runtime.config, call.route.options["open_timeout"]
    call.runtime.streams.add(stream)
    try:
        stream.start()
        _wait_for_first(stream, config.open_timeout if option is None else option)
        error = stream.source.error
        if error is not None and not stream.source.began:
            stream.transport_over(delivered=True)
            if isinstance(error, BrokerUnavailable):
                return _unavailable(call, error)
            raise error
        body = StreamBody(stream)
        remember(call.request.environ, body)
        ctx.freeze_request()
        del call.request  # the stream must not hold on to what belongs to the server
        return stream_response(call.app.response_class, body, config.heartbeat)
    except BaseException as error:
        stream.abandon(error)
        raise


def _wait_for_first(stream: Stream, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        stream.signal.clear()
        if stream.source.ready or stream.reason is not None:
            return
        stream.signal.wait(left)


def _error_frame(call: Call, codec: EventCodec, error: BaseException) -> bytes:
    encode = codec.plain_error if call.route.options["on_end"] == "reconnect" else codec.error
    try:
        return encode(problem_of(call.app, error, call.route.owner))
    except OutputError as failure:  # a detail that is no text that can be sent
        return encode(problem_of(call.app, failure, call.route.owner))


def _finished(
    call: Call, run: HookRun, ctx: Context, stream: Stream, error: BaseException | None
) -> None:
    """The stream is over: clean up, then count it and give its place back."""
    assert stream.outcome is not None
    try:
        call.cleanup(run, ctx, stream.outcome, error)
    finally:
        call.runtime.streams.discard(stream)
