"""`Backoff`: how long a stream waits before it comes back.

Floor 3. Full jitter, so that the clients of a server that was gone do not all come at once.
It computes and never waits; times are seconds.
"""

from __future__ import annotations

import email.utils
import random
from collections.abc import Callable

# Where the server has not said: what a first wait is about.
USUAL = 1.5
# The bounds of that, whatever the server's `retry:` says; and of what it grows to by itself.
LEAST, MOST_ASKED = 0.1, 60.0
MOST = 30.0
# Refusals in a row that tell when to come, until the wait that they ask for is not enough.
PATIENT_WITH = 3
# A `Retry-After` is kept to the letter up to here.
LONGEST = 3600.0
DOUBLINGS = 10


class Backoff:
    """The waits of one stream.

    `retry` is the server's last `retry:`, in milliseconds; `draw` gives numbers from 0 to 1.
    """

    def __init__(self, draw: Callable[[], float] | None = None) -> None:
        self.retry: int | None = None
        self._draw = draw or random.random
        self._failures = 0

    @property
    def base(self) -> float:
        """What the server asks for, within bounds."""
        asked = USUAL if self.retry is None else self.retry / 1000
        return min(max(asked, LEAST), MOST_ASKED)

    def went_well(self) -> None:
        """Note that the stream works: the next wait is a first one."""
        self._failures = 0

    def after_loss(self) -> float:
        """Return the wait after an end, a lost connection, or an answer that says no time."""
        longest = min(max(MOST, self.base), self.base * 2.0**self._failures)
        self._failures = min(self._failures + 1, DOUBLINGS)
        return longest * self._draw()

    def as_told(self, seconds: float) -> float:
        """Return the wait after a `Retry-After`: as it says, and as after a loss beside that."""
        return min(seconds, LONGEST) + self.after_loss()

    def after_refusal(self) -> float:
        """Return the wait after a stream that was not let in: `retry`, spread out a little.

        A server that goes on to refuse it is asked more and more seldom.
        """
        if self._failures >= PATIENT_WITH:
            return self.as_told(self.base)
        self._failures += 1
        return self.base + min(self.base, USUAL) * self._draw()


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` asks for: a number or a date (RFC 9110, 10.2.3).

    `now` is the time of day, as `time.time` tells it.
    """
    if value is None:
        return None
    if value.isascii() and value.strip().isdecimal():
        return float(value.strip()[:10])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
