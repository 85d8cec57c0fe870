"""What runs tasks in this process: a few at once, taken from the queue of all workers.

One per application and process. It starts with the first request that has to do with tasks, and
rests when there is nothing to run and nobody watches; until then it also gives up the tasks of
processes that died.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import socket
import threading

from flask import Flask, current_app, request

from . import store
from .data_sets import LARGEST_UPLOAD
from .run import Run
from .store import Claimed
from .telling import tell

log = logging.getLogger(__name__)

EXTENSION = "console_tasks"
# Tasks that one process runs at once; seconds between two looks at the queue.
MOST_RUNNING = 2
ROUND = 1.0


class Runner:
    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._running: set[int] = set()
        self._is_on = False
        self._watching = 0
        self._pid = 0
        self.owner = ""

    def nudge(self) -> None:
        """Have the queue looked at now."""
        with self._lock:
            self._wake.set()
            self._settle()
            if self._is_on:
                return
            self._is_on = True
        threading.Thread(target=self._keep, name="tasks", daemon=True).start()

    def watch(self, streams: int) -> None:
        """Note that so many streams of tasks have been opened, or closed."""
        with self._lock:
            self._watching += streams
        if streams > 0:
            self.nudge()

    def _settle(self) -> None:
        """Find out which process this is: a fork copies what came before it."""
        if self._pid == os.getpid():
            return
        self._pid, self._is_on, self._running = os.getpid(), False, set()
        self.owner = f"{socket.gethostname()}-{self._pid}-{secrets.token_hex(4)}"
        atexit.register(self._leave, self._pid)

    def _keep(self) -> None:
        while True:
            self._wake.clear()
            try:
                with self._app.app_context():
                    idle = self._look()
            except Exception:
                log.exception("The tasks could not be looked at")
                idle = False
            with self._lock:
                if idle and not self._watching and not self._wake.is_set():
                    self._is_on = False
                    return
            self._wake.wait(ROUND)

    def _look(self) -> bool:
        """Give up lost tasks, begin what waits; tell whether there is nothing left to see to."""
        for task in store.expire():
            tell(task)
        while len(self._running) < MOST_RUNNING:
            claimed = store.claim(self.owner)
            if claimed is None:
                break
            self._begin(claimed)
        return not store.has_unfinished()

    def _begin(self, claimed: Claimed) -> None:
        self._running.add(claimed.task.id)
        name = f"task-{claimed.task.id}"
        threading.Thread(target=self._run, args=(claimed,), name=name, daemon=True).start()

    def _run(self, claimed: Claimed) -> None:
        try:
            with self._app.app_context():
                Run(claimed, self.owner).go()
        except Exception:
            log.exception("Task %s ended unnoted", claimed.task.id)
        finally:
            self._running.discard(claimed.task.id)
            self._wake.set()

    def _leave(self, pid: int) -> None:
        """The process ends: what it runs is given up at once, not when the lease is over."""
        if pid != os.getpid() or not self._running:
            return
        with self._app.app_context():
            for task in store.release(self.owner):
                tell(task)


def runner() -> Runner:
    """Return the runner of the current application."""
    found: Runner = current_app.extensions[EXTENSION]
    return found


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = Runner(app)
    app.before_request(_let_uploads_in)


def _let_uploads_in() -> None:
    if request.endpoint == "api.upload_table":
        request.max_content_length = LARGEST_UPLOAD
