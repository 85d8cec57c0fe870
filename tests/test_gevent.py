"""The in-process suite once more, in a process that gevent has patched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
MODULES = (
    "clock",
    "concurrency",
    "context",
    "errors",
    "gunicorn",
    "hooks",
    "kinds_sse",
    "sockets",
    "sources",
    "steps",
    "stream",
    "streams",
    "testing",
    "transport",
)
START = """
from gevent import monkey; monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(["-q", *sys.argv[1:]]))
"""
# Hypothesis is not used by these modules, and its plugin takes frozen objects for collectable.
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def test_the_suite_passes_under_gevent() -> None:
    files = [str(TESTS / f"test_{module}.py") for module in MODULES]
    done = subprocess.run(
        [sys.executable, "-c", START, *OPTIONS, *files],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
