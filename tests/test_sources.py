"""`GeneratorSource`: a handler's iterator in a task of its own, and how it is brought to an end."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_sse_routes import EventError, StreamClosed
from flask_sse_routes.sources import BUFFER_BYTES, BUFFER_FRAMES, NOTHING, Chunk, GeneratorSource


class Encoder:
    """Events that tests can read; each ends with a blank line, as those of the wire do."""

    def event(self, value: Any) -> bytes:
        if value == "bad":
            raise EventError("bad event")
        return value if isinstance(value, bytes) else f"<{value}>\n\n".encode()

    def end(self, value: Any) -> bytes:
        return f"<end {value}>".encode()


def bare_step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
    return advance()


def frames_in(chunk: Chunk) -> list[bytes]:
    """The events of a chunk without their blank lines; it must hold whole ones, and count them."""
    *frames, rest = chunk.data.split(b"\n\n")
    assert (rest, len(frames)) == (b"", chunk.events)
    return frames


class Run:
    """A started source, with what it called back."""

    def __init__(self, iterator: Iterator[Any], *, step: Any = bare_step) -> None:
        self.wakes = 0
        self.over = threading.Event()
        self.frames: list[bytes] = []
        self.source = GeneratorSource(
            iterator, Encoder(), name="test", step=step, scope=lambda run: run
        )

    def start(self) -> Run:
        self.source.start(self._wake, self.over.set)
        return self

    def _wake(self) -> None:
        self.wakes += 1

    def drained(self) -> list[bytes]:
        """Every frame up to the end, without the blank line at its end."""
        while not self.over.wait(0.002):
            self.frames += frames_in(self.source.take())
        self.frames += frames_in(self.source.take())
        return self.frames


def test_it_begins_only_when_started(eventually: Any) -> None:
    ran: list[int] = []

    def numbers() -> Iterator[int]:
        ran.append(1)
        yield 1

    run = Run(numbers())
    assert (ran, run.source.ready, run.source.began) == ([], False, False)
    assert run.source.take() == NOTHING == (b"", 0, False)
    assert run.start().drained() == [b"<1>"]


def test_frames_come_in_order_and_then_the_last_words() -> None:
    def numbers() -> Iterator[Any]:
        yield from range(500)
        return "done"

    run = Run(numbers()).start()
    assert run.drained() == [f"<{n}>".encode() for n in range(500)]
    assert run.source.ended
    assert run.source.ready
    assert run.source.error is None
    assert run.source.last_words() == b"<end done>"


def test_any_iterator_will_do() -> None:
    run = Run(iter([1, 2])).start()
    assert run.drained() == [b"<1>", b"<2>"]
    assert run.source.last_words() == b"<end None>"


def test_taking_never_waits_and_takes_everything(eventually: Any) -> None:
    gate = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        gate.wait()
        yield 3

    run = Run(numbers()).start()
    eventually(lambda: run.wakes == 2)
    assert run.source.take() == (b"<1>\n\n<2>\n\n", 2, False)
    assert run.source.take() == NOTHING
    assert run.source.began
    assert not run.source.ready
    gate.set()
    assert run.drained() == [b"<3>"]
    assert run.wakes >= 3


@pytest.mark.parametrize("frame", [b"x\n\n", b"x" * 4094 + b"\n\n"])
def test_a_handler_is_held_up_when_nobody_takes(eventually: Any, frame: bytes) -> None:
    made: list[int] = []

    def flood() -> Iterator[bytes]:
        while True:
            made.append(1)
            yield frame

    run = Run(flood()).start()
    most = min(BUFFER_FRAMES, BUFFER_BYTES // len(frame)) + 1
    eventually(lambda: len(made) >= most - 2)
    before = len(made)
    assert not run.over.wait(0.1)
    assert len(made) <= most
    chunk = run.source.take()
    assert chunk.data == frame * chunk.events
    assert chunk.events >= before - 1
    eventually(lambda: len(made) > before)
    run.source.close("disconnected")
    run.drained()


def test_what_has_no_blank_line_at_its_end_is_no_event() -> None:
    frames = [b": one\n", b"<1>\n\n", b": two\n", b"<2>\n\n", b"retry: 1\n"]
    run = Run(iter(frames)).start()
    assert run.over.wait(10)
    assert run.source.take() == (b"".join(frames), 2, False)


def test_a_frame_that_was_not_yielded_goes_out_in_its_turn() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        run.source.inject(b"<between>\n\n")
        yield 2

    run = Run(numbers())
    assert run.start().drained() == [b"<1>", b"<between>", b"<2>"]
    assert run.wakes >= 3


def test_an_error_ends_it(eventually: Any) -> None:
    error = ValueError("x")

    def fails() -> Iterator[int]:
        yield 1
        raise error

    run = Run(fails()).start()
    assert run.drained() == [b"<1>"]
    assert run.source.error is error
    assert run.source.last_words() is None


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_would_end_the_process_is_an_error(kind: type[BaseException]) -> None:
    def leaves() -> Iterator[int]:
        yield 1
        raise kind("die")

    run = Run(leaves()).start()
    assert run.drained() == [b"<1>"]
    assert isinstance(run.source.error, Exception)
    assert repr(kind("die")) in str(run.source.error)
    assert isinstance(run.source.error.__cause__, kind)


def test_a_handler_that_is_killed_has_no_error() -> None:
    def killed() -> Iterator[int]:
        yield 1
        raise GeneratorExit

    run = Run(killed()).start()
    assert run.drained() == [b"<1>"]
    assert (run.source.error, run.source.last_words()) == (None, None)


def test_an_event_that_cannot_be_encoded_is_raised_at_the_yield() -> None:
    seen: list[str] = []

    def numbers() -> Iterator[str]:
        yield "good"
        try:
            yield "bad"
        except EventError as error:
            seen.append(str(error))
            raise
        finally:
            seen.append("finally")

    run = Run(numbers()).start()
    assert run.drained() == [b"<good>"]
    assert isinstance(run.source.error, EventError)
    assert seen == ["bad event", "finally"]


def test_an_iterator_that_takes_no_exceptions_ends_with_the_error() -> None:
    run = Run(iter(["good", "bad", "good"])).start()
    assert run.drained() == [b"<good>"]
    assert isinstance(run.source.error, EventError)


def sleeper(run: list[Run], seen: list[Any]) -> Iterator[int]:
    try:
        yield 1
        run[0].source.sleep(3600)
    except StreamClosed as closed:
        seen.append(closed.reason)
        raise
    finally:
        seen.append("finally")


@pytest.mark.parametrize("reason", ["disconnected", "shutdown"])
def test_closing_wakes_a_sleeping_handler(eventually: Any, reason: str) -> None:
    seen: list[Any] = []
    holder: list[Run] = []
    run = Run(sleeper(holder, seen))
    holder.append(run)
    run.start()
    eventually(lambda: run.wakes)
    run.source.close(reason)
    run.source.close("another reason, too late")
    assert run.source.closed.is_set()
    assert run.over.wait(10)
    assert seen == [reason, "finally"]
    assert run.source.error is None
    assert run.source.last_words() is None


def test_closing_a_handler_that_waits_for_room(eventually: Any) -> None:
    seen: list[str] = []

    def flood() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            seen.append("finally")

    run = Run(flood()).start()
    eventually(lambda: run.wakes >= BUFFER_FRAMES)
    run.source.close("disconnected")
    assert run.over.wait(10)
    assert seen == ["finally"]


def test_a_handler_that_fails_while_it_is_closed_is_logged(eventually: Any, caplog: Any) -> None:
    def stubborn() -> Iterator[int]:
        try:
            yield 1
            holder[0].source.sleep(3600)
        finally:
            raise ValueError("finally went wrong")

    holder = [Run(stubborn())]
    run = holder[0].start()
    eventually(lambda: run.wakes)
    with caplog.at_level(logging.ERROR):
        run.source.close("disconnected")
        assert run.over.wait(10)
    assert "finally went wrong" in caplog.text
    assert "test" in caplog.text
    assert run.source.error is None


def test_an_iterator_that_cannot_be_closed_is_ended_too(eventually: Any, no_gc: None) -> None:
    seen: list[str] = []

    def flood() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            seen.append("finally")

    run = Run(itertools.chain([0], flood())).start()
    eventually(lambda: run.wakes >= BUFFER_FRAMES)
    run.source.close("disconnected")
    assert run.over.wait(10)
    assert seen == ["finally"]


def test_a_handler_that_goes_on_when_closed_is_closed_again(eventually: Any) -> None:
    """One that swallows `StreamClosed` and yields again gets no third chance."""
    seen: list[str] = []

    def stubborn() -> Iterator[int]:
        try:
            yield 1
            holder[0].source.sleep(3600)
        except StreamClosed:
            seen.append("swallowed")
        try:
            yield 2
            seen.append("went on")
        finally:
            seen.append("closed")

    holder = [Run(stubborn())]
    run = holder[0].start()
    eventually(lambda: run.wakes)
    run.source.close("disconnected")
    assert run.over.wait(10)
    assert seen == ["swallowed", "closed"]


def test_each_step_goes_through_step(eventually: Any) -> None:
    steps: list[str] = []

    def step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
        steps.append("enter")
        try:
            return advance()
        finally:
            steps.append("leave")

    run = Run(iter([1, 2]), step=step).start()
    assert run.drained() == [b"<1>", b"<2>"]
    assert steps[:6] == ["enter", "leave"] * 3


def test_a_step_that_fails_ends_it() -> None:
    def step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
        advance()
        raise LookupError("teardown")

    run = Run(iter([1, 2]), step=step).start()
    assert run.drained() == [b"<1>"]
    assert isinstance(run.source.error, LookupError)


def test_no_iterator_is_left_open(eventually: Any) -> None:
    """`close` of a generator runs in the task that ran it, never in a garbage collector's."""
    seen: list[Any] = []

    def numbers() -> Iterator[int]:
        here = threading.current_thread()
        try:
            yield 1
            yield 2
            holder[0].source.sleep(3600)
        finally:
            seen.append(threading.current_thread() is here)

    holder = [Run(numbers())]
    run = holder[0].start()
    eventually(lambda: run.wakes == 2)
    run.source.close("shutdown")
    assert run.over.wait(10)
    assert seen == [True]
