"""Testing streams: a client for streams that do not end, and a check that nothing leaked.

Floor 3, for test suites. `sse_client(app).open(...)` reads a stream in a task of its own,
so that a test waits for an event with a limit, never for the end of the stream.
"""

from __future__ import annotations

import contextlib
import gc
import json
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from flask import Flask, has_app_context
from flask.testing import FlaskClient

from . import concurrency
from .streams import EVERY_APPS
from .wire import Decoder, Event

# Service threads of a process, which stay.
SERVICES = ("sse-clock", "sse-watch", "sse-drain", "sse-tail")
# A test's streams get this long to end by themselves (seconds).
PATIENCE = 5.0


class StreamTimeout(AssertionError):
    """No further event came in time; the message says what was received before."""


class StreamEnded(AssertionError):
    """The stream ended where another event was expected; says what was received before."""


class TestStream:
    """One open stream. A context manager; iterating it gives events until it ends."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    def __init__(self, response: Any, connection: tuple[socket.socket, socket.socket]) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.received: list[Event] = []
        self.raw = b""
        self._response = response
        self._decoder = Decoder()
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._ended = False
        self._client, self._server = connection
        self._left = threading.Event()
        concurrency.task(self._read, "sse-test-client").start()

    @property
    def retry(self) -> int | None:
        """The reconnection time that the server asked for last (milliseconds)."""
        return self._decoder.retry

    @property
    def last_event_id(self) -> str:
        """What a client that reconnects now would send; may be empty."""
        return self._decoder.last_event_id

    @property
    def heartbeats(self) -> int:
        """How many heartbeat lines have come so far."""
        return self.raw.split(b"\n").count(b":")

    def next(self, timeout: float = 5.0) -> Event:
        """Return the next event. Raises `StreamTimeout` or `StreamEnded`."""
        if self._ended:
            raise StreamEnded(f"The stream has ended. {self._story()}")
        try:
            got = self._events.get(timeout=timeout)
        except queue.Empty:
            raise StreamTimeout(f"No event within {timeout:g} s. {self._story()}") from None
        if isinstance(got, Event):
            self.received.append(got)
            return got
        self._ended = True
        if got is not None:
            raise got
        raise StreamEnded(f"The stream ended. {self._story()}")

    def json(self, timeout: float = 5.0) -> Any:
        """Return the data of the next event, parsed."""
        return json.loads(self.next(timeout).data)

    def __iter__(self) -> Iterator[Event]:
        with contextlib.suppress(StreamEnded):
            while True:
                yield self.next()

    def close(self, timeout: float = PATIENCE) -> None:
        """Go away like a client that closes its connection; wait until the server knows."""
        self._client.close()
        if not self._left.wait(timeout):
            raise StreamTimeout(f"The stream did not end within {timeout:g} s. {self._story()}")

    def __enter__(self) -> TestStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        result: BaseException | None = None
        try:
            for chunk in self._response.iter_encoded():
                self.raw += chunk
                for event in self._decoder.feed(chunk):
                    self._events.put(event)
        except Exception as error:
            result = error
        finally:
            self._response.close()
            self._client.close()
            self._server.close()
            self._events.put(result)
            self._left.set()

    def _story(self) -> str:
        shown = "\n".join(f"  {event!r}" for event in self.received) or "  nothing"
        tail = self.raw[-500:].decode(errors="replace")
        return f"Status {self.status}. Received:\n{shown}\nLast bytes: {tail!r}"


class StreamClient:
    """Opens streams of an app in this process, without a server."""

    def __init__(self, client: FlaskClient) -> None:
        self.http = client

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        last_event_id: str | None = None,
        **options: Any,
    ) -> TestStream:
        """Send a request and return its stream; `options` are those of Flask's test client."""
        headers = dict(options.pop("headers", None) or {})
        headers.setdefault("Accept", "text/event-stream")
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        # A stream watches the socket that its server shows, so the test's client has one too.
        client, server = socket.socketpair()
        overrides = {**options.pop("environ_overrides", {}), "werkzeug.socket": server}
        try:
            response = self.http.open(
                path, method=method, headers=headers, environ_overrides=overrides, **options
            )
        except BaseException:
            client.close()
            server.close()
            raise
        return TestStream(response, (client, server))


def sse_client(app: Flask | FlaskClient) -> StreamClient:
    """Return a stream client for an app, or for a Flask test client whose cookies it shares."""
    return StreamClient(app if isinstance(app, FlaskClient) else app.test_client())


@contextlib.contextmanager
def no_leaks(patience: float = PATIENCE) -> Iterator[None]:
    """Fail if the block leaves a stream, a task, a thread or a pushed context behind.

    What is on its way out gets `patience` seconds. Raises `AssertionError`.
    """
    before = _running()
    open_before = _open_streams()
    yield
    if has_app_context():
        raise AssertionError("A Flask context is still pushed.")
    deadline = time.monotonic() + patience
    while left := [*(_open_streams() - open_before), *(_running() - before)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"Left behind: {', '.join(map(str, left))}")
        time.sleep(0.01)


def _open_streams() -> set[str]:
    return {
        f"stream {stream.route!r} {id(stream):x}"
        for streams in list(EVERY_APPS)
        for stream in streams.open()
    }


def _running() -> set[Any]:
    # A dummy stands for a thread or greenlet that threading did not start, and outlives it.
    threads = {
        thread
        for thread in threading.enumerate()
        if not thread.name.startswith(SERVICES) and type(thread).__name__ != "_DummyThread"
    }
    return threads | _greenlets()


def _greenlets() -> set[Any]:
    gevent = sys.modules.get("gevent")
    if gevent is None or not concurrency.cooperative():
        return set()
    # By type: `isinstance` would follow a weak proxy whose object is gone.
    found = (each for each in gc.get_objects() if issubclass(type(each), gevent.Greenlet))
    return {each for each in found if each and not each.name.startswith(SERVICES)}


def _fixture() -> Any:
    import pytest

    @pytest.fixture(name="no_sse_leaks")
    def no_sse_leaks() -> Iterator[None]:
        """Fail a test that leaks a stream, task, thread or pushed context."""
        with no_leaks():
            yield

    return no_sse_leaks


def __getattr__(name: str) -> Any:
    """Make the fixture when it is asked for, so that the rest works without pytest."""
    if name == "no_sse_leaks":
        return _fixture()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
