"""From a request to an open stream: hooks, limits, the handler's call, the response.

Floor 2. Runs within the request; whatever goes wrong on the way gives the place back, ends
what the handler has begun and runs the cleanup hooks.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import Any

from flask.wrappers import Response
from werkzeug.exceptions import HTTPException

from .. import clock
from ..addresses import counted
from ..codec import EventCodec
from ..context import CURRENT, Context
from ..errors import BrokerUnavailable, DeclarationError, OutputError, StreamError
from ..followers import ChannelSource
from ..hooks import HookRun
from ..peer import Peer
from ..problems import announce, is_meant_for_clients, problem_of
from ..sockets import client_socket
from ..sources import GeneratorSource, Source
from ..stalls import get_stall_watch
from ..steps import Scope, contexts
from ..stream import Stream
from ..subscriptions import Subscription
from ..timing import Timing
from ..transport import StreamBody, remember, stream_response
from .base import Call
from .reauthorizing import Reauthorizer
from .refusals import UNAVAILABLE, refuse, refuse_without_broker

# What `iter` takes and yet is no stream of events.
NO_STREAMS = (str, bytes, bytearray, Mapping)


class StreamOpener:
    """One request that may become a stream."""

    def __init__(self, call: Call, ctx: Context) -> None:
        self._call = call
        self._ctx = ctx
        self._run = HookRun(call.hooks, ctx)
        self._streams = call.runtime.streams
        self._opening = self._streams.opening()
        self._reauthorizer: Reauthorizer | None = None

    def respond(self) -> Response:
        """Return the stream's response, or the refusal that its client understands."""
        refusal = self._before()
        if refusal is not None:
            return refusal
        if self._call.request.method == "HEAD":
            self._cleanup("completed")
            return self._response(b"")
        return self._open()

    def _before(self) -> Response | None:
        try:
            answer = self._run.before()
            if answer is not None:
                raise TypeError(
                    f"{self._call.route.owner}: a before hook returned {answer!r}; on an sse "
                    "route it can only let pass or raise, with abort() for example."
                )
        except HTTPException as error:
            self._cleanup("rejected", error)
            if error.code not in UNAVAILABLE:
                raise
            self._streams.count_refusal(self._call.endpoint, "hook")
            again = getattr(error, "retry_after", None)
            return refuse(self._call, "unavailable", error.description, again)
        except BaseException as error:
            self._cleanup("error", error)
            raise
        return None

    def _open(self) -> Response:
        reserved = False
        try:
            get_stall_watch().start()
            limit = self._call.runtime.max_streams
            per_client = self._call.runtime.config.max_streams_per_client
            client = _client(self._call, self._ctx) if per_client is not None else None
            reserved = self._streams.reserve(client, limit, per_client, route=self._call.endpoint)
            stream = self._stream(client) if reserved else None
        except BaseException as error:
            if reserved:
                self._streams.release(client)
            self._cleanup("error", error)
            if isinstance(error, BrokerUnavailable):
                return refuse_without_broker(self._call, error)
            raise
        if stream is not None:
            return self._start(stream)
        self._cleanup("rejected")
        return refuse(self._call, "capacity", "Too many streams are open.")

    def _stream(self, client: Any) -> Stream:
        """Call the handler and make a stream of what it returns; a generator does not run yet."""
        options = self._call.route.options
        rules = rules_of(self._call)
        source = self._source(rules.codec)
        try:
            return Stream(
                self._call.endpoint,
                source,
                rules.timing,
                _peer(self._call),
                client=client,
                user=self._ctx.user,
                remote=self._call.address,
                describe_error=rules.describe_error,
                finished=self._finished if self._is_needed_by(source) else self._streams.discard,
                terminal=options["on_end"] == "stop",
                finish_on_drain=rules.finish_on_drain,
            )
        except BaseException:
            source.close("error")
            raise

    def _is_needed_by(self, source: Source) -> bool:
        """Tell whether anything during the stream, or after it, may ask for the context."""
        return not (
            isinstance(source, ChannelSource)
            and source.plain
            and not self._run.needs_cleanup
            and self._call.route.options["reauthorize"] is None
        )

    def _source(self, codec: EventCodec) -> Source:
        route, ctx = self._call.route, self._ctx
        token = CURRENT.set(ctx)
        try:
            result = route.call(ctx)
        finally:
            CURRENT.reset(token)
        if isinstance(result, Subscription):
            ctx.settle(None)
            return result.open(ctx.resumes_from)
        step, scope = contexts(self._call.app, route.options["context"], route.owner)
        source = GeneratorSource(
            _iterator(self._call, result),
            codec,
            name=route.name,
            step=step,
            scope=_current(ctx, scope),
        )
        ctx.settle(source)
        return source

    def _start(self, stream: Stream) -> Response:
        """Start the stream and wait a moment for its first event, or for its first exception."""
        call, option = self._call, self._call.route.options["open_timeout"]
        self._streams.add(stream, self._opening)
        if isinstance(stream.source, GeneratorSource):
            # What a handler listens to is known only then.
            stream.source.on_listen = partial(self._opening.obey, stream)
        try:
            stream.start()
            _wait_for_first(stream, call.runtime.config.open_timeout if option is None else option)
            error = stream.source.error
            if error is not None and not stream.source.began:
                stream.transport_over(delivered=True)
                if isinstance(error, BrokerUnavailable):
                    return refuse_without_broker(call, error)
                raise error
            body = StreamBody(stream)
            remember(call.request.environ, body)
            if self._is_needed_by(stream.source):
                self._ctx.freeze_request()
            if seconds := call.route.options["reauthorize"]:
                self._reauthorizer = Reauthorizer(call, self._ctx, stream, seconds)
                self._reauthorizer.start()
            del call.request  # the stream must not hold on to what belongs to the server
            return self._response(body)
        except BaseException as error:
            stream.abandon(error)
            raise

    def _response(self, body: StreamBody | bytes) -> Response:
        heartbeat = self._call.runtime.config.heartbeat
        return stream_response(self._call.app.response_class, body, heartbeat)

    def _cleanup(self, outcome: str, error: BaseException | None = None) -> None:
        self._call.cleanup(self._run, self._ctx, outcome, error)

    def _finished(self, stream: Stream, error: BaseException | None) -> None:
        """The stream is over: clean up, then count it and give its place back."""
        assert stream.outcome is not None
        self._ctx.note_sent(stream.events, stream.bytes)
        reauthorizer, self._reauthorizer = self._reauthorizer, None
        if reauthorizer is not None:
            reauthorizer.stop()
        try:
            self._cleanup(stream.outcome, error)
        finally:
            self._streams.discard(stream)


