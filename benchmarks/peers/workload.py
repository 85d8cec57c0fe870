"""What all peers written in Python send, and when the next of it is due."""

from __future__ import annotations

import os
import time
from typing import Any

# Seconds between heartbeats; 0 where none are asked for.
HEARTBEAT = float(os.environ.get("HEARTBEAT", "0"))

PADDING = "x" * 50


def message(number: int) -> dict[str, Any]:
    """The data of a published event, with the moment at which it was."""
    return {"seq": number, "ts": time.monotonic_ns(), "pad": PADDING}


def item(number: int) -> dict[str, Any]:
    """The data of an event that a generator yields."""
    return {"seq": number, "pad": PADDING[:20]}


def seconds_until(begun: float, number: float, rate: float) -> float:
    """How long to wait before an event of a series that began then; 0 when it is late."""
    return max(0.0, begun + number / rate - time.monotonic())
