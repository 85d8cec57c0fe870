"""A thousand hostile positions, sent to gunicorn's own worker and to ours."""

from __future__ import annotations

from pathlib import Path

from . import hostile_ids
from .short import check


def test_a_thousand(tmp_path: Path) -> None:
    check(hostile_ids.SCENARIO, tmp_path)
