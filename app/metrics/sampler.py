"""Measures and publishes once a second, in one process of the server, while anybody watches.

Every process with watchers asks for the lock of a file; who has it measures. The system takes the
lock from a process that dies, and another one goes on within a second.
"""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import threading
import time

from flask import Flask, current_app

from flask_sse_routes import Context, define_hook

from ..extensions import sse
from ..settings import data_folder
from .measure import Counters, counters, measure
from .model import Metrics, figures
from .past import spans_of
from .processes import Workers
from .spans import Gathering

log = logging.getLogger(__name__)

EXTENSION = "console_metrics"
# Seconds: between two samples, and before the first one, for whose rates there is no other yet.
BEAT, FIRST_SPAN = 1.0, 0.2
# Seconds that it goes on when nobody watches any more, so that who comes back finds no gap.
UNSEEN = 15 * 60.0


def channel() -> str:
    """Return where this machine's samples are published: several may share a broker."""
    return f"metrics:{platform.node()}"


class Sampler:
    """That of one application in this process; it may be the one that measures, or not."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._watching = 0
        self._seen = 0.0
        self._pid: int | None = None

    def watch(self, streams: int) -> None:
        """Note that so many streams have been opened, or closed."""
        with self._lock:
            self._watching = max(self._watching + streams, 0)
            self._seen = time.monotonic()
            # A fork has a copy of this, and no thread.
            if streams < 0 or self._pid == os.getpid():
                return
            self._pid = os.getpid()
        threading.Thread(target=self._keep, name="metrics", daemon=True).start()

    def _keep(self) -> None:
        with self._app.app_context(), (data_folder() / "metrics.lock").open("a") as file:
            while self._goes_on():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._publish()
                except BlockingIOError:
                    pass
                except Exception:
                    log.exception("The machine cannot be measured yet")
                time.sleep(BEAT)

    def _goes_on(self) -> bool:
        """Tell whether this task is wanted; else there is none any more."""
        with self._lock:
            if not self._is_wanted():
                self._pid = None
            return self._pid is not None

    def _is_wanted(self) -> bool:
        unseen = self._app.config.get("METRICS_UNSEEN", UNSEEN)
        return self._watching > 0 or time.monotonic() - self._seen < unseen

    def _publish(self) -> None:
        samples, gathering = Samples(), Gathering()
        time.sleep(FIRST_SPAN)
        while self._is_wanted():
            metrics = samples.take()
            span = gathering.add(metrics.at, figures(metrics.model_dump()))
            sse.publish(channel(), metrics)
            if span:
                sse.publish(spans_of(channel()), span)
            time.sleep(max(BEAT - time.time() % BEAT, BEAT / 2))


class Samples:
    """Rates are those since the sample before."""

    def __init__(self) -> None:
        self._before: Counters = counters()
        self._workers = Workers()

    def take(self) -> Metrics:
        now = counters()
        metrics = measure(self._before, now, self._workers.measure())
        self._before = now
        return metrics


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = Sampler(app)


def sampler() -> Sampler:
    """Return the sampler of the current application."""
    found: Sampler = current_app.extensions[EXTENSION]
    return found


def _watch(_ctx: Context) -> None:
    sampler().watch(1)


def _leave(_ctx: Context) -> None:
    sampler().watch(-1)


watched = define_hook("watched", before=_watch, cleanup=_leave)
