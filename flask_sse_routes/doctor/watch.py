"""A stream as it arrives: its events, its silences and its end.

Floor 3. Only the clock of the doctor's own machine is used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.message import Message
from typing import NamedTuple

from ..wire import Decoder, Event
from .exchange import READABLE, End, Exchange, Head, Part, Piece

RETRY = re.compile(rb"^retry:", re.MULTILINE)
# Seconds between two words to whoever waits.
TICK = 0.5

Tick = Callable[[float], None]


class Arrival(NamedTuple):
    """An event, and when it arrived."""

    at: float
    event: Event


class Watch:
    """What has been seen of a stream. Times are seconds of `time.monotonic`.

    `longest` is the longest silence that was followed by something; `nonce` is what its events
    say if it is the one that was asked for. `times` are those of all bytes, read or not.
    """

    def __init__(self, exchange: Exchange, nonce: str | None = None) -> None:
        self.nonce = nonce
        self.began = exchange.began
        self.status = 0
        self.headers = Message()
        self.head_at: float | None = None
        self.last_at: float | None = None
        self.longest = 0.0
        self.times: list[float] = []
        self.arrivals: list[Arrival] = []
        self.end: End | None = None
        self.body = bytearray()
        self._exchange = exchange
        self._decoder = Decoder()

    def until(self, done: Callable[[], bool], seconds: float, tick: Tick) -> None:
        """Watch until `done`, the end, or for some seconds."""
        deadline = time.monotonic() + seconds
        while self.end is None and not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return
            tick(left)
            part = self._exchange.next(min(TICK, left))
            if part is not None:
                self._take(part)

    def close(self) -> None:
        """Leave."""
        self._exchange.close()

    @property
    def encoding(self) -> str | None:
        """How the answer is compressed; `None` where it is not."""
        found = self.headers.get("Content-Encoding")
        return None if found in (None, "identity") else str(found).lower()

    @property
    def heartbeat(self) -> float | None:
        """After how much silence the server says that it sends a heartbeat."""
        try:
            return float(self.headers.get("SSE-Heartbeat", ""))
        except ValueError:
            return None

    @property
    def is_stream(self) -> bool:
        """Whether it is one that a browser takes."""
        return self.status == 200 and self.headers.get_content_type() == "text/event-stream"

    @property
    def finished(self) -> bool:
        """Whether the stream has come to its own end."""
        return any(each.event.event in ("end", "error") for each in self.arrivals)

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self.end is None and not self.finished

    @property
    def drained(self) -> bool:
        """Whether the server has sent its clients away: it says when to come back a second time."""
        return self.end is not None and len(RETRY.findall(bytes(self.body))) > 1

    @property
    def age(self) -> float:
        """How long it lasted, or lasts."""
        seen = self.last_at if self.end is None else self.end.at
        return (seen or self.began) - self.began

    @property
    def messages(self) -> list[Arrival]:
        """The events that are neither the last one nor a refusal."""
        return [each for each in self.arrivals if each.event.event == "message"]

    def spurts(self, gap: float) -> int:
        """Return in how many pieces it came, of which each follows on a silence of `gap`."""
        return sum(b - a >= gap for a, b in zip((-gap, *self.times), self.times, strict=False))

    def silence(self, now: float) -> float:
        """Return how long nothing has come."""
        return now - max(filter(None, (self.last_at, self.head_at, self.began)))

    def _take(self, part: Part) -> None:
        if isinstance(part, Head):
            self.head_at, self.status, self.headers = part.at, part.status, part.headers
        elif isinstance(part, Piece):
            self._read(part)
        else:
            self.end = part

    def _read(self, piece: Piece) -> None:
        self.times.append(piece.at)
        if not piece.data:  # a compressor's own bytes
            return
        self.longest = max(self.longest, self.silence(piece.at))
        self.last_at = piece.at
        # Enough for a document, and for the few lines of a probe.
        self.body += piece.data[: max(0, 2**22 - len(self.body))]
        if self.encoding is None or self.encoding in READABLE:
            events = self._decoder.feed(piece.data)
            self.arrivals += [Arrival(piece.at, event) for event in events]
