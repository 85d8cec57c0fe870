"""How far it is, on standard error: a bar in a terminal, a line for each step elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

BAR = 24


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Progress:
    """Counts steps of about the same length; `tick` says that the time goes on."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._done = 0
        self._label = ""
        self._begun = time.monotonic()

    def step(self, label: str) -> None:
        """Say what is under way now."""
        self._label = label
        if self._terminal:
            self.tick()
        else:
            self._write(f"[{self._done + 1}/{self._total}] {label}\n")

    def done(self) -> None:
        """The step is over."""
        self._done += 1
        self.tick()

    def note(self, text: str) -> None:
        """Say something that stays to be read."""
        self.clear()
        self._write(f"{text}\n")
        self.tick()

    def tick(self) -> None:
        """Draw the bar anew."""
        if self._terminal:
            room = shutil.get_terminal_size().columns - 1
            self._write(f"\r{self.line()[:room]}\x1b[K")

    def clear(self) -> None:
        """Take the bar away."""
        if self._terminal:
            self._write("\r\x1b[K")

    def line(self) -> str:
        """The bar, with how long it took and how long it may take."""
        full = BAR * self._done // self._total if self._total else BAR
        passed = time.monotonic() - self._begun
        times = clock(passed)
        if self._done:
            times += f", about {clock(passed / self._done * (self._total - self._done))} left"
        bar = "#" * full + "." * (BAR - full)
        return f"[{bar}] {self._done}/{self._total} {times}  {self._label}"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
