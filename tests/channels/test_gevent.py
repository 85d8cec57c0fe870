"""Following, listening and revoking once more, in a process that gevent has patched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODULES = ("follow", "listen", "model", "outages", "revoke")
START = """
from gevent import monkey; monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(["-q", *sys.argv[1:]]))
"""
# Hypothesis is not used by these modules, and its plugin takes frozen objects for collectable.
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def test_they_pass_under_gevent() -> None:
    files = [str(HERE / f"test_{module}.py") for module in MODULES]
    done = subprocess.run(
        [sys.executable, "-c", START, *OPTIONS, *files],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
