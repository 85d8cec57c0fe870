"""Catching up: pages of the log for subscribers whose position the rings do not cover.

Floor 1. One task per process reads for all of them in turn, and ends when nobody is behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from . import concurrency
from .errors import BrokerUnavailable
from .followers import Follower
from .logs import Log

log = Log(__name__)

# Seconds to wait after a failure, at first and at most.
FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0


class Hub(Protocol):
    """What is needed of the hub that the subscribers follow."""

    lock: Any
    closed: bool

    def read_page(self, source: Follower) -> None:
        """Read a page for a source now. Raises `BrokerUnavailable`."""

    def let_go(self) -> None:
        """Close the broker, if it is time."""


class CatchUp:
    """Those who are behind, and the task that reads for them."""

    def __init__(self, hub: Hub) -> None:
        self.waiting: dict[Follower, None] = {}
        self.running = False
        self._hub = hub

    def add(self, source: Follower) -> None:
        """Read a page for a source, by and by."""
        with self._hub.lock:
            self.waiting[source] = None
            running, self.running = self.running, True
        if running:
            return
        try:
            launch(self._run, "sse-catch-up")
        except BrokerUnavailable as error:
            self.running = False
            log.warning("A stream that is behind ends, to be resumed: %s", error)
            source.close("shutdown")
            source.wake()

    def next(self) -> Follower | None:
        """Return whose turn it is."""
        with self._hub.lock:
            for source in () if self._hub.closed else self.waiting:
                del self.waiting[source]
                return source
            self.running = False
            return None

    def _run(self) -> None:
        """Read pages for whoever is behind, one after another."""
        pause = FIRST_PAUSE
        try:
            while (source := self.next()) is not None:
                try:
                    self._hub.read_page(source)
                    pause = FIRST_PAUSE
                except Exception as error:
                    report(log, "A stream waits for what it missed", error, pause)
                    time.sleep(pause)
                    pause = min(pause * 2, LAST_PAUSE)
                # It asks again if it needs more.
                wake(source)
        except BaseException:
            self.running = False
            raise
        finally:
            self._hub.let_go()


def launch(work: Callable[[], None], name: str) -> None:
    """Start a task. Raises `BrokerUnavailable` where there is no thread left for it."""
    try:
        concurrency.task(work, name).start()
    except RuntimeError as error:
        raise BrokerUnavailable(f"No task can be started to follow channels: {error}") from error


def wake(source: Follower) -> None:
    """Wake a source, whatever it raises."""
    try:
        source.wake()
    except Exception as error:
        log.error("Waking a stream failed", error=error)


def report(log: Log, what: str, error: Exception, pause: float) -> None:
    """Log the first of a row of failures; a broker that is away needs no traceback."""
    if pause == FIRST_PAUSE:
        expected = isinstance(error, BrokerUnavailable)
        log.warning("%s: %s", what, error, error=None if expected else error)
