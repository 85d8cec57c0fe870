"""An app for the browser client: numbers that are published, a page with a strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request

from flask_sse_routes import (
    Context,
    RouteBlueprint,
    SSERoutes,
    Subscription,
    define_route,
)

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'"
)
PAGE = """<!doctype html><title>Strict</title><p id="told">
<script type="module" src="/api/client.js" integrity="{digest}"></script>
<script type="module" src="/page.js"></script>
"""
SCRIPT = """
import { $api, $sse } from "/api/client.js";
const told = document.getElementById("told");
const value = await $api.hello({ name: "</script><img src=x onerror=alert(1)>" });
for await (const { data } of $sse.count()) value.data = [...(value.data ?? []), data];
told.textContent = JSON.stringify(value);
"""

sse = SSERoutes()


def news() -> Subscription:
    return sse.subscribe("news")


def say(number: int) -> str:
    return sse.publish("news", number)


def hello(name: str) -> dict[str, str]:
    return {"hello": name}


def count() -> Iterator[Any]:
    yield 1
    yield "<script>alert(1)</script>"


def job(ctx: Context) -> Iterator[int]:
    """Tell numbers until the stream is cut; each run of it is published."""
    sse.publish("jobs", 1)
    number = 0
    while True:
        yield number
        number += 1
        ctx.sleep(0.05)


def runs() -> int:
    return len(sse.history("jobs"))


ROUTES = {
    "news": define_route(news, kind="sse"),
    "say": define_route(say, method="POST"),
    "hello": define_route(hello),
    "count": define_route(count, kind="sse"),
    "job": define_route(job, kind="sse", method="POST", drain="now"),
    "runs": define_route(runs),
}


def create_app() -> Flask:
    app = Flask(__name__)
    sse.init_app(app)
    app.register_blueprint(RouteBlueprint("api", __name__, ROUTES, url_prefix="/api"))

    @app.get("/")
    def page() -> Response:
        text = PAGE.format(digest=request.args.get("digest", ""))
        return Response(text, headers={"Content-Security-Policy": POLICY})

    @app.get("/page.js")
    def script() -> Response:
        return Response(SCRIPT, content_type="text/javascript")

    return app


app = create_app()
