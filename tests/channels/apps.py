"""The application that real servers serve: it publishes and follows whatever it is asked to.

The configuration comes from the environment (`FLASK_SSE_*`).
"""

import os
from typing import Any

from flask import Flask, Response

from flask_sse_routes import RouteBlueprint, SSERoutes, Subscription, define_route
from flask_sse_routes.cli import sse_cli

sse = SSERoutes()
app = Flask(__name__)
sse.init_app(app)
app.cli.add_command(sse_cli)


def publish(channel: str, data: Any = None, count: int = 1) -> list[str]:
    return [sse.publish(channel, data) for _ in range(count)]


def follow(channel: list[str]) -> Subscription:
    return sse.subscribe(*channel)


def ping() -> dict[str, int]:
    return {"pid": os.getpid()}


def stats() -> dict[str, Any]:
    return sse.stats()._asdict()


@app.after_request
def name_worker(response: Response) -> Response:
    """Tell who answers, of a stream as well."""
    response.headers["X-Worker"] = str(os.getpid())
    return response


routes = {
    "follow": define_route(follow, kind="sse"),
    "ping": define_route(ping),
    "publish": define_route(publish, method="POST"),
    "stats": define_route(stats),
}
app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
