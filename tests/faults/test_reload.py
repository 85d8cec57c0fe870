"""Workers replaced under load, in short."""

from pathlib import Path

from . import reload
from .short import check


def test_reload(tmp_path: Path) -> None:
    check(reload.RELOAD, tmp_path)


def test_recycling(tmp_path: Path) -> None:
    check(reload.RECYCLING, tmp_path)
