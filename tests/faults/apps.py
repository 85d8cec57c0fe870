"""The application whose servers are broken: as little as shows what a stream loses."""

import os
import time
from collections.abc import Iterator
from typing import Any

from e2e.census import census
from flask import Flask, Response

from flask_sse_routes import Context, RouteBlueprint, SSERoutes, Subscription, define_route

# More than the buffers of two ends hold.
LARGE = b"x" * 8 * 1024 * 1024

sse = SSERoutes()


def follow(channel: list[str]) -> Subscription:
    return sse.subscribe(*channel)


def sleeper(ctx: Context) -> Iterator[str]:
    """A handler that is blocked for as long as its client stays."""
    yield "asleep"
    time.sleep(3600)


def publish(channel: str, data: Any = None) -> str:
    return sse.publish(channel, data)


def large() -> Response:
    """More than the buffers of a connection hold that is read slowly; made once."""
    return Response(LARGE, mimetype="text/plain")


def ping() -> dict[str, int]:
    return {"pid": os.getpid()}


def count() -> dict[str, int]:
    """Say which worker this is, and all that it has open."""
    stats = sse.stats()
    return {"pid": os.getpid(), "streams": stats.streams, "refused": stats.refused, **census()}


def stats() -> dict[str, Any]:
    return sse.stats()._asdict()


routes = {
    "follow": define_route(follow, kind="sse"),
    "sleeper": define_route(sleeper, kind="sse"),
    "publish": define_route(publish, method="POST"),
    "large": define_route(large),
    "ping": define_route(ping),
    "census": define_route(count),
    "stats": define_route(stats),
}

app = Flask(__name__)
sse.init_app(app)
app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
