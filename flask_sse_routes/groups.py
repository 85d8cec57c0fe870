"""Groups: many connections that have got the same of the same channels, served as one.

Floor 1. A group follows channels in place of its members, with one position for all of
them. What is new is joined once and sent to each; whoever cannot take all of it leaves, and
comes back when it has caught up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import clock
from .brokers.base import Merged, Position
from .channels import ChannelHub
from .followers import ChannelSource

if TYPE_CHECKING:
    from .connections import Connection
    from .offload import Offload

# Sends between two looks at the time.
BATCH = 32

# Sends without waiting; returns how many bytes the socket has taken.
Write = Callable[[bytes], int]


class Group:
    """Connections without a difference but their sockets."""

    ended = False

    def __init__(
        self, offload: Offload, hub: ChannelHub, channels: tuple[str, ...], position: Position
    ) -> None:
        self.hub = hub
        self.channels = channels
        self.position = position
        self.marked = False
        # What has been sent to each member since the beginning, and when.
        self.events = self.bytes = 0
        self.sent_at = 0.0
        self._offload = offload
        self._members: dict[Connection, Write] = {}
        # The members in a row, and how to write to each, until there are others: to make these
        # touches every member, and among thousands each of them is far away.
        self._rows: tuple[list[Connection], list[Write]] | None = None
        # While a portion is being sent: to whom, up to where in that row it has got, and the
        # position of those behind.
        self._row: list[Connection] = []
        self._writes: list[Write] = []
        self._next = 0
        self._before = position
        self._portion_events = self._portion_bytes = 0

    def add(self, connection: Connection, source: ChannelSource) -> None:
        """Take one that has got everything, unless the group has not itself.

        One that is ahead of the tail stays out: what the tail has not read yet is new to the
        members, but not to it.
        """
        if self.marked or self._row or not self.hub.has_passed(source.position):
            return
        with self.hub.lock:
            self.hub.register(self)
            self.hub.unfollow(source)
        self._members[connection] = connection.write
        self._rows = None
        connection.enter(self)

    def release(self, connection: Connection) -> None:
        """Let one go on by itself."""
        index = self._row.index(connection) if self._row else -1
        self._release(connection, index)
        if not self._members:
            self.hub.unfollow(self)
            self._offload.forget_group(self)

    def _release(self, connection: Connection, index: int) -> None:
        """`index`: its place in the row, -1 if it is not in there."""
        del self._members[connection]
        self._rows = None
        connection.leave()
        waits = index >= self._next
        if waits:
            self._writes[index] = len  # says that it has taken all
            connection.stream.events -= self._portion_events
            connection.stream.bytes -= self._portion_bytes
        if connection.source is not None:
            connection.source.go_on_at(self._before if waits else self.position)

    def disband(self) -> None:
        """Have every member go on by itself."""
        row = {connection: index for index, connection in enumerate(self._row)}
        members = list(self._members)
        for connection in members:
            self._release(connection, row.get(connection, -1))
        self.hub.unfollow(self)
        self._offload.forget_group(self)
        for connection in members:
            connection.mark()

    def wake(self) -> None:
        """Have the group served soon."""
        if not self.marked:
            self.marked = True
            self._offload.add_ready(self)

    def serve(self) -> None:
        """Send what is new to every member."""
        if not self._members:
            return
        portion = self.hub.portion(self)
        if portion is None:  # too far behind
            self.disband()
            return
        if not portion.frames:
            return
        self._before, self.position = self.position, portion.until
        self._portion_events, self._portion_bytes = len(portion.frames), len(portion.data)
        self.events += self._portion_events
        self.bytes += self._portion_bytes
        self._send(portion.data)
        if portion.full:
            self.wake()

    def _send(self, data: bytes) -> None:
        count = len(self._members)
        if self._rows is None:
            self._rows = list(self._members), list(self._members.values())
        self._row, self._writes = self._rows
        try:
            for start in range(0, count, BATCH):
                self.sent_at = clock.now()
                stop = min(start + BATCH, count)
                self._send_some(data, start, stop)
                self._next = stop
                self._offload.pace(stop - start)
        except BaseException:
            self.disband()  # those behind go on from where they are
            raise
        finally:
            self._row, self._writes, self._next = [], [], 0

    def _send_some(self, data: bytes, start: int, stop: int) -> None:
        writes, size = self._writes, len(data)
        for index in range(start, stop):
            try:
                sent = writes[index](data)
                if sent != size:
                    self._next = index + 1
                    self._row[index].hold(data, sent)
            except OSError as error:
                self._next = index + 1
                self._fail(self._row[index], data, error)
            except Exception as error:
                connection = self._row[index]
                self._next = index
                if connection.group is self:
                    self.release(connection)  # which has not got this portion
                self._next = index + 1
                self._offload.note_failure(connection, error)

    def _fail(self, connection: Connection, data: bytes, error: OSError) -> None:
        if isinstance(error, BlockingIOError):
            connection.hold(data, 0)
        else:
            self._offload.finish(connection, delivered=False)

    def accept(self, merged: Merged) -> None:
        raise AssertionError("A group reads no history.")

    def new_epoch(self, newest: Position, *, rewound: bool) -> None:
        sources = [connection.source for connection in self._members]
        self.disband()
        for source in sources:
            if source is not None:
                source.new_epoch(newest, rewound=rewound)

    def close(self, reason: str) -> None:
        for connection in list(self._members):
            connection.stream.close(reason)
