"""How long an entry takes through the broker: from its append to the rings of this process.

Floor 1. Measured on entries that a process appends itself, to a channel that is followed in it, so
that one clock tells both times; of these on one at a time, at most once a second.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from . import concurrency
from .brokers.base import Position
from .observers import Observers

# Seconds between two measurements.
EVERY = 1.0


class Mark(NamedTuple):
    """A place in the log, and a moment."""

    position: Position
    at: float


class Lag:
    """Takes the time between `appended` and `read`, and tells the observers."""

    def __init__(self) -> None:
        self.observers = Observers()
        self._next = 0.0
        self._appended: Mark | None = None
        self._read: Mark | None = None
        self._lock = concurrency.native_lock()

    def begin(self) -> float | None:
        """Return the moment before an append that is to be measured, `None` if it is not."""
        if not self.observers:
            return None
        now = time.monotonic()
        return now if now >= self._next else None

    def appended(self, position: Position, began: float) -> None:
        """Note an append; it may have been read by now."""
        with self._lock:
            if self._appended is None and began >= self._next:
                self._next = began + EVERY
                self._appended = Mark(position, began)
        if self._read is not None:
            self._compare(self._read)

    def forget(self) -> None:
        """Note that the channels have been followed by nobody until now, so nothing was awaited."""
        with self._lock:
            self._appended = None

    def read(self, position: Position) -> None:
        """Note that the rings are complete up to a position."""
        if self.observers:
            self._read = Mark(position, time.monotonic())
            self._compare(self._read)

    def _compare(self, read: Mark) -> None:
        with self._lock:
            mark = self._appended
            if mark is None:
                return
            same = read.position.epoch == mark.position.epoch
            if same and read.position.seq < mark.position.seq:
                return
            self._appended = None  # in another epoch it is gone
        if same:
            self.observers.note_lag(max(0.0, read.at - mark.at))
