"""Apps with channels for the in-process tests, and a broker that can go away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from flask import Flask

from flask_sse_routes import (
    BrokerUnavailable,
    Context,
    Event,
    Route,
    RouteBlueprint,
    SSERoutes,
    Subscription,
    define_route,
)
from flask_sse_routes.brokers.base import Batch, Merged, Position
from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.publishing import Channels
from flask_sse_routes.testing import TestStream, sse_client
from flask_sse_routes.wire import Decoder


class Site:
    """An app whose routes follow channels; keywords in capitals are configuration."""

    def __init__(
        self, routes: dict[str, Route] | None = None, *, identify: Any = None, **config: Any
    ) -> None:
        self.sse = SSERoutes(identify=identify)
        self.app = Flask("site")
        self.app.config.update(config)
        self.sse.init_app(self.app)
        follow = define_route(self.follow, kind="sse")
        blueprint = RouteBlueprint("api", __name__, {"follow": follow} | (routes or {}))
        self.app.register_blueprint(blueprint, url_prefix="/api")
        self.client = sse_client(self.app)
        self.publish = self.sse.publish

    def follow(self, channel: list[str]) -> Subscription:
        return self.sse.subscribe(*channel)

    @property
    def channels(self) -> Channels:
        return runtime_of(self.app).channels

    def open(
        self, *channels: str, after: str | None = None, query: str | None = None, **options: Any
    ) -> TestStream:
        """Follow channels after an id, sent as `Last-Event-ID` or in the query."""
        parameters: dict[str, Any] = {"channel": list(channels)}
        if query is not None:
            parameters["last_event_id"] = query
        return self.client.open(
            "/api/follow", query_string=parameters, last_event_id=after, **options
        )

    def close(self) -> None:
        """Have the tail end, which a process otherwise keeps."""
        self.channels.close()


# Bodies that no app publishes.
NOT_JSON = (b"", b"\nnot json", b"named\n", b"\n\xff", b"\n[1", b"\xff\n{}", b"\n" + b"[" * 100_000)


class FlakyBroker(MemoryBroker):
    """A log that is away while `away` is set."""

    shared = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.away = False
        self.failures = 0

    def _reach(self) -> None:
        if self.away:
            self.failures += 1
            raise BrokerUnavailable("It is away.")

    def append(self, channel: str, body: bytes) -> Position:
        self._reach()
        return super().append(channel, body)

    def newest(self) -> Position:
        self._reach()
        return super().newest()

    def read(self, channel: str, after: int, limit: int) -> Batch:
        self._reach()
        return super().read(channel, after, limit)

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        self._reach()
        return super().poll(channels, after, limit)


class MortalBroker(FlakyBroker):
    """A log that can lose everything and begin a new epoch, and whose reading can be held up."""

    def __init__(self) -> None:
        super().__init__()
        self._lives = [MemoryBroker(history=10_000)]
        self.gate = threading.Event()
        self.held = threading.Event()
        # Reads of the first epoch that begin after these seqs wait for the gate.
        self.hold = range(0)

    def die(self) -> None:
        """Begin a new epoch; whoever listens is woken."""
        old, new = self._lives[-1], MemoryBroker(history=10_000)
        new._log().listeners = old._log().listeners
        self._lives.append(new)
        for listener in tuple(new._log().listeners):
            listener.wake()

    def append(self, channel: str, body: bytes) -> Position:
        self._reach()
        return self._lives[-1].append(channel, body)

    def newest(self) -> Position:
        self._reach()
        return self._lives[-1].newest()

    def listen(self) -> Any:
        return self._lives[-1].listen()

    def read(self, channel: str, after: int, limit: int) -> Batch:
        self._reach()
        return self._lives[-1].read(channel, after, limit)

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        self._reach()
        if after in self.hold and len(self._lives) == 1:
            self.held.set()
            self.gate.wait()
        return self._lives[-1].poll(channels, after, limit)

    def close(self) -> None:
        for life in self._lives:
            life.close()


def numbers(events: Iterable[Event]) -> list[int]:
    """Return the seqs of events, which are to have one."""
    return [int(str(event.id).split("-")[1]) for event in events]


def take(stream: TestStream, count: int, timeout: float = 10.0) -> list[Event]:
    """Return the next events."""
    return [stream.next(timeout) for _ in range(count)]


def events_of(response: Any, count: int) -> list[Event]:
    """Read a raw response until it has brought so many events; heartbeats keep the limit."""
    decoder, events = Decoder(), []
    deadline = time.monotonic() + 15
    while len(events) < count:
        assert time.monotonic() < deadline, f"{len(events)} of {count} events"
        chunk = response.chunk()
        assert chunk, f"it ended after {len(events)} events"
        events += decoder.feed(chunk)
    return events


def user_of(request: Any) -> Any:
    return request.headers.get("X-User")


def sleep_for_ever(ctx: Context) -> Any:
    yield "here"
    ctx.sleep(3600)
