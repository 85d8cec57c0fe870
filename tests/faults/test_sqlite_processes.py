"""Processes that write to the SQLite log and follow it are killed at random."""

from __future__ import annotations

from pathlib import Path

from . import sqlite_processes
from .short import check


def test_killed_at_random(tmp_path: Path) -> None:
    check(sqlite_processes.SCENARIO, tmp_path)
