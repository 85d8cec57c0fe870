"""`fake_clock`: time that a test moves on, for all streams of the process.

Floor 3. Heartbeats, send timeouts, `max_duration`, `reauthorize` and `ctx.sleep` go by it; what a
test waits for, and `time.sleep`, go by the real one. Time passes in the test's own task, from one
thing that is due to the next, and each time what it has set off gets a moment to come to rest.
"""

from __future__ import annotations

import contextlib
import heapq
import time
from collections.abc import Iterator
from functools import partial
from unittest import mock

from .. import clock
from ..clock import Clock, Timer, get_clock
from .server_side import open_streams
from .sleepers import Sleepers
from .stream import OPEN

# Seconds by which what is due has passed when it is looked at, as on a real clock: a sum of
# floats may be less than its parts. And what is due together, by this clock.
HAIR, TOGETHER = 1e-7, 1e-3
# Seconds that what a moment has set off gets to come to rest, and between looks at it.
PATIENCE, LOOK = 0.25, 0.0002


class HandTimers(Clock):
    """Timers that ring when they are told to, in the task that tells them."""

    def __init__(self) -> None:
        super().__init__()
        self._started = True  # no task of its own

    @property
    def due(self) -> float | None:
        """When the next timer is due."""
        with self._lock:
            while self._heap and self._heap[0].tick is None:
                heapq.heappop(self._heap)
            return self._heap[0].when if self._heap else None

    def ring(self, now: float) -> None:
        """Ring every timer that is due."""
        self._ring_all(now)

    def left(self) -> list[Timer]:
        """Return the timers that have not been cancelled."""
        with self._lock:
            return [timer for timer in self._heap if timer.tick is not None]


class FakeClock:
    """A clock that stands still until it is moved on.

    Where a task blocks in something that is not the clock's (a queue, a socket, `time.sleep`),
    nobody can tell whether it has come to rest; the clock then goes on after a quarter of a second.
    """

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._timers = HandTimers()
        self._sleepers = Sleepers(self.now)
        # What did not come to rest, and is not waited for again as long as it stays as it is.
        self._restless: set[object] = set()

    def now(self) -> float:
        """Return the time that it shows (seconds, from an arbitrary beginning)."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let time pass; return when all that became due has happened."""
        if not seconds >= 0:
            raise ValueError(f"A clock goes forward: advance({seconds!r}) is not possible.")
        self._settle()
        until = self._time + seconds
        while (due := self._due()) is not None and due <= until + TOGETHER:
            self._move_to(due + HAIR)
        self._move_to(until)
        for stream in open_streams():
            stream.wake()  # whoever waits for its first event looks at the time again
        self._settle()

    def _due(self) -> float | None:
        found = [each for each in (self._timers.due, self._sleepers.due) if each is not None]
        return min(found, default=None)

    def _move_to(self, when: float) -> None:
        self._time = max(self._time, when)
        self._timers.ring(self._time)
        self._sleepers.wake_up()
        self._settle()

    def _settle(self) -> None:
        """Wait until the streams have been sent and who was woken is asleep again."""
        deadline = time.monotonic() + PATIENCE
        while restless := self._found_restless():
            if restless <= self._restless:
                return
            if time.monotonic() > deadline:
                self._restless |= restless
                return
            time.sleep(LOOK)

    def _found_restless(self) -> set[object]:
        return {*(each for each in list(OPEN) if each.is_busy()), *self._sleepers.awake()}

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        here = get_clock()
        if "at" in vars(here):
            raise RuntimeError("Another fake clock is in use: there is one time for all streams.")
        with (
            mock.patch.multiple(clock, now=self.now, wait=self._sleepers.wait),
            mock.patch.object(here, "at", self._timers.at),
        ):
            yield
        self._sleepers.leave()
        for timer in self._timers.left():
            here.at(time.monotonic() + max(0.0, timer.when - self._time), partial(_pass_on, timer))


def _pass_on(timer: Timer, now: float) -> float | None:
    """Ring a timer that is on another clock by now, unless it has been cancelled."""
    return None if timer.tick is None else timer.tick(now)


@contextlib.contextmanager
def fake_clock() -> Iterator[FakeClock]:
    """Have all streams of this process go by a clock that the block moves on.

    Streams should be opened and closed within the block: one that is left open goes on by the
    real time, late by what was added.
    """
    fake = FakeClock()
    with fake._in_use():
        yield fake
