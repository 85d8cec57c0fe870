"""What is still to be told of changes that are kept: published in their order, then forgotten.

A change and its message are one transaction, so that no change is untold, even if the process dies
or the broker is away in between: what is left is published with the next change, by the hooks of
whoever follows, or by a task that tries again until nothing is left. Nothing is told before it is
true, and the database is not held while the broker is waited for. A message that may have been
published is looked for in its channel before it is published again.
"""

import json
import logging
import sqlite3
import threading
import time
import weakref
from functools import partial
from typing import Any, NamedTuple, TextIO, cast

from flask import Flask, current_app
from werkzeug.exceptions import ServiceUnavailable

from flask_sse_routes import BrokerUnavailable

from ..database import database
from ..elected import is_ours
from ..extensions import sse
from ..settings import data_folder

log = logging.getLogger(__name__)

# Seconds between two tries, at first and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 15.0


class Message(NamedTuple):
    id: int
    channel: str
    body: Any


def put(db: sqlite3.Connection, channel: str, body: str) -> None:
    db.execute("INSERT INTO outbox (channel, body) VALUES (?, ?)", (channel, body))


def deliver() -> None:
    """Publish what waits, now or as soon as that can be done; what is kept already never fails."""
    if not try_to_deliver():
        cast("Deliverer", current_app.extensions["orders.outbox"]).start()


def try_to_deliver() -> bool:
    """Publish what waits; tell whether nothing is left. One at a time keeps the order."""
    try:
        if database().read(_first) is None:
            return True
        with (data_folder() / "orders.lock").open("a") as file:
            return _publish_all(file)
    except (BrokerUnavailable, OSError, sqlite3.Error) as error:
        log.warning("Changes of orders are told later: %s", error)
    except ServiceUnavailable as error:
        log.warning("Changes of orders are told later: %s", error.description)
    return False


def _first(db: sqlite3.Connection) -> Message | None:
    row = db.execute("SELECT id, channel, body FROM outbox ORDER BY id LIMIT 1").fetchone()
    return Message(row["id"], row["channel"], json.loads(row["body"])) if row else None


def _publish_all(lock: TextIO) -> bool:
    """Publish one message after the other, where nobody else does; tell whether it was done."""
    if not is_ours(lock):
        return False
    # One that was published and not forgotten, by who was there before.
    may_be_told = True
    while message := database().read(_first):
        if not (may_be_told and _is_told(message)):
            sse.publish(message.channel, message.body)
        database().write(partial(_forget, message.id))
        may_be_told = False
    return True


def _is_told(message: Message) -> bool:
    """Nobody else publishes there, so it would be the last one."""
    return [event.data for event in sse.history(message.channel, limit=1)] == [message.body]


def _forget(message: int, db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM outbox WHERE id = ?", (message,))


class Deliverer:
    """Tries again in the background, for one application in this process."""

    def __init__(self, app: Flask) -> None:
        self._app = weakref.ref(app)
        self._lock = threading.Lock()
        self._is_running = False

    def start(self) -> None:
        """Try again until nothing is left; where that is being done, this does nothing."""
        with self._lock:
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="orders-outbox", daemon=True).start()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            # What is kept after this look at the outbox begins anew.
            self._is_running = False
            if self._is_done():
                return
            with self._lock:
                if self._is_running:
                    return
                self._is_running = True

    def _is_done(self) -> bool:
        app = self._app()
        if app is None:
            return True
        with app.app_context():
            return try_to_deliver()


def init_app(app: Flask) -> None:
    """Start nothing: that is for the process in which something is left."""
    app.extensions["orders.outbox"] = Deliverer(app)
