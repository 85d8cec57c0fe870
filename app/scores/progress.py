"""How far the replay is: which season, and how many of its matches have been published.

The channel itself has the last word, because its events are what everybody has seen. The table
remembers what the channel forgets when nobody has followed for a while.
"""

import sqlite3
from typing import NamedTuple

from flask_sse_routes import Event

from ..database import database
from ..extensions import sse

CHANNEL = "scores"


class Progress(NamedTuple):
    """Later ones are greater."""

    season: int
    played: int


def remember(progress: Progress) -> None:
    database().write(
        lambda db: db.execute("INSERT OR REPLACE INTO seasons VALUES (1, ?, ?)", progress)
    )


def reached() -> Progress:
    """Return what has been published. A process may have died before it could remember that."""
    return max(_remembered(), _published())


def _remembered() -> Progress:
    def work(db: sqlite3.Connection) -> Progress:
        row = db.execute("SELECT season, played FROM seasons").fetchone()
        return Progress(row["season"], row["played"]) if row else Progress(1, 0)

    return database().read(work)


def _published() -> Progress:
    latest = sse.history(CHANNEL, limit=1)
    return _progress(latest[0]) if latest else Progress(0, 0)


def _progress(event: Event) -> Progress:
    number = 0 if event.event == "season" else event.data["number"]
    return Progress(event.data["season"], number)
