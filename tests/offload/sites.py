"""A log, and clients on socket pairs whose streams the offload serves."""

from __future__ import annotations

import _socket
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask_sse_routes.brokers.base import Merged, Position
from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.channels import ChannelHub
from flask_sse_routes.connections import Connection
from flask_sse_routes.followers import ChannelSource
from flask_sse_routes.groups import Group
from flask_sse_routes.offload import Offload
from flask_sse_routes.peer import NOWHERE, Peer
from flask_sse_routes.sources import Source
from flask_sse_routes.stream import Stream
from flask_sse_routes.streams import Streams
from flask_sse_routes.timing import Timing
from flask_sse_routes.wire import HEARTBEAT, Decoder, Event

FOR_EVER = 3600.0
# Seconds in which something is to happen; far more than it takes on an idle machine.
LIMIT = 15.0
# The kernel makes the least of it that it can: some 4 KiB on the way to a client.
SMALLEST = 1


def wait_for(condition: Callable[[], object], what: object = "") -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:g} s: {what}"
        time.sleep(0.002)


class Perishable(MemoryBroker):
    """A log that can begin a new epoch, and whose tail can be held up."""

    def __init__(self, history: int) -> None:
        super().__init__(history=history)
        self._history = history
        self.gate = threading.Event()
        self.gate.set()
        self.held = threading.Event()

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        # Nobody else asks for a set of channels than the tail, which reads for all.
        if isinstance(channels, frozenset) and not self.gate.is_set():
            self.held.set()
            self.gate.wait()
        return super().poll(channels, after, limit)

    def hold_up(self) -> None:
        """Have the tail read nothing more, from its next look on."""
        self.gate.clear()
        self.held.clear()
        self._wake()
        assert self.held.wait(LIMIT)

    def die(self) -> None:
        """Begin a new epoch."""
        listeners = self._log().listeners
        self._log = MemoryBroker(history=self._history)._log
        self._log().listeners = listeners
        self._wake()

    def lose_all(self) -> None:
        """Begin to count anew in the same epoch, as a log does whose end is lost."""
        epoch = self._log().epoch
        self.die()
        self._log().epoch = epoch

    def _wake(self) -> None:
        for listener in tuple(self._log().listeners):
            listener.wake()


class Wire:
    """The server's end, as a worker hands it over: it never waits. It can be made to fail."""

    def __init__(self, raw: Any) -> None:
        self._sock = raw
        self.faults: deque[BaseException] = deque()
        self.sends = 0

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def send(self, data: bytes) -> int:
        self.sends += 1
        if self.faults:
            raise self.faults.popleft()
        return int(self._sock.send(data))


def plain(end: socket.socket) -> Any:
    """Return a socket without gevent's part, which would wait."""
    raw = _socket.socket(fileno=end.detach())
    raw.settimeout(0)
    return raw


class Client:
    """One client. It reads only when it is told to."""

    def __init__(self, stream: Stream, channels: tuple[str, ...], after: str | None) -> None:
        ends = socket.socketpair()
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST)
        self._socket, raw = map(plain, ends)
        self.wire = Wire(raw)
        self.stream = stream
        self.channels = channels
        self.after = after
        self.reading = True
        self.left = self.over = False
        self.closed = threading.Event()
        self.raw = b""
        self.events: list[Event] = []
        self._decoder = Decoder()

    @property
    def connection(self) -> Connection:
        assert isinstance(self.stream.transport, Connection)
        return self.stream.transport

    @property
    def group(self) -> Group | None:
        transport = self.stream.transport
        return transport.group if isinstance(transport, Connection) else None

    @property
    def ids(self) -> list[str]:
        """The ids of what was published."""
        return [event.id or "" for event in self.events if event.event not in ("ready", "reset")]

    @property
    def names(self) -> list[str | None]:
        """The names of what was not published."""
        return [event.event for event in self.events if event.event in ("ready", "reset")]

    @property
    def heartbeats(self) -> int:
        return self.raw.split(b"\n").count(HEARTBEAT.rstrip())

    def read(self) -> Client:
        """Take all that has come."""
        try:
            while not self.left and not self.over:
                piece = self._socket.recv(65_536)
                self.over = not piece
                self.raw += piece
                self.events += self._decoder.feed(piece)
        except BlockingIOError:
            pass
        except OSError:
            self.over = True
        return self

    def shut(self) -> None:
        """Go away in the way of a client that still reads what is on its way."""
        self._socket.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        """Go away."""
        self.left = True
        self._socket.close()

    def counts(self) -> tuple[int, int, int]:
        """Events, bytes and heartbeats by the stream's counters."""
        if self.stream.transport is not None:
            self.stream.transport.count()
        return self.stream.events, self.stream.bytes, self.stream.heartbeats

    def received(self) -> tuple[int, int, int]:
        """Events, bytes and heartbeats that have arrived."""
        return len(self.events), len(self.raw), self.heartbeats


