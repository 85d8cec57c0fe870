"""Files that a command generates: written whole or not at all, and compared.

Floor 3. A file that was written by somebody is never taken for a generated one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import click

from ..codegen.header import MARK

# How far into a file the mark of generated ones is looked for, in characters.
HEAD = 400


class GeneratedFile:
    """A file by its path, whether it is there or not."""

    def __init__(self, path: str) -> None:
        self._said = path
        self._path = Path(path).resolve()  # a link stays one: what it points to is replaced
        if self._path.is_dir():
            raise click.ClickException(f"{path} is a folder; name a file in it.")
        if not self._path.parent.is_dir():
            raise click.ClickException(f"There is no folder {Path(path).parent}; create it first.")
        self._now = self._read()

    def check(self, text: str, command: str) -> None:
        """Raise `ClickException` unless the file holds exactly that text."""
        if self._now is None:
            raise click.ClickException(f"{self._said} is missing; create it by: {command}")
        if self._now != text:
            raise click.ClickException(f"{self._said} is stale; write it anew by: {command}")

    def write(self, text: str, force: bool) -> bool:
        """Write the text, and tell whether it is another than before."""
        if self._now == text:
            return False
        if self._now and MARK not in self._now[:HEAD] and not force:
            raise click.ClickException(
                f"{self._said} was not generated; give another file, or --force to replace it."
            )
        try:
            self._replace(text)
        except OSError as error:
            raise click.ClickException(f"{self._said}: {error.strerror}") from error
        return True

    def _read(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise click.ClickException(f"{self._said}: {error.strerror}") from error

    def _replace(self, text: str) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with beside.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            if self._now is not None:
                shutil.copymode(self._path, beside)
            beside.replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
