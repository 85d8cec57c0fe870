"""The form of what a task does: a generator that yields how far it is and returns what came out.

It yields often; who runs it takes as many steps at a time as fit into a slice. It is plain
computing: no application, no database, no channel.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Literal, NamedTuple

from .model import Result

Unit = Literal["bytes", "characters", "files", "numbers"]


class Progress(NamedTuple):
    """`total` is `None` while nobody knows it."""

    done: int
    total: int | None
    unit: Unit


Work = Generator[Progress, None, Result]


class WorkError(Exception):
    """A task cannot be done, for a reason that whoever started it should read."""


class Reached(NamedTuple):
    """Where a task is after a slice; the result, once it is done."""

    progress: Progress | None
    result: Result | None = None


def advance(work: Work, seconds: float) -> Reached:
    """Go on for about `seconds`."""
    deadline = time.monotonic() + seconds
    progress = None
    try:
        while True:
            progress = next(work)
            if time.monotonic() > deadline:
                return Reached(progress)
    except StopIteration as end:
        return Reached(progress, end.value)
