"""One `Stream`: what it sends when, heartbeats, limits in time, and the end that counts once."""

from __future__ import annotations

import errno
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_sse_routes import wire
from flask_sse_routes.peer import Peer
from flask_sse_routes.sockets import VANISHED_AFTER, ClientSocket, Progress
from flask_sse_routes.sources import Chunk
from flask_sse_routes.stream import Stream
from flask_sse_routes.tallies import End
from flask_sse_routes.timing import Timing

FOR_EVER = 3600.0
FIRST = rb"retry: \d+\n"
END = b"event: end\nid: ~end\ndata: null\n\n"


class Script:
    """A source that sends what a test tells it to."""

    channels: tuple[str, ...] = ()
    resets = 0

    def __init__(self) -> None:
        self.ended = False
        self.error: BaseException | None = None
        self.frames: list[bytes] = []
        self.closed: list[str] = []
        self.began = False
        self.words: bytes | None = None
        self._over: Callable[[], None] = lambda: None

    @property
    def ready(self) -> bool:
        return self.ended or bool(self.frames)

    def start(self, wake: Callable[[], None], over: Callable[[], None]) -> None:
        self.wake, self._over = wake, over

    def put(self, *frames: bytes) -> None:
        self.began = True
        self.frames += frames
        self.wake()

    def end(self, error: BaseException | None = None) -> None:
        """The handler came to its own end."""
        self.error = error
        self.words = None if error else END
        self.stop()

    def stop(self) -> None:
        """The handler was brought to an end."""
        self.ended = True
        self.wake()
        self._over()

    def take(self) -> Chunk:
        frames, self.frames = self.frames, []
        return Chunk(b"".join(frames), sum(frame.endswith(b"\n\n") for frame in frames))

    def last_words(self) -> bytes | None:
        return self.words

    def close(self, reason: str) -> None:
        self.closed.append(reason)


class Fixture:
    """A stream of a `Script`, and the outcome it reported."""

    def __init__(self, peer: Peer | None = None, *, terminal: bool = True, **timing: Any) -> None:
        times = {"heartbeat": FOR_EVER, "send_timeout": FOR_EVER, "retry": 1500, **timing}
        self.source = Script()
        self.finished: list[tuple[str | None, BaseException | None]] = []
        self.stream = Stream(
            "test",
            self.source,
            Timing(**times),
            peer or Peer(),
            describe_error=lambda error: b"event: error\ndata: 1\n\n",
            finished=lambda stream, error: self.finished.append((stream.outcome, error)),
            terminal=terminal,
        )
        self.stream.start()

    def leave(self, *, delivered: bool = True) -> None:
        """End both parts, as a server and a handler do."""
        if not self.source.ended:
            self.source.stop()
        self.stream.transport_over(delivered=delivered)


def test_the_first_chunk_has_the_retry_line_in_front() -> None:
    it = Fixture()
    it.source.put(b"data: 1\n\n", b"data: 2\n\n")
    assert re.fullmatch(FIRST + b"data: 1\n\ndata: 2\n\n", it.stream.chunk())
    assert it.stream.chunk() == b""
    it.source.put(b"data: 3\n\n")
    assert it.stream.chunk() == b"data: 3\n\n"
    assert (it.stream.events, it.stream.over) == (3, False)
    it.leave()


def test_what_was_put_before_the_end_goes_before_it() -> None:
    it = Fixture()
    it.source.put(b"data: 1\n\n")
    it.source.end()
    chunk = it.stream.chunk()
    assert chunk.endswith(b"data: 1\n\n" + END)
    assert it.stream.over
    assert it.stream.chunk() == b""
    it.stream.transport_over(delivered=True)
    assert it.finished == [("completed", None)]


def test_without_a_terminal_event_nothing_is_said() -> None:
    it = Fixture(terminal=False)
    it.source.end()
    assert re.fullmatch(FIRST, it.stream.chunk())
    assert it.stream.over
    it.stream.transport_over(delivered=True)
    assert it.finished == [("completed", None)]


def test_an_error_is_described() -> None:
    it = Fixture()
    error = ValueError("x")
    it.source.put(b"data: 1\n\n")
    it.source.end(error)
    assert it.stream.chunk().endswith(b"data: 1\n\nevent: error\ndata: 1\n\n")
    it.stream.transport_over(delivered=True)
    assert it.finished == [("error", error)]


