"""A little server that answers as each test says, byte by byte, and remembers what was asked."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from e2e.waiting import wait_for

STREAM = {"Content-Type": "text/event-stream"}
# Pages of another origin may ask it for anything.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Allow-Methods": "*",
    "Access-Control-Expose-Headers": "*",
}


@dataclass
class Asked:
    """One request; `reply` and `write` answer it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    # Of all with its path, counted from 1; a preflight does not count.
    number: int
    handler: BaseHTTPRequestHandler
    at: float = field(default_factory=time.monotonic)

    def reply(
        self, status: int = 200, headers: Mapping[str, str] | None = None, body: bytes | str = b""
    ) -> None:
        """Answer; without a length, so that the body goes on until the handler returns."""
        self.handler.send_response(status)
        for name, value in (CORS | dict(headers or {})).items():
            self.handler.send_header(name, value)
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()
        self.write(body)

    def write(self, body: bytes | str) -> None:
        self.handler.wfile.write(body.encode() if isinstance(body, str) else body)

    def stream(self, body: bytes | str = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply(200, STREAM | named, body)

    def wait_until_gone(self, seconds: float = 20) -> None:
        """Say nothing more, until the client goes away."""
        self.handler.connection.settimeout(seconds)
        while self.handler.connection.recv(4096):
            pass


class Little:
    """A server on a free port; `answer` is called for each request, in a thread of its own."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Callable[[Asked], Any]] = {}
        little = self

        self._open: set[socket.socket] = set()

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                super().setup()
                little._open.add(self.connection)

            def finish(self) -> None:
                little._open.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return lambda: little._answer(self)
                raise AttributeError(name)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, answer: Callable[[Asked], Any]) -> None:
        self.answers[path] = answer

    def of(self, path: str) -> list[Asked]:
        """The requests for a path so far."""
        return [one for one in self.asked if one.path == path]

    def wait_for(self, path: str, count: int, seconds: float = 10) -> list[Asked]:
        """Wait for a number of requests for a path."""
        return wait_for(
            lambda: found if len(found := self.of(path)) >= count else None,
            f"{count} requests for {path}",
            seconds,
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.reset()

    def reset(self) -> None:
        """Forget what was asked; a client may keep connections that it asks nothing on."""
        self.asked.clear()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        method = handler.command
        asked = Asked(method, parts.path, parts.query, headers, body, 0, handler)
        if method == "OPTIONS":
            asked.reply(204)
            return
        self.asked.append(asked)
        asked.number = len(self.of(parts.path))
        answer = self.answers.get(parts.path)
        if answer is None:
            asked.reply(404, {"Content-Type": "text/plain"}, "There is no such page.")
        else:
            answer(asked)
