"""Tasks, signals and waiting, in the form the process has: greenlets or threads.

Floor 1, and the one place beside `gunicorn` that imports gevent. The form is looked up at
each call, never at import, because gevent may patch the process after this package was
imported. Under gevent `threading.Event` is gevent's own, so a signal is simply that.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

# Threads that `run` may use at once under gevent; handlers beyond that wait their turn.
RUN_THREADS = 64


def cooperative() -> bool:
    """Tell whether gevent has patched this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


class Task(Protocol):
    """A running function. `interruptible` is set by the function around what may be cut off."""

    interruptible: bool

    def start(self) -> None:
        """Begin to run."""

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` where the task blocks, if it is interruptible; never blocks."""

    def is_current(self) -> bool:
        """Tell whether the caller is the task itself."""


class ThreadTask:
    """A daemon thread. It cannot be interrupted: what it runs asks whether it should end."""

    def __init__(self, function: Callable[[], None], name: str) -> None:
        self.interruptible = False
        self._thread = threading.Thread(target=function, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def interrupt(self, error: BaseException) -> None:
        pass

    def is_current(self) -> bool:
        return threading.current_thread() is self._thread


class GreenletTask:
    """A greenlet, interrupted from the hub and only while it says that it may be."""

    def __init__(self, function: Callable[[], None], name: str) -> None:
        import gevent

        self.interruptible = False
        self._greenlet = gevent.Greenlet(function)
        self._greenlet.name = name

    def start(self) -> None:
        self._greenlet.start()

    def interrupt(self, error: BaseException) -> None:
        self._greenlet.parent.loop.run_callback(self._throw, error)

    def _throw(self, error: BaseException) -> None:
        # Checked here and not in `interrupt`: what it blocked on may have come in between.
        if self.interruptible and not self._greenlet.dead:
            self.interruptible = False
            self._greenlet.throw(error)

    def is_current(self) -> bool:
        import gevent

        return gevent.getcurrent() is self._greenlet


def task(function: Callable[[], None], name: str) -> Task:
    """Return a task for `function`, not yet started."""
    return (GreenletTask if cooperative() else ThreadTask)(function, name)


def is_kill(error: BaseException) -> bool:
    """Tell whether somebody killed the greenlet that this was raised in."""
    if not cooperative():
        return False
    import gevent

    return isinstance(error, gevent.GreenletExit)


def breathe() -> None:
    """Let other greenlets run that are ready to; threads need no help."""
    if cooperative():
        time.sleep(0)


def pause() -> None:
    """Let others run, those too that wait for a socket; for who has had a turn of some length.

    For gevent's loop `sleep(0)` is a callback, of which it may run fifty before it looks at a
    socket; a timer that is due comes after that look.
    """
    if cooperative():
        import gevent

        hub = gevent.get_hub()
        with hub.loop.timer(0) as due:
            hub.wait(due)


def run(function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` where its computing holds up nobody else, and return its result.

    Under gevent that is a real thread; a process of threads has one already, the caller's.
    """
    if not cooperative():
        return function(*args)
    result, error = _get_pool().apply(_caught, (function, args))
    if error is not None:
        raise error
    return result


def _caught(
    function: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    """Return an exception instead of raising it: gevent would print it as unhandled, too."""
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


def epoll() -> Any:
    """Return a real epoll object, or `None` where the platform has none."""
    if cooperative():
        from gevent import monkey

        try:
            return monkey.get_original("select", "epoll")()
        except AttributeError:
            return None
    return select.epoll() if hasattr(select, "epoll") else None


def on_readable(fd: int, function: Callable[[], None], name: str) -> object:
    """Call `function` whenever `fd` is readable; keep the returned object alive.

    Under gevent it runs in the hub and must not block.
    """
    if cooperative():
        import gevent

        watcher = gevent.get_hub().loop.io(fd, 1)
        watcher.start(function)
        return watcher
    thread = threading.Thread(target=_poll_forever, args=(fd, function), name=name, daemon=True)
    thread.start()
    return thread


def _poll_forever(fd: int, function: Callable[[], None]) -> None:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        poller.poll()
        function()


def native_thread(function: Callable[[Callable[[float], None]], None]) -> int:
    """Start a real thread beside gevent's hub; `function` gets the real `time.sleep`.

    Returns the identifier of the calling thread, the hub's, for `sys._current_frames`.
    """
    from gevent import monkey

    start: Any = monkey.get_original("_thread", "start_new_thread")
    identify: Any = monkey.get_original("_thread", "get_ident")
    start(function, (monkey.get_original("time", "sleep"),))
    return int(identify())


def native_lock() -> Any:
    """Return a real lock, for short work that waits for nothing else.

    Greenlets of one thread never meet in it; those of several, which `run` makes, do so
    without their hubs.
    """
    if cooperative():
        from gevent import monkey

        return monkey.get_original("_thread", "allocate_lock")()
    return threading.Lock()


def native_rlock() -> Any:
    """Return a real re-entrant lock, which real threads meet in.

    It belongs to a thread, so that greenlets of one never wait in it for one another: what
    it protects from them must not switch.
    """
    if cooperative():
        from gevent import monkey

        return monkey.get_original("threading", "_CRLock")()
    return threading.RLock()


def once_per_process(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that makes one object per process, at its first call there.

    A fork (gunicorn's workers, multiprocessing) starts afresh in the child: threads and
    epoll objects do not survive it.
    """
    held: dict[int, Any] = {}

    def get() -> Any:
        pid = _process.pid
        if pid not in held:
            made = make()
            held.setdefault(pid, made)
        return held[pid]

    return get


class _Process:
    """Knows which process this is; asking the system costs a call each time."""

    def __init__(self) -> None:
        self.look()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.look)

    def look(self) -> None:
        self.pid = os.getpid()


_process = _Process()


def _make_pool() -> Any:
    from gevent.threadpool import ThreadPool

    return ThreadPool(RUN_THREADS)


_get_pool: Callable[[], Any] = once_per_process(_make_pool)
