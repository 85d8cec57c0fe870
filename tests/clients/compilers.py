"""How tests call `tsc` and `mypy` on generated clients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tsc_command(program: Callable[[str], str], node_modules: Callable[[str], Path]) -> list[str]:
    """Return the compiler, as strict as generated files promise to bear."""
    return [
        program("node"),
        str(node_modules("typescript") / "bin" / "tsc"),
        "--strict",
        "--exactOptionalPropertyTypes",
        "--noUncheckedIndexedAccess",
        *("--target", "es2022"),
        *("--module", "esnext"),
    ]


def mypy(folder: Path, *files: str) -> str:
    """Return the errors that mypy finds in files of a folder, one a line."""
    options = ["--strict", "--config-file=", "--python-version=3.10", "--no-error-summary"]
    # What the client imports is checked by the lint, where what it lacks is known.
    options.append("--follow-imports=silent")
    options.append(f"--cache-dir={ROOT / '.mypy_cache' / 'generated'}")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--hide-error-context", *files],
        cwd=folder,
        env={"MYPYPATH": f"{ROOT}:{folder}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr == ""
    return "".join(line for line in done.stdout.splitlines(keepends=True) if " error: " in line)
