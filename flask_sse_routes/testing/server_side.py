"""The other end of a test's stream: the open stream in the app.

Floor 3. Found at the end of the request, by the socket that the app was shown; read and never
changed from here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flask import request, request_finished

from ..sockets import client_socket
from ..stream import Stream
from ..streams import EVERY_APPS


def open_streams() -> list[Stream]:
    """Return the open streams of all apps of this process."""
    return [stream for streams in list(EVERY_APPS) for stream in streams.open()]


class Ended(NamedTuple):
    """What is kept of a stream that is over: the stream itself is freed at once."""

    outcome: str | None
    reason: str | None
    dropped: bool
    events: int
    heartbeats: int
    bytes: int
    over: bool = True
    at_rest: bool = True


class ServerSide:
    """What a test may know of the server's side of its stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream: Stream | Ended = stream

    @property
    def bytes(self) -> int:
        """How much has been handed to the server to be sent."""
        return self._stream.bytes

    @property
    def rests(self) -> bool:
        """Whether all there is to say has been written."""
        return self._stream.at_rest

    @property
    def over(self) -> bool:
        """Whether there will be nothing more to send."""
        return self._stream.over

    @property
    def ends(self) -> bool:
        """Whether it has ended or was told to."""
        return self._stream.over or self._stream.reason is not None

    @property
    def outcome(self) -> str | None:
        """How it ended; `None` until cleanup has run as well."""
        stream = self._stream
        return None if stream in open_streams() else stream.outcome

    @property
    def dropped(self) -> bool:
        """Whether the client was cut off because it took nothing."""
        return self._stream.dropped

    def wait_for_outcome(self, timeout: float) -> str | None:
        """Wait until it is over and cleaned up; return the outcome, `None` if not in time."""
        deadline = time.monotonic() + timeout
        while self.outcome is None and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.outcome

    def let_go(self, timeout: float) -> None:
        """Keep what there is to know of it, and no more, once it is over."""
        stream = self._stream
        if self.wait_for_outcome(timeout) is not None:
            sent = stream.events, stream.heartbeats, stream.bytes
            self._stream = Ended(stream.outcome, stream.reason, stream.dropped, *sent)

    def __str__(self) -> str:
        stream = self._stream
        state = f"over ({self.outcome})" if self.outcome else "told to end" if self.ends else "open"
        return f"{state}, {stream.events} events, {stream.heartbeats} heartbeats, {stream.bytes} B"


@contextlib.contextmanager
def noting(note: Callable[[dict[str, Any], ServerSide], None]) -> Iterator[None]:
    """Call `note` with the environ, and with the stream, of each request that opens one.

    It is called in the task of the request, before anything is sent.
    """

    def finished(_app: Any, **_: Any) -> None:
        client = client_socket(request.environ)
        for stream in open_streams():
            if client is not None and stream.fd == client.fd and not stream.over:
                note(request.environ, ServerSide(stream))

    with request_finished.connected_to(finished):
        yield
