"""A handler that does anything in any order, and a transport that takes and ends at any point.

What was yielded is taken in order and once; the end is final; its `finally` runs once.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_sources import Encoder, bare_step

from flask_sse_routes import EventError, StreamClosed, sources
from flask_sse_routes.sources import NOTHING, GeneratorSource

from .effort import play, seldom

ROOM = 3
LIMIT = 20.0


class Listening:
    """A loop over channels in the handler."""

    channels = ("a",)

    def __init__(self) -> None:
        self.closes = 0

    def close(self) -> None:
        self.closes += 1


class Sourced(RuleBasedStateMachine):
    """One source in a thread of its own, which does what it is told and then waits."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(sources, "BUFFER_FRAMES", ROOM)
        self.commands: queue.Queue[Callable[[], Any]] = queue.Queue()
        self.changed = threading.Condition()
        self.signal = threading.Event()
        self.put: list[bytes] = []
        self.taken = b""
        self.waits = self.wakes = self.overs = self.cleanups = 0
        self.told: list[str] = []
        self.commanded = 0
        self.begun = self.returns = self.blocked = self.yields = False
        self.is_told = False
        self.reason: str | None = None
        self.words: bytes | None = None
        self.failure: Exception | None = None
        self.listening: list[Listening] = []
        self.source = GeneratorSource(
            self._handler(), Encoder(), name="test", step=bare_step, scope=lambda run: run
        )

    def _handler(self) -> Iterator[Any]:
        self.begun = True
        try:
            while True:
                self._count("waits")
                value = self.commands.get()()
                if self.returns:
                    return value
                if value is not None:
                    yield value
        except StreamClosed as closed:
            self.told.append(str(closed))
            raise
        finally:
            self.cleanups += 1

    def _count(self, what: str) -> None:
        with self.changed:
            setattr(self, what, getattr(self, what) + 1)
            self.changed.notify_all()

    @initialize(closed=seldom)
    def begin(self, closed: bool) -> None:
        if closed:
            self.close("disconnected", True)
        self.source.start(lambda: self._count("wakes"), lambda: self._count("overs"))
        self._settle(0)

    def _settle(self, waits: int) -> None:
        """Wait until the handler waits again, is held up, blocks, or is over."""

        def settled() -> bool:
            held = self.yields and len(self.source._frames) >= ROOM and self.reason is None
            return bool(self.overs) or self.waits > waits or held or self.blocked

        with self.changed:
            assert self.changed.wait_for(settled, LIMIT), "the handler is stuck"

    def _is_idle(self) -> bool:
        return not self.overs and not self.blocked and self.waits == self.commanded + 1

    def _is_held(self) -> bool:
        return not self.overs and not self.blocked and self.waits == self.commanded

    def _tell(self, command: Callable[[], Any], *, yields: bool = False) -> None:
        waits = self.waits
        self.yields = yields
        self.commanded += 1
        self.commands.put(command)
        self._settle(waits)

    # The handler

    @precondition(_is_idle)
    @rule(is_event=st.booleans())
    def handler_yields(self, is_event: bool) -> None:
        frame = b"%d%s\n" % (len(self.put), b"\n" if is_event else b"")
        self.put.append(frame)
        self._tell(lambda: frame, yields=True)

    @precondition(_is_idle)
    @rule()
    def handler_sends_what_it_did_not_yield(self) -> None:
        frame = b"injected %d\n\n" % len(self.put)
        self.put.append(frame)
        self._tell(lambda: self.source.inject(frame))

    @precondition(_is_idle)
    @rule(how=st.sampled_from(["return", "raise", "bad"]), really=seldom)
    def handler_ends(self, how: str, really: bool) -> None:
        if not really:
            return
        self.is_told = how != "return" and self.reason is None
        if how == "return":
            self.words = b"<end x>"
            self.returns = True
            self._tell(lambda: "x")
        elif how == "bad":
            self.failure = EventError("bad event")
            self._tell(lambda: "bad")
        else:
            self.failure = ValueError("its own")
            self._tell(self._fail)
        assert self.overs == 1

    def _fail(self) -> None:
        assert self.failure is not None
        raise self.failure

    @precondition(_is_idle)
    @rule(really=seldom)
    def handler_closes(self, really: bool) -> None:
        if not really:
            return
        self.reason = self.reason or "error"
        self._tell(lambda: self.source.close("error"))

    @precondition(_is_idle)
    @rule()
    def handler_sleeps(self) -> None:
        self._tell(lambda: self.source.sleep(0))

    @precondition(_is_idle)
    @rule()
    def handler_listens(self) -> None:
        self.listening.append(Listening())
        self._tell(lambda: self.source.listens(self.listening[-1]))

    @precondition(_is_idle)
    @rule()
    def handler_waits(self) -> None:
        self.signal.clear()
        self.blocked = self.reason is None
        self._tell(lambda: self.source.wait(self.signal))

    @precondition(lambda self: self.blocked)
    @rule()
    def its_signal_comes(self) -> None:
        self.blocked = False
        waits = self.waits
        self.signal.set()
        self._settle(waits)

    # The transport

    @rule()
    def take(self) -> None:
        waits, held = self.waits, self._is_held()
        chunk = self.source.take()
        assert chunk.events == chunk.data.count(b"\n\n")
        self.taken += chunk.data
        if held:
            self._settle(waits)

    @rule(reason=st.sampled_from(["disconnected", "shutdown", "error"]), really=seldom)
    def close(self, reason: str, really: bool) -> None:
        if not really:
            return
        held, blocked = self._is_held() and self.begun, self.blocked
        self.reason, self.blocked = self.reason or reason, False
        self.source.close(reason)
        if held or blocked:
            with self.changed:
                assert self.changed.wait_for(lambda: self.overs, LIMIT), "it goes on"

    # What always holds

    @invariant()
    def what_was_put_is_taken_in_order(self) -> None:
        assert b"".join(self.put).startswith(self.taken)
        assert self.source.began == bool(self.put) or self.failure
        assert self.overs <= 1

    @invariant()
    def the_end_is_final(self) -> None:
        if not self.overs:
            assert not self.source.ended
            return
        assert self.source.ended
        assert self.source.ready
        assert self.cleanups == self.begun
        assert self.source.last_words() == self.words
        assert (self.source.error is not None) == self.is_told
        assert all(each.closes for each in self.listening)
        assert set(self.told) <= {self.reason}

    def teardown(self) -> None:
        try:
            self.source.close("disconnected")
            self.reason = self.reason or "disconnected"
            self.commands.put(lambda: None)
            self.commands.put(lambda: b"")
            with self.changed:
                assert self.changed.wait_for(lambda: self.overs, LIMIT), "it does not end"
            self.taken += self.source.take().data
            assert self.taken == b"".join(self.put)
            assert self.source.take() == NOTHING
        finally:
            self.patch.undo()


def test_a_handler_and_its_transport() -> None:
    play(Sourced, 80, 30)
