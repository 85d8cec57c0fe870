"""Many that come or go at once, in short."""

from pathlib import Path

from . import churn, storm
from .short import check


def test_storm(tmp_path: Path) -> None:
    check(storm.SCENARIO, tmp_path)


def test_churn(tmp_path: Path) -> None:
    check(churn.SCENARIO, tmp_path)
