"""The SQLite broker's file, asked and held from outside."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask_sse_routes.brokers.sqlite import SqliteBroker

from .waiting import start_python

MakeSqlite = Callable[..., SqliteBroker]

# Does what it is given, and rests until it is told to end.
HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute(sys.argv[2]).fetchall()
print("held")
sys.stdin.readline()
database.close()
"""


def hold(path: Path, sql: str) -> subprocess.Popen[str]:
    """Start a process that has the file open and has done `sql` there."""
    holder = start_python(HOLD, path, sql)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def rows(path: Path, sql: str) -> list[Any]:
    """Ask the file itself, beside the broker."""
    database = sqlite3.connect(path)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def assert_intact(path: Path) -> None:
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
