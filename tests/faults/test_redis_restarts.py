"""Redis is restarted under load, with and without persistence; its link is open but dead."""

from __future__ import annotations

from pathlib import Path

from . import redis_frozen, redis_restarts
from .short import check


def test_without_persistence(tmp_path: Path) -> None:
    check(redis_restarts.MEMORY, tmp_path)


def test_with_persistence(tmp_path: Path) -> None:
    check(redis_restarts.FILE, tmp_path)


def test_hangs(tmp_path: Path) -> None:
    check(redis_frozen.SCENARIO, tmp_path)
