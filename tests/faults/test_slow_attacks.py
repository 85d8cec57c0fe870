"""Connections that take their time on purpose."""

from __future__ import annotations

from pathlib import Path

from . import slow_attacks
from .short import check


def test_heads_that_never_end(tmp_path: Path) -> None:
    check(slow_attacks.HEADS, tmp_path)


def test_answers_that_are_hardly_read(tmp_path: Path) -> None:
    check(slow_attacks.READS, tmp_path)
