"""A little web server in this process that answers as a test tells it to, byte for byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

# Seconds that a held connection stays open if nobody closes it.
LIMIT = 20.0


class Request(NamedTuple):
    """A request as it came; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float


class Answer(NamedTuple):
    """What a request gets: bytes, and whether the connection is kept open behind them."""

    data: bytes
    hold: bool = False


Script = Callable[[Request], Answer]


def answer(status: int, body: bytes | str = b"", **headers: str) -> Answer:
    """Return a whole response; `Content_Type` stands for `Content-Type`."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(content)), "Connection": "close", **headers}
    return Answer(_head(status, fields) + content)


def problem(status: int, **members: Any) -> Answer:
    """Return a problem document."""
    text = json.dumps({"type": "about:blank", "status": status, **members})
    return answer(status, text, Content_Type="application/problem+json")


def stream(text: str = "", *, hold: bool = False, **headers: str) -> Answer:
    """Return an event stream that ends with the connection, by default at once."""
    fields = {"Content-Type": "text/event-stream", "Connection": "close", **headers}
    return Answer(_head(200, fields) + b"retry: 10\n" + text.encode(), hold)


def end(text: str = "") -> Answer:
    """Return a stream that comes to its end."""
    return stream(f"{text}event: end\nid: 9~end\ndata: null\n\n")


class Scripted:
    """The server. It gives its answers in order, the last one again and again.

    An answer may be a function of the request. `requests` are those that have come so far.
    """

    def __init__(self, *script: Answer | Script, port: int = 0) -> None:
        self._script = list(script)
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.requests: list[Request] = []
        # Connections that neither side has closed.
        self.open = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer_with(self, *script: Answer | Script) -> None:
        """Answer by another script from now on."""
        with self._lock:
            self._script = list(script)

    def close(self) -> None:
        """Answer no more, and close what is open."""
        for each in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LIMIT)
        self._listener.close()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self._connections.append(connection)
                self._start(self._serve, connection)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self.open += 1
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), self._counted():
            request = _read(connection)
            if request is None:
                return
            with self._lock:
                self.requests.append(request)
                step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
            given = step if isinstance(step, Answer) else step(request)
            connection.sendall(given.data)
            if given.hold:
                connection.settimeout(LIMIT)
                connection.recv(1)


def _read(connection: socket.socket) -> Request | None:
    with connection.makefile("rb") as file:
        first = file.readline().decode().split()
        if len(first) != 3:
            return None
        headers: dict[str, str] = {}
        while line := file.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
    return Request(first[0], first[1], headers, body, time.monotonic())


def _head(status: int, fields: dict[str, str]) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return f"HTTP/1.1 {status} Some\r\n{''.join(lines)}\r\n".encode()
