"""Clients that read nothing cost the others nothing."""

from __future__ import annotations

from pathlib import Path

from . import slow_readers
from .short import check


def test_that_read_nothing(tmp_path: Path) -> None:
    check(slow_readers.SCENARIO, tmp_path)
