"""What streams are told from outside, the open ones and those on their way.

Floor 1. `Streams` gives an order to every stream that is open; an `Opening` remembers it for one
whose hooks have asked already and which is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .errors import OutputError, StreamError
from .schema import dump
from .stream import Stream

# Orders that a stream on its way remembers.
MAX_ORDERS = 100


class Order(NamedTuple):
    """What streams are told from outside; `by_channel` where it depends on what they follow."""

    carry_out: Callable[[Stream], None]
    by_channel: bool


class Opening:
    """A stream on its way, whose hooks may have asked already: it obeys what comes meanwhile.

    It goes on to note orders by channel when the stream is open, for a handler that begins to
    listen to one later.
    """

    __slots__ = ("__weakref__", "is_open", "orders")

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.is_open = False

    def note(self, order: Order) -> None:
        """Remember an order."""
        if (order.by_channel or not self.is_open) and len(self.orders) < MAX_ORDERS:
            self.orders.append(order)

    def obey(self, stream: Stream) -> None:
        """Give the stream the orders that came since its hooks began."""
        self.is_open = True
        orders = tuple(self.orders)
        for order in orders:
            order.carry_out(stream)
            if not order.by_channel:
                self.orders.remove(order)
        if len(orders) == MAX_ORDERS:  # and perhaps more that are not noted
            stream.close("shutdown")


def revoking(user: Any, channel: str | None) -> Order:
    """Return the order that ends the streams of a user, on a channel, or both.

    `user` has travelled as JSON; a user is compared by what it is in JSON.
    """
    revoke = partial(_revoke, None if user is None else _in_json(user), channel)
    return Order(revoke, by_channel=channel is not None)


def _revoke(user: Any, channel: str | None, stream: Stream) -> None:
    theirs = user is None or (stream.user is not None and _in_json(stream.user) == user)
    if theirs and (channel is None or channel in stream.source.channels):
        stream.fail(StreamError("Access to this stream was revoked.", status=403))


def _come_back(stream: Stream) -> None:
    if stream.user is not None:
        stream.close("shutdown")


# Ends the streams of users, for their clients to come back and be checked anew.
RECHECK = Order(_come_back, by_channel=False)


def _in_json(user: Any) -> Any:
    """Return a user as another process reads it; one that is no JSON is like nobody."""
    try:
        return json.loads(dump(user))
    except OutputError:
        return None
