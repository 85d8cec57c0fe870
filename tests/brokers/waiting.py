"""Waiting for a condition with a limit, and Python programs that run beside the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
LIMIT = 15.0


def wait_for(condition: Callable[[], T], what: str, limit: float = LIMIT) -> T:
    """Return the first true value of `condition`; fail when there is none in time (seconds)."""
    deadline = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < deadline, f"Not within {limit:g} s: {what}; was {value!r}."
        time.sleep(0.005)
    return value


def start_python(program: str, *args: object) -> subprocess.Popen[str]:
    """Start a program that may import the package; it is talked to line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process if it still runs, and let go of its pipes."""
    process.kill()
    process.communicate()


def in_child(work: Callable[[], object], limit: float = LIMIT) -> None:
    """Run `work` in a forked child; fail when it raises, or hangs (seconds)."""
    with warnings.catch_warnings():
        # Python 3.12 warns of what is put to the test here: forks of a process with threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:
            os.write(2, f"in the child: {error!r}\n".encode())
        finally:
            os._exit(status)
    ended: list[int] = []

    def has_ended() -> bool:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended.append(status)
        return bool(found)

    try:
        wait_for(has_ended, "the child ends", limit)
    except AssertionError:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        raise
    assert ended == [0], "The child failed."
