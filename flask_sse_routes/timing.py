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
