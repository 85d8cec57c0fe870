"""`TestStream`: one open stream, as a test sees it.

Floor 3. A task of its own reads the connection, as a client does, so that the test waits for what
it expects with a limit, and is told what came instead.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from .. import concurrency
from ..wire import Event
from .exchange import Exchange
from .failures import StreamEnded, StreamTimeout, UnexpectedEvent
from .inbox import Inbox
from .leaks import PATIENCE

# Seconds between looks of a frozen reader at whether it has been cut off.
LOOK = 0.005


class TestStream:
    """One open stream. A context manager; iterating it gives events until it ends."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    def __init__(
        self,
        exchange: Exchange,
        reopen: Callable[[str | None], TestStream],
        last_event_id: str | None = None,
    ) -> None:
        self.status: int = exchange.status
        self.headers = exchange.headers
        self._exchange = exchange
        self._reopen = reopen
        self._opened_at = last_event_id
        self._inbox = Inbox()
        self._server = exchange.server
        self._beats_seen = 0
        self._frozen = self._holding = self._leaving = False
        self._sent_before = 0
        self._left = threading.Event()
        OPEN.add(self)
        concurrency.task(self._read, "sse-test-client").start()

    @property
    def received(self) -> list[Event]:
        """The events that the test has taken."""
        return self._inbox.received

    @property
    def raw(self) -> bytes:
        """All bytes that have come."""
        return self._inbox.raw

    @property
    def retry(self) -> int | None:
        """The reconnection time that the server asked for last (milliseconds)."""
        return self._inbox.decoder.retry

    @property
    def last_event_id(self) -> str:
        """The last id that has come, whether or not the test has taken its event; may be empty."""
        return self._inbox.decoder.last_event_id

    @property
    def heartbeats(self) -> int:
        """How many heartbeat lines have come so far."""
        return self._inbox.heartbeats

    @property
    def refused(self) -> str | None:
        """Why a stream was refused that may be asked for again: `capacity` or `unavailable`."""
        reason: str | None = self.headers.get("SSE-Refused")
        return reason

    @property
    def outcome(self) -> str | None:
        """How the server's side ended: `completed`, `disconnected`, `error` or `shutdown`.

        `None` while it is open, and where the answer was no stream. At the end of a stream it
        waits until cleanup has run; raises `StreamTimeout` when the handler goes on.
        """
        if self._server is None or not (self._left.is_set() or self._server.ends):
            return None
        outcome = self._server.wait_for_outcome(PATIENCE)
        if outcome is None:
            raise StreamTimeout(
                f"The stream is over, but its handler has not ended within {PATIENCE:g} s: it "
                f"waits for something else than ctx.sleep and a channel. {self._story()}"
            )
        return outcome

    @property
    def dropped(self) -> bool:
        """Whether the server has cut this client off because it took nothing."""
        return self._server is not None and self._server.dropped

    def next(self, timeout: float = 5.0) -> Event:
        """Return the next event. Raises `StreamTimeout` or `StreamEnded`."""
        return self._take("event", timeout)

    def json(self, timeout: float = 5.0) -> Any:
        """Return the data of the next event, parsed."""
        return json.loads(self.next(timeout).data)

    def wait_for(self, event: str, timeout: float = 5.0) -> Event:
        """Return the next event of a name (`message` where it has none); others are passed over.

        Raises `StreamTimeout` or `StreamEnded`.
        """
        deadline = time.monotonic() + timeout
        wanted = f"event {event!r}"
        while True:
            got = self._take(wanted, max(0.0, deadline - time.monotonic()), timeout)
            if got.event == event:
                return got

    def wait_for_heartbeat(self, timeout: float = 5.0) -> None:
        """Wait for a heartbeat that no earlier call has waited for.

        Raises `StreamTimeout` or `StreamEnded`.
        """
        seen, inbox = self._beats_seen, self._inbox
        if not inbox.wait_until(lambda: inbox.heartbeats > seen or inbox.ended, timeout):
            raise StreamTimeout(f"No heartbeat within {timeout:g} s. {self._story()}")
        if inbox.heartbeats <= seen:
            raise StreamEnded(f"The stream ended without a heartbeat. {self._story()}")
        self._beats_seen += 1

    def expect_end(self, timeout: float = 5.0) -> Event | None:
        """Expect that the stream ends now; return its `end` event.

        `None` where it ended without one, for its client to come back. Raises `UnexpectedEvent`
        for any other event, `error` included, and `StreamTimeout`.
        """
        last = self._take_if_any("end", timeout)
        if last is not None and last.event != "end":
            raise UnexpectedEvent(f"Expected the end, got {last!r}. {self._story()}")
        self._expect_nothing_more(timeout)
        return last

    def expect_error(self, status: int | None = None, timeout: float = 5.0) -> Any:
        """Expect that the stream ends with an `error` event now; return its problem document.

        Raises `UnexpectedEvent` for any other event or `status`, and `StreamTimeout`.
        """
        last = self._take("event 'error'", timeout)
        problem = json.loads(last.data) if last.event == "error" else None
        if problem is None or (status is not None and problem.get("status") != status):
            wanted = "an error" if status is None else f"an error of status {status}"
            raise UnexpectedEvent(f"Expected {wanted}, got {last!r}. {self._story()}")
        self._expect_nothing_more(timeout)
        return problem

    def expect_status(self, status: int) -> None:
        """Expect a status of the answer. Raises `UnexpectedEvent`, with the answer's body."""
        if self.status != status:
            if self._server is None:
                self._left.wait(PATIENCE)
            raise UnexpectedEvent(f"Expected status {status}, got {self.status}. {self._story()}")

    def problem(self, timeout: float = 5.0) -> Any:
        """Return the JSON document of an answer that is no stream, a problem for example."""
        if self._server is not None:
            raise UnexpectedEvent(f"Expected a refusal, got a stream. {self._story()}")
        if not self._left.wait(timeout):
            raise StreamTimeout(f"The answer has not ended within {timeout:g} s. {self._story()}")
        return json.loads(self.raw)

    def __iter__(self) -> Iterator[Event]:
        with contextlib.suppress(StreamEnded):
            while True:
                yield self.next()

    def close(self, timeout: float = PATIENCE) -> None:
        """Go away like a client that closes its connection; wait until the server knows."""
        self._leaving = True
        self._exchange.leave()
        if not self._left.wait(timeout):
            raise StreamTimeout(f"The stream did not end within {timeout:g} s. {self._story()}")

    def disconnect(self, after: int = 0, timeout: float = 5.0) -> None:
        """Go away once the test has taken `after` events in all; at once if it has."""
        while len(self.received) < after:
            self.next(timeout)
        self.close()

    def half_close(self) -> None:
        """Close the sending half of the connection alone, and go on reading."""
        self._exchange.half_close()

    def freeze(self) -> None:
        """Take no further byte, like a client that hangs; `close` and `thaw` still work."""
        self._frozen = True

    def thaw(self) -> None:
        """Go on reading."""
        self._frozen = False

    def reconnect(self) -> TestStream:
        """Go away, and open the stream again after the last event that the test has taken."""
        self.close()
        last = self.received[-1].id if self.received else None
        return self._reopen(last or self._opened_at)

    def is_busy(self) -> bool:
        """Tell whether something is on its way to this client, and is not held up by it."""
        if self._server is None or self._left.is_set():
            return False
        if self._frozen and self._holding:
            sent, self._sent_before = self._sent_before, self._server.bytes
            return sent != self._server.bytes
        return self._server.over or not self._server.rests

    def __enter__(self) -> TestStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, wanted: str, timeout: float, limit: float | None = None) -> Event:
        """Take the next event; a failure names what was wanted, and how long the test waited."""
        try:
            got = self._inbox.take(timeout)
        except TimeoutError:
            waited = timeout if limit is None else limit
            raise StreamTimeout(f"No {wanted} within {waited:g} s. {self._story()}") from None
        if got is None:
            without = "" if wanted == "event" else f" without {wanted}"
            raise StreamEnded(f"The stream ended{without}. {self._story()}")
        return got

    def _take_if_any(self, wanted: str, timeout: float) -> Event | None:
        with contextlib.suppress(StreamEnded):
            return self._take(wanted, timeout)
        return None

    def _expect_nothing_more(self, timeout: float) -> None:
        more = self._take_if_any("end of the answer", timeout)
        if more is not None:
            raise UnexpectedEvent(f"Expected nothing more, got {more!r}. {self._story()}")

    def _read(self) -> None:
        result: BaseException | None = None
        try:
            for chunk in self._exchange.chunks():
                if not self._is_held_up():
                    self._inbox.feed(chunk)
        except Exception as error:
            result = error
        finally:
            self._exchange.close()
            self._left.set()
            self._inbox.finish(result)
        if self._server is not None:
            self._server.let_go(PATIENCE)

    def _is_held_up(self) -> bool:
        """Wait while frozen, and tell whether the connection went away meanwhile."""
        while self._frozen and not self._leaving:
            self._holding = True
            if self._exchange.is_cut():
                return True
            time.sleep(LOOK)
        self._holding = False
        return self._leaving and self._frozen

    def _story(self) -> str:
        shown = "\n".join(f"  {event!r}" for event in self.received) or "  nothing"
        tail = self.raw[-500:].decode(errors="replace")
        server = f"\nServer's side: {self._server}" if self._server is not None else ""
        return f"Status {self.status}. Received:\n{shown}\nLast bytes: {tail!r}{server}"


# The streams that a clock made by hand waits for.
OPEN: weakref.WeakSet[TestStream] = weakref.WeakSet()