class Published(NamedTuple):
    """One entry of the log, as a client is to get it."""

    position: Position
    channel: str
    data: str


class Site:
    """One broker with its hub, and the clients on the offload that follow it."""

    def __init__(self, offload: Offload, *, history: int = 1000) -> None:
        self.offload = offload
        self.history = history
        self.broker = Perishable(history)
        self.hub = ChannelHub(self.broker)
        self.streams = Streams()
        self.log: list[Published] = []
        self.clients: list[Client] = []
        self._taken: set[Connection] = set()

    def open(self, *channels: str, after: str | None = None, **options: Any) -> Client:
        """Follow channels; `options`: see `serve`."""
        source = ChannelSource(self.hub, channels)
        source.open(after, None)
        return self.serve(source, after, **options)

    def serve(
        self,
        source: Source,
        after: str | None = None,
        *,
        cleanup: Callable[[], None] = lambda: None,
        **timing: Any,
    ) -> Client:
        """Have the offload serve a source."""
        times = {"heartbeat": FOR_EVER, "send_timeout": FOR_EVER, "retry": 1500, **timing}

        def finished(stream: Stream, error: BaseException | None) -> None:
            cleanup()
            self.streams.discard(stream, error)

        stream = Stream(
            "test",
            source,
            Timing(**times),
            Peer(),
            describe_error=lambda error: b"event: error\ndata: 1\n\n",
            finished=finished,
        )
        client = Client(stream, source.channels, after)
        self.clients.append(client)
        assert self.streams.reserve(None, None, None)
        self.streams.add(stream, self.streams.opening())
        stream.start()
        self.offload.take_over(stream, client.wire, client.closed.set)
        self._taken.add(client.connection)
        return client

    def crowd(self, count: int, *channels: str, **options: Any) -> list[Client]:
        """Return clients that are all in one group, with nothing left to be sent."""
        crowd = [self.open(*channels, **options) for _ in range(count)]
        wait_for(lambda: all(client.read().group for client in crowd), "one group")
        assert len({client.group for client in crowd}) == 1
        return crowd

    def publish(self, channel: str, size: int = 0) -> str:
        data = f'"{len(self.log)} {"x" * size}"'
        position = self.broker.append(channel, b"\n" + data.encode())
        self.log.append(Published(position, channel, data))
        return str(position)

    def seen_all(self, *clients: Client) -> bool:
        """Let clients read, and tell whether all have got everything."""
        for client in clients:
            client.read()
        return all(self.is_complete(client) for client in clients)

    def is_complete(self, client: Client) -> bool:
        position = self.check(client)
        if position is None or position.epoch != self.broker.newest().epoch:
            return False
        return not self._after(position, client.channels)

    def check(self, client: Client) -> Position | None:
        """Compare what a client got with what was published; return how far it is."""
        position = Position.parse(client.after)
        missing: deque[Published] = deque()
        if position is not None:
            missing.extend(self._after(position, client.channels))
        for event in client.events:
            found = Position.parse(event.id)
            assert found is not None, event
            if event.event in ("ready", "reset"):
                self._check_leap(client, event, position, found)
                missing = deque(self._after(found, client.channels))
            else:
                assert missing, f"{event} comes again, or is for others"
                assert (missing[0].position, missing.popleft().data) == (found, event.data)
            position = found
        return position

    def _check_leap(
        self, client: Client, event: Event, before: Position | None, to: Position
    ) -> None:
        """A client starts where it is told only once, and skips only what is gone."""
        if event.event == "ready":
            assert before is None
            return
        reason = event.data
        if before is None or before.epoch != to.epoch:
            assert reason == '{"reason":"epoch"}'
            return
        assert reason == '{"reason":"trimmed"}'
        skipped = [
            entry.channel
            for entry in self._after(before, client.channels)
            if entry.position.seq <= to.seq
        ]
        assert any(skipped.count(channel) > self.history for channel in client.channels)

    def _after(self, position: Position, channels: tuple[str, ...]) -> list[Published]:
        """What was published after a position, in the same epoch."""
        return [
            entry
            for entry in self.log
            if entry.channel in channels
            and entry.position.epoch == position.epoch
            and entry.position.seq > position.seq
        ]

    def wheel(self) -> list[Connection]:
        """The site's connections that wait for their time in the offload."""
        slots = list(self.offload._wheel.slots.values())
        return [each for slot in slots for each in slot if each in self._taken]

    def close(self) -> None:
        """Have everybody leave; nothing may be left."""
        self.broker.gate.set()
        for client in self.clients:
            client.leave()
        wait_for(lambda: not len(self.offload) and not self.streams.open(), "all are over")
        self.hub.close()
        assert not self.offload._groups
        assert not self.offload._keys
        assert not self.offload._stuck
        wait_for(lambda: not self.offload._ready, "nobody is left in the row")
        assert not self.hub.rings
        assert not self.hub._followers
        for client in self.clients:
            assert client.closed.wait(LIMIT)
            assert client.stream.transport is NOWHERE