@pytest.mark.parametrize("delivered", [True, False])
def test_a_shutdown_sends_what_is_there_and_when_to_come_back(delivered: bool) -> None:
    it = Fixture()
    it.stream.chunk()
    it.source.put(b"data: 1\n\n")
    it.stream.close("shutdown")
    assert it.stream.signal.is_set()
    chunk = it.stream.chunk()
    match = re.fullmatch(rb"data: 1\n\nretry: (\d+)\n", chunk)
    assert match is not None
    assert 500 <= int(match[1]) <= 3000
    assert it.stream.over
    it.leave(delivered=delivered)
    assert it.finished == [("shutdown", None)]
    assert it.source.closed == ["shutdown"]


def test_a_handler_that_ended_before_a_shutdown_reached_it_is_completed() -> None:
    it = Fixture()
    it.stream.chunk()
    it.source.end()
    it.stream.close("shutdown")
    assert it.stream.chunk() == END
    it.stream.transport_over(delivered=True)
    assert it.finished == [("completed", None)]


def test_what_comes_between_a_shutdown_and_its_last_chunk_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client comes back for it, so it must not hear that the stream has ended."""
    it = Fixture()
    it.stream.chunk()
    it.stream.close("shutdown")
    take = it.source.take

    def preempted() -> Chunk:
        chunk = take()
        it.source.put(b"data: last\n\n")
        it.source.end()
        return chunk

    monkeypatch.setattr(it.source, "take", preempted)
    assert re.fullmatch(FIRST, it.stream.chunk())
    assert it.stream.over
    it.stream.transport_over(delivered=True)
    assert it.finished == [("shutdown", None)]


def test_a_disconnected_stream_sends_nothing_more() -> None:
    it = Fixture()
    it.source.put(b"data: 1\n\n")
    it.stream.close("disconnected")
    assert it.stream.chunk() == b""
    assert it.stream.over
    it.leave(delivered=False)
    assert it.finished == [("disconnected", None)]


def test_the_first_reason_counts() -> None:
    it = Fixture()
    it.stream.close("shutdown")
    it.stream.close("disconnected")
    it.leave(delivered=False)
    assert it.finished == [("shutdown", None)]
    assert it.source.closed == ["shutdown"]


def test_it_is_finished_when_both_parts_are() -> None:
    it = Fixture()
    it.stream.transport_over(delivered=False)
    assert it.finished == []
    assert it.source.closed == ["disconnected"]
    it.source.stop()
    assert it.finished == [("disconnected", None)]


def test_both_parts_may_end_at_once() -> None:
    for _ in range(300):
        it = Fixture()
        threads = [
            threading.Thread(target=it.source.end),
            threading.Thread(target=it.stream.transport_over, kwargs={"delivered": True}),
            threading.Thread(target=it.stream.close, args=("shutdown",)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(it.finished) == 1


def test_a_heartbeat_comes_after_silence_alone(eventually: Any) -> None:
    it = Fixture(heartbeat=0.05)
    it.stream.chunk()
    it.stream.sent()
    for _ in range(2):
        assert it.stream.signal.wait(10)
        assert it.stream.chunk() == wire.HEARTBEAT == b":\n"
        it.stream.sent()
    assert it.stream.heartbeats == 2
    it.leave()


def test_no_heartbeat_while_a_write_is_going_on() -> None:
    it = Fixture(heartbeat=0.02)
    it.stream.chunk()  # and never `sent`
    assert not it.stream.signal.wait(0.15)
    it.leave()


def test_an_event_that_comes_with_a_heartbeat_takes_its_place(eventually: Any) -> None:
    it = Fixture(heartbeat=0.03)
    it.stream.chunk()
    it.stream.sent()
    assert it.stream.signal.wait(10)
    it.source.put(b"data: 1\n\n")
    assert it.stream.chunk() == b"data: 1\n\n"
    assert it.stream.heartbeats == 0
    it.leave()


def test_the_longest_duration_is_a_shutdown(eventually: Any) -> None:
    it = Fixture(max_duration=0.05)
    it.stream.chunk()
    it.stream.sent()
    eventually(lambda: it.source.closed)
    assert it.stream.chunk().startswith(b"retry: ")
    it.leave()
    assert it.finished == [("shutdown", None)]


def test_a_client_that_takes_nothing_is_dropped(eventually: Any) -> None:
    one, other = socket.socketpair()
    it = Fixture(Peer(ClientSocket(one)), send_timeout=0.1)
    begun = time.monotonic()
    it.stream.chunk()  # handed to a server that cannot write it
    eventually(lambda: it.source.closed)
    assert time.monotonic() - begun >= 0.09
    assert it.stream.dropped
    assert other.recv(1) == b"", "the connection is cut, so that a blocked write fails"
    it.leave(delivered=False)
    assert it.finished == [("disconnected", None)]
    one.close()
    other.close()


def test_a_client_that_takes_little_is_kept(eventually: Any) -> None:
    """One chunk that takes longer than the send timeout, of which something arrives always."""

    class Slow(ClientSocket):
        __slots__ = ("taken",)

        def progress(self) -> Progress:
            self.taken = getattr(self, "taken", 0) + 1
            return Progress(self.taken, waiting=True)

    one, other = socket.socketpair()
    slow = Slow(one)
    it = Fixture(Peer(slow), send_timeout=0.1)
    it.stream.chunk()
    eventually(lambda: getattr(slow, "taken", 0) >= 6)
    assert it.source.closed == []
    it.leave()
    one.close()
    other.close()


class HandClock:
    """The clock and the time, which a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.ticks = 0
        self._when = 0.0
        self._tick: Any = None

    def monotonic(self) -> float:
        return self.now

    def at(self, when: float, tick: Any) -> HandClock:
        self._when, self._tick = when, tick
        return self

    def cancel(self) -> None:
        self._tick = None

    def go_on(self, seconds: float) -> None:
        until = self.now + seconds
        while self._tick is not None and self._when <= until:
            self.now = max(self.now, self._when)
            self.ticks += 1
            when = self._tick(self.now)
            if when is None:
                self._tick = None
            else:
                self._when = max(when, self.now + 0.001)
        self.now = until


