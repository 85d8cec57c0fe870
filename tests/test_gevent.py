"""The in-process suite once more, in a process that gevent has patched."""

from __future__ import annotations

from pathlib import Path

import pytest
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


# One by one: files of few tests are run last, and there one long one would be alone.
@pytest.mark.parametrize("module", MODULES)
def test_the_suite_passes_under_gevent(module: str) -> None:
    check_under_gevent([TESTS / f"test_{module}.py"], timeout=170)
