"""Checks of the database pool: are there connections for the streams that hold one?

Floor 3. By default a stream holds none; one with `context="stream"` keeps its session, and so its
connection, from the first query to the end. Flask-SQLAlchemy is known by what it keeps in
`app.extensions`, and is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..routes import Route
from .deployment import Deployment
from .finding import WARNING, Finding, found
from .handlers import named_by


def check_pool(deployment: Deployment) -> Iterator[Finding]:
    """Compare the smallest pool with the streams that may hold its connections."""
    extension = deployment.app.extensions.get("sqlalchemy")
    routes = [placed.route for placed in deployment.runtime.placed if _holds(placed.route)]
    if extension is None or not routes:
        return
    room, streams = _room(deployment, extension), _streams(deployment)
    if room is None or (streams is not None and streams <= room):
        return
    uses = [route for route in routes if _queries(route, extension)]
    names = ", ".join(repr(route.name) for route in uses or routes)
    what = "query and keep" if uses else "would keep, if they query,"
    yield found(
        "database-pool",
        f"The routes {names} have context='stream': they {what} a connection each. The pool of a "
        f"process has {room}, and its streams are {'not limited' if streams is None else streams}.",
        "Leave context='stream' out, and take what is needed of the request before the first "
        f"yield; or SSE_MAX_STREAMS = {max(1, room - 1)}; or SQLALCHEMY_ENGINE_OPTIONS = "
        f"{{'pool_size': {(streams or 100) + 5}}}.",
        None if uses else WARNING,
    )


def _holds(route: Route) -> bool:
    return route.options.get("context") == "stream"


def _streams(deployment: Deployment) -> int | None:
    """Return how many streams a process may have open."""
    settings = deployment.settings
    if deployment.config.max_streams is not None:
        return deployment.config.max_streams
    threads = deployment.worker == "threads" and settings is not None
    return settings.threads if threads and settings is not None else None


def _room(deployment: Deployment, extension: Any) -> int | None:
    """Return how many connections the smallest pool may have; `None` where there is no limit."""
    with deployment.app.app_context():
        pools = [engine.pool for engine in getattr(extension, "engines", {}).values()]
    return min((room for room in map(_capacity, pools) if room is not None), default=None)


def _capacity(pool: Any) -> int | None:
    # A pool that opens a connection for each use, or keeps a single one, has no such numbers.
    overflow = getattr(pool, "_max_overflow", -1)
    size = pool.size() if callable(getattr(pool, "size", None)) else 0
    return None if overflow < 0 or size + overflow <= 0 else int(size + overflow)


def _queries(route: Route, extension: Any) -> bool:
    """Tell whether the handler itself names the extension, its session or one of its models."""
    globals_ = getattr(route.handler, "__globals__", {})
    return any(_is_database(globals_.get(name), extension) for name in named_by(route.handler))


def _is_database(value: Any, extension: Any) -> bool:
    if value is None:
        return False
    model = getattr(extension, "Model", None)
    session = getattr(extension, "session", None)
    if value is extension or value is session:
        return True
    return isinstance(value, type) and isinstance(model, type) and issubclass(value, model)