class Rules:
    """What is the same for all streams of a route in an app."""

    def __init__(self, call: Call) -> None:
        route, runtime, config = call.route, call.runtime, call.runtime.config
        assert route.event_types is not None
        self.codec = EventCodec(
            route.event_types,
            max_bytes=config.max_event_bytes,
            validate=config.validate_output,
            fallback=runtime.fallback,
        )
        duration = route.options["max_duration"]
        self.timing = Timing(config.heartbeat, config.send_timeout, config.retry, duration)
        drain = route.options["drain"] or ("now" if route.method == "GET" else "finish")
        self.finish_on_drain = drain == "finish"
        self._app = weakref.ref(call.app)
        self._route = route
        resumable = route.options["on_end"] == "reconnect"
        self._encode = self.codec.plain_error if resumable else self.codec.error

    def describe_error(self, error: BaseException) -> bytes:
        """Return the `error` event of an exception."""
        app = self._app()
        assert app is not None
        if not (isinstance(error, StreamError) or is_meant_for_clients(error)):
            announce(app, error)
        try:
            return self._encode(problem_of(app, error, self._route.owner))
        except OutputError as failure:  # a detail that is no text that can be sent
            return self._encode(problem_of(app, failure, self._route.owner))


def rules_of(call: Call) -> Rules:
    """Return the rules of a route, made at its first stream."""
    rules: dict[int, Rules] = call.runtime.rules
    found = rules.get(id(call.route))
    if found is None:
        found = rules[id(call.route)] = Rules(call)
    return found


def _client(call: Call, ctx: Context) -> Hashable:
    """Return whom the stream counts for: the user, or else the address."""
    user = ctx.user
    if user is None:
        return ("address", counted(call.address))
    if not isinstance(user, Hashable):
        raise TypeError(
            f"identify= returned a {type(user).__name__}; SSE_MAX_STREAMS_PER_CLIENT needs "
            "something hashable, the user's id for example."
        )
    return ("user", user)


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


def _iterator(call: Call, result: Any) -> Iterator[Any]:
    if not isinstance(result, NO_STREAMS):
        try:
            return iter(result)
        except TypeError:
            pass
    raise DeclarationError(
        f"{call.route.owner}: its handler returned {type(result).__name__}; an sse handler "
        "yields, or returns an iterable of events. To answer once, use kind='http'."
    )


def _wait_for_first(stream: Stream, seconds: float) -> None:
    deadline = clock.now() + seconds
    while (left := deadline - clock.now()) > 0:
        stream.signal.clear()
        if stream.source.ready or stream.reason is not None or not stream.signal.wait(left):
            return
