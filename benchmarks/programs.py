"""The two C programs, compiled when they are first needed and again when they have changed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from .errors import Unavailable, last_line

HERE = Path(__file__).parent


def compiled(name: str, home: Path) -> Path:
    """Return the program made of the C source with that name."""
    source = HERE / f"{name}.c"
    program = home / "bin" / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        _compile(source, program)
    return program


def _compile(source: Path, program: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise Unavailable("there is no C compiler (cc)")
    # Not under its own name: what was interrupted must not look like a program.
    unfinished = program.with_suffix(".new")
    command = [compiler, "-O2", "-o", str(unfinished), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"cc failed: {last_line(done.stderr)}")
    unfinished.rename(program)
