"""A place in a file that a client can come back to: `<inode>-<offset>-<check>`, in hexadecimal.

The check is of the bytes before the place: a file that was truncated and has grown again, or
another one that got the inode, is not taken for the same.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import NamedTuple

GRAMMAR = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,15})-([0-9a-f]{8})")
# Bytes before a place that are checked.
CHECKED = 64


class Position(NamedTuple):
    inode: int
    offset: int
    check: int

    def __str__(self) -> str:
        return f"{self.inode:x}-{self.offset:x}-{self.check:08x}"

    def is_in(self, file: int) -> bool:
        """Tell whether an open file is the one, with what it had before this place."""
        found = os.fstat(file)
        if found.st_ino != self.inode or found.st_size < self.offset:
            return False
        return check_of(file, self.offset) == self.check


def position_at(file: int, offset: int) -> Position:
    """Return the position of a place in an open file."""
    return Position(os.fstat(file).st_ino, offset, check_of(file, offset))


def parse(text: str | None) -> Position | None:
    """Return the position that a client sent; `None` for whatever is none."""
    found = GRAMMAR.fullmatch(text or "")
    return Position(*(int(part, 16) for part in found.groups())) if found else None


def check_of(file: int, offset: int) -> int:
    start = max(offset - CHECKED, 0)
    return zlib.crc32(os.pread(file, offset - start, start))
