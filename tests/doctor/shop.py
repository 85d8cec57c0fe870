"""The app of the deployments: streams that end soon, stay open or tick, and a plain route."""

import os
from collections.abc import Iterator
from typing import Any

from flask import Flask

from flask_sse_routes import (
    Context,
    RouteBlueprint,
    SSERoutes,
    Subscription,
    define_route,
    diagnosis,
)
from flask_sse_routes.cli import sse_cli

# More doctors at once than a shop has: most of their time they wait.
diagnosis.MOST = 24

sse = SSERoutes()


def bake(ctx: Context) -> Iterator[str]:
    for step in ("mix", "knead", "bake"):
        yield step
        ctx.sleep(0.3)


def orders() -> Subscription:
    return sse.subscribe("orders")


def ticks(ctx: Context, every: float) -> Iterator[int]:
    for number in range(100):
        yield number
        ctx.sleep(every)


routes = {
    "bake": define_route(bake, kind="sse"),
    "orders": define_route(orders, kind="sse"),
    "ticks": define_route(ticks, kind="sse"),
    "hello": define_route(lambda: "world"),
}


def create_app(**config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(config)
    sse.init_app(app)
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    # The entry point does that where the package is installed.
    app.cli.add_command(sse_cli)
    return app


app = create_app(SECRET_KEY=os.environ.get("SHOP_SECRET"))
