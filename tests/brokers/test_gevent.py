"""The brokers once more, in a process that gevent has patched."""

from __future__ import annotations

from pathlib import Path

from gevent_run import check_under_gevent

FOLDER = Path(__file__).parent
FILES = ("test_contract", "test_bell", "test_redis", "test_sqlite", "under_gevent")


def test_the_brokers_work_under_gevent() -> None:
    check_under_gevent((FOLDER / f"{name}.py" for name in FILES), timeout=280)
