"""Many connections for long, in short: idle ones, and such that see one fault after another."""

from pathlib import Path

from . import idle, soak
from .short import check


def test_idle(tmp_path: Path) -> None:
    check(idle.SCENARIO, tmp_path)


def test_soak(tmp_path: Path) -> None:
    check(soak.SCENARIO, tmp_path)
