"""What is still to be told of changes that are kept: published in their order, then forgotten.

A change and its message are one transaction, so that no change is untold, even if the process dies
or the broker is away in between: what is left is published with the next change, by the next who
asks, or by a task that tries again until nothing is left. Something may be told twice; nothing is
told before it is true.
"""

import json
import logging
import sqlite3
import threading
import time
import weakref
from typing import cast

from flask import Flask, current_app
from werkzeug.exceptions import ServiceUnavailable

from flask_sse_routes import BrokerUnavailable

from ..database import database
from ..extensions import sse

log = logging.getLogger(__name__)

# Seconds between two tries, at first and at most.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0


def put(db: sqlite3.Connection, channel: str, body: str) -> None:
    db.execute("INSERT INTO outbox (channel, body) VALUES (?, ?)", (channel, body))


def deliver() -> None:
    """Publish what waits, now or as soon as that can be done; what is kept already never fails."""
    if not try_to_deliver():
        cast("Deliverer", current_app.extensions["orders.outbox"]).start()


def try_to_deliver() -> bool:
    """Publish what waits; tell whether nothing is left. One process at a time keeps the order."""
    try:
        if database().read(_is_empty):
            return True
        database().write(_publish)
    except BrokerUnavailable as error:
        log.warning("Changes of orders are told later: %s", error)
    except ServiceUnavailable as error:
        log.warning("Changes of orders are told later: %s", error.description)
    else:
        return True
    return False


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is None


def _publish(db: sqlite3.Connection) -> None:
    for row in db.execute("SELECT channel, body FROM outbox ORDER BY id").fetchall():
        sse.publish(row["channel"], json.loads(row["body"]))
    db.execute("DELETE FROM outbox")


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
