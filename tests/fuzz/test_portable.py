"""A stream on the portable transport: a server, a handler and a client that take their time.

The server asks for a chunk only when it would get one, writes it in parts, and may find its
client gone at any point; what left is held against what the handler put.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_stream import END, Script

from flask_sse_routes.peer import Peer
from flask_sse_routes.sockets import ClientSocket, Progress
from flask_sse_routes.sources import Chunk
from flask_sse_routes.stream import Stream
from flask_sse_routes.streams import Streams
from flask_sse_routes.timing import Timing
from flask_sse_routes.transport import StreamBody
from flask_sse_routes.wire import Decoder, Event

from .by_hand import Hands
from .effort import play, seldom

ERROR = b"event: error\nid: ~end\ndata: 1\n\n"
TERMINAL = ("end", "error")
HEARTBEAT, SEND_TIMEOUT, LONGEST = 10.0, 25.0, 100.0


# How streams have ended in all plays, and what else came about.
seen: Counter[str] = Counter()
USUAL = ["completed", "error", "shutdown", "disconnected", "dropped", "heartbeat"]


class WouldWaitError(Exception):
    """The server's task would wait here."""


class HandSignal:
    """A signal that nobody waits for."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self) -> None:
        if not self._set:
            raise WouldWaitError


class HandSocket(ClientSocket):
    """How far the client is, as far as a stream asks."""

    def __init__(self) -> None:
        super().__init__(self)
        self.taken = 0
        self.is_cut = False

    def fileno(self) -> int:
        return -1

    def progress(self) -> Progress:
        return Progress(self.taken, waiting=False)

    def cut(self) -> None:
        self.is_cut = True


class HandPeer(Peer):
    """A client that is watched by the machine."""

    def __init__(self) -> None:
        self.poll = None
        self.socket: HandSocket = HandSocket()
        self.gone: Callable[[], None] | None = None

    def watch(self, gone: Callable[[], None], send_timeout: float) -> None:
        assert self.gone is None
        self.gone = gone

    def forget(self, gone: Callable[[], None]) -> None:
        self.gone = None


class Interrupted(Script):
    """A handler that can go on between two of the stream's looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.after_take: list[Callable[[], None]] = []

    def take(self) -> Chunk:
        chunk = super().take()
        while self.after_take:
            self.after_take.pop()()
        return chunk


