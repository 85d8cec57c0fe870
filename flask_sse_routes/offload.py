"""The fast transport: one task writes to the sockets of many streams.

Floor 1, for servers under gevent whose worker hands a connection over with the head of its
response (`gunicorn.SSEWorker`). A stream costs a `Connection` here instead of a greenlet, and those
that have got the same of the same channels are served as a `Group`. Sends never wait; one
epoll tells which clients are gone, and which take bytes again.
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from . import clock, concurrency
from .clock import get_clock
from .connections import Connection, Key, end
from .groups import BATCH, Group
from .logs import Log
from .peer import NOWHERE
from .sockets import GONE
from .stream import Stream
from .wheel import Wheel

log = Log(__name__)

# Seconds of sending after which others have their turn.
TURN = 0.004
# Seconds between looks at who is stuck.
LOOK = 1.0
# Seconds that a stream which ends waits for its client to take what it has been sent.
CLOSING = 1.0
# Bytes of a request that nobody has read, thrown away before closing: else the kernel would
# reset the connection, and with it what the client has not read yet.
UNREAD = 64 * 1024
WRITABLE = select.POLLOUT


class Servable(Protocol):
    """What waits for its turn to send."""

    marked: bool

    def serve(self) -> None:
        """Send what there is."""


class Offload:
    """The connections that were taken over in this process."""

    def __init__(self) -> None:
        self._connections: dict[int, Connection] = {}
        self._keys: Counter[Key] = Counter()
        self._groups: dict[Key, Group] = {}
        self._epoll = concurrency.epoll()
        self._watcher: object = None
        self._ready: deque[Servable] = deque()
        self._signal = threading.Event()
        self._turn = 0.0
        self._sends = 0
        self._wheel: Wheel[Connection] = Wheel(lambda due: self.add_ready(Round(self, due)))
        self._stuck: set[Connection] = set()
        self._looking = False

    def take_over(
        self,
        stream: Stream,
        raw: Any,
        on_close: Callable[[], None] | None = None,
        *,
        head: bytes = b"",
    ) -> None:
        """Serve a stream on a plain non-blocking socket, which is closed at its end.

        `on_close` is called when the stream is over. `head` goes before its first chunk. Raises
        `OSError` where the kernel watches no more sockets; the stream is over then.
        """
        if self._watcher is None:
            self._begin()
        connection = Connection(self, stream, raw, on_close, head)
        if connection.key is not None:
            self._keys[connection.key] += 1
        stream.hand_over(connection.socket, connection)
        stream.sent()
        self._connections[connection.socket.fd] = connection
        try:
            self._epoll.register(connection.socket.fd, GONE)
        except BaseException:
            self.finish(connection, delivered=False)
            raise
        self.visit(connection, connection.sent_at)
        connection.begin()

    def add_ready(self, servable: Servable) -> None:
        """Put it into the row of those that have something to send."""
        self._ready.append(servable)
        if not self._signal.is_set():
            self._signal.set()

    def pace(self, sends: int = 1) -> None:
        """Count sends; let others have their turn when theirs has come."""
        self._sends += sends
        if self._sends < BATCH:
            return
        self._sends = 0
        if time.monotonic() - self._turn > TURN:
            concurrency.pause()
            self._turn = time.monotonic()

    def join(self, connection: Connection) -> None:
        """Put a connection that has got everything with others that follow the same."""
        key, source = connection.key, connection.source
        if key is None or source is None or self._keys[key] < 2:
            return
        group = self._groups.get(key)
        if group is None and not source.hub.has_passed(source.position):
            return
        if group is None:
            group = self._groups[key] = Group(self, *key, source.position)
        group.add(connection, source)

    def forget_group(self, group: Group) -> None:
        """Let go of a group without members."""
        del self._groups[group.hub, group.channels]

    def hold(self, connection: Connection) -> None:
        """Go on with a connection when its client takes bytes again."""
        connection.stream.held_up()
        self._stuck.add(connection)
        if not self._looking:
            self._looking = True
            get_clock().at(clock.now() + LOOK, self._look)
        with contextlib.suppress(OSError):  # it is gone, and about to be closed
            self._epoll.modify(connection.socket.fd, GONE | WRITABLE)

    def finish(self, connection: Connection, *, delivered: bool) -> None:
        """Close a connection; calling again does nothing."""
        fd = connection.socket.fd
        if self._connections.get(fd) is not connection:
            return
        del self._connections[fd]
        connection.open = False
        if not delivered:
            connection.stream.note_loss()
        if connection.group is not None:
            connection.group.release(connection)
        if connection.key is not None:
            self._keys[connection.key] -= 1
            if not self._keys[connection.key]:
                del self._keys[connection.key]
        self._stuck.discard(connection)
        if not self._connections:
            self._wheel.clear()
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)
        connection.socket.close(UNREAD if delivered else 0)
        connection.stream.transport = NOWHERE
        # What cleans up may wait; nobody else's stream should.
        concurrency.task(lambda: end(connection, delivered), "sse-over").start()

    def note_failure(self, servable: Servable, error: BaseException) -> None:
        """End a stream whose next chunk cannot be made; at once, if it cannot be told either."""
        log.error("Sending a stream failed", error=error)
        if not isinstance(servable, Connection) or not servable.open:
            return
        stream = servable.stream
        if stream.reason is not None or stream.fatal is not None:
            self.finish(servable, delivered=False)
        else:
            failure = RuntimeError(f"sending it raised {error!r}")
            stream.fail(error if isinstance(error, Exception) else failure)

    def abandon(self) -> None:
        """Close every connection at once, whatever its client has not got yet."""
        for connection in list(self._connections.values()):
            self.finish(connection, delivered=False)

    def __len__(self) -> int:
        return len(self._connections)

    def _begin(self) -> None:
        self._watcher = concurrency.on_readable(self._epoll.fileno(), self._polled, "sse-offload")
        concurrency.task(self._run, "sse-offload").start()

    def _run(self) -> None:
        while True:
            self._signal.clear()
            if not self._ready:
                self._signal.wait()
                self._turn = time.monotonic()
            while self._ready:
                servable = self._ready.popleft()
                servable.marked = False
                try:
                    servable.serve()
                except BaseException as error:
                    # Whatever it is: without this task no stream would go on.
                    self.note_failure(servable, error)
                self.pace()

    def _polled(self) -> None:
        """Runs in the hub, so nothing in here may wait."""
        for fd, events in self._epoll.poll(0):
            connection = self._connections.get(fd)
            if connection is None:
                continue
            try:
                if events & GONE:
                    self._lose(connection)
                elif connection.rest is not None and connection.go_on(connection.rest):
                    self._stuck.discard(connection)
                    self._epoll.modify(fd, GONE)
                    connection.stream.sent()
                    connection.mark()
            except OSError:
                self._lose(connection)

    def _lose(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):
            self._epoll.unregister(connection.socket.fd)
        concurrency.task(lambda: self.finish(connection, delivered=False), "sse-gone").start()

    def _look(self, now: float) -> float | None:
        """Look at who takes nothing, for as long as there is anybody; on the clock."""
        for connection in list(self._stuck):
            self._look_at_stuck(connection, now)
        self._looking = bool(self._stuck)
        return now + LOOK if self._looking else None

    def _look_at_stuck(self, connection: Connection, now: float) -> None:
        """Drop a client that takes nothing: soon, where its stream is only waiting to end."""
        stream = connection.stream
        if stream.calm:
            stream.look(now)
        elif connection.closes_at is None:
            connection.closes_at = now + CLOSING
        elif now >= connection.closes_at:
            stream.drop()

    def visit(self, connection: Connection, now: float) -> None:
        """Look at a connection whose time it is, and note when that will be again."""
        if not connection.open:
            return
        # A tenth earlier at most, so that many beat together: each moment wakes the process once.
        grain = connection.heartbeat / 10
        due = connection.last_sent + connection.heartbeat
        if due <= now + grain:
            due = now + connection.heartbeat
            if connection.rest is None:
                connection.beat(now)
        due = int(due / grain) * grain
        until = connection.until
        if until is not None:
            if until <= now:
                connection.stream.close("shutdown")
            due = min(due, max(until, now))
        self._wheel.put(due, connection)


class Round:
    """Connections that are to be looked at now."""

    marked = True

    def __init__(self, offload: Offload, connections: list[Connection]) -> None:
        self._offload = offload
        self._connections = connections

    def serve(self) -> None:
        """Visit them."""
        for start in range(0, len(self._connections), BATCH):
            now, some = clock.now(), self._connections[start : start + BATCH]
            for connection in some:
                try:
                    self._offload.visit(connection, now)
                except Exception as error:
                    self._offload.note_failure(connection, error)
            self._offload.pace(len(some))


get_offload: Callable[[], Offload] = concurrency.once_per_process(Offload)
