"""What the Python clients read across restarts: a channel, and a job that must not run twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask

from flask_sse_routes import Context, RouteBlueprint, SSERoutes, Subscription, define_route

sse = SSERoutes()


def news() -> Subscription:
    return sse.subscribe("news")


def job(ctx: Context, journal: str) -> Iterator[int]:
    """Note that it was begun, and go on until it is stopped."""
    with Path(journal).open("a") as file:
        file.write(f"{os.getpid()}\n")
    for number in range(10_000):
        yield number
        ctx.sleep(0.05)


def count(to: int = 3) -> Iterator[int]:
    yield from range(to)
    return None


def double(number: int) -> dict[str, Any]:
    return {"doubled": 2 * number}


routes = {
    "news": define_route(news, kind="sse"),
    "job": define_route(job, kind="sse", method="POST"),
    "count": define_route(count, kind="sse"),
    "double": define_route(double, method="POST"),
}


def create_app() -> Flask:
    app = Flask(__name__)
    sse.init_app(app)
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    return app


app = create_app()
