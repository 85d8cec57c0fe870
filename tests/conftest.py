"""Fixtures of the in-process tests: apps made of routes, raw WSGI calls, and the leak check.

A test marked `gevent` runs only in a process that gevent has patched, one marked `threads` only
in one that it has not, for example because all it looks at happens in processes of its own;
`test_gevent.py` starts the patched one.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from flask_sse_routes import Route, RouteBlueprint, SSERoutes
from flask_sse_routes.concurrency import cooperative
from flask_sse_routes.testing import no_sse_leaks

__all__ = ["no_sse_leaks"]

# Seconds that a condition gets to come true; far more than it takes on an idle machine.
LIMIT = 15.0

MakeApp = Callable[..., Flask]
Eventually = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gevent: needs a process that gevent has patched")
    config.addinivalue_line("markers", "threads: needs a process that gevent has not patched")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the other form of process to the run that has it."""
    other = "threads" if cooperative() else "gevent"
    left = [item for item in items if item.get_closest_marker(other)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(autouse=True)
def leak_check(no_sse_leaks: None) -> None:
    """Every test leaves no stream, task, thread or pushed context behind."""


@pytest.fixture(name="make_app")
def make_app() -> MakeApp:
    """Make an app whose blueprint has the given routes; keywords in capitals are configuration."""

    def make(
        routes: Mapping[str, Route] | None = None,
        *,
        prefix: str | None = "/api",
        hooks: Any = (),
        app_hooks: Any = (),
        identify: Any = None,
        **config: Any,
    ) -> Flask:
        app = Flask("application")
        app.config.update(config)
        SSERoutes(app, hooks=app_hooks, identify=identify)
        blueprint = RouteBlueprint("api", __name__, routes, hooks=hooks, url_prefix=prefix)
        app.register_blueprint(blueprint)
        return app

    return make


@pytest.fixture(name="eventually")
def eventually() -> Eventually:
    """Wait until a condition holds, and fail when it does not within the limit."""

    def wait(condition: Callable[[], object], limit: float = LIMIT) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"not within {limit:g} s"
            time.sleep(0.005)

    return wait


@pytest.fixture(name="no_gc")
def no_gc() -> Iterator[None]:
    """What ends has to end by itself, not when the cycle collector happens to run."""
    gc.disable()
    yield
    gc.enable()


class WsgiResponse:
    """One call of a WSGI app, its body read chunk by chunk, as a server would."""

    def __init__(self, app: Flask, environ: dict[str, Any]) -> None:
        self.status = 0
        self.headers = Headers()
        self._body: Any = app(environ, self._start)
        self._iterator = iter(self._body)

    def _start(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        self.status = int(status.split()[0])
        self.headers = Headers(headers)
        return self._write

    @staticmethod
    def _write(data: bytes) -> None:
        raise AssertionError(f"wrote {data!r} through the write callable")

    def chunk(self) -> bytes:
        """The next chunk; empty at the end."""
        return next(self._iterator, b"")

    def rest(self) -> bytes:
        """Everything up to the end."""
        return b"".join(self._iterator)

    def close(self) -> None:
        """What a server does last, whether or not it has sent everything."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


Wsgi = Callable[..., WsgiResponse]


@pytest.fixture(name="wsgi")
def wsgi() -> Iterator[Wsgi]:
    """Call an app as a WSGI server does; what a test leaves open is closed after it."""
    made: list[WsgiResponse] = []

    def call(
        app: Flask,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **environ: Any,
    ) -> WsgiResponse:
        built = EnvironBuilder(path, method=method, headers=dict(headers or {})).get_environ()
        response = WsgiResponse(app, {**built, "wsgi.input": BytesIO(), **environ})
        made.append(response)
        return response

    yield call
    for response in made:
        response.close()
