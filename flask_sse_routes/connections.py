"""One stream's connection that was taken over from the server.

Floor 1. It sends what its stream has to say without ever waiting, keeps what the client does
not take yet, and is one of a `Group` while it has got the same as others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import clock, concurrency
from .channels import ChannelHub
from .followers import ChannelSource
from .groups import Group
from .sockets import VANISHED_AFTER, ClientSocket
from .stream import Stream
from .wire import HEARTBEAT

if TYPE_CHECKING:
    from .offload import Offload

# Seconds between two questions after a client that may have vanished: one costs as much as a send.
ASK_AFTER = VANISHED_AFTER / 2
# What streams that get the same have in common.
Key = tuple[ChannelHub, tuple[str, ...]]


class Connection:
    """One stream's socket, taken over from the server."""

    __slots__ = (
        "_asked_again",
        "_filters",
        "_group_bytes",
        "_group_events",
        "_head",
        "_is_filtering",
        "beats",
        "closes_at",
        "group",
        "heartbeat",
        "key",
        "marked",
        "offload",
        "on_close",
        "open",
        "rest",
        "sent_at",
        "socket",
        "source",
        "stream",
        "until",
        "write",
    )

    def __init__(
        self,
        offload: Offload,
        stream: Stream,
        raw: Any,
        on_close: Callable[[], None] | None,
        head: bytes,
    ) -> None:
        self.offload = offload
        self.stream = stream
        self.source = stream.source if isinstance(stream.source, ChannelSource) else None
        self.key: Key | None = None
        self._filters = self.source is not None and not self.source.plain
        self._is_filtering = self._asked_again = False
        if self.source is not None and self.source.plain:
            self.key = self.source.hub, self.source.channels
        self.open = True
        # When a stream that has been told to end is cut off, if its client takes nothing.
        self.closes_at: float | None = None
        self.socket = ClientSocket(raw)
        self.write: Callable[[bytes | memoryview], int] = raw.send
        self.on_close = on_close
        # What goes with the first chunk, and is no part of the stream.
        self._head = head
        # What the socket has not taken of the last chunk.
        self.rest: memoryview | None = None
        self.sent_at = clock.now()
        self.heartbeat, self.until = stream.heartbeat, stream.until
        # Heartbeats sent as one of a group, since they were last counted.
        self.beats = 0
        self.marked = False
        self.group: Group | None = None
        self._group_events = self._group_bytes = 0

    def begin(self) -> None:
        """Have it served for the first time; nobody waits for `where` to get the head."""
        if self._filters and self._head:
            head, self._head = self._head, b""
            self.send(head)
        self.mark()

    def mark(self) -> None:
        """Have it served soon."""
        if not self.marked:
            self.marked = True
            self.offload.add_ready(self)

    def serve(self) -> None:
        """Send the next chunk, if there is one and the socket has taken the last."""
        if not self._filters:
            self._serve()
        elif self._is_filtering:
            self._asked_again = True
        else:
            # `where` is the app's and may wait; nobody else's stream should.
            self._is_filtering = True
            concurrency.task(self._filter, "sse-where").start()

    def _filter(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self.offload.note_failure(self, error)
        finally:
            again, self._is_filtering, self._asked_again = self._asked_again, False, False
            if again:
                self.mark()

    def _serve(self) -> None:
        if self.rest is not None or not self.open:
            return
        stream = self.stream
        data = self._next(stream)
        if not data:
            if stream.more:
                self.mark()
            return
        if stream.transport is not self:  # it has ended while `where` was asked
            return
        self.sent_at = clock.now()
        if self._head:
            data, self._head = self._head + data, b""
        if not self.send(data):
            return
        if stream.over:
            self.offload.finish(self, delivered=True)
        elif self.source is not None and self.group is None:
            self.mark()  # until there is nothing more

    def _next(self, stream: Stream) -> bytes:
        if self.group is not None:
            if stream.calm:
                return b""
            self.group.release(self)
        data = stream.chunk()
        stream.sent()
        if not data and stream.over:
            self.offload.finish(self, delivered=stream.reason != "disconnected")
        elif not data and stream.calm and self.source is not None and self.source.on_ring:
            self.offload.join(self)
        return data

    def send(self, data: bytes) -> bool:
        """Send without waiting; tell whether all of it went, and keep what did not."""
        try:
            sent = self.write(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.offload.finish(self, delivered=False)
            return False
        if sent == len(data):
            return True
        self.hold(data, sent)
        return False

    def hold(self, data: bytes, sent: int) -> None:
        """Keep what the client does not take yet; it goes on when it does."""
        if self.group is not None:
            self.group.release(self)
        self.rest = memoryview(data)[sent:]
        self.offload.hold(self)

    def go_on(self, rest: memoryview) -> bool:
        """Send more of what was kept; tell whether that was all."""
        with contextlib.suppress(BlockingIOError):
            sent = self.write(rest)
            self.rest = rest[sent:] if sent < len(rest) else None
            self.stream.moved()
            self.closes_at = None
        return self.rest is None

    def beat(self, now: float) -> None:
        """Send a heartbeat, unless the client has vanished.

        Among thousands, each object that is looked at costs more than what is done with it.
        """
        turn = int(now / self.heartbeat) % max(int(ASK_AFTER / self.heartbeat), 1)
        if turn == 0 and self.socket.silence() >= VANISHED_AFTER:
            self.stream.drop()
        elif self.group is None:
            self.stream.beat()
        else:  # it stays in its group
            self.sent_at = now
            self.beats += 1
            self.send(HEARTBEAT)

    @property
    def last_sent(self) -> float:
        """When something was sent last (`clock.now`)."""
        return self.sent_at if self.group is None else max(self.sent_at, self.group.sent_at)

    def enter(self, group: Group) -> None:
        """Be one of a group from now on."""
        self.group = group
        self._group_events, self._group_bytes = group.events, group.bytes

    def leave(self) -> None:
        """Be on its own again."""
        if self.group is not None:
            self.count()
            self.sent_at = self.last_sent
            self.group = None

    def count(self) -> None:
        """Add to the stream's counters what the group has sent since the last time."""
        group = self.group
        if group is not None:
            self.stream.events += group.events - self._group_events
            self.stream.bytes += group.bytes - self._group_bytes + self.beats * len(HEARTBEAT)
            self.stream.heartbeats += self.beats
            self.beats = 0
            self._group_events, self._group_bytes = group.events, group.bytes


def end(connection: Connection, delivered: bool) -> None:
    """Let the stream know that its connection is over, and then whoever else wants to."""
    stream, on_close = connection.stream, connection.on_close
    # It may still be known to a slot; what it belonged to should not be.
    del connection.stream, connection.source, connection.on_close
    try:
        stream.transport_over(delivered=delivered)
    finally:
        if on_close is not None:
            on_close()
