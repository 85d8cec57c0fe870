"""Orders in the database, each with the steps that it has taken.

Every change is kept together with what is to be told of it, in one transaction.
"""

import sqlite3
import time
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel

from ..accounts.visitor import Visitor
from ..database import database
from . import outbox

State = Literal["placed", "packed", "shipped", "delivered"]

STATES: tuple[State, ...] = ("placed", "packed", "shipped", "delivered")
SHOWN = 50
# Of one account: so many may be under way, and so many that were delivered are remembered.
MOST_UNDER_WAY = 100
DELIVERED_KEPT = 200
DELIVERED = "SELECT order_id FROM steps WHERE state = 'delivered'"


class TooManyOrders(Exception):
    """An account has so many orders under way that it has to wait for one of them."""


class Step(BaseModel):
    state: State
    at: datetime
    by: str


class Order(BaseModel):
    """An order as it is now; of two, the one with more steps is the newer."""

    id: int
    account: str
    item: str
    quantity: int
    state: State
    steps: list[Step]


def everyones() -> str:
    """The channel of all orders."""
    return "orders"


def channel_of(account: str) -> str:
    """The channel of an account's orders."""
    return f"orders:{account}"


def may_see(visitor: Visitor, order: Order) -> bool:
    return visitor.role == "operator" or visitor.account == order.account


def place(account: str, item: str, quantity: int) -> Order:
    """Keep a new order. Raises `TooManyOrders`."""

    def work(db: sqlite3.Connection) -> Order:
        _make_room(db, account)
        insert = "INSERT INTO orders (account, item, quantity) VALUES (?, ?, ?)"
        order_id = db.execute(insert, (account, item, quantity)).lastrowid
        assert order_id is not None
        return _take(db, order_id, "placed", account)

    return database().write(work)


def _make_room(db: sqlite3.Connection, account: str) -> None:
    """Forget the account's oldest orders that were delivered; see that not too many are not."""
    under_way = f"SELECT count(*) FROM orders WHERE account = ? AND id NOT IN ({DELIVERED})"
    if db.execute(under_way, (account,)).fetchone()[0] >= MOST_UNDER_WAY:
        raise TooManyOrders
    old = (
        f"SELECT id FROM orders WHERE account = ? AND id IN ({DELIVERED})"
        " ORDER BY id DESC LIMIT -1 OFFSET ?"
    )
    db.execute(f"DELETE FROM orders WHERE id IN ({old})", (account, DELIVERED_KEPT))


def advance(order_id: int, by: str) -> Order | None:
    """Return the order after its next step; `None` where it has taken the last one."""

    def work(db: sqlite3.Connection) -> Order | None:
        order = _find(db, order_id)
        if order is None or order.state == STATES[-1]:
            return None
        return _take(db, order_id, STATES[len(order.steps)], by)

    return database().write(work)


def _take(db: sqlite3.Connection, order_id: int, state: State, by: str) -> Order:
    db.execute("INSERT INTO steps VALUES (?, ?, ?, ?)", (order_id, state, time.time(), by))
    order = _find(db, order_id)
    assert order is not None
    for channel in (channel_of(order.account), everyones()):
        outbox.put(db, channel, order.model_dump_json())
    return order


def find(order_id: int) -> Order | None:
    return database().read(lambda db: _find(db, order_id))


def latest(visitor: Visitor) -> list[Order]:
    """Return the newest orders that a visitor may see, the newest first."""
    condition, values = ("", ()) if visitor.role == "operator" else _of(visitor.account)
    query = f"SELECT * FROM orders {condition} ORDER BY id DESC LIMIT {SHOWN}"

    def work(db: sqlite3.Connection) -> list[Order]:
        return [_order(db, row) for row in db.execute(query, values).fetchall()]

    return database().read(work)


def _of(account: str) -> tuple[str, tuple[str, ...]]:
    return "WHERE account = ?", (account,)


def _find(db: sqlite3.Connection, order_id: int) -> Order | None:
    row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    return _order(db, row) if row else None


def _order(db: sqlite3.Connection, row: sqlite3.Row) -> Order:
    query = "SELECT state, at, by FROM steps WHERE order_id = ?"
    steps = [_step(step) for step in db.execute(query, (row["id"],))]
    steps.sort(key=lambda step: STATES.index(step.state))
    return Order(**dict(row), state=steps[-1].state, steps=steps)


def _step(row: sqlite3.Row) -> Step:
    at = datetime.fromtimestamp(row["at"], timezone.utc)
    return Step(state=row["state"], at=at, by=row["by"])
