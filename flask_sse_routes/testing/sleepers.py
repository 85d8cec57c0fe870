"""Handlers that sleep on a clock made by hand, and those that do not sleep yet.

Floor 3. `ctx.sleep` comes here while a fake clock is in use. A sleeper is woken by the clock, or
by the end of its stream.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..sources import GeneratorSource
from .server_side import open_streams

# Seconds between a sleeper's looks at whether its stream has ended.
LOOK = 0.005


class Sleeper:
    """One that waits for a signal, until some time at most."""

    def __init__(self, signal: threading.Event, until: float) -> None:
        self.signal = signal
        self.until = until
        self.woken = threading.Event()


class Sleepers:
    """All that sleep until some time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # A test that moves the clock cannot wait for itself to do so.
        self._holder = threading.get_ident()
        self._asleep: list[Sleeper] = []
        self._lock = threading.Lock()
        self._in_use = True

    @property
    def due(self) -> float | None:
        """When the next one is to be woken."""
        with self._lock:
            waiting = (each.until for each in self._asleep if not each.woken.is_set())
            return min(waiting, default=None)

    def wait(self, signal: threading.Event, seconds: float) -> None:
        """Wait for a signal, `seconds` of this clock at most; see `clock.wait`."""
        # Nor does the time go on for who has only others have their turn: it never would.
        if threading.get_ident() == self._holder or seconds <= 0:
            signal.wait(seconds)
            return
        sleeper = Sleeper(signal, self._now() + seconds)
        with self._lock:
            self._asleep.append(sleeper)
        try:
            while not (signal.is_set() or sleeper.woken.wait(LOOK)):
                pass
        finally:
            with self._lock:
                self._asleep.remove(sleeper)
        if not self._in_use:
            signal.wait(max(0.0, sleeper.until - self._now()))

    def wake_up(self) -> None:
        """Wake those whose time has come."""
        now = self._now()
        with self._lock:
            for sleeper in self._asleep:
                if sleeper.until <= now and not sleeper.woken.is_set():
                    sleeper.woken.set()

    def awake(self) -> set[object]:
        """Return those who neither sleep nor wait for a channel or for their client.

        Each with how far it has come: one that comes further is another one.
        """
        with self._lock:
            asleep = {each.signal for each in self._asleep if not each.woken.is_set()}
        return {
            (id(stream), stream.events)
            for stream in open_streams()
            if isinstance(stream.source, GeneratorSource)
            and stream.source.closed not in asleep
            and _runs(stream.source)
        }

    def leave(self) -> None:
        """Have those who still sleep go on by the real time."""
        self._in_use = False
        with self._lock:
            for sleeper in self._asleep:
                sleeper.woken.set()


def _runs(source: GeneratorSource) -> bool:
    return not (source.ended or source.closed.is_set() or source.ready or source.waits)
