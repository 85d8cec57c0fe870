"""What is still to be told of changes that are kept: published in their order, then forgotten.

A change and its message are one transaction, so that no change is untold, even if the process dies
or the broker is away in between: what is left is published with the next change, or by the next
who asks. Something may be told twice; nothing is told before it is true.
"""

import json
import logging
import sqlite3

from flask_sse_routes import BrokerUnavailable

from ..database import database
from ..extensions import sse

log = logging.getLogger(__name__)


def put(db: sqlite3.Connection, channel: str, body: str) -> None:
    db.execute("INSERT INTO outbox (channel, body) VALUES (?, ?)", (channel, body))


def deliver() -> None:
    """Publish what waits. One process at a time: that keeps the order."""
    if database().read(lambda db: db.execute("SELECT 1 FROM outbox LIMIT 1").fetchone()) is None:
        return
    try:
        database().write(_publish)
    except BrokerUnavailable as error:
        log.warning("Changes of orders are told later: %s", error)


def _publish(db: sqlite3.Connection) -> None:
    for row in db.execute("SELECT channel, body FROM outbox ORDER BY id").fetchall():
        sse.publish(row["channel"], json.loads(row["body"]))
    db.execute("DELETE FROM outbox")
