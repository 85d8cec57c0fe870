"""`SSERoutes`, the Flask extension: where an app's parts are put together.

Floor 2, the composition root. A `RouteBlueprint` sets it up by itself when it is missing;
an app that wants hooks, users or counters makes one and calls `init_app`.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from flask import Flask, current_app, has_app_context, has_request_context, request
from flask.sansio.app import App
from flask.wrappers import Request

from . import failures, policies, problems
from .bodies import make_text
from .brokers import broker_from_url
from .brokers.base import check_channel
from .concurrency import once_per_process
from .config import Config
from .errors import ConfigError, DeclarationError
from .hooks import AnyHook, Hook, flatten
from .listening import Listening, listen
from .logs import MODE
from .observers import Observers
from .policies import Policies, Policy
from .publishing import Channels
from .routes import Route
from .schema import Fallback, dump
from .streams import PROCESS, Streams
from .subscriptions import Subscription
from .tallies import Stats, Tally
from .transport import close_unsent
from .wire import Event

EXTENSION = "flask_sse_routes"


class Placed(NamedTuple):
    """A route as it was registered with an app."""

    blueprint: str
    route: Route
    # The whole URL rule.
    rule: str
    # Those of the blueprints around it, and its own.
    hooks: tuple[Hook, ...]


class AppRuntime:
    """What belongs to one app: its configuration, hooks, streams and URL prefixes."""

    def __init__(self, app: Flask) -> None:
        self.hooks: tuple[Hook, ...] = ()
        self.identify: Callable[[Request], Any] | None = None
        self.owner: SSERoutes | None = None
        self.streams = Streams()
        self.rules: dict[int, Any] = {}
        # Blueprints by their full names, with the prefixes that they were registered under, and
        # the routes of all of them.
        self.blueprints: dict[str, str] = {}
        self.placed: list[Placed] = []
        # What was made from them, by what it is and for which blueprint.
        self.documents: dict[tuple[str, str], Any] = {}
        # One request makes a document, others wait for it. One document is made from another.
        self.documents_lock: Callable[[], Any] = once_per_process(lambda: threading.RLock())
        self.policies = Policies()
        self._prefixes: list[tuple[re.Pattern[str], str]] = []
        self._config: Config | None = None
        self._app = weakref.ref(app)
        self._get_channels: Callable[[], Channels] = once_per_process(self._make_channels)
        config = Config.read(app.config, os.environ)
        broker_from_url(config.broker_url)  # opens nothing, but tells what cannot be
        failures.install(app, self.is_ours)
        problems.install(app, self.is_ours)
        policies.install(app, self.policies, self.asked_blueprints)
        app.teardown_request(close_unsent)

    @property
    def config(self) -> Config:
        """The configuration, frozen at its first use in a request."""
        if self._config is None:
            self._config = Config.read(self.app.config, os.environ)
            MODE.debug = self.app.debug
        return self._config

    @property
    def app(self) -> Flask:
        """The app itself, which nothing here keeps alive."""
        app = self._app()
        if app is None:
            raise RuntimeError("The app of this SSERoutes is gone.")
        return app

    def obey(self) -> None:
        """Be ready to end streams when another process revokes them, if there is any."""
        self.channels.follow_control(self.streams)

    @property
    def channels(self) -> Channels:
        """The app's channels in this process; its broker is made at first use."""
        return self._get_channels()

    @property
    def fallback(self) -> Fallback:
        """The app's own way to serialise a type that pydantic does not know."""
        return getattr(self.app.json, "default", None)

    @property
    def max_streams(self) -> int | None:
        """`SSE_MAX_STREAMS`, or what the server leaves room for."""
        configured = self.config.max_streams
        return PROCESS.max_streams if configured is None else configured

    def _make_channels(self) -> Channels:
        channels = Channels(self.config)
        channels.hub.lag.observers = self.streams.observers
        weakref.finalize(self, channels.close).atexit = False  # which they see to themselves
        return channels

    def add_blueprint(self, name: str, prefix: str | None, policy: Policy) -> None:
        """Answer errors with problem documents for a blueprint, and below its prefix."""
        self.policies.add(name, policy)
        self.blueprints[name] = (prefix or "").rstrip("/")
        self._refuse_namesake(name)
        if prefix and prefix.strip("/"):
            pattern = re.sub(r"<[^<>]*>", "[^/]+", re.escape(prefix.rstrip("/")))
            self._prefixes.append((re.compile(f"{pattern}(/|$)"), name))

    def place(self, placed: Placed) -> None:
        """Note a route. Raises `DeclarationError` where a blueprint beside it has its name."""
        self.placed.append(placed)
        self._refuse_namesake(f"{placed.blueprint}.{placed.route.name}")

    def _refuse_namesake(self, name: str) -> None:
        """For clients both are `$api.name`: they could reach only one of them."""
        routes = (f"{placed.blueprint}.{placed.route.name}" for placed in self.placed)
        if name in self.blueprints and name in routes:
            raise DeclarationError(
                f"Route {name!r} and a blueprint nested beside it have the same name, so clients "
                "could reach only one of them; rename one."
            )

    def is_ours(self) -> bool:
        """Tell whether the current request is a blueprint's, or misses one below its prefix."""
        return not self.blueprints.keys().isdisjoint(self.asked_blueprints())

    def asked_blueprints(self) -> list[str]:
        """Return the blueprints of the current request, the innermost first.

        Of one that no route answers, those below whose prefix it is.
        """
        if request.blueprint is not None:
            return request.blueprints
        path, found = request.path, []
        for prefix, name in self._prefixes:
            if match := prefix.match(path):
                found.append((-match.end(1), name))
        return [name for _, name in sorted(found, key=lambda each: each[0])]


