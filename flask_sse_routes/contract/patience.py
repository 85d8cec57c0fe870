"""`Patience`: how long a test of the contract waits for what has to come true.

Floor 3, for test suites; a subclass of the contract may set another limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """Waits for conditions, and fails where one does not come true."""

    #: Seconds that a condition gets to come true, for a slow and busy machine.
    limit = 15.0

    def eventually(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; fails after `limit` seconds."""
        deadline = time.monotonic() + self.limit
        while not condition():
            assert time.monotonic() < deadline, f"Not within {self.limit:g} s: {what}"
            time.sleep(0.01)
