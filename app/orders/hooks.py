"""Whose an order is: for everybody else it does not exist. And what is still to be told of them."""

from flask import abort

from flask_sse_routes import Context, define_hook

from ..accounts.visitor import Visitor
from . import outbox
from .store import Order, find, may_see


def visible(order_id: int, visitor: Visitor) -> Order:
    """Return an order. An unknown one and one of another account are told apart by nothing."""
    order = find(order_id)
    if order is None or not may_see(visitor, order):
        abort(404, "There is no such order.")
    return order


def _refuse_foreign(ctx: Context) -> None:
    ctx.state.order = visible(ctx.input.order_id, ctx.user)


def _tell(_ctx: Context) -> None:
    outbox.deliver()


# After `signed_in`.
owned = define_hook("owned", before=_refuse_foreign)
# A process that died between a change and its message tells nobody: whoever follows looks again.
told = define_hook("told", before=_tell)
