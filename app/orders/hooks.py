"""Whose an order is: for everybody else it does not exist."""

from flask import abort

from flask_sse_routes import Context, define_hook

from ..accounts.visitor import Visitor
from .store import Order, find, may_see


def visible(order_id: int, visitor: Visitor) -> Order:
    """Return an order. An unknown one and one of another account are told apart by nothing."""
    order = find(order_id)
    if order is None or not may_see(visitor, order):
        abort(404, "There is no such order.")
    return order


def _refuse_foreign(ctx: Context) -> None:
    ctx.state.order = visible(ctx.input.order_id, ctx.user)


# After `signed_in`.
owned = define_hook("owned", before=_refuse_foreign)
