"""The files that a page shows, in its folder; that each of them serves for something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from .blocks import Block, Continues, steps
from .claims import claimed
from .failure import PageFailure

# Their titles are captions.
CAPTIONED = ("console", "text")


class Files:
    """What a page has written, and whether a Python file changed since somebody asked."""

    def __init__(self, page: str, folder: Path, real: Callable[[str], str]) -> None:
        self._page = page
        self._folder = folder
        self._real = real
        self._blocks: dict[str, Block] = {}
        self._changed = False

    def take_over(self, page: str) -> None:
        """Write the files that a page ends with, and those that it began with."""
        for step in steps(page):
            if isinstance(step, Continues):
                self.take_over(step.page)
            elif step.title and step.language not in CAPTIONED:
                self._put(step)

    def write(self, block: Block) -> None:
        self._put(block)
        self._blocks[block.title] = block

    def _put(self, block: Block) -> None:
        path = self._folder / block.title
        if self._folder not in path.resolve().parents:
            raise PageFailure(f"{block.where}: {block.title!r} is not inside the page's folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._real(block.text))
        self._changed = self._changed or path.suffix == ".py"

    def changed(self) -> bool:
        """Whether a Python file was written since the last call."""
        changed, self._changed = self._changed, False
        return changed

    def unused(self, commands: list[str]) -> Iterator[Block]:
        """Python files that nothing has executed; refuses others that nothing names."""
        for title, block in self._blocks.items():
            if title in claimed(self._page) or self._named(title, commands):
                continue
            if block.language != "python":
                raise PageFailure(
                    f"{block.where}: nothing uses {title!r}: a command or a file of the page has "
                    "to name it, or claims.py a test that reads it."
                )
            if not self._compiled(title):
                yield block

    def _compiled(self, title: str) -> bool:
        path = self._folder / title
        return any((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))

    def _named(self, title: str, commands: list[str]) -> bool:
        name = Path(title).name
        texts = [block.text for other, block in self._blocks.items() if other != title]
        return any(name in text for text in [*texts, *commands])
