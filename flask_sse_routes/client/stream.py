"""`Stream`: the events of one stream, for programs that block.

Floor 3. It is read, and waits, in whoever iterates it; the rules are `StreamState`'s.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from .calls import Call
from .redirects import Headers
from .settings import MAX_ERROR_BYTES, Timeouts
from .state import StreamState

E = TypeVar("E", covariant=True)
S = TypeVar("S", bound="Stream[Any]")

Send = Callable[[Call, Headers, dict[str, Any]], httpx.Response]


class Stream(Generic[E]):
    """The events of one stream: an iterator and a context manager, made by `client.sse.name()`.

    The request leaves at the first `next`, or at `with`, which returns when the server has
    accepted it. A lost connection is opened again where it broke off, for as long as it takes;
    what was handed out does not come twice. Iterating raises `RouteError` where the server
    refuses the stream or ends it with an error, and where the connection of a route that is no
    GET is lost.
    """

    def __init__(self, state: StreamState, send: Send, timeouts: Callable[[], Timeouts]) -> None:
        self._state = state
        self._reading = _Reading(state, send, timeouts)
        # Nothing that it holds holds it: a stream that is let go of is closed at once.
        self._steps: Any = self._reading.run()

    @property
    def last_event_id(self) -> str:
        """The position behind the last event; `after` takes it in another program run."""
        return self._state.last_event_id

    @property
    def result(self) -> Any:
        """What the server's generator returned, once the stream has come to its end."""
        return self._state.result

    def after(self: S, last_event_id: str) -> S:
        """Begin behind this position; to be called before anything else."""
        self._state.last_event_id = last_event_id
        return self

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        try:
            for event in self._steps:
                if event is not None:
                    found: E = event
                    return found
        except ValueError:
            # Closed by another thread at this moment.
            if not self._reading.closing.is_set():
                raise
        raise StopIteration

    def __enter__(self: S) -> S:
        next(self._steps, None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; its iteration ends, also one that waits in another thread.

        With a transport that has no sockets such a one ends at the next event or heartbeat; one
        that waits for an answer on a used connection, which is so only with an `http` or a
        `transport` that was given, when it comes or its time is over.
        """
        self._reading.closing.set()
        self._reading.cut()
        # While another thread runs it, that is the one to notice.
        with contextlib.suppress(ValueError):
            self._steps.close()


class _Reading:
    """The connections of a stream, one after the other."""

    def __init__(self, state: StreamState, send: Send, timeouts: Callable[[], Timeouts]) -> None:
        self._state = state
        self._send = send
        self._timeouts = timeouts
        self.closing = threading.Event()
        self._response: httpx.Response | None = None
        # The connection below the response, of which nothing is known with some transports.
        self._line: Any = None

    def run(self) -> Generator[Any, None, None]:
        """Yield events, and a `None` for each connection that was accepted."""
        state = self._state
        while self._goes_on():
            try:
                yield from self._visit()
            except httpx.RequestError as error:
                if self.closing.is_set():
                    return
                state.lost(error)
            finally:
                self._hang_up()
            state.tell_retry()
            self.closing.wait(state.wait)

    def _visit(self) -> Iterator[Any]:
        """Send one request and hand on what it brings."""
        state, timeouts = self._state, self._timeouts()
        extensions = {"timeout": timeouts, "trace": self._note_connection}
        self._response = response = self._send(state.call, state.headers(), extensions)
        self._line = response.extensions.get("network_stream")
        if not state.accepts(response.status_code, response.headers):
            body = _some(response)
            if not self.closing.is_set():
                state.refused(response.status_code, response.headers, body)
            return
        # The connection reads it anew when it begins with the body.
        timeouts["read"] = state.silence
        yield None
        for chunk in response.iter_bytes():
            yield from state.feed(chunk, self.closing.is_set)
            if not self._goes_on():
                return
        if not self.closing.is_set():
            state.ended()

    def _goes_on(self) -> bool:
        return not (self._state.over or self.closing.is_set())

    def _note_connection(self, event: str, info: dict[str, Any]) -> None:
        """Keep what `close` has to cut while the answer is waited for."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._line = info.get("return_value")
            if self.closing.is_set():
                self.cut()

    def cut(self) -> None:
        """Wake whoever reads the connection: closing a descriptor would not."""
        line = self._line
        found = line.get_extra_info("socket") if line is not None else None
        if found is not None:
            # Past what TLS would do first, which is the reader's to do.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(found, socket.SHUT_RDWR)

    def _hang_up(self) -> None:
        response, self._response, self._line = self._response, None, None
        if response is not None:
            response.close()


def _some(response: httpx.Response) -> bytes:
    """Return the beginning of a body that is read for its message only."""
    body = b""
    with contextlib.suppress(httpx.RequestError):
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= MAX_ERROR_BYTES:
                break
    return body
