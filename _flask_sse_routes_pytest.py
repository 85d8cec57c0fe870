"""The pytest plugin of flask_sse_routes: fixtures for testing streams.

pytest imports it at every start, before a project's own conftest.py. It stands beside the package
because importing anything in that would bring Flask with it, too early for a coverage tool and for
gevent's patches; each fixture imports what it needs when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from flask_sse_routes.testing import FakeClock, StreamClient, StreamServer


@pytest.fixture(name="sse_client")
def sse_client(app: Flask) -> StreamClient:
    """A client that opens streams of the project's fixture `app`, without a server."""
    from flask_sse_routes import testing

    return testing.sse_client(app)


@pytest.fixture(name="sse_server")
def sse_server(app: Flask) -> Iterator[StreamServer]:
    """The project's fixture `app` on a real socket, for what only a socket has."""
    from flask_sse_routes import testing

    with testing.sse_server(app) as server:
        yield server


@pytest.fixture(name="sse_clock")
def sse_clock() -> Iterator[FakeClock]:
    """A clock made by hand, which all streams go by during the test."""
    from flask_sse_routes import testing

    with testing.fake_clock() as clock:
        yield clock


@pytest.fixture(name="no_sse_leaks")
def no_sse_leaks() -> Iterator[None]:
    """Fail a test that leaves a stream, a task, a thread or a pushed context behind."""
    from flask_sse_routes import testing

    with testing.no_leaks():
        yield
