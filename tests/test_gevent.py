"""The in-process suite once more, in a process that gevent has patched."""

from __future__ import annotations

from pathlib import Path

from gevent_run import check_under_gevent

TESTS = Path(__file__).parent
MODULES = (
    "clock",
    "concurrency",
    "context",
    "errors",
    "gunicorn",
    "hooks",
    "kinds_sse",
    "reauthorize",
    "sockets",
    "sources",
    "steps",
    "stream",
    "streams",
    "testing",
    "testing_clock",
    "testing_stream",
    "transport",
    "wheel",
)


def test_the_suite_passes_under_gevent() -> None:
    check_under_gevent((TESTS / f"test_{module}.py" for module in MODULES), timeout=170)
