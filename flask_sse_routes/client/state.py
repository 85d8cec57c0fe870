"""`StreamState`: what a stream does after an answer, an event, an end or a lost connection.

Floor 3. The rules of both clients, without a socket and without waiting: they tell it what
happened, and it hands out events, raises, or sets how long to wait before the next request.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx

from ..errors import EventError
from ..logs import Log
from ..wire import END_SUFFIX, Decoder, Event
from .backoff import Backoff, retry_after
from .calls import Call
from .events import StreamEvent, parsed
from .failures import RouteError, answered_failure, failure_of, media_type
from .retries import OnRetry, RetryNotice, broken_off, refused, silent, unreached
from .seen import Seen
from .table import EVENT_STREAM

log = Log(__package__)

# Answers that say "not now" and nothing about the client.
LATER: Final = frozenset({408, 425, 429})
# No stream can set such an id: one with NUL is ignored (WHATWG HTML section 9.2.6).
NO_ID: Final = "\0"
# So many heartbeats missing mean that the connection is dead.
SILENT_BEATS: Final = 3
# Sockets know no timeouts without bounds.
MOST_SILENCE: Final = 3600.0
# A connection that stood for so many seconds has not failed, though no event came.
STOOD: Final = 10.0
# They tell of a position and may come again with the same one.
POSITIONS: Final = frozenset({"snapshot", "reset"})

OnError = Callable[[RouteError], Any]


class StreamState:
    """One stream over all its connections.

    Attributes:
        last_event_id: the position behind the last event that was handed out; may be empty.
        over: whether the stream has come to its end.
        result: the data of its `end` event.
        wait: seconds to wait before the next request.
        silence: seconds of silence after which the open connection is given up; `None`: never.
        notice: why there has to be a next request, until `on_retry` is told.
    """

    def __init__(
        self,
        call: Call,
        *,
        max_event_bytes: int,
        on_error: OnError | None = None,
        on_retry: OnRetry | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.call = call
        self.last_event_id = ""
        self.over = False
        self.result: Any = None
        self.wait = 0.0
        self.silence: float | None = None
        self.notice: RetryNotice | None = None
        self._max_event_bytes = max_event_bytes
        self._on_error = on_error
        self._on_retry = on_retry
        self._backoff = backoff or Backoff()
        self._seen = Seen()
        self._decoder = Decoder()
        self._previous_id = NO_ID
        self._refusal: str | None = None
        self._accepted_at = math.inf
        self._attempts = 0

    def headers(self) -> dict[str, str]:
        """Return what the next request says of the stream."""
        own = {
            "Accept": EVENT_STREAM,
            "Accept-Encoding": "identity",
            "Cache-Control": "no-store",
        }
        if self.last_event_id and _fits_header(self.last_event_id):
            own["Last-Event-ID"] = self.last_event_id
        return own

    def accepts(self, status: int, headers: Mapping[str, str]) -> bool:
        """Tell whether this is the head of the stream; if not, `refused` has to be told."""
        if status != 200 or media_type(headers.get("Content-Type", "")) != EVENT_STREAM:
            return False
        # What the last connection left unfinished goes with its decoder.
        self._decoder = Decoder(max_bytes=self._max_event_bytes, last_event_id=NO_ID)
        self._previous_id = NO_ID
        self._refusal = headers.get("SSE-Refused")
        self.silence = _silence(headers.get("SSE-Heartbeat"))
        self.wait = 0.0
        if self._refusal is None:
            self._accepted_at = time.monotonic()
            self._attempts = 0
        return True

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Set the wait, or the end, after any other answer. Raises `RouteError`."""
        if status == 204:
            self.over, self.wait = True, 0.0
            return
        kind = headers.get("Content-Type", "")
        if 200 <= status < 400:
            raise RouteError(
                status,
                "Not an event stream",
                f"{self.call} answered {status} with {media_type(kind) or 'no content type'}.",
            )
        failure = answered_failure(status, kind, body)
        if not self.call.repeatable or (status < 500 and status not in LATER):
            raise failure
        after = retry_after(headers.get("Retry-After"), time.time())
        backoff = self._backoff
        self._retry(backoff.after_loss() if after is None else backoff.as_told(after), failure)

    def feed(self, chunk: bytes, closed: Callable[[], bool]) -> Iterator[StreamEvent[str, Any]]:
        """Yield the events that these bytes complete, until the stream is over or closed.

        Raises `RouteError`: the stream ended with it, or sent an event that is too large.
        """
        for event in self._decoded(chunk):
            # What is not handed out any more is not counted as if it were.
            if closed():
                return
            yield from self._received(event)
            if self.over:
                return
        # An id may come without data, and then with no event.
        if self._decoder.last_event_id != NO_ID:
            self.last_event_id = self._decoder.last_event_id
        # A fault behind the events is told when it is asked next, and the server may fall silent.
        self._decoded(b"")

    def ended(self) -> None:
        """Set the wait after a connection that ended without the stream's end."""
        self._check_repeatable("was closed")
        if self._refusal is not None:
            self._retry(self._backoff.after_refusal(), refused(self._refusal))
        else:
            self._retry(self._after_loss(), broken_off())

    def lost(self, error: Exception) -> None:
        """Set the wait after a connection that failed. Raises what will not get better."""
        if _is_hopeless(error):
            raise error
        self._check_repeatable("was lost", error)
        reason = self._reason(error)
        reason.__cause__ = error
        self._retry(self._after_loss(), reason)

    def tell_retry(self) -> Any:
        """Tell `on_retry` of the wait that begins now, if there is one; return its answer."""
        notice, self.notice = self.notice, None
        if self._on_retry is None or notice is None:
            return None
        return self._on_retry(notice)

    def _retry(self, wait: float, reason: RouteError) -> None:
        self.wait = wait
        self._attempts += 1
        self.notice = RetryNotice(self._attempts, wait, reason)
        log.info("%s: %s (attempt %d in %.1f s)", self.call, reason, self._attempts, wait)

    def _reason(self, error: Exception) -> RouteError:
        if self._accepted_at == math.inf:
            return unreached(error)
        if self.silence is not None and isinstance(error, httpx.ReadTimeout):
            return silent(self.silence)
        return broken_off(error)

    def _after_loss(self) -> float:
        stood, self._accepted_at = time.monotonic() - self._accepted_at, math.inf
        if stood >= STOOD:
            self._backoff.went_well()
        return self._backoff.after_loss()

    def _decoded(self, chunk: bytes) -> list[Event]:
        try:
            events = self._decoder.feed(chunk)
        except EventError as error:
            raise RouteError(200, "Event too large", f"{self.call}: {error}.") from error
        if self._decoder.retry is not None:
            self._backoff.retry = self._decoder.retry
        return events

    def _received(self, event: Event) -> Iterator[StreamEvent[str, Any]]:
        name, data = event.event or "message", parsed(event.data)
        # An event without an id has that of the event before it: the same again is no repetition.
        has_own_id = event.id not in (NO_ID, "", self._previous_id)
        self._previous_id = event.id or ""
        if event.id != NO_ID:
            self.last_event_id = event.id or ""
        if name == "end":
            self.over, self.result = True, data
        elif name == "error":
            self._failed(data)
        elif name != "ready" and not (
            has_own_id and name not in POSITIONS and self._seen.add(self.last_event_id)
        ):
            # A stream that fails whenever it has begun gets as far as its `reset`.
            if name != "reset":
                self._backoff.went_well()
            yield StreamEvent(name, data, self.last_event_id)

    def _failed(self, data: Any) -> None:
        failure = failure_of(500, data)
        if self.last_event_id.endswith(END_SUFFIX) or not self.call.repeatable:
            self.over = True
            raise failure
        log.warning("%s: %s", self.call, failure)
        if self._on_error is not None:
            self._on_error(failure)

    def _check_repeatable(self, what: str, error: Exception | None = None) -> None:
        """A request that may change something is not sent twice by itself."""
        if self.call.repeatable:
            return
        raise RouteError(
            0,
            "Connection lost",
            f"The connection of {self.call} {what} before the stream's end, and "
            f"{self.call.method} is not repeated by itself.",
        ) from error


def _silence(heartbeat: str | None) -> float | None:
    try:
        seconds = SILENT_BEATS * float(heartbeat or "")
    except ValueError:
        return None
    return min(seconds, MOST_SILENCE) if 0 < seconds < math.inf else None


def _fits_header(id_: str) -> bool:
    """Whether a header can carry it (RFC 9110 section 5.5); this package's ids always fit."""
    return id_.isascii() and id_.isprintable() and id_ == id_.strip()


def _is_hopeless(error: BaseException) -> bool:
    """Whether the fault is in the request, or the server is not the one that it should be."""
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return True
    cause = error.__cause__ or error.__context__
    return isinstance(error, ssl.SSLCertVerificationError) or (
        cause is not None and _is_hopeless(cause)
    )
