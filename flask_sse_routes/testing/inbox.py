"""What has come over one connection, and what a test has seen of it.

Floor 3. The task that reads the connection puts in bytes; the test takes out events, or waits
until something holds, with a limit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from ..wire import HEARTBEAT, Decoder, Event


class Inbox:
    """Bytes and events of one connection, in the order in which they came."""

    def __init__(self) -> None:
        self.raw = b""
        # What the test has taken.
        self.received: list[Event] = []
        self.decoder = Decoder()
        self.ended = False
        self._events: deque[Event] = deque()
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    @property
    def heartbeats(self) -> int:
        """How many heartbeat lines have come."""
        return self.raw.split(b"\n").count(HEARTBEAT.rstrip())

    @property
    def is_empty(self) -> bool:
        """Whether the test has taken every event."""
        return not self._events

    def feed(self, chunk: bytes) -> None:
        """Put in what was read."""
        with self._changed:
            self.raw += chunk
            self._events += self.decoder.feed(chunk)
            self._changed.notify_all()

    def finish(self, error: BaseException | None) -> None:
        """Note that nothing more will come, and what broke the stream, if anything did."""
        with self._changed:
            self.ended = True
            self._error = error
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition on this inbox holds; tell whether it does."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def take(self, timeout: float) -> Event | None:
        """Take the next event, `None` at the end. Raises `TimeoutError`, or what broke it."""
        if not self.wait_until(lambda: bool(self._events) or self.ended, timeout):
            raise TimeoutError
        if self._events:
            self.received.append(self._events.popleft())
            return self.received[-1]
        error, self._error = self._error, None
        if error is not None:
            raise error
        return None
