"""A proxy that passes bytes on, or answers 502 to everything, as one does before a dead server."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Final

ANSWER: Final = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 16\r\n"
    b"Connection: close\r\n\r\n<h1>Sorry.</h1>\n"
)


class FlakyProxy:
    """While `broken` is set, what is open is cut and everything new is answered 502."""

    def __init__(self, backend: int) -> None:
        self._backend = backend
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.broken = threading.Event()
        self.answered = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pairs: dict[socket.socket, socket.socket] = {}
        with self._listener:
            while not self._over.is_set():
                ready, _, _ = select.select([self._listener, *pairs], [], [], 0.02)
                if self.broken.is_set():
                    _drop(pairs, *pairs)
                for one in ready:
                    if one is self._listener:
                        self._accept(pairs)
                    elif one in pairs:
                        _pass_on(pairs, one)
        _drop(pairs, *pairs)

    def _accept(self, pairs: dict[socket.socket, socket.socket]) -> None:
        client, _ = self._listener.accept()
        backend = None
        if not self.broken.is_set():
            with contextlib.suppress(OSError):
                backend = socket.create_connection(("127.0.0.1", self._backend))
        if backend is not None:
            pairs[client], pairs[backend] = backend, client
            return
        self.answered += 1
        with client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.recv(65536)
            client.sendall(ANSWER)


def _pass_on(pairs: dict[socket.socket, socket.socket], one: socket.socket) -> None:
    try:
        piece = one.recv(65536)
        pairs[one].sendall(piece)
    except OSError:
        piece = b""
    if not piece:
        _drop(pairs, one, pairs[one])


def _drop(pairs: dict[socket.socket, socket.socket], *sockets: socket.socket) -> None:
    for one in sockets:
        pairs.pop(one, None)
        one.close()