@pytest.fixture(name="by_hand")
def hand_clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    clock = HandClock()
    monkeypatch.setattr("flask_sse_routes.stream.get_clock", lambda: clock)
    monkeypatch.setattr("flask_sse_routes.clock.now", clock.monotonic)
    return clock


class Wire:
    """A TCP socket of which a test says how far its peer is (struct tcp_info of Linux)."""

    def __init__(self, raw: socket.socket) -> None:
        self._sock = self  # where gevent's sockets keep the real one
        self._raw = raw
        self.in_flight = 0
        self.silence = 0.0
        self.acknowledged = 0
        self.state = 1
        self.error = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def getsockopt(self, level: int, option: int, size: int = 0) -> bytes | int:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            return self.error
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        info = bytearray(size)
        info[0] = self.state
        info[24:28] = self.in_flight.to_bytes(4, "little")
        info[56:60] = int(self.silence * 1000).to_bytes(4, "little")
        info[120:128] = self.acknowledged.to_bytes(8, "little")
        return bytes(info[:size])


@pytest.fixture(name="pair")
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize("phase", [0, 1, 4.9, 7, 14])
def test_the_send_timeout_is_kept_within_a_look_or_two(
    by_hand: HandClock, pair: Any, phase: float
) -> None:
    it = Fixture(Peer(ClientSocket(Wire(pair[0]))), send_timeout=30)
    it.stream.chunk()
    it.stream.sent()
    by_hand.go_on(phase)
    it.source.put(b"data: 1\n\n")
    assert it.stream.chunk()
    by_hand.go_on(29.9)
    assert not it.stream.dropped
    by_hand.go_on(10.1)
    assert it.stream.dropped
    it.leave(delivered=False)


def test_a_short_silence_after_a_quiet_time_is_no_end(by_hand: HandClock, pair: Any) -> None:
    """The last sign of life is old because nothing was sent; that is the client's right."""
    wire_to = Wire(pair[0])
    it = Fixture(Peer(ClientSocket(wire_to)), send_timeout=30)
    for _ in range(40):
        it.source.put(b"data: 1\n\n")
        it.stream.chunk()
        it.stream.sent()
        wire_to.in_flight = 1
        by_hand.go_on(5)
        wire_to.in_flight, wire_to.acknowledged = 0, wire_to.acknowledged + 9
        by_hand.go_on(24.7)
        wire_to.silence = 24.7
    assert it.source.closed == []
    it.leave()


def test_a_client_that_says_nothing_to_what_was_sent_has_vanished(
    by_hand: HandClock, pair: Any
) -> None:
    wire_to = Wire(pair[0])
    it = Fixture(Peer(ClientSocket(wire_to)), send_timeout=30)
    it.stream.chunk()
    it.stream.sent()
    wire_to.in_flight = 1
    by_hand.go_on(VANISHED_AFTER - 0.1)
    assert it.source.closed == []
    by_hand.go_on(6.2)
    assert it.source.closed == ["disconnected"]
    assert it.stream.dropped
    it.leave(delivered=False)


