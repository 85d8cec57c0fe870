"""`no_leaks`: fails where a block of code leaves something behind.

Floor 3. Streams, tasks, threads and Flask's contexts; what is on its way out gets a while.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, cast

from flask import g

from .. import concurrency
from .server_side import open_streams

# Service threads of a process, which stay.
SERVICES = ("sse-clock", "sse-watch", "sse-drain", "sse-tail")
# A test's streams get this long to end by themselves (seconds).
PATIENCE = 5.0

# Greenlets that were started since the first check, by their `id`; none is kept alive here.
_started: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


@contextlib.contextmanager
def no_leaks(patience: float = PATIENCE) -> Iterator[None]:
    """Fail if the block leaves a stream, a task, a thread or a pushed context behind.

    What is on its way out gets `patience` seconds. Raises `AssertionError`.
    """
    before = _running()
    open_before = _open()
    context = _context()
    yield
    # One that was there before, pytest-flask's for example, is somebody else's.
    if _context() is not context and _context() is not None:
        raise AssertionError("A Flask context is still pushed.")
    deadline = time.monotonic() + patience
    while left := [*(_open() - open_before), *(_running() - before)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"Left behind: {', '.join(map(str, left))}")
        time.sleep(0.01)


def _context() -> Any:
    """Return what tells the current context from another; `None` where there is none."""
    try:
        return cast(Any, g)._get_current_object()
    except RuntimeError:
        return None


def _open() -> set[str]:
    return {f"stream {stream.route!r} {id(stream):x}" for stream in open_streams()}


def _running() -> set[Any]:
    # A dummy stands for a thread or greenlet that threading did not start, and outlives it.
    threads = {
        thread
        for thread in threading.enumerate()
        if not thread.name.startswith(SERVICES) and type(thread).__name__ != "_DummyThread"
    }
    return threads | _greenlets()


def _greenlets() -> set[Any]:
    gevent = sys.modules.get("gevent")
    if gevent is None or not concurrency.cooperative():
        return set()
    # The same callback counts once, however often it is added; it stays, because taking one out
    # while a greenlet of another thread starts would fail that start.
    gevent.Greenlet.add_spawn_callback(_note)
    found = (reference() for reference in _started.valuerefs())
    return {each for each in found if each and not each.name.startswith(SERVICES)}


def _note(greenlet: Any) -> None:
    _started[id(greenlet)] = greenlet
