"""A client on a bare socket, which shows when each byte arrived and how the response ended."""

from __future__ import annotations

import json
import socket
import ssl
import statistics
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_sse_routes.wire import Decoder, Event

Address = tuple[str, int]
# What an event is made of: a block with one of these is lost if it has no end.
FIELDS = (b"data", b"event", b"id")


@dataclass(frozen=True)
class Arrival:
    """An event and the moment at which its last byte was read (`time.monotonic`)."""

    event: Event
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.event.data)


def typical_delay(arrivals: Iterable[Arrival]) -> float:
    """Return the median time from the yield, which the data tells as `at`, to the arrival.

    An event that is held back until the next one comes is late by their distance; that one of
    them is late on a busy machine is no fault.
    """
    return statistics.median(arrival.at - arrival.json["at"] for arrival in arrivals)


class Stream:
    """One request and its response, read as it comes.

    `complete` tells that the response came to its terminal chunk, or to the length that it
    gave, or, where nothing in it tells its end, that the server closed the connection after a
    whole event; `closed` that it closed the connection.
    """

    def __init__(
        self,
        address: Address,
        target: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        receive_buffer: int | None = None,
        version: str = "1.1",
        tls: ssl.SSLContext | None = None,
        keep: int | None = None,
    ) -> None:
        """`keep`: how many characters of each event's data are of use; by default all."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.events: list[Arrival] = []
        self.heartbeats: list[float] = []
        self.retries: list[int] = []
        self.received = 0
        self.body_bytes = 0
        self.complete = False
        self.closed = False
        self._keep = keep
        self._decoder = Decoder()
        self._next = 0
        self._raw = b""
        self._line = b""
        # Whether a block has begun that a blank line is to end; nobody waits for more of the rest.
        self._in_event = False
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10)
        self._socket.connect(address)
        self.port: int = self._socket.getsockname()[1]
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
        self._socket.sendall(_request(target, method, version, dict(headers or {}), body))

    @property
    def names(self) -> list[str | None]:
        """The names of the events so far."""
        return [arrival.event.event for arrival in self.events]

    @property
    def last_event_id(self) -> str:
        return self._decoder.last_event_id

    def read_head(self, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not self.status:
            self._receive(deadline, "the head of the response")

    def next(self, seconds: float = 10.0) -> Arrival:
        """Return the next event."""
        deadline = time.monotonic() + seconds
        while len(self.events) <= self._next:
            self._receive(deadline, f"event {self._next}")
        self._next += 1
        return self.events[self._next - 1]

    def beat(self, count: int, seconds: float = 10.0) -> None:
        """Wait for the next `count` heartbeats."""
        deadline, wanted = time.monotonic() + seconds, len(self.heartbeats) + count
        while len(self.heartbeats) < wanted:
            self._receive(deadline, f"{count} heartbeats")

    def read_to_end(self, seconds: float = 20.0) -> None:
        """Read until the response is complete or the server closes the connection."""
        deadline = time.monotonic() + seconds
        while not self.complete and not self.closed:
            self._receive(deadline, "the end of the stream")

    def take(self, size: int) -> int:
        """Read up to `size` bytes, as a slow client does, and make nothing of them."""
        got = len(self._socket.recv(size))
        self.received += got
        return got

    def say(self, data: bytes) -> None:
        """Send something that nobody has asked for."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Go away; the kernel tells the server at once."""
        self._socket.close()

    def reset(self) -> None:
        """Go away without a goodbye, as a process does that is killed with data unread."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _receive(self, deadline: float, awaited: str) -> None:
        left = deadline - time.monotonic()
        assert not self.closed, f"The server closed before {awaited}. {self}"
        assert not self.complete, f"The stream ended before {awaited}. {self}"
        assert left > 0, f"Not in time: {awaited}. {self}"
        self._socket.settimeout(left)
        try:
            piece = self._socket.recv(256 * 1024)
        except TimeoutError:
            return
        self.feed(piece)

    def fileno(self) -> int:
        """The socket, for who waits for several streams at once and then calls `read_some`."""
        return self._socket.fileno()

    def read_some(self, size: int) -> bool:
        """Read up to `size` bytes that are there; return whether there may be more to come."""
        self._socket.settimeout(0)
        try:
            piece = self._socket.recv(size)
        except BlockingIOError:
            return True
        self.feed(piece)
        return not self.closed and not self.complete

    def hand_over(self, take: Callable[[Arrival], None]) -> None:
        """Give the events read so far to somebody, and keep none of them."""
        events, self.events = self.events, []
        for arrival in events:
            take(arrival)

    def feed(self, piece: bytes) -> None:
        """Take what was received; nothing is the end of the connection."""
        self.closed = not piece
        self.received += len(piece)
        self._raw += piece
        self._read(time.monotonic())

    def _read(self, now: float) -> None:
        if not self.status and not self._read_status_and_headers():
            return
        if self.headers.get("transfer-encoding") != "chunked":
            raw, self._raw = self._raw, b""
            self._read_body(raw, now)
            length = self.headers.get("content-length")
            if length is not None:
                self.complete = str(self.body_bytes) == length
            else:
                self.complete = self.closed and not self._in_event and not self._line
            return
        while (chunk := self._take_chunk()) is not None:
            self._read_body(chunk, now)

    def _read_status_and_headers(self) -> bool:
        head, found, rest = self._raw.partition(b"\r\n\r\n")
        if not found:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        fields = (line.split(":", 1) for line in lines)
        self.headers = {name.lower(): value.strip() for name, value in fields}
        self._raw = rest
        return True

    def _take_chunk(self) -> bytes | None:
        """Take one whole chunk off what was received; the empty one is the last."""
        size_line, found, rest = self._raw.partition(b"\r\n")
        if not found or self.complete:
            return None
        size = int(size_line, 16)
        if len(rest) < size + 2:
            return None
        assert rest[size : size + 2] == b"\r\n"
        self._raw = rest[size + 2 :]
        self.complete = size == 0
        return rest[:size]

    def _read_body(self, data: bytes, now: float) -> None:
        self.body_bytes += len(data)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._in_event = bool(line) and (self._in_event or line.startswith(FIELDS))
            if line == b":":
                self.heartbeats.append(now)
            elif line.startswith(b"retry: "):
                self.retries.append(int(line[7:]))
        for event in self._decoder.feed(data):
            kept = event if self._keep is None else replace(event, data=event.data[: self._keep])
            self.events.append(Arrival(kept, now))

    def __str__(self) -> str:
        return (
            f"Status {self.status}, {len(self.heartbeats)} heartbeats, retry {self.retries}, "
            f"events {[arrival.event for arrival in self.events[-10:]]}."
        )


def _request(target: str, method: str, version: str, headers: dict[str, str], body: Any) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    headers = {"Host": "localhost", "Accept": "text/event-stream"} | headers
    lines = [f"{method} {target} HTTP/{version}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content
