"""Who is told what becomes of streams, to count it elsewhere.

Floor 1. Runs in whatever task something happens in, so nothing of it may wait; and what fails
there is logged, and holds up neither a stream nor a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .logs import Log
from .tallies import End

log = Log(__name__)


class Observer(Protocol):
    """Whoever wants to know what becomes of streams; nothing of it may wait."""

    def stir(self) -> None:
        """There is something to count: a stream was opened, or a request refused."""

    def note_end(self, end: End) -> None:
        """A stream has ended, and is among the totals."""

    def note_lag(self, seconds: float) -> None:
        """An entry that this process appended was read from the broker so much later."""


class Observers(list[Observer]):
    """Tells each of them what an `Observer` is told; never raises."""

    def stir(self) -> None:
        self._tell(lambda observer: observer.stir())

    def note_end(self, end: End) -> None:
        self._tell(lambda observer: observer.note_end(end))

    def note_lag(self, seconds: float) -> None:
        self._tell(lambda observer: observer.note_lag(seconds))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for observer in self:
            try:
                tell(observer)
            except Exception as error:
                log.error("Streams could not be observed", error=error)
