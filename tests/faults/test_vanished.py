"""Peers vanish without a goodbye."""

from __future__ import annotations

from pathlib import Path

from . import vanished
from .short import check


def test_without_a_word(tmp_path: Path) -> None:
    check(vanished.SCENARIO, tmp_path)
