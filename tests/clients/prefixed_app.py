"""An app whose clients have to give other input than its routes declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask, request
from pydantic import BaseModel

from flask_sse_routes import RouteBlueprint, SSERoutes, define_route


class Point(BaseModel):
    x: int


class Card(BaseModel):
    number: str


class Cash(BaseModel):
    amount: int


class Shared(BaseModel):
    """Taken with a variable of a prefix, and without."""

    word: str


def where() -> Any:
    return request.view_args


def count(n: int = 1) -> list[Any]:
    return [where(), n]


def taken(input: Any) -> list[Any]:
    return [where(), input.model_dump() if isinstance(input, BaseModel) else input]


def optional(item: int | None = None, word: str = "none") -> list[Any]:
    return [item, word]


def search(
    limit: int | None = 10,
    color: str | None = None,
    words: list[str] = ["a"],  # noqa: B006  # what is declared is copied
    numbers: list[int | None] | None = None,
    point: Point | None = None,
    grid: list[list[int]] | None = None,
) -> list[Any]:
    return [limit, color, words, numbers, point, grid]


def ticks(n: int = 2) -> Iterator[int]:
    yield from range(n)


routes = {
    "where": define_route(where, output=dict[str, Any]),
    "count": define_route(count),
    "pay": define_route(taken, input=Card | Cash, method="POST", output=list[Any]),
    "share": define_route(taken, input=Shared, method="POST", output=list[Any]),
    "tags": define_route(taken, input=dict[str, int], output=list[Any]),
    # Of these a list cannot hold the variables of the prefix: the second has another form.
    "bulk": define_route(taken, input=list[int], method="POST", output=list[Any]),
    "either": define_route(taken, input=list[int] | Card, method="POST", output=list[Any]),
    "whatever": define_route(taken, input=Any, method="POST", output=list[Any]),
    "item": define_route(optional, path="/items/<int:item>"),
    "ticks": define_route(ticks, kind="sse"),
}
rooms = RouteBlueprint("rooms", __name__, routes, url_prefix="/<int:org_id>/rooms/<room>")
api = RouteBlueprint(
    "api",
    __name__,
    {
        "search": define_route(search),
        "share": define_route(taken, input=Shared, method="POST", output=list[Any]),
    },
    url_prefix="/<tenant>/api",
)
api.register_blueprint(rooms)
app = Flask(__name__)
SSERoutes(app)
app.register_blueprint(api)
