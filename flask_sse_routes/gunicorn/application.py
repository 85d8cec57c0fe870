"""Between gunicorn and the app: streams are taken off a worker's hands.

Floor 3, in workers of `SSEWorker`. Where what the app returned is a stream's own body,
`Application` takes the connection and the head over and ends the request.
"""

from __future__ import annotations

import _socket
import os
from collections.abc import Callable
from typing import Any

from gunicorn.http.wsgi import Response

from ..offload import get_offload
from ..transport import StreamBody, is_stream


class Application:
    """The WSGI app as gunicorn calls it."""

    def __init__(self, app: Any, answered: Callable[[], None]) -> None:
        """`answered` is called for each request that has not become a stream."""
        self._app = app
        self._answered = answered

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        result = self._app(environ, start_response)
        if type(result) is not StreamBody:
            if not is_stream(environ):
                self._answered()
            return result
        response = getattr(start_response, "__self__", None)
        raw = _take_socket(environ, response)
        if raw is not None:
            _offload(result, response, raw)
            # gunicorn ends the request by it, and closes its own descriptor.
            raise StopIteration
        return result


def _take_socket(environ: dict[str, Any], response: Any) -> Any:
    """Return a descriptor of our own for the connection, unless it is one to leave alone.

    That is TLS, HTTP/2, the uwsgi protocol, and whatever is not a plain answer to be streamed.
    """
    if type(response) is not Response or response.headers_sent or response.cfg.is_ssl:
        return None
    if getattr(response.cfg, "protocol", "http") != "http" or response.response_length is not None:
        return None
    if environ["REQUEST_METHOD"] == "HEAD" or response.status_code != 200 or response.upgrade:
        return None
    try:
        return _socket.socket(fileno=os.dup(response.sock.fileno()))
    except OSError:  # no descriptor left
        return None


class HeadTaker:
    """What gunicorn sends a head to in place of its socket."""

    def __init__(self) -> None:
        self.head = b""

    def sendall(self, data: bytes) -> None:
        """Keep it, for the stream's first bytes to go with it: one send for both."""
        self.head += data


def _offload(body: StreamBody, response: Any, raw: Any) -> None:
    """Take the head that gunicorn would send, and go on without it."""
    response.force_close()
    response.chunked = False
    taker = response.sock = HeadTaker()
    try:
        response.send_headers()
        raw.settimeout(0)
    except BaseException:
        raw.close()
        body.close()
        raise
    stream, on_close = body.hand_over()
    assert stream is not None
    try:
        get_offload().take_over(stream, raw, on_close, head=taker.head)
    except BaseException:
        raw.close()
        stream.transport_over(delivered=False)
        raise
