"""The events that a client may meet on a stream.

Floor 1. Beside those that a route declares these are the two that begin a stream anew.
"""

from __future__ import annotations

from .catalogue import Operation
from .definitions import Definitions, Schema


def stream_events(definitions: Definitions, operation: Operation) -> dict[str, Schema] | None:
    """Return the schemas of the route's own events by name, `None` where it declares none."""
    message = definitions.output(operation)
    named = definitions.events(operation)
    if message is None:
        return named or None
    return {"message": message, **named}
