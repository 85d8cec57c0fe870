"""Time, tasks and turns that only a machine moves on: what races elsewhere is drawn here."""

from __future__ import annotations

import heapq
import itertools
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from flask_sse_routes import clock, concurrency
from flask_sse_routes.clock import Tick, Timer

# Tasks that never end by themselves; a machine takes their steps.
LOOPS = ("sse-tail", "sse-catch-up")


class HandTime:
    """`time` and the clock of streams in one."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._heap: list[Timer] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def at(self, when: float, tick: Tick) -> Timer:
        timer = Timer(when, next(self._order), tick)
        heapq.heappush(self._heap, timer)
        return timer

    def go_on(self, seconds: float) -> None:
        until = self.now + seconds
        while self._heap and self._heap[0].when <= until:
            timer = heapq.heappop(self._heap)
            self.now = max(self.now, timer.when)
            when = None if timer.tick is None else timer.tick(self.now)
            if when is not None and timer.tick is not None:
                timer.when = max(when, self.now + 0.001)
                heapq.heappush(self._heap, timer)
        self.now = until


class HandTask:
    """A task that waits for its turn."""

    interruptible = False

    def __init__(self, hands: Hands, function: Callable[[], None], name: str) -> None:
        self._hands = hands
        self._function = function
        self._name = name

    def start(self) -> None:
        if self._name not in LOOPS:
            self._hands.tasks.append(self._function)

    def interrupt(self, error: BaseException) -> None:
        raise AssertionError("A task that is run by hand is not interrupted.")

    def is_current(self) -> bool:
        return False


class Hands:
    """Takes tasks, time and pauses from the package until it is let go of."""

    def __init__(self) -> None:
        self.time = HandTime()
        self.tasks: deque[Callable[[], None]] = deque()
        # What happens at the next pauses that are in the middle of something.
        self.interludes: deque[Callable[[], None]] = deque()
        self.in_the_middle: Callable[[], bool] = lambda: True
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(concurrency, "task", lambda run, name: HandTask(self, run, name))
        self.patch.setattr(concurrency, "pause", self.pause)
        self.patch.setattr(clock, "now", self.time.monotonic)
        for module in [m for n, m in sys.modules.items() if n.startswith("flask_sse_routes.")]:
            self._take(module)

    def _take(self, module: Any) -> None:
        if getattr(module, "get_clock", None) is not None:
            self.patch.setattr(module, "get_clock", lambda: self.time)
        if getattr(module, "time", None) is time and ".brokers." not in module.__name__:
            self.patch.setattr(module, "time", self.time)

    def pause(self) -> None:
        if self.interludes and self.in_the_middle():
            self.interludes.popleft()()

    def run_one(self) -> None:
        if self.tasks:
            self.tasks.popleft()()

    def run_all(self) -> None:
        while self.tasks:
            self.run_one()

    def let_go(self) -> None:
        self.patch.undo()