class Portable(RuleBasedStateMachine):
    """One stream from its opening to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = Hands()
        self.streams = Streams()
        self.source, self.peer = Interrupted(), HandPeer()
        self.finished = 0
        self.stream = Stream(
            "test",
            self.source,
            Timing(HEARTBEAT, SEND_TIMEOUT, 1500, LONGEST),
            self.peer,
            user="ann",
            describe_error=lambda error: ERROR,
            finished=self._finish,
        )
        signal: Any = HandSignal()
        self.stream.signal = signal
        assert self.streams.reserve(None, 1, None)
        self.streams.add(self.stream, self.streams.opening())
        self.stream.start()
        self.body = StreamBody(self.stream)
        self.put: list[str] = []
        self.words: bytes | None = None
        # What the server was given, what of it the client has got, and what waits in between.
        self.handed = self.received = self.rest = b""
        self.closed = False
        self.last = "end"

    @initialize(last=st.sampled_from(["end", "error"]))
    def begin(self, last: str) -> None:
        """How the handler ends, if it is left to itself."""
        self.last = last

    def _finish(self, stream: Stream, error: BaseException | None) -> None:
        self.finished += 1
        self.streams.discard(stream, error)

    # The handler

    def _may_put(self) -> bool:
        return not self.source.ended

    @precondition(_may_put)
    @rule(size=st.sampled_from([0, 0, 7, 300]), comment=st.booleans())
    def handler_yields(self, size: int, comment: bool) -> None:
        data = f"{len(self.put)}{'x' * size}"
        self.put.append(data)
        frame = f"data: {data}\n\n".encode()
        self.source.put(*([b": note\n"] if comment else []), frame)

    @precondition(_may_put)
    @rule(how=st.sampled_from(["end", "error", "stop"]), really=seldom)
    def handler_ends(self, how: str, really: bool) -> None:
        if not (really or self.source.closed) or (how == "stop" and not self.source.closed):
            return  # only one that is closed ends without a word
        if how == "end":
            self.words = END
            self.source.end()
        elif how == "error":
            self.words = ERROR
            self.source.end(ValueError("x"))
        else:
            self.source.stop()

    @rule(ends=st.booleans())
    def handler_goes_on_while_it_is_asked(self, ends: bool) -> None:
        def go_on() -> None:
            if self._may_put():
                self.handler_yields(0, False)
            if ends and self._may_put():
                self.handler_ends("end", True)

        self.source.after_take[:] = [go_on]

    # The server

    @precondition(lambda self: not self.closed and not self.rest)
    @rule()
    def server_asks(self) -> None:
        try:
            chunk = next(self.body)
        except WouldWaitError:
            return
        except StopIteration:
            self._close()
            return
        assert chunk, "an empty chunk would end a chunked response"
        self.handed += chunk
        self.rest = chunk

    @precondition(lambda self: self.rest)
    @rule(count=st.sampled_from([1, 3, 20, 10_000]))
    def server_writes(self, count: int) -> None:
        if self.peer.socket.is_cut:
            self._close()
            return
        self.received += self.rest[:count]
        self.peer.socket.taken += len(self.rest[:count])
        self.rest = self.rest[count:]

    @precondition(lambda self: not self.closed)
    @rule(really=seldom)
    def server_gives_up(self, really: bool) -> None:
        if really:
            self._close()
            self.body.close()

    def _close(self) -> None:
        self.closed = True
        self.body.close()

    # The client, the app and time

    @precondition(lambda self: self.peer.gone)
    @rule(really=seldom)
    def client_leaves(self, really: bool) -> None:
        if really and self.peer.gone is not None:
            self.peer.gone()

    @rule(order=st.sampled_from(["drain", "revoke", "foreign"]), really=seldom)
    def app_orders(self, order: str, really: bool) -> None:
        if not really:
            return
        if order == "drain":
            self.streams.drain()
        else:
            self.streams.revoke("ann" if order == "revoke" else "bob", None)

    @rule(seconds=st.sampled_from([0.5, *[HEARTBEAT] * 4, HEARTBEAT + 1, SEND_TIMEOUT]))
    def time_passes(self, seconds: float) -> None:
        self.hands.time.go_on(seconds)

    # What always holds

    def _events_in(self, data: bytes) -> list[Event]:
        return Decoder().feed(data)

    @invariant()
    def what_arrives_is_a_prefix(self) -> None:
        assert self.handed.startswith(self.received)
        events = self._events_in(self.handed)
        terminal = [event for event in events if event.event in TERMINAL]
        plain = events[:-1] if terminal else events
        assert terminal in ([], events[-1:])
        assert [event.data for event in plain] == self.put[: len(plain)]
        if terminal:
            assert self.handed.endswith((END, ERROR))
            assert self.stream.over
        if terminal and terminal[0].event == "end":
            assert len(plain) == len(self.put), "it has ended before everything was sent"

    @invariant()
    def retry_is_a_line_alone(self) -> None:
        assert not re.search(rb"retry: \d+\n\n", self.handed)
        lines = self.handed.split(b"\n")
        assert all(re.fullmatch(rb"retry: \d+", line) for line in lines if b"retry" in line)
        assert not self.handed or lines[0].startswith(b"retry: ")
        assert sum(line.startswith(b"retry") for line in lines) <= 2

    @invariant()
    def the_counters_agree(self) -> None:
        stats = self.streams.stats()
        events = self._events_in(self.handed)
        beats = self.handed.split(b"\n").count(b":")
        assert (stats.events, stats.bytes) == (len(events), len(self.handed))
        assert stats.heartbeats == beats
        assert stats.dropped == self.stream.dropped == self.peer.socket.is_cut

    @invariant()
    def the_place_is_given_back_once(self) -> None:
        over = self.closed and self.source.ended
        assert self.finished == over
        assert self.streams.stats().streams == (not over)
        assert sum(self.streams.stats().ended.values()) == over
        assert self.streams.reserve("other", 1, None) == over
        if over:
            self.streams.release("other")
            # One place too many would let somebody in where nobody is let in.
            assert not self.streams.reserve("other", 0, None)

    def teardown(self) -> None:
        try:
            self._bring_to_an_end()
        finally:
            self.hands.let_go()

    def _bring_to_an_end(self) -> None:
        """Let handler, server and client go on undisturbed; what they say must add up."""
        self.source.after_take.clear()
        if not self.source.ended:
            self.handler_ends("stop" if self.source.closed else self.last, True)
        for _ in range(10):
            while self.rest and not self.closed:
                self.server_writes(10_000)
            if not self.closed:
                self.server_asks()
        assert self.closed
        assert self.peer.gone is None
        self.the_place_is_given_back_once()
        self.what_arrives_is_a_prefix()
        outcome = self.stream.outcome
        seen[str(outcome)] += 1
        seen["dropped"] += self.stream.dropped
        seen["heartbeat"] += self.streams.stats().heartbeats
        if outcome == "completed":
            assert self.received.endswith(END)
        elif outcome == "error":
            assert self.handed.endswith(ERROR)
        elif outcome == "shutdown" and self.stream.over and not self.rest:
            assert not self.handed.endswith((END, ERROR))


def test_a_stream_on_any_server() -> None:
    seen.clear()
    play(Portable, 100, 40)
    assert all(seen[what] for what in USUAL), seen
