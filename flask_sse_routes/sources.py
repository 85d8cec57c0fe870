"""Sources: what a stream sends. A transport takes frames from one and never waits in it.

Floor 1. `GeneratorSource` runs a handler's generator in a task of its own into a small
bounded buffer, so that heartbeats go out while the handler blocks and frames that are
ready together leave together.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from . import clock, concurrency
from .errors import ContextError, EventError, OutputError, StreamClosed
from .logs import Log

log = Log(__name__)

# What a handler may be ahead of its client by.
BUFFER_FRAMES = 64
BUFFER_BYTES = 64 * 1024
# A handler that never waits lets others run this often (seconds).
TURN = 0.005

# Calls the first function in the step's context; the second raises an error at the `yield`.
Step = Callable[[Callable[[], bool], Callable[[Exception], None]], bool]


class Chunk(NamedTuple):
    """Frames that are ready together, joined, and how many events they are.

    `more`: there may be more, also if nobody wakes the transport.
    """

    data: bytes
    events: int
    more: bool = False


NOTHING = Chunk(b"", 0)


class Source(Protocol):
    """What a transport asks of whatever it sends."""

    ended: bool
    error: BaseException | None
    channels: tuple[str, ...]
    resets: int

    @property
    def began(self) -> bool:
        """Whether there ever was anything to take."""

    @property
    def ready(self) -> bool:
        """Whether `take` would return something, or nothing more will come."""

    def start(self, wake: Callable[[], None], over: Callable[[], None]) -> None:
        """Begin; `wake` says that there is something to take, `over` that all work is done."""

    def take(self) -> Chunk:
        """Return what is ready; never blocks."""

    def last_words(self) -> bytes | None:
        """Return the frame of the terminal event, once `ended` without `error`."""

    def close(self, reason: str) -> None:
        """End it; calling again does nothing. Never blocks."""


class Listens(Protocol):
    """A loop in a handler that follows channels."""

    channels: tuple[str, ...]

    def close(self) -> None:
        """End it."""


class Encoder(Protocol):
    """Turns what a handler produces into frames."""

    def event(self, value: Any) -> bytes:
        """Encode one event."""

    def end(self, value: Any) -> bytes:
        """Encode the terminal event."""


class GeneratorSource:
    """Steps through a handler's iterator in a task of its own.

    `scope` wraps the whole run and `step` each step from one `yield` to the next; Flask's
    contexts come in by these two.
    """

    def __init__(
        self,
        iterator: Iterator[Any],
        encoder: Encoder,
        *,
        name: str,
        step: Step,
        scope: Callable[[Callable[[], None]], Callable[[], None]],
    ) -> None:
        self.ended = False
        self.error: BaseException | None = None
        self.closed = threading.Event()
        self.resets = 0
        # What the handler listens to, and who wants to know when that is more.
        self.channels: tuple[str, ...] = ()
        self.on_listen: Callable[[], None] = _nothing
        self._listening: weakref.WeakSet[Listens] = weakref.WeakSet()
        self._iterator = iterator
        self._encoder = encoder
        self._name = name
        self._step = step
        self._scope = scope
        self._frames: deque[bytes] = deque()
        # Two counters with one writer each: the pump and the transport need no lock.
        self._put_bytes = 0
        self._taken_bytes = 0
        self._exhausted = False
        self._room = threading.Event()
        self._last_words: bytes | None = None
        self._waits_for: threading.Event | None = None
        self._reason: str | None = None
        self._turn = 0.0
        self._task: concurrency.Task | None = None

    @property
    def began(self) -> bool:
        return self._put_bytes > 0

    @property
    def ready(self) -> bool:
        return self.ended or bool(self._frames)

    def start(self, wake: Callable[[], None], over: Callable[[], None]) -> None:
        self._wake = wake
        self._over = over
        run = self._scope(self._run)
        del self._scope  # it knows the context, which knows this source
        self._task = concurrency.task(run, f"sse-{self._name}")
        try:
            self._task.start()
        except RuntimeError as error:  # no thread left
            self.error = error
            self.ended = True
            over()

    def take(self) -> Chunk:
        frames = []
        with contextlib.suppress(IndexError):
            while True:
                frames.append(self._frames.popleft())
        if not frames:
            return NOTHING
        data = b"".join(frames)
        self._taken_bytes += len(data)
        self._room.set()
        # What has no blank line at its end, a comment for example, is no event.
        return Chunk(data, sum(frame.endswith(b"\n\n") for frame in frames))

    def last_words(self) -> bytes | None:
        return self._last_words

    def close(self, reason: str) -> None:
        if self._reason is not None:
            return
        self._reason = reason
        self.closed.set()
        self._room.set()
        if self._waits_for is not None:
            self._waits_for.set()
        task = self._task  # once: it goes away when the handler has ended
        if task is not None:
            task.interrupt(StreamClosed(reason))

    def sleep(self, seconds: float) -> None:
        """Wait in the handler. Raises `StreamClosed` as soon as the stream is over."""
        clock.wait(self.closed, seconds)
        self._raise_if_closed()

    def wait(self, signal: threading.Event) -> None:
        """Wait for a signal in the handler. Raises `StreamClosed` when the stream is over."""
        self._waits_for = signal
        if not self.closed.is_set():  # asked after naming the signal, which `close` sets
            signal.wait()
        self._waits_for = None
        self._raise_if_closed()

    @property
    def waits(self) -> bool:
        """Whether the handler waits for a signal that has not come."""
        signal = self._waits_for
        return signal is not None and not signal.is_set()

    def listens(self, listening: Listens) -> None:
        """Note that the handler listens to channels; that ends with the stream."""
        self.channels += listening.channels
        self._listening.add(listening)
        self.on_listen()

    def inject(self, frame: bytes) -> None:
        """Send a frame that the handler did not yield."""
        self._frames.append(frame)
        self._put_bytes += len(frame)
        self._wake()

    def _raise_if_closed(self) -> None:
        if self.closed.is_set():
            task = self._task
            if task is not None and task.is_current():
                # It is told here; an interrupt on its way would hit its `finally` blocks.
                task.interruptible = False
            raise StreamClosed(self._reason or "disconnected")

    def _run(self) -> None:
        try:
            self._turn = time.monotonic()
            while self._reason is None and self._step(self._advance, self._blame):
                ahead = self._put_bytes - self._taken_bytes
                if len(self._frames) >= BUFFER_FRAMES or ahead >= BUFFER_BYTES:
                    self._wait_for_room()
                elif time.monotonic() - self._turn > TURN:
                    concurrency.pause()
                    self._turn = time.monotonic()
        except BaseException as error:
            self._fail(error)
        finally:
            self._stop()
            for listening in list(self._listening):
                listening.close()
            self.ended = True
            self._wake()
            self._over()
            # A stream that is over is freed at once, not when the cycle collector runs.
            self._wake = self._over = self.on_listen = _nothing
            self._task = None

    def _advance(self) -> bool:
        """Take one step of the handler; return whether there may be another."""
        task = self._task
        assert task is not None
        task.interruptible = True
        try:
            if self._reason is not None:  # closed while the step's context was made
                return False
            value = next(self._iterator)
        except StopIteration as stop:
            self._exhausted = True
            self._last_words = self._encoder.end(stop.value)
            return False
        finally:
            task.interruptible = False
        try:
            frame = self._encoder.event(value)
        except (EventError, OutputError) as error:
            self._blame(error)
            raise
        self._frames.append(frame)
        self._put_bytes += len(frame)
        self._wake()
        return True

    def _blame(self, error: Exception) -> None:
        """Raise `error` at the handler's `yield`, so that its traceback names the line."""
        throw = getattr(self._iterator, "throw", None)
        if throw is not None:
            with contextlib.suppress(StopIteration):
                throw(error)

    def _wait_for_room(self) -> None:
        self._room.clear()
        # Asked after clearing, or a `take` in between would go unnoticed.
        if self._frames and self._reason is None:
            self._room.wait()
        self._turn = time.monotonic()

    def _fail(self, error: BaseException) -> None:
        if self._reason is not None:
            if not isinstance(error, GeneratorExit):
                log.error("%s: its handler failed while it was ended", self._name, error=error)
        elif isinstance(error, GeneratorExit) or concurrency.is_kill(error):
            self._reason = "shutdown"
        elif isinstance(error, Exception):
            self.error = error
        else:
            # Raised again in the request it would stop the server's own task.
            self.error = RuntimeError(f"its handler raised {error!r}")
            self.error.__cause__ = error

    def _stop(self) -> None:
        """End the iterator here, in the task that runs it, whatever brought it to an end."""
        try:
            if not self._exhausted:
                self._step(self._end_iterator, self._blame)
        except BaseException as error:
            if not isinstance(error, ContextError):
                log.error("%s: closing its handler failed", self._name, error=error)

    def _end_iterator(self) -> bool:
        # One without `close`, itertools.chain for example, ends what it holds by going away.
        iterator, self._iterator = self._iterator, iter(())
        if hasattr(iterator, "close"):
            iterator.close()
        return False


def _nothing() -> None:
    pass
