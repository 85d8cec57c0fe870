"""Executes the untitled Python blocks of a page, in a process of their own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from .commands import LIMIT

PROGRAM = Path(__file__).with_name("interpreter.py")


class PythonBlocks:
    """The process; started when the first block comes, ended by `stop`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.seen = 0
        self._log = folder.parent / "python.log"
        answers, answer = os.pipe()
        self._answers = os.fdopen(answers)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(answer)],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                pass_fds=[answer],
            )
        os.close(answer)

    @property
    def printed(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        return True  # whatever was executed has ended

    def execute(self, name: str, line: int, code: str) -> str | None:
        """Execute a block; return the traceback of what it raised."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, line, code]) + "\n")
        self._process.stdin.flush()
        if not select.select([self._answers], [], [], LIMIT)[0]:
            return f"It did not end within {LIMIT:g} s.\n{self.printed}"
        answer = self._answers.readline()
        if not answer:
            return f"It ended the process.\n{self.printed}"
        found: str | None = json.loads(answer)
        return found

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._answers.close()
