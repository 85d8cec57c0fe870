"""Fan-out and replay, in short: all of it, once, in order."""

from pathlib import Path

from . import fan_out, replay
from .short import check


def test_fan_out(tmp_path: Path) -> None:
    check(fan_out.SCENARIO, tmp_path)


def test_fan_out_gevent(tmp_path: Path) -> None:
    check(fan_out.GEVENT, tmp_path)


def test_replay(tmp_path: Path) -> None:
    check(replay.SCENARIO, tmp_path)
