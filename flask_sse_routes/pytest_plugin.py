"""The pytest plugin: fixtures for testing streams.

Floor 3. pytest imports it at every start, before a project's own conftest.py: too early to bring
Flask along, for a coverage tool and for gevent's patches. Each fixture imports what it needs when
a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from .testing.client import StreamClient
    from .testing.hand_clock import FakeClock
    from .testing.server import StreamServer


@pytest.fixture(name="sse_client")
def sse_client(app: Flask) -> StreamClient:
    """A client that opens streams of the project's fixture `app`, without a server."""
    from .testing import client

    return client.sse_client(app)


@pytest.fixture(name="sse_server")
def sse_server(app: Flask) -> Iterator[StreamServer]:
    """The project's fixture `app` on a real socket, for what only a socket has."""
    from .testing import server

    with server.sse_server(app) as served:
        yield served


@pytest.fixture(name="sse_clock")
def sse_clock() -> Iterator[FakeClock]:
    """A clock made by hand, which all streams go by during the test."""
    from .testing import hand_clock

    with hand_clock.fake_clock() as clock:
        yield clock


@pytest.fixture(name="no_sse_leaks")
def no_sse_leaks() -> Iterator[None]:
    """Fail a test that leaves a stream, a task, a thread or a pushed context behind."""
    from .testing import leaks

    with leaks.no_leaks():
        yield
