"""One run of a page: each of its blocks in order, by the conventions of `blocks.py`."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

from flask_sse_routes.wire import Decoder

from .blocks import Block, Continues, steps
from .claims import claimed
from .commands import LIMIT
from .console import split
from .failure import PageFailure
from .files import CAPTIONED, Files
from .processes import Processes


class PageRun:
    """A page's folder, its files and its processes."""

    def __init__(self, page: str, folder: Path, patience: float = LIMIT) -> None:
        self._page = page
        inner = folder / "page"
        inner.mkdir()
        self._processes = Processes(inner, patience)
        self._files = Files(page, inner, self._processes.real)
        self._commands: list[str] = []

    def run(self) -> None:
        for step in steps(self._page):
            if isinstance(step, Continues):
                self._files.take_over(step.page)
            else:
                self._step(step)
        for block in self._files.unused(self._commands):
            code = f"import runpy; runpy.run_path({block.title!r})"
            self._processes.execute(Block(self._page, block.line, "python", "", code))

    def stop(self) -> None:
        self._processes.stop()

    def _step(self, block: Block) -> None:
        prints = block.mark("prints")
        if block.title and block.title in claimed(self._page):
            if block.language not in CAPTIONED:
                self._files.write(block)
        elif prints is not None:
            self._processes.prints(block, prints)
        elif block.language == "console":
            self._console(block)
        elif block.language == "text":
            check_text(block)
        elif block.title:
            self._files.write(block)
        elif block.language == "python":
            self._restart_changed()
            self._processes.execute(block)
        else:
            check_data(block)

    def _console(self, block: Block) -> None:
        commands = split(block)
        self._processes.begin_console([text for text, _ in commands])
        for number, (text, lines) in enumerate(commands):
            self._commands.append(text)
            self._restart_changed()
            last = number == len(commands) - 1
            name = block.mark("open") if last else None
            fails = last and block.mark("fails") is not None
            expected = self._processes.expected(lines)
            self._processes.command(block, text, expected, name, fails=fails)

    def _restart_changed(self) -> None:
        if self._files.changed():
            self._processes.restart()


def check_data(block: Block) -> None:
    """Parse a block of data; refuse any that no rule covers."""
    if block.language == "json":
        json.loads(block.text)
    elif block.language in ("ini", "cfg"):
        configparser.ConfigParser(interpolation=None).read_string(block.text)
    else:
        raise PageFailure(
            f"{block.where}: no rule covers a block of {block.language or 'no language'!r}; give "
            "it a title and claim it in tests/docs/claims.py."
        )


def check_text(block: Block) -> None:
    """Refuse a text that is neither an event stream nor a drawing."""
    if block.mark("diagram") is not None:
        return
    decoder = Decoder()
    events = list(decoder.feed(block.text.encode() + b"\n\n"))
    if not events and decoder.retry is None and ":" not in block.text.split("\n"):
        raise PageFailure(
            f"{block.where}: this text is no event stream; mark it with `docs: prints NAME` or "
            "`docs: diagram`."
        )
