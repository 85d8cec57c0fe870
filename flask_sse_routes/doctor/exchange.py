"""One GET, and when each part of its answer arrived.

Floor 3. A thread of its own reads, so that whoever watches can stop waiting at any time.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import threading
import time
import zlib
from email.message import Message
from typing import Any, NamedTuple

from .target import Target

# What every browser can read, and the standard library too; and all that browsers ask for.
ENCODINGS = "gzip, deflate"
ALL_ENCODINGS = f"{ENCODINGS}, br, zstd"
READABLE = frozenset({"gzip", "x-gzip", "deflate"})
FAILURES = (OSError, http.client.HTTPException, zlib.error)
# gzip and zlib, whichever it is.
ANY_ZLIB = 47


class Head(NamedTuple):
    """The head of the answer."""

    at: float
    status: int
    headers: Message


class Piece(NamedTuple):
    """Bytes of the body that arrived together, without a compression that is `READABLE`."""

    at: float
    data: bytes


class End(NamedTuple):
    """The end of the answer, or of the connection."""

    at: float
    error: Exception | None


Part = Head | Piece | End


class Exchange:
    """A request that is under way; `parts` are what has arrived."""

    def __init__(self, target: Target, path: str, headers: dict[str, str]) -> None:
        self.began = time.monotonic()
        self.parts: queue.Queue[Part] = queue.Queue()
        self._path = path
        self._headers = {"Accept-Encoding": ENCODINGS, **target.headers, **headers}
        self._connection = target.connection()
        self._socket: Any = None
        self._closed = False
        threading.Thread(target=self._run, name="sse-doctor", daemon=True).start()

    def next(self, seconds: float) -> Part | None:
        """Return the next part; `None` when none comes in time."""
        try:
            return self.parts.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    def close(self) -> None:
        """Leave, whether or not the answer has ended."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        error: Exception | None = None
        with contextlib.closing(self._connection):
            try:
                self._connection.connect()
                self._socket = self._connection.sock
                self._socket.settimeout(None)
                self._connection.request("GET", self._path, headers=self._headers)
                self._read(self._connection.getresponse())
            except FAILURES as failure:
                error = failure
        self.parts.put(End(time.monotonic(), error))

    def _read(self, response: http.client.HTTPResponse) -> None:
        with response:
            self.parts.put(Head(time.monotonic(), response.status, response.headers))
            packed = response.headers.get("Content-Encoding", "").lower() in READABLE
            unpack = zlib.decompressobj(ANY_ZLIB).decompress if packed else bytes
            while not self._closed and (data := response.read1(65536)):
                self.parts.put(Piece(time.monotonic(), unpack(data)))
