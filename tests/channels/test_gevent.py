"""Following, listening and revoking once more, in a process that gevent has patched."""

from __future__ import annotations

from pathlib import Path

from gevent_run import check_under_gevent

HERE = Path(__file__).parent
MODULES = (
    "follow",
    "hub",
    "listen",
    "model",
    "openings",
    "outages",
    "refusals",
    "revoke",
    "snapshots",
    "taking_in",
    "where",
)


def test_they_pass_under_gevent() -> None:
    check_under_gevent((HERE / f"test_{module}.py" for module in MODULES), timeout=170)
