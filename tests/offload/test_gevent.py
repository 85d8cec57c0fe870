"""The offload's tests, in a process that gevent has patched: it is made for no other."""

from __future__ import annotations

from pathlib import Path

from gevent_run import check_under_gevent

HERE = Path(__file__).parent
MODULES = ("counters", "ends", "failures", "groups", "heartbeats", "model", "passes")


def test_they_pass_under_gevent() -> None:
    check_under_gevent((HERE / f"test_{module}.py" for module in MODULES), timeout=170)
