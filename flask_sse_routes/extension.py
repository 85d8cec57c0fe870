"""`SSERoutes`, the Flask extension: where an app's parts are put together.

Floor 2, the composition root. A `RouteBlueprint` sets it up by itself when it is missing;
an app that wants hooks, users or counters makes one and calls `init_app`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask, current_app, request
from flask.sansio.app import App
from flask.wrappers import Request

from . import problems
from .config import Config
from .errors import ConfigError
from .hooks import AnyHook, Hook, flatten
from .schema import Fallback
from .streams import PROCESS, Stats, Streams
from .transport import close_unsent

EXTENSION = "flask_sse_routes"


class AppRuntime:
    """What belongs to one app: its configuration, hooks, streams and URL prefixes."""

    def __init__(self, app: Flask) -> None:
        self.hooks: tuple[Hook, ...] = ()
        self.identify: Callable[[Request], Any] | None = None
        self.owner: SSERoutes | None = None
        self.streams = Streams()
        self._prefixes: list[re.Pattern[str]] = []
        self._blueprints: set[str] = set()
        self._config: Config | None = None
        Config.read(app.config, os.environ)
        problems.install(app, self.is_ours)
        app.teardown_request(close_unsent)

    @property
    def config(self) -> Config:
        """The configuration, frozen at its first use in a request."""
        if self._config is None:
            self._config = Config.read(current_app.config, os.environ)
        return self._config

    @property
    def fallback(self) -> Fallback:
        """The app's own way to serialise a type that pydantic does not know."""
        return getattr(current_app.json, "default", None)

    @property
    def max_streams(self) -> int | None:
        """`SSE_MAX_STREAMS`, or what the server leaves room for."""
        configured = self.config.max_streams
        return PROCESS.max_streams if configured is None else configured

    def add_blueprint(self, name: str, prefix: str | None) -> None:
        """Answer errors with problem documents for a blueprint, and below its prefix."""
        self._blueprints.add(name)
        if prefix and prefix.strip("/"):
            pattern = re.sub(r"<[^<>]*>", "[^/]+", re.escape(prefix.rstrip("/")))
            self._prefixes.append(re.compile(f"{pattern}(/|$)"))

    def is_ours(self) -> bool:
        """Tell whether the current request is a blueprint's, or misses one below its prefix."""
        if request.blueprint is not None:
            return not self._blueprints.isdisjoint(request.blueprints)
        return any(prefix.match(request.path) for prefix in self._prefixes)


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
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set the app up.

        Reads `SSE_HEARTBEAT`, `SSE_RETRY`, `SSE_OPEN_TIMEOUT`, `SSE_SEND_TIMEOUT`,
        `SSE_MAX_STREAMS`, `SSE_MAX_STREAMS_PER_CLIENT`, `SSE_MAX_EVENT_BYTES`,
        `SSE_BROKER_URL`, `SSE_HISTORY`, `SSE_HISTORY_AGE` and `SSE_VALIDATE_OUTPUT` from
        the app's configuration, and `FLASK_SSE_*` from the environment, which win. Raises
        `ConfigError` for an unknown or impossible one.
        """
        runtime = runtime_of(app)
        if runtime.owner is not None and runtime.owner is not self:
            raise ConfigError(
                f"App {app.name!r} has an SSERoutes already; call init_app of that one, once."
            )
        runtime.owner = self
        runtime.hooks = self._hooks
        runtime.identify = self._identify

    def stats(self, app: Flask | None = None) -> Stats:
        """Return a snapshot of this process's counters for `app`, by default the current one."""
        return runtime_of(app or this_app()).streams.stats()


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