@pytest.mark.parametrize(
    ("held_up", "silence", "before"),
    [
        pytest.param(False, 3.0, 3.0, id="its end was its last word"),
        pytest.param(True, 0.5, 4.0, id="it is there and takes nothing"),
        pytest.param(True, 9.0, 9.0, id="it vanished before it was held up"),
    ],
)
def test_when_a_lost_client_was_last_there(
    by_hand: HandClock, pair: Any, held_up: bool, silence: float, before: float
) -> None:
    wire_to = Wire(pair[0])
    it = Fixture(Peer(ClientSocket(wire_to)), send_timeout=30)
    if held_up:
        it.stream.held_up()
    by_hand.go_on(4)
    wire_to.silence = silence
    it.stream.close("disconnected")
    by_hand.go_on(1)
    it.leave(delivered=False)
    assert it.stream.lost_at == pytest.approx(1004 - before)
    end = End.of(it.stream)
    assert (end.outcome, end.seconds) == ("disconnected", 5)
    assert end.noticed == pytest.approx(before + 1)


@pytest.mark.parametrize(("error", "dropped"), [(errno.ETIMEDOUT, True), (errno.ECONNRESET, False)])
def test_one_that_the_kernel_has_given_up_on_is_dropped(
    pair: Any, error: int, dropped: bool
) -> None:
    wire_to = Wire(pair[0])
    wire_to.error = error
    it = Fixture(Peer(ClientSocket(wire_to)), send_timeout=30)
    it.stream.held_up()
    it.leave(delivered=False)
    assert (it.stream.outcome, it.stream.dropped) == ("disconnected", dropped)


@pytest.mark.parametrize("how", ["reset", "no socket", "shutdown"])
def test_a_loss_whose_moment_nobody_knows_is_not_measured(
    by_hand: HandClock, pair: Any, how: str
) -> None:
    wire_to = Wire(pair[0])
    wire_to.state = 7 if how == "reset" else 1
    it = Fixture(Peer() if how == "no socket" else Peer(ClientSocket(wire_to)))
    if how == "shutdown":
        it.stream.close("shutdown")
        it.stream.note_loss()  # which a client may do that is gone by then
    it.leave(delivered=False)
    assert End.of(it.stream).noticed is None


def test_a_slow_reader_of_a_unix_socket_is_kept_until_it_stops(
    by_hand: HandClock, pair: Any
) -> None:
    server, client = pair
    it = Fixture(Peer(ClientSocket(server)), send_timeout=30)
    for _ in range(50):
        server.sendall(b"x" * 100)
    it.stream.chunk()  # and never `sent`: the server has more to write
    for _ in range(40):
        by_hand.go_on(5)
        assert client.recv(100)
    assert it.source.closed == []
    by_hand.go_on(40)
    assert it.source.closed == ["disconnected"]
    it.leave(delivered=False)


def test_a_last_chunk_that_blocks_past_the_longest_duration(by_hand: HandClock) -> None:
    it = Fixture(max_duration=2, send_timeout=30)
    it.source.end()
    assert it.stream.chunk().endswith(END)
    by_hand.go_on(2.5)
    assert by_hand.ticks < 5, "it asks the clock for a time that is past"
    it.stream.sent()
    it.leave()
    assert it.finished == [("completed", None)]


def test_a_peer_that_leaves_ends_the_stream(eventually: Any) -> None:
    one, other = socket.socketpair()
    it = Fixture(Peer(ClientSocket(one)))
    other.close()
    eventually(lambda: it.source.closed == ["disconnected"])
    it.leave(delivered=False)
    assert it.finished == [("disconnected", None)]
    one.close()


def test_a_server_that_can_only_be_asked_is_asked(eventually: Any) -> None:
    gone = threading.Event()
    it = Fixture(Peer(poll=gone.is_set))
    assert it.source.closed == []
    gone.set()
    eventually(lambda: it.source.closed == ["disconnected"], 5)
    it.leave(delivered=False)


def test_it_counts_what_it_sends() -> None:
    it = Fixture()
    it.source.put(b"data: 1\n\n", b": only a comment\n")
    chunk = it.stream.chunk()
    it.source.end()
    chunk += it.stream.chunk()
    assert (it.stream.events, it.stream.bytes) == (2, len(chunk))
    it.stream.transport_over(delivered=True)
    assert it.stream.seconds > 0
