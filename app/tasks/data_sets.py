"""The tables that can be imported: those that come with the console, and uploaded ones.

An uploaded one has a name that cannot be guessed, so that nobody else imports it; the newest are
kept.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from pathlib import Path

from pydantic import BaseModel

from ..database import database
from .table import Column, Table

FOLDER = Path(__file__).parents[1] / "data"
OURS = {
    "football-2015-16.csv": "English Premier League 2015/16, 380 matches",
    "stocks.csv": "Month-end prices of five companies, 2000 to 2010",
}
# Characters of an uploaded table, bytes of the request that brings it, and how many are kept.
LONGEST_UPLOAD = 2_000_000
LARGEST_UPLOAD = 4 * 1024 * 1024
UPLOADS_KEPT = 20


class DataSet(BaseModel):
    id: str
    title: str
    columns: list[Column]


def ours() -> list[DataSet]:
    """Return what comes with the console."""
    return [_described(name, title, _text(name)) for name, title in OURS.items()]


def keep(title: str, text: str) -> DataSet:
    """Keep an uploaded table. Raises `TableError`."""
    described = _described(f"upload-{secrets.token_hex(12)}", title, text)

    def work(db: sqlite3.Connection) -> None:
        row = (described.id, title, text, time.time())
        db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?)", row)
        newest = "SELECT id FROM uploads ORDER BY at DESC LIMIT ?"
        db.execute(f"DELETE FROM uploads WHERE id NOT IN ({newest})", (UPLOADS_KEPT,))

    database().write(work)
    return described


def find(name: str) -> tuple[str, str] | None:
    """Return title and text of a data set."""
    if name in OURS:
        return name, _text(name)
    query = "SELECT title, text FROM uploads WHERE id = ?"
    row = database().read(lambda db: db.execute(query, (name,)).fetchone())
    return (row["title"], row["text"]) if row else None


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _described(name: str, title: str, text: str) -> DataSet:
    return DataSet(id=name, title=title, columns=Table(text).columns())
