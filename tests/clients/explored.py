"""An app for the tests of the explorer: forms of every sort, hostile texts, streams that hurry."""

from __future__ import annotations

import datetime
import enum
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from flask import Flask, abort
from flask.wrappers import Response
from pydantic import BaseModel, Field

from flask_sse_routes import (
    Event,
    RouteBlueprint,
    SSERoutes,
    StreamError,
    define_hook,
    define_route,
)

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>alert(1)</script>"
started = time.monotonic()


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Address(BaseModel):
    street: Annotated[str, Field(min_length=1)]
    town: str = "Springfield"


class Order(BaseModel):
    """What somebody buys."""

    customer: Annotated[str, Field(min_length=2, max_length=40, description="Who pays.")]
    amount: Annotated[int, Field(ge=1, le=99, description="How many pieces.")] = 1
    price: Annotated[Decimal, Field(gt=0)] = Decimal("9.50")
    size: Size = Size.SMALL
    shipping: Literal["post", "courier"] = "post"
    express: bool = False
    newsletter: bool | None = None
    due: datetime.date | None = None
    labels: Annotated[list[str], Field(max_length=3)] = []
    address: Address
    note: Annotated[str | None, Field(description="Null keeps the old one.")] = "none"


class Tick(BaseModel):
    number: int
    text: str


class Progress(BaseModel):
    percent: int
    step: str


def place_order(input: Order) -> dict[str, Any]:
    return {"order_id": 12345678901234567890, **input.model_dump(mode="json")}


def read_order(order_id: int, fields: tuple[str, ...] = (), verbose: bool = True) -> dict[str, Any]:
    return {"order_id": order_id, "fields": fields, "verbose": verbose}


def ticks(ctx: Any, interval: float = 0.2, hostile: bool = False) -> Iterator[Tick | Event]:
    number = 0
    while True:
        number += 1
        text = HOSTILE if hostile else f"tick {number}"
        yield Event(Tick(number=number, text=text), id=str(number))
        if number % 5 == 0:
            progress = Progress(percent=number % 100, step="packing")
            yield Event(progress, event="progress", id=f"{number}.5")
        ctx.sleep(interval)


def countdown(start: Annotated[int, Field(ge=1, le=50)] = 3) -> Iterator[int]:
    yield from range(start, 0, -1)


def broken() -> Iterator[int]:
    yield 1
    raise StreamError("The belt has torn.", status=503)


def answer(question: str) -> Iterator[str]:
    yield from question.split()


def flood(ctx: Any, per_second: int = 2000, seconds: float = 3) -> Iterator[Event]:
    """Send so many events a second, in steps of 10 ms."""
    begin = time.monotonic()
    sent = 0
    while sent < per_second * seconds:
        due = min(per_second * seconds, (time.monotonic() - begin) * per_second)
        while sent < due:
            sent += 1
            yield Event({"number": sent, "text": "x" * 40}, id=str(sent))
        ctx.sleep(0.01)


def returning(ctx: Any, pause: float = 0.3) -> Iterator[Event]:
    """End without an end, so that a client comes back."""
    yield Event({"after": ctx.last_event_id}, id=f"{ctx.last_event_id or 0}1"[-40:])
    ctx.sleep(pause)


def refuse(ctx: Any) -> None:
    if ctx.request.headers.get("Authorization") != "Bearer open sesame":
        abort(401, "Say the word.")


def page() -> Response:
    return Response(f"<h1>{HOSTILE}</h1>", content_type="text/html")


token = define_hook(before=refuse, security={"token": {"type": "http", "scheme": "bearer"}})

routes = {
    "place_order": define_route(
        place_order,
        input=Order,
        method="POST",
        path="/orders",
        summary="Place an order",
        description="Takes what is asked for and answers with the order as it was understood.",
        tags=["Orders"],
    ),
    "read_order": define_route(
        read_order, path="/orders/<int:order_id>", summary="Read an order", tags=["Orders"]
    ),
    "old_order": define_route(
        read_order,
        path="/old/<int:order_id>",
        summary="Read an order as it was",
        tags=["Orders"],
        deprecated=True,
    ),
    "ticks": define_route(
        ticks,
        kind="sse",
        events={"progress": Progress},
        summary="Ticks, and a progress now and then",
        tags=["Live"],
    ),
    "countdown": define_route(countdown, kind="sse", summary="Count down", tags=["Live"]),
    "broken": define_route(broken, kind="sse", summary="Fail on the way", tags=["Live"]),
    "answer": define_route(
        answer, kind="sse", method="POST", summary="Answer word by word", tags=["Live"]
    ),
    "flood": define_route(flood, kind="sse", summary="More than one can read", tags=["Live"]),
    "returning": define_route(
        returning, kind="sse", on_end="reconnect", summary="End now and then", tags=["Live"]
    ),
    "secret": define_route(lambda: "treasure", summary="Ask for the word", hooks=[token]),
    "page": define_route(page, summary="A page with markup"),
}
nested = {
    "stats": define_route(lambda: {"streams": 1, "uptime": time.monotonic() - started}),
    "file": define_route(lambda name: {"name": name}, path="/files/<path:name>"),
    "attachment": define_route(
        lambda shipment, attachment: [shipment, attachment],
        path="/shipments/<int:shipment>/documents/<int:attachment>/attachments",
    ),
    "word": define_route(lambda: 1, path=f"/documents/{'w' * 60}"),
}


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SSE_EXPLORER"] = True
    SSERoutes(app)
    api = RouteBlueprint("api", __name__, routes, title="Warehouse", version="1.4")
    api.register_blueprint(RouteBlueprint("admin", __name__, nested, url_prefix="/admin"))
    app.register_blueprint(api, url_prefix="/api")
    return app


app = create_app()
