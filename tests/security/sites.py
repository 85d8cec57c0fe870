"""An application with users: what each may see, who may ask, and from where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from flask import Flask, Request, abort

from flask_sse_routes import (
    CORS,
    Context,
    Event,
    RouteBlueprint,
    SSERoutes,
    define_hook,
    define_route,
)

# What the application is told by its environment.
ALLOWED = "SECURITY_ALLOWED"


def user_of(request: Request) -> str | None:
    return request.cookies.get("user")


def check(ctx: Context) -> None:
    if ctx.user is None:
        abort(401, "Sign in first.")


def mine(ctx: Context) -> dict[str, Any]:
    return {"user": ctx.user}


def numbers(ctx: Context) -> Iterator[Event]:
    """Count on from where the client has been, for its user alone."""
    first = int(ctx.last_event_id or 0) + 1
    for number in range(first, first + 1000):
        yield Event({"user": ctx.user, "number": number}, id=str(number))
        ctx.sleep(0.2)


def say(word: str) -> str:
    return word


signed_in = define_hook("signed-in", before=check)
ROUTES = {
    "mine": define_route(mine, hooks=[signed_in]),
    "numbers": define_route(numbers, kind="sse", hooks=[signed_in], max_duration=1.0),
    "say": define_route(say, method="POST", hooks=[signed_in]),
}


def create_app() -> Flask:
    app = Flask(__name__)
    SSERoutes(app, identify=user_of)
    allowed = [each for each in os.environ.get(ALLOWED, "").split(",") if each]
    cors = CORS(allowed, credentials=True, headers=["X-Token"]) if allowed else None
    app.register_blueprint(
        RouteBlueprint("api", __name__, ROUTES, url_prefix="/api", cors=cors, check_origin=True)
    )
    app.add_url_rule("/", "page", lambda: "<!doctype html><title>Home</title>")
    return app


app = create_app()
