"""How often one client may post: some at once, then at a steady rate, over all workers.

Each post moves the time at which the client's allowance is whole again; who is too far ahead of
the clock waits.
"""

import math
import sqlite3
import time

from flask import Request
from werkzeug.exceptions import TooManyRequests

from .accounts.throttle import address_key
from .accounts.visitor import Visitor
from .database import database

# Posts at once, and seconds until there is one more.
BURST, INTERVAL = 30, 1.0


def count_post(request: Request, visitor: Visitor | None) -> None:
    """Count a post. Raises `TooManyRequests`, which says when to try again."""
    key = f"account:{visitor.account}" if visitor else address_key(request.remote_addr)
    wait = math.ceil(_begin(key, time.time()))
    if wait > 0:
        raise TooManyRequests(f"Too many at once: try again in {wait} s.", retry_after=wait)


def _begin(key: str, now: float) -> float:
    """Count it and return 0, or return how many seconds it is too early."""

    def work(db: sqlite3.Connection) -> float:
        db.execute("DELETE FROM posts WHERE due < ?", (now,))
        row = db.execute("SELECT due FROM posts WHERE key = ?", (key,)).fetchone()
        due = max(float(row["due"]) if row else now, now) + INTERVAL
        wait = due - now - BURST * INTERVAL
        if wait <= 0:
            db.execute("INSERT OR REPLACE INTO posts VALUES (?, ?)", (key, due))
        return wait

    return database().write(work)
