"""The application that real servers serve: its streams are for who has a token, while it holds."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from flask import Flask, abort

from flask_sse_routes import (
    Context,
    RouteBlueprint,
    SSERoutes,
    Subscription,
    define_hook,
    define_route,
)

app = Flask(__name__)
sse = SSERoutes(app)
tokens: set[str] = set()
asked: Counter[str] = Counter()


def check(ctx: Context) -> None:
    token = ctx.request.args["key"]
    asked[token] += 1
    if token not in tokens:
        abort(401)


def give(token: str) -> None:
    tokens.add(token)


def take_back(token: str) -> None:
    tokens.discard(token)


def tick(ctx: Context) -> Iterator[int]:
    yield 0
    ctx.sleep(3600)


def follow() -> Subscription:
    return sse.subscribe("news")


def count(token: str) -> int:
    return asked[token]


def ping() -> None:
    pass


def stats() -> dict[str, Any]:
    return sse.stats()._asdict()


guarded: dict[str, Any] = {
    "kind": "sse",
    "hooks": [define_hook("token", before=check)],
    "reauthorize": 0.1,
}
routes = {
    "count": define_route(count),
    "follow": define_route(follow, **guarded),
    "give": define_route(give, method="POST"),
    "ping": define_route(ping),
    "stats": define_route(stats),
    "take_back": define_route(take_back, method="POST"),
    "tick": define_route(tick, **guarded),
}
app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
