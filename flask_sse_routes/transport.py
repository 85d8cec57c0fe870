"""The portable transport: a stream as the iterable of a WSGI response (PEP 3333).

Floor 2. The server's own task waits here for the stream's signal and sends what has come
together since; what waits in the handler is another task. Works on any WSGI server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from flask import request
from flask.wrappers import Response

from . import concurrency
from .stream import Stream

BODY = "flask_sse_routes.body"
STREAM = "flask_sse_routes.stream"
CONTENT_TYPE = "text/event-stream; charset=utf-8"


class StreamBody:
    """The iterable that a WSGI server sends: one chunk for all that is ready together."""

    def __init__(self, stream: Stream) -> None:
        self._stream: Stream | None = stream
        self._finished = False
        self.handed_over = False
        self.on_close: Callable[[], None] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        stream = self._stream
        if stream is None or self._finished:
            raise StopIteration
        stream.attend()
        stream.sent()
        while not stream.over:
            if not stream.more:
                stream.signal.wait()
            chunk = stream.chunk()
            if chunk:
                return chunk
            if stream.more:
                concurrency.breathe()
        self._finished = True
        raise StopIteration

    def hand_over(self) -> tuple[Stream | None, Callable[[], None] | None]:
        """Give the stream, and what is to be called at its end, to another transport."""
        stream, self._stream = self._stream, None
        callback, self.on_close = self.on_close, None
        return stream, callback

    def close(self) -> None:
        """End the stream if the server has not sent all of it; calling again does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.transport_over(delivered=self._finished)
        callback, self.on_close = self.on_close, None
        if callback is not None:
            callback()

    def __del__(self) -> None:
        # A server that fails may drop a response without closing it.
        if self._stream is not None:
            self.close()


class StreamResponseMixin:
    """What a stream's response does differently from any other of the app's class."""

    # The head of a stream, which HEAD asks for, has no length (RFC 9110, 9.3.2).
    automatically_set_content_length = False

    def get_app_iter(self, environ: dict[str, Any]) -> Iterable[bytes]:
        """Hand the server the body itself, which then calls `call_on_close` functions."""
        response = cast(Response, super())
        body = response.get_app_iter(environ)
        if isinstance(body, StreamBody):
            if cast(Response, self)._on_close:
                body.on_close = cast(Response, self).close
            body.handed_over = True
        return body

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Any:
        """Take out the mark that keeps compressing extensions away (RFC 9110, 8.4.1)."""
        response = cast(Response, super())
        headers = response.get_wsgi_headers(environ)
        if headers.get("Content-Encoding") == "identity":
            del headers["Content-Encoding"]
        return headers


# Made of the app's own class: Flask would turn any other into it and lose the mixin.
_CLASSES: dict[type[Response], type[Response]] = {}


def _stream_response_class(base: type[Response]) -> type[Response]:
    if base not in _CLASSES:
        _CLASSES[base] = type("StreamResponse", (StreamResponseMixin, base), {})
    return _CLASSES[base]


def stream_response(
    base: type[Response], body: StreamBody | bytes, heartbeat: float, **headers: str
) -> Response:
    """Return the response of a stream, or of one that says its last words at once."""
    fields = [
        ("Content-Type", CONTENT_TYPE),
        ("Cache-Control", "no-store, no-transform"),
        ("X-Accel-Buffering", "no"),
        ("X-Content-Type-Options", "nosniff"),
        ("SSE-Heartbeat", f"{heartbeat:g}"),
        ("Content-Encoding", "identity"),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    ]
    response = _stream_response_class(base)(body, headers=fields)
    response.direct_passthrough = isinstance(body, StreamBody)
    return response


def remember(environ: dict[str, Any], body: StreamBody) -> None:
    """Note which body the current request is to be answered with."""
    environ[BODY] = body, threading.get_ident()
    environ[STREAM] = True


def is_stream(environ: dict[str, Any]) -> bool:
    """Tell whether a request was answered with a stream, whatever is around it by now."""
    return STREAM in environ


def close_unsent(_error: BaseException | None = None) -> None:
    """Close the body of a request that was answered with something else after all.

    An after_request function that fails makes Flask drop a response without closing it. Runs
    at the end of each request, and of each copy of its context in another task, which is
    none of its business.
    """
    body, task = request.environ.get(BODY, (None, None))
    if body is not None and task == threading.get_ident():
        del request.environ[BODY]
        if not body.handed_over:
            body.close()
