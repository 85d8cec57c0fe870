"""Following one file: whole lines as they are written, through whatever happens to the file.

It may be rotated (renamed, another one has its name), truncated, deleted and made again. One that
was rotated is read to its end before the next one is begun. Nothing here waits: `read` is called
again and again.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal, NamedTuple

from .own import older
from .position import Position, position_at

# Bytes that are read at a time, and those from the end in which the last lines are looked for.
BLOCK = 64 * 1024
TAIL = 512 * 1024
# Reads without news after which a line that lacks its end is given as it is, and a file that has
# lost its name is left.
UNCHANGED = 3

What = Literal["rotated", "truncated", "missing", "found"]


class Piece(NamedTuple):
    """Lines, each with its end where it has one; what happened before them; if there is more."""

    lines: list[bytes]
    what: What | None = None
    more: bool = False


NOTHING = Piece([])


class Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._offset = 0
        self._check = 0
        self._quiet = 0
        self._is_missing = False
        # Within a line of which the beginning has been given.
        self._within = False

    @property
    def position(self) -> str | None:
        """Where the next `read` goes on; `None` where there is no file."""
        return str(position_at(self._file, self._offset)) if self._file >= 0 else None

    def resume(self, position: Position | None) -> bool:
        """Go to a position, in the file or the one that was rotated last; tell if it is there."""
        for path in (self._path, older(self._path, 1)) if position else ():
            file = _open(path)
            if file is not None and position is not None:
                if position.is_in(file):
                    self._take(file, position.offset)
                    return True
                os.close(file)
        return False

    def tail(self) -> list[bytes]:
        """Go to the end; return the lines before it."""
        file = _open(self._path)
        if file is None:
            return []
        start = max(os.fstat(file).st_size - TAIL, 0)
        block = os.pread(file, TAIL, start)
        if start:
            start += block.find(b"\n") + 1
            block = block[block.find(b"\n") + 1 :]
        whole = block[: block.rfind(b"\n") + 1]
        self._take(file, start + len(whole))
        return _lines(whole)

    def read(self) -> Piece:
        """Return what has come since the last time."""
        if self._file < 0:
            return self._begin()
        if not Position(os.fstat(self._file).st_ino, self._offset, self._check).is_in(self._file):
            self._move(0)
            return Piece([], "truncated", more=True)
        block = os.pread(self._file, BLOCK, self._offset)
        end = block.rfind(b"\n") + 1
        if end or len(block) == BLOCK:
            return self._give(block[:end] or block, more=len(block) == BLOCK)
        return self._quietly(block)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _begin(self) -> Piece:
        file = _open(self._path)
        if file is None:
            if self._is_missing:
                return NOTHING
            self._is_missing = True
            return Piece([], "missing")
        self._take(file, 0)
        return Piece([], "found", more=True)

    def _give(self, block: bytes, *, more: bool) -> Piece:
        lines = _lines(block)
        if self._within:
            lines.pop(0)
        within = (more or self._within) and not block.endswith(b"\n")
        self._move(self._offset + len(block))
        self._within = within
        return Piece(lines, more=more)

    def _quietly(self, rest: bytes) -> Piece:
        """There is no new line: after a while give up waiting for the end of one, or for any."""
        self._quiet += 1
        if self._quiet < UNCHANGED:
            return NOTHING
        if rest:
            return self._give(rest, more=False)
        return self._leave()

    def _leave(self) -> Piece:
        """Go over to the file that has the name now, if it is another one."""
        if self._has_its_name():
            self._is_missing = False
            return NOTHING
        file = _open(self._path)
        was_missing, self._is_missing = self._is_missing, True
        if file is None:
            return NOTHING if was_missing else Piece([], "missing")
        self._take(file, 0)
        return Piece([], "found" if was_missing else "rotated", more=True)

    def _has_its_name(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError:
            return False

    def _take(self, file: int, offset: int) -> None:
        self.close()
        self._file = file
        self._is_missing = False
        self._move(offset)

    def _move(self, offset: int) -> None:
        self._offset = offset
        self._check = position_at(self._file, offset).check
        self._quiet = 0
        self._within = False


def _lines(block: bytes) -> list[bytes]:
    """Cut at line feeds alone; other line ends are part of the text."""
    lines = block.split(b"\n")
    ended = [line + b"\n" for line in lines[:-1]]
    return ended + ([lines[-1]] if lines[-1] else [])


def _open(path: Path) -> int | None:
    """Open a regular file; opening a pipe would wait for who writes to it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None
