"""A kit for testing streams: clients, a clock made by hand, and a check that nothing leaked.

Floor 3, for test suites. `sse_client(app).open(...)` opens a stream without a server and
`sse_server(app)` has one on a real socket; both give a `TestStream`, which waits for each event
with a limit, never for the end of the stream. `fake_clock()` has heartbeats and limits come at
once. As a pytest plugin the kit has the fixtures `sse_client`, `sse_server`, `sse_clock` and
`no_sse_leaks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import StreamClient, sse_client
from .failures import StreamEnded, StreamTimeout, UnexpectedEvent
from .hand_clock import FakeClock, fake_clock
from .leaks import PATIENCE, no_leaks
from .server import StreamServer, sse_server
from .stream import TestStream

if TYPE_CHECKING:
    from ..pytest_plugin import no_sse_leaks as no_sse_leaks

__all__ = [
    "PATIENCE",
    "FakeClock",
    "StreamClient",
    "StreamEnded",
    "StreamServer",
    "StreamTimeout",
    "TestStream",
    "UnexpectedEvent",
    "fake_clock",
    "no_leaks",
    "sse_client",
    "sse_server",
]


if not TYPE_CHECKING:  # to a type checker every name would be there, misspelt ones, too

    def __getattr__(name: str) -> Any:
        """Import the fixture when it is asked for, so that the rest works without pytest."""
        if name == "no_sse_leaks":
            from ..pytest_plugin import no_sse_leaks

            return no_sse_leaks
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
