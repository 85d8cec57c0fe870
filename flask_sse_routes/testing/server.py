"""`sse_server`: an app on a real socket of this machine, in this process.

Floor 3. For what a client within the process has no part in: the kernel's buffers, a write that
waits, a connection that is cut. The server is Werkzeug's, a thread or greenlet for each request.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from .. import concurrency
from .client import stream_headers
from .exchange import SocketExchange
from .failures import StreamTimeout
from .server_side import ServerSide, noting
from .stream import TestStream

# What the kernel holds for either end is small (bytes), so that a client that takes nothing
# is felt after some ten thousand bytes instead of millions.
BUFFER = 4096
# Seconds between looks of the server at whether it should stop.
LOOK = 0.02


class Handler(WSGIRequestHandler):
    """One connection, without a line in the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a test that fails has more to say."""


class StreamServer:
    """A running server. `url` is where it listens, `http://127.0.0.1:` and a free port."""

    def __init__(self, server: BaseWSGIServer) -> None:
        self._address = server.host, server.port
        # By the client's port.
        self._sides: dict[int, ServerSide] = {}
        self._opened: list[TestStream] = []

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{self._address[0]}:{self._address[1]}"

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        last_event_id: str | None = None,
        timeout: float = 5.0,
        **options: Any,
    ) -> TestStream:
        """Send a request and return its stream; `options` are those of Flask's test client.

        Raises `StreamTimeout` when no head comes within `timeout` seconds. On a clock made by
        hand a handler without a first event keeps it back for `open_timeout`.
        """
        asked = {**options, "headers": stream_headers(options, last_event_id)}
        request = EnvironBuilder(path, self.url, method=method, **asked).get_request(Request)
        exchange = self._send(request, timeout)

        def reopen(position: str | None) -> TestStream:
            return self.open(path, method=method, last_event_id=position, **options)

        stream = TestStream(exchange, reopen, last_event_id)
        self._opened.append(stream)
        return stream

    def note(self, environ: dict[str, Any], side: ServerSide) -> None:
        """Remember whose stream was opened here, until its client knows."""
        if environ["SERVER_PORT"] == str(self._address[1]):
            self._sides[environ["REMOTE_PORT"]] = side

    def close(self) -> None:
        """Close the streams that are still open."""
        for stream in self._opened:
            stream.close()

    def _send(self, request: Request, timeout: float) -> SocketExchange:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        raw.settimeout(timeout)
        connection = http.client.HTTPConnection(*self._address)
        connection.sock = raw
        try:
            raw.connect(self._address)
            target = request.full_path.removesuffix("?")
            connection.request(request.method, target, request.get_data(), dict(request.headers))
            response = connection.getresponse()
        except TimeoutError:
            raw.close()
            raise StreamTimeout(f"No answer to {request.path} within {timeout:g} s.") from None
        except BaseException:
            raw.close()
            raise
        raw.settimeout(None)
        return SocketExchange(raw, response, self._sides.pop(raw.getsockname()[1], None))


@contextlib.contextmanager
def sse_server(app: Flask) -> Iterator[StreamServer]:
    """Serve an app on a free port of 127.0.0.1 for the length of the block."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    running = StreamServer(server)
    concurrency.task(lambda: server.serve_forever(LOOK), "sse-test-server").start()
    try:
        with noting(running.note):
            yield running
    finally:
        try:
            running.close()
        finally:
            server.shutdown()
