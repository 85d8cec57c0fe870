"""The brokers once more, in a process that gevent has patched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .waiting import ROOT

FOLDER = Path(__file__).parent
FILES = ("test_contract", "test_bell", "test_redis", "test_sqlite", "under_gevent")
START = (
    "from gevent import monkey; monkey.patch_all(); import sys, pytest;"
    "options = ['-q', '-p', 'no:cacheprovider', '-p', 'no:hypothesispytest'];"
    "sys.exit(pytest.main([*options, *sys.argv[1:]]))"
)


def test_the_brokers_work_under_gevent() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            START,
            "-p",
            "no:hypothesispytest",
            *(str(FOLDER / f"{name}.py") for name in FILES),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