class SSERoutes:
    """The extension. `hooks` run for every route of the app, before a blueprint's own.

    `identify(request)` tells who asks; its result is `ctx.user`, and counts streams for
    `SSE_MAX_STREAMS_PER_CLIENT`. One object may serve several apps; it keeps none of them.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        hooks: Iterable[AnyHook] = (),
        identify: Callable[[Request], Any] | None = None,
    ) -> None:
        self._hooks = flatten(hooks, "SSERoutes")
        self._identify = identify
        self._runtimes: weakref.WeakSet[AppRuntime] = weakref.WeakSet()
        # Who is told what becomes of the streams; see `observers.Observer`.
        self.observers = Observers()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set the app up.

        Reads `SSE_HEARTBEAT`, `SSE_RETRY`, `SSE_OPEN_TIMEOUT`, `SSE_SEND_TIMEOUT`,
        `SSE_MAX_STREAMS`, `SSE_MAX_STREAMS_PER_CLIENT`, `SSE_MAX_EVENT_BYTES`,
        `SSE_MAX_BODY_BYTES`, `SSE_TRUSTED_PROXIES`, `SSE_BROKER_URL`, `SSE_HISTORY`,
        `SSE_HISTORY_AGE`, `SSE_VALIDATE_OUTPUT` and `SSE_EXPLORER` from the app's configuration,
        and `FLASK_SSE_*` from the environment, which win. Raises `ConfigError` for an unknown or
        impossible one.
        """
        runtime = runtime_of(app)
        if runtime.owner is not None and runtime.owner is not self:
            raise ConfigError(
                f"App {app.name!r} has an SSERoutes already; call init_app of that one, once."
            )
        runtime.owner = self
        self._runtimes.add(runtime)
        runtime.hooks = self._hooks
        runtime.streams.observers = self.observers
        runtime.identify = self._identify

    def stats(self, app: Flask | None = None) -> Stats:
        """Return a snapshot of this process's counters for `app`, by default the current one."""
        return (self._runtime() if app is None else runtime_of(app)).streams.stats()

    def tallies(self) -> dict[str, Tally]:
        """Return this process's counters by route, over all apps that it serves."""
        found: defaultdict[str, Tally] = defaultdict(Tally)
        for runtime in list(self._runtimes):
            for route, tally in runtime.streams.tallies().items():
                found[route].add(tally)
        return dict(found)

    def publish(self, channel: str, data: Any, event: str | None = None) -> str:
        """Append an event to a channel; return its id.

        `data` is any JSON-serialisable value. From any thread, greenlet or process, within
        a request or without. Raises `BrokerUnavailable` (it may have been stored all the same,
        if only the answer got lost), `EventError`, `OutputError`, and `ValueError`
        for a channel name that cannot be.
        """
        runtime = self._runtime()
        return runtime.channels.publish(channel, data, event, runtime.fallback)

    def subscribe(
        self,
        *channels: str,
        after: str | None = None,
        snapshot: Callable[[], Any] | None = None,
        where: Callable[[Event], bool] | None = None,
    ) -> Subscription:
        """Return what an sse handler returns to have its stream follow channels.

        The stream begins after the client's `Last-Event-ID`, or after the id `after`, or
        now. `snapshot()` is called when it begins anew; its result is sent first, as
        `event: snapshot`. `where(event)` tells which events this subscriber gets.
        """
        runtime = self._runtime()
        text = None
        if snapshot is not None:
            text = _text_of(snapshot, runtime.fallback, runtime.config.max_event_bytes)
        return runtime.channels.subscription(channels, after, text, where)

    def listen(self, *channels: str) -> Listening:
        """Return an iterator of the events of channels as they come, with parsed data.

        In a stream's handler it begins after the stream's `last_event_id` and ends with the
        stream; where it begins is told to a new client as `event: ready`, and a gap as `event:
        reset`. Yield each event's `id` with what is made of it: a client that reconnects gets
        all that came after the last id it has. Elsewhere it begins now, with this call, ends
        when it is closed or dropped, and a gap is an event named `reset`; under gevent it is for
        greenlets, not for real threads. Raises
        `BrokerUnavailable`, and `ValueError` for a channel name that cannot be.
        """
        return listen(self._runtime().channels, channels)

    def history(self, channel: str, after: str | None = None, limit: int = 100) -> list[Event]:
        """Return the events of a channel after an id, or its last ones, oldest first.

        `limit` is 1 to 1,000. Raises `PositionGone` where events after that id have been
        removed or the id is of another epoch, and `BrokerUnavailable`.
        """
        return self._runtime().channels.history(channel, after, limit)

    def revoke(self, user: Any = None, channel: str | None = None) -> None:
        """End the open streams of a user, on a channel, or of a user on a channel, everywhere.

        Everywhere is every process on the same broker, whichever app it serves. They end with
        the terminal `error` event, status 403. `user` is what `identify` returned for them, and is
        compared by what it is in JSON. Raises `BrokerUnavailable`,
        `OutputError`, and `ValueError` for nobody or a channel name that cannot be.
        """
        if user is None and channel is None:
            raise ValueError("revoke() needs a user, a channel, or both.")
        if user is not None and dump(user) == b"null":
            raise ValueError(f"revoke(): {user!r} is null in JSON, which is nobody.")
        if channel is not None:
            check_channel(channel)
        runtime = self._runtime()
        runtime.channels.revoke(runtime.streams, user, channel)

    def _runtime(self) -> AppRuntime:
        if has_request_context():
            PROCESS.note(request.environ)
        app = this_app() if has_app_context() else None
        if app is not None and EXTENSION in app.extensions:
            return runtime_of(app)
        runtimes = list(self._runtimes)
        if len(runtimes) != 1:
            raise RuntimeError(
                "Which app? Within `with app.app_context():` it is that one; without an app use "
                "broker_from_url()."
            )
        return runtimes[0]


def _text_of(
    snapshot: Callable[[], Any], fallback: Fallback, max_bytes: int
) -> Callable[[], bytes]:
    return lambda: make_text(snapshot(), fallback=fallback, max_bytes=max_bytes)


def this_app() -> Flask:
    """Return the app of the current context."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy
    return app


def runtime_of(app: App) -> AppRuntime:
    """Return an app's runtime; set it up when it is missing."""
    if EXTENSION not in app.extensions:
        app.extensions[EXTENSION] = AppRuntime(cast(Flask, app))
    runtime: AppRuntime = app.extensions[EXTENSION]
    return runtime
