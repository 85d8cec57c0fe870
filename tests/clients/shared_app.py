"""An app whose streams several tabs of a browser share; it counts who asks for them."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Any

from flask import Flask, abort

from flask_sse_routes import (
    Context,
    Event,
    RouteBlueprint,
    SSERoutes,
    StreamError,
    Subscription,
    define_hook,
    define_route,
)

sse = SSERoutes()
asked: list[str] = []


def note(ctx: Context) -> None:
    asked.append(ctx.route.name)


def refuse(ctx: Context) -> None:
    abort(403, "Not for you.")


def news() -> Subscription:
    return sse.subscribe("news")


def board() -> Subscription:
    """The news, which begin with all that there has been."""
    return sse.subscribe("news", snapshot=lambda: [e.data for e in sse.history("news", limit=1000)])


def say(first: int, count: int = 1) -> None:
    for number in range(first, first + count):
        sse.publish("news", number)


def task(ctx: Context) -> Generator[Event, None, str]:
    """Tell what is published until that says how to end."""
    for event in sse.listen("news"):
        if event.data == -1:
            return "done"
        if event.data == -2:
            raise StreamError("The task was given up.", status=409)
        yield Event(event.data, id=event.id)
    raise AssertionError("It ends by what is published.")


def clock(ctx: Context) -> Generator[int, None, None]:
    """A stream without ids: it begins anew with every connection."""
    for number in itertools.count():
        yield number
        ctx.sleep(0.02)


def hello() -> dict[str, str]:
    return {"hello": "world"}


def stats() -> dict[str, Any]:
    return {"streams": sse.stats().streams, "asked": asked}


counted = define_hook("counted", before=note)
refusing = define_hook("refusing", before=refuse)
routes = {
    "news": define_route(news, kind="sse", hooks=[counted]),
    "board": define_route(board, kind="sse", hooks=[counted]),
    "say": define_route(say, method="POST"),
    "task": define_route(task, kind="sse", hooks=[counted]),
    "clock": define_route(clock, kind="sse", hooks=[counted]),
    "forbidden": define_route(news, kind="sse", hooks=[counted, refusing]),
    "hello": define_route(hello),
    "stats": define_route(stats),
}


def create_app() -> Flask:
    app = Flask(__name__)
    sse.init_app(app)
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    app.add_url_rule("/", "index", lambda: "<!doctype html><title>A tab</title>")
    return app


app = create_app()
