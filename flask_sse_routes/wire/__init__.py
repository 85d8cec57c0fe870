"""The codec: `Event` to event-stream bytes and back.

Floor 0: values only, no Flask, no socket, no clock, no threads. The format is that of WHATWG HTML
section 9.2, "Server-sent events": `encoding` writes it, `decoder` reads it, `event` is what both
are about, and `rules` says what may be sent.
"""

from __future__ import annotations

from .decoder import Decoder
from .encoding import HEARTBEAT, data_frame, encode, escape_json, retry_line
from .event import MISSING, Event
from .rules import END_SUFFIX, MAX_RETRY, RESERVED_EVENTS, check

__all__ = [
    "END_SUFFIX",
    "HEARTBEAT",
    "MAX_RETRY",
    "MISSING",
    "RESERVED_EVENTS",
    "Decoder",
    "Event",
    "check",
    "data_frame",
    "encode",
    "escape_json",
    "retry_line",
]
