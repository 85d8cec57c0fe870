"""Where a task computes, so that it holds up no stream: in a real thread of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Compute = Callable[..., Any]


def is_cooperative() -> bool:
    """Tell whether gevent has patched this process, so that its threads are greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


@contextmanager
def computing() -> Iterator[Compute]:
    """Give a function that calls another, with its arguments, and returns its result."""
    if not is_cooperative():
        yield lambda function, *args: function(*args)
        return
    from gevent.threadpool import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        yield lambda function, *args: thread.submit(function, *args).result()
