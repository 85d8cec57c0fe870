"""An app whose routes have types of every sort, for generated clients."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from flask import Flask
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

from flask_sse_routes import Event, RouteBlueprint, SSERoutes, StreamError, define_route

T = TypeVar("T")


class Color(enum.Enum):
    """What it is painted in."""

    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    label: str = ""


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class Cash(BaseModel):
    kind: Literal["cash", "coins"]
    amount: decimal.Decimal


class Order(BaseModel):
    """An order, as */ it is kept."""

    model_config = ConfigDict(title="Order")

    id: int
    color: Color = Color.RED
    at: datetime.datetime
    key: uuid.UUID
    note: str | None = Field(None, description="What the customer says.")
    point: Point = Point(0)
    payment: Annotated[Card | Cash, Field(discriminator="kind")]
    counts: dict[Color, int] = {}
    odd_name: int = Field(1, alias="odd-name", deprecated=True)
    kind_of: Literal["a", "b", 3, None] = Field("a", alias="class")


class Node(BaseModel):
    name: str
    parent: Node | None = None
    children: list[Node] = []


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: int | None


class Response(BaseModel):
    """Named like something that the runtime means otherwise."""

    model_config = ConfigDict(extra="allow")

    promise: bool


class Extra(TypedDict):
    a: int
    b: NotRequired[str]


Odd = TypedDict("Odd", {"a-b": int, "class": str, "$": None})


class Progress(BaseModel):
    percent: int


class Done(BaseModel):
    url: str


class NewOrder(BaseModel):
    color: Color
    points: list[Point] = []
    payment: Card | Cash


def order(order_id: int, verbose: bool = False) -> Order:
    return _order(order_id, note="long" if verbose else None)


def orders(limit: int = 2, color: list[Color] | None = None) -> Page[Order]:
    return Page(items=[_order(number) for number in range(limit)], next=limit)


def create(input: NewOrder) -> Order:
    return _order(9, color=input.color, payment=input.payment)


def pay(input: Card | Cash) -> str:
    return input.kind


def odd(input: Any) -> Any:
    return input


def tree(depth: int) -> Node:
    return Node(name=str(depth), children=[tree(depth - 1)] if depth else [])


def build(steps: int, fail: bool = False) -> Iterator[Progress | Done]:
    for number in range(steps):
        yield Progress(percent=100 * number // steps)
    if fail:
        raise StreamError("no disk left", status=507)
    yield Done(url="/built")


def numbers(start: int = 0) -> Iterator[int]:
    yield from range(start, start + 3)
    return "over"


def anything() -> Iterator[Any]:
    yield {"a": 1}
    yield Event("text", event="odd")


def _order(number: int, **members: Any) -> Order:
    given = {
        "id": number,
        "at": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc),
        "key": uuid.UUID(int=number),
        "payment": Card(kind="card", number="1"),
        "counts": {Color.RED: 1},
        **members,
    }
    return Order.model_validate(given)


admin = RouteBlueprint(
    "admin",
    __name__,
    {
        "stats": define_route(handler=lambda: {"streams": 1}, output=dict[str, int]),
        "log": define_route(kind="sse", handler=lambda: iter(["a"]), output=str),
    },
    url_prefix="/admin",
)
api = RouteBlueprint(
    "api",
    __name__,
    {
        "hello": define_route(handler=lambda: {"hello": "world"}, summary="Say hello."),
        "order": define_route(handler=order, path="/orders/<int:order_id>"),
        "orders": define_route(handler=orders),
        "create": define_route(handler=create, input=NewOrder, method="POST", path="/orders"),
        "pay": define_route(handler=pay, input=Card | Cash, method="POST", deprecated=True),
        "tree": define_route(handler=tree, path="/tree/<int:depth>"),
        "file": define_route(handler=lambda name: name, path="/files/<path:name>", output=str),
        "list": define_route(handler=lambda: [1, 2], output=list[int]),
        "constructor": define_route(handler=lambda: Response(promise=True), output=Response),
        "odd": define_route(handler=odd, input=Odd, output=Odd, method="PUT"),
        "extra": define_route(handler=lambda input: input, input=Extra, output=Extra),
        "build": define_route(
            kind="sse", handler=build, events={"progress": Progress, "done": Done}
        ),
        "numbers": define_route(kind="sse", handler=numbers),
        "anything": define_route(kind="sse", handler=anything),
        "draw": define_route(
            kind="sse", handler=lambda points: iter(points), method="POST", output=Point
        ),
    },
    url_prefix="/api",
    title="Shop",
    version="3",
)
api.register_blueprint(admin)

app = Flask(__name__)
SSERoutes(app)
app.register_blueprint(api)
