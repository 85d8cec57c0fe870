"""How far a run is, on standard error: a line for each scenario, which moves in a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from benchmarks.progress import clock

from .report import Result
from .scenario import Scenario


class Progress:
    """Says what runs, for how long, and how much of the whole is left."""

    def __init__(self, expected: float, count: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._left = expected
        self._count = count
        self._number = 0
        self._text = ""

    def begin(self, scenario: Scenario, seconds: float) -> None:
        self._number += 1
        self._title = f"[{self._number}/{self._count}] {scenario.title}"
        self._expected, self._text = seconds, ""
        self._begun = time.monotonic()
        if self._terminal:
            self.say("")
        else:
            left = f"about {clock(seconds)}, {clock(self._left)} with all that follows"
            self._write(f"{self._title}: {left}\n")

    def say(self, text: str) -> None:
        """Show what the scenario does; nothing new is a sign of life."""
        self._text = text or self._text
        if not self._terminal:
            return
        passed = time.monotonic() - self._begun
        times = f"{clock(passed)} of about {clock(self._expected)}"
        left = clock(max(0.0, self._left - passed))
        room = shutil.get_terminal_size().columns - 1
        line = f"{self._title}  {times}, {left} left in all  {self._text}"
        self._write(f"\r{line[:room]}\x1b[K")

    def end(self, result: Result) -> None:
        """Say what came of it, in a line that stays."""
        self._left -= self._expected
        if self._terminal:
            self._write("\r\x1b[K")
        self._write(f"{self._title}: {clock(result.seconds)}, {summary(result)}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def summary(result: Result) -> str:
    """In a few words what came of a scenario."""
    if result.skipped:
        return f"skipped: {result.skipped}"
    if result.failure:
        return f"failed: {result.failure.splitlines()[0]}"
    bounds = [figure for figure in result.figures if figure.hold]
    held = sum(figure.held for figure in bounds)
    return f"{held} of {len(bounds)} bounds held"
