"""What a broker stores of an event: its name and its JSON text.

Floor 1. Brokers take bodies as they are; whoever publishes makes them here, and `rings` makes
frames of them.
"""

from __future__ import annotations

from typing import Any

from . import wire
from .errors import EventError
from .schema import Fallback, dump
from .wire import Event

DEFAULT_MAX_BYTES = 1024 * 1024


def make_body(
    data: Any,
    event: str | None = None,
    *,
    fallback: Fallback = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> bytes:
    """Return the body of an event. Raises `EventError` and `OutputError`."""
    wire.check(Event(raw="", event=event))
    if isinstance(data, Event):
        raise EventError(
            "Publish an event's data, with event= for its name; the id comes by itself."
        )
    text = make_text(data, fallback=fallback, max_bytes=max_bytes)
    return (event or "").encode() + b"\n" + text


def make_text(data: Any, *, fallback: Fallback, max_bytes: int) -> bytes:
    """Return data as JSON. Raises `EventError` and `OutputError`."""
    text = wire.escape_json(dump(data, fallback))
    if len(text) > max_bytes:
        raise EventError(
            f"An event of {len(text)} bytes is larger than SSE_MAX_EVENT_BYTES ({max_bytes}); "
            "send less, or raise it."
        )
    return text
