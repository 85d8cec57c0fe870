"""Work that one process of the server does for all of them, while anybody follows it.

Every process with followers asks for the lock of a file; who has it works. The system takes the
lock from a process that dies, and another one goes on.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from typing import ClassVar, TextIO

from flask import Flask, current_app

from flask_sse_routes import Context, define_hook
from flask_sse_routes.hooks import Hook

from .settings import data_folder

log = logging.getLogger(__name__)


class Elected(ABC):
    """That of one application in this process; it may be the one that works, or not.

    `name` is that of the lock and of the thread, `trouble` what is logged when the work fails.
    """

    name: ClassVar[str]
    trouble: ClassVar[str]

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._watching = 0
        self._seen = 0.0
        self._pid: int | None = None

    @abstractmethod
    def work(self) -> None:
        """Work until `is_wanted` says no."""

    @abstractmethod
    def retry(self) -> float:
        """Return seconds between two attempts to get the lock, and after a failure."""

    @abstractmethod
    def unseen(self) -> float:
        """Return for how many seconds it goes on when nobody follows any more."""

    def watch(self, streams: int) -> None:
        """Note that so many streams have been opened, or closed."""
        with self._lock:
            self._watching = max(self._watching + streams, 0)
            self._seen = time.monotonic()
            # A fork has a copy of this, and no thread.
            if streams < 0 or self._pid == os.getpid():
                return
            self._pid = os.getpid()
        threading.Thread(target=self._keep, name=self.name, daemon=True).start()

    def is_wanted(self) -> bool:
        """Tell whether anybody follows, or did so a moment ago."""
        return self._watching > 0 or time.monotonic() - self._seen < self.unseen()

    def _keep(self) -> None:
        try:
            with self._app.app_context():
                while self._goes_on():
                    self._attempt()
                    time.sleep(self.retry())
        except BaseException:
            # The next stream has another task begin.
            self._pid = None
            raise

    def _goes_on(self) -> bool:
        """Tell whether this task is wanted; else there is none any more."""
        with self._lock:
            if not self.is_wanted():
                self._pid = None
            return self._pid is not None

    def _attempt(self) -> None:
        try:
            with (data_folder() / f"{self.name}.lock").open("a") as file:
                if is_ours(file):
                    self.work()
        except Exception:
            log.exception(self.trouble)


def is_ours(file: TextIO) -> bool:
    """Take the lock, if nobody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def watching(extension: str) -> Hook:
    """Return the hook that has a stream counted by one of the application's extensions."""

    def arrive(_ctx: Context) -> None:
        current_app.extensions[extension].watch(1)

    def leave(_ctx: Context) -> None:
        current_app.extensions[extension].watch(-1)

    return define_hook("watched", before=arrive, cleanup=leave)
