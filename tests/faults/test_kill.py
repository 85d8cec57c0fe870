"""Workers killed under load, in short."""

from pathlib import Path

from . import kill
from .short import check


def test_kill(tmp_path: Path) -> None:
    check(kill.SCENARIO, tmp_path)


def test_kill_gevent(tmp_path: Path) -> None:
    check(kill.GEVENT, tmp_path)
