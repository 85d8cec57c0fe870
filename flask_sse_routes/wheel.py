"""What is to be looked at, by the moment at which it is due.

Floor 1. Moments that are close share a slot, and the clock is asked for occupied slots only:
waking an idle process costs more than what it then does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

from .clock import Timer, get_clock

# Seconds that are one moment.
SLOT = 0.05

T = TypeVar("T")


class Wheel(Generic[T]):
    """Slots of things, each handed to `due` when its time has passed."""

    def __init__(self, due: Callable[[list[T]], None]) -> None:
        self._due = due
        self.slots: dict[int, list[T]] = {}
        self._order: list[int] = []
        self._timer: Timer | None = None
        # The slot that the timer waits for.
        self._awaited = 0

    def put(self, when: float, thing: T) -> None:
        """Have something looked at soon after `when` (`clock.now`)."""
        number = int(when / SLOT)
        slot = self.slots.get(number)
        if slot is not None:
            slot.append(thing)
            return
        self.slots[number] = [thing]
        heapq.heappush(self._order, number)
        if self._timer is None or number < self._awaited:
            self._await(number)

    def clear(self) -> None:
        """Forget everything."""
        self.slots.clear()
        self._order.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _await(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._awaited = number
        self._timer = get_clock().at(_end(number), self._turn)

    def _turn(self, now: float) -> float | None:
        """Hand out what is due; on the clock."""
        while self._order and _end(self._order[0]) <= now:
            self._due(self.slots.pop(heapq.heappop(self._order)))
        if not self._order:
            self._timer = None
            return None
        self._awaited = self._order[0]
        return _end(self._awaited)


def _end(number: int) -> float:
    return (number + 1) * SLOT
