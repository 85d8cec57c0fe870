"""One more run of test files, in a process that gevent has patched before it imported anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
START = """
from gevent import monkey; monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
# Hypothesis is not used by these modules.
OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def check_under_gevent(files: Iterable[Path], timeout: float) -> None:
    """Run the files' tests; every one must pass within `timeout` seconds, and none be skipped."""
    done = subprocess.run(
        [sys.executable, "-c", START, *OPTIONS, *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
