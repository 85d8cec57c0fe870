"""The times of a stream, and when a client is told to come back.

Floor 1. Values; `stream` keeps the time by them.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from . import wire

# EventSource keeps the last `retry` for good, so these are even over a range (milliseconds):
# after a drain or a rotation, and after a refusal.
COME_BACK = (500, 3000)
TRY_LATER = (3000, 10_000)
# Seconds between looks at a client that a server does not let us watch, or that is slow.
LOOK = 1.0
# Looks at an open stream in one send timeout: a client is dropped late by one of them at most.
LOOKS = 6


def retry_between(bounds: tuple[int, int]) -> bytes:
    """Return a `retry:` line of a random time within `bounds` (milliseconds)."""
    low, high = bounds
    return wire.retry_line(low + int(random.random() * (high - low + 1)))


class Timing(NamedTuple):
    """The times of a stream: seconds, but `retry` in milliseconds."""

    heartbeat: float
    send_timeout: float
    retry: int
    max_duration: float | None = None

    def first_line(self) -> bytes:
        """Return what every stream begins with: when its client is to come back."""
        spread = self.retry // 4
        return retry_between((self.retry - spread, self.retry + spread))

    def due(self, now: float, last_sent: float, until: float | None, *, closely: bool) -> float:
        """Return when a stream is to be looked at again, `closely` if its client may be gone."""
        beat = last_sent + self.heartbeat
        due = [beat if beat > now else now + self.heartbeat, now + self.send_timeout / LOOKS]
        if until is not None:
            due.append(until)
        if closely:
            due.append(now + LOOK)
        return min(due)
