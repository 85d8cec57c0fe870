"""The disk of the SQLite log is full, or its file may only be read."""

from __future__ import annotations

from pathlib import Path

from . import sqlite_disk
from .short import check


def test_full(tmp_path: Path) -> None:
    check(sqlite_disk.FULL_DISK, tmp_path)


def test_read_only(tmp_path: Path) -> None:
    check(sqlite_disk.READ_ONLY_FILE, tmp_path)
