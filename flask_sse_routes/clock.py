"""One clock for all streams of a process: heartbeats, time limits, send timeouts.

Floor 1. A timed wait for every stream was measured at 10 us per delivery; here a stream
costs one entry in a heap, looked at when its time has come, and is not touched by a send.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from . import concurrency
from .logs import Log

log = Log(__name__)

# Seconds between two calls of the same tick, at least, and of one wait, at most.
SHORTEST, LONGEST = 0.001, 86_400.0

# Called with the time; returns when it wants to be called next, or `None` for never again.
Tick = Callable[[float], float | None]

# The time that streams are kept by (seconds). One name, which a clock made by hand takes over.
now: Callable[[], float] = time.monotonic


def wait(signal: threading.Event, seconds: float) -> None:
    """Wait for a signal, `seconds` at most; taken over like `now`."""
    signal.wait(seconds)


class Timer:
    """One entry of the clock. `cancel` lets go of what it would have called."""

    __slots__ = ("order", "tick", "when")

    def __init__(self, when: float, order: int, tick: Tick) -> None:
        self.when = when
        self.order = order
        self.tick: Tick | None = tick

    def __lt__(self, other: Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)

    def cancel(self) -> None:
        self.tick = None


class Clock:
    """Calls ticks at their time (`time.monotonic`), from one task of its own."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._started = False

    def at(self, when: float, tick: Tick) -> Timer:
        """Call `tick` at `when`, and then whenever its own result says."""
        timer = Timer(when, next(self._order), tick)
        with self._lock:
            heapq.heappush(self._heap, timer)
            if not self._started:
                concurrency.task(self._run, "sse-clock").start()
                self._started = True
            first = self._heap[0] is timer
        if first:
            self._changed.set()
        return timer

    def _run(self) -> None:
        while True:
            self._changed.clear()
            self._changed.wait(self._ring_all(time.monotonic()))

    def _ring_all(self, now: float) -> float | None:
        """Ring every timer that is due; return the seconds to the next one."""
        while True:
            with self._lock:
                if not self._heap:
                    return None
                if self._heap[0].when > now and self._heap[0].tick is not None:
                    return min(self._heap[0].when - now, LONGEST)
                timer = heapq.heappop(self._heap)
            self._ring(timer, now)

    def _ring(self, timer: Timer, now: float) -> None:
        tick = timer.tick
        if tick is None:
            return
        try:
            when = tick(now)
        except Exception as error:
            log.error("A timer failed", error=error)
            return
        if when is not None and timer.tick is not None:
            # Never at once: a tick that is always due would be all that ever happens.
            timer.when = max(when, now + SHORTEST)
            with self._lock:
                heapq.heappush(self._heap, timer)


get_clock: Callable[[], Clock] = concurrency.once_per_process(Clock)
