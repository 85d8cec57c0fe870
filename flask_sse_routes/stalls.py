"""Says in the log when a handler holds up gevent's hub, and where.

Floor 1, under gevent only, from the first stream on. A greenlet that computes stops every
other one in its worker, so only a real thread can see it happen. That thread must not
touch the logging module (its locks are gevent's): it keeps the stack, and the hub logs it
when it runs again, or the thread writes it to standard error when it does not.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from . import concurrency
from .clock import get_clock

log = logging.getLogger(__name__)

# Seconds between two beats of the hub, and between two looks at them. Each wakes the process,
# which was measured at 0.2 ms of CPU: four more a second cost as much as 500 heartbeats.
BEAT = 0.5
# Seconds since the last beat after which the stack is kept, and those after which it is logged: a
# stall begins between two beats, so it is shorter than that by up to a beat.
NOTED_AFTER = 1.0
STALLED_AFTER = 1.25
HOPELESS_AFTER = 10.0


class StallWatch:
    """Compares the beat that the hub keeps with the time that passes outside it."""

    def __init__(self) -> None:
        self._beat = time.monotonic()
        self._stack: str | None = None
        self._hub_thread = 0
        self._started = False

    def start(self) -> None:
        """Begin to watch; calling it again does nothing."""
        if self._started or not concurrency.cooperative():
            return
        self._started = True
        self._beat = time.monotonic()
        get_clock().at(self._beat, self._keep_beat)
        self._hub_thread = concurrency.native_thread(self._observe)

    def _keep_beat(self, now: float) -> float:
        age, self._beat = now - self._beat, now
        stack, self._stack = self._stack, None
        if stack is not None and age >= STALLED_AFTER:
            log.warning(
                "The gevent hub stood still for about %.1f s: a handler computes or calls C code "
                "that blocks; use ctx.run(). It was here:\n%s",
                age - BEAT / 2,
                stack,
            )
        return now + BEAT

    def _observe(self, sleep: Callable[[float], None]) -> None:
        written = 0.0
        while True:
            sleep(BEAT)
            beat = self._beat
            age = time.monotonic() - beat
            if age >= NOTED_AFTER and self._stack is None:
                self._stack = self._hub_stack()
            if age >= HOPELESS_AFTER and written != beat:
                written = beat
                self._write(age)

    def _hub_stack(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._hub_thread)
        return "".join(traceback.format_stack(frame)) if frame else "(no stack)\n"

    def _write(self, age: float) -> None:
        text = f"The gevent hub has stood still for {age:.0f} s:\n{self._hub_stack()}"
        os.write(2, text.encode(errors="replace"))


get_stall_watch: Callable[[], StallWatch] = concurrency.once_per_process(StallWatch)
