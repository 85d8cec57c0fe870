"""The terminals of a page: what is exported in one is not known in the others.

A command that goes on occupies its terminal, and what follows it is typed in another. A server that
replaces one is started where that one was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .commands import Command


@dataclass(eq=False)
class Terminal:
    """`state` is the file that has its variables and where it stands."""

    state: Path
    occupant: Command | None = None

    @property
    def is_free(self) -> bool:
        return self.occupant is None or self.occupant.ended


class Terminals:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Terminal] = []

    def free(self) -> Terminal:
        """The first one that nothing occupies; a new one stands in the page's folder."""
        return next((each for each in self._all if each.is_free), None) or self._open()

    def of(self, command: Command) -> Terminal:
        """The one that a command occupies."""
        return next(each for each in self._all if each.occupant is command)

    def _open(self) -> Terminal:
        state = self._folder.parent / f"terminal-{len(self._all)}"
        state.write_text(f"PWD='{self._folder}'\n")
        self._all.append(Terminal(state))
        return self._all[-1]
