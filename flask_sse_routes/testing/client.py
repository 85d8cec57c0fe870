"""`sse_client`: opens streams of an app in this process, without a server.

Floor 3. The request runs in the test's own task, so that an exception of the app reaches the
test; the stream is then read in a task of its own.
"""

from __future__ import annotations

import socket
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from .exchange import LocalExchange
from .server_side import ServerSide, noting
from .stream import TestStream


class StreamClient:
    """Opens streams of an app in this process. `http` is Flask's own test client."""

    def __init__(self, client: FlaskClient) -> None:
        self.http = client

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        last_event_id: str | None = None,
        **options: Any,
    ) -> TestStream:
        """Send a request and return its stream; `options` are those of Flask's test client."""
        asked = {**options, "headers": stream_headers(options, last_event_id)}
        # A stream watches the socket that its server shows, so the test's client has one too.
        client, server = socket.socketpair()
        overrides = {**asked.pop("environ_overrides", {}), "werkzeug.socket": server}
        sides: list[ServerSide] = []

        def note(environ: dict[str, Any], side: ServerSide) -> None:
            if environ.get("werkzeug.socket") is server:
                sides.append(side)

        try:
            with noting(note):
                response = self.http.open(path, method=method, environ_overrides=overrides, **asked)
        except BaseException:
            client.close()
            server.close()
            raise

        def reopen(position: str | None) -> TestStream:
            return self.open(path, method=method, last_event_id=position, **options)

        side = sides[0] if sides else None
        return TestStream(LocalExchange(response, (client, server), side), reopen, last_event_id)

    def expect_refusal(self, path: str, status: int, **options: Any) -> Any:
        """Expect a status instead of a stream; return the problem document of the answer.

        Raises `UnexpectedEvent` where a stream opens, or the status is another.
        """
        with self.open(path, **options) as stream:
            stream.expect_status(status)
            return stream.problem()


def stream_headers(options: dict[str, Any], last_event_id: str | None) -> dict[str, str]:
    """Return the headers that an `EventSource` sends, below those of a test's own."""
    headers = {"Accept": "text/event-stream", **(options.get("headers") or {})}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    return headers


def sse_client(app: Flask | FlaskClient) -> StreamClient:
    """Return a stream client for an app, or for a Flask test client whose cookies it shares."""
    return StreamClient(app if isinstance(app, FlaskClient) else app.test_client())
