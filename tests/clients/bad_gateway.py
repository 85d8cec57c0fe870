"""A proxy in front of a server that can be told to answer 502 to everything new."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType

from e2e.waiting import wait_for

PIECE = 64 * 1024
ANSWER = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Gateway:
    """The proxy; bytes go through it as they come. `refused` counts its own answers."""

    def __init__(self, backend: int) -> None:
        self._backend = backend
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.refusing = False
        self.refused = 0
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextlib.contextmanager
    def refuse(self, seconds: float) -> Iterator[None]:
        """Refuse meanwhile, and for so many seconds at least."""
        self.refusing = True
        began = time.monotonic()
        yield
        wait_for(lambda: time.monotonic() - began >= seconds, "the time of refusing", seconds + 5)
        self.refusing = False

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._listener, *self._sockets):
            _shut(each)
        for thread in self._threads:
            thread.join(10)
        for each in (self._listener, *self._sockets):
            each.close()

    def _start(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)  # type: ignore[arg-type]  # callables
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self._sockets.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        if self.refusing:
            with contextlib.suppress(OSError):
                client.recv(PIECE)
                self.refused += 1
                client.sendall(ANSWER)
            _shut(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._backend))
        except OSError:
            _shut(client)
            return
        self._sockets.append(server)
        self._start(_pump, client, server)
        _pump(server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
    _shut(source)
    _shut(target)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
