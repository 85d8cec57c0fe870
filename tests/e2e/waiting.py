"""Waiting for a condition with a limit, in place of sleeping for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK = 0.01


def wait_for(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """Return the first true value of `condition`; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:g} s: {what}. The last value was {value!r}.")
        time.sleep(LOOK)
