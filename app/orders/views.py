"""The routes of orders: all of them need a session."""

from typing import Annotated

from flask import abort
from pydantic import Field, StringConstraints

from flask_sse_routes import Context, Event, Subscription, define_route

from ..extensions import sse
from ..hooks import REAUTHORIZE, log_end, operator, signed_in
from ..posting import count_post
from . import outbox, store
from .hooks import owned, told
from .store import Order

Item = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"\S")
]
Quantity = Annotated[int, Field(ge=1, le=99)]
OrderId = Annotated[int, Field(ge=1, le=2**53 - 1)]


def orders(ctx: Context) -> Subscription:
    visitor = ctx.user
    everything = visitor.role == "operator"
    channel = store.everyones() if everything else store.channel_of(visitor.account)

    return sse.subscribe(channel, snapshot=lambda: store.latest(visitor))


def order(ctx: Context, order_id: OrderId) -> Subscription:
    channel = store.channel_of(ctx.state.order.account)

    def is_it(event: Event) -> bool:
        return bool(event.data["id"] == order_id)

    return sse.subscribe(channel, snapshot=lambda: store.find(order_id), where=is_it)


def place_order(ctx: Context, item: Item, quantity: Quantity = 1) -> Order:
    count_post(ctx.request, ctx.user)
    try:
        placed = store.place(ctx.user.account, item, quantity)
    except store.TooManyOrders:
        abort(409, f"{store.MOST_UNDER_WAY} of your orders are under way: wait for one of them.")
    outbox.deliver()
    return placed


def advance_order(ctx: Context, order_id: OrderId) -> Order:
    moved = store.advance(order_id, ctx.user.account)
    if moved is None:
        abort(409, "This order has been delivered.")
    outbox.deliver()
    return moved


routes = {
    "orders": define_route(
        orders,
        kind="sse",
        output=Order,
        hooks=[log_end, signed_in, told],
        reauthorize=REAUTHORIZE,
        summary="Your orders, and each of their steps",
    ),
    "order": define_route(
        order,
        kind="sse",
        path="/orders/<int:order_id>",
        output=Order,
        hooks=[log_end, signed_in, owned, told],
        reauthorize=REAUTHORIZE,
        summary="One order, step by step",
    ),
    "place_order": define_route(
        place_order, method="POST", path="/orders", hooks=[signed_in], summary="Place an order"
    ),
    "advance_order": define_route(
        advance_order,
        method="POST",
        path="/orders/<int:order_id>/advance",
        hooks=[signed_in, operator, owned],
        summary="Move an order to its next step",
    ),
}
