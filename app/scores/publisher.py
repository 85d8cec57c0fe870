"""Publishes result after result, in one process of the server, while anybody follows.

Every process with followers asks for the lock of a file; who has it publishes. The system takes the
lock from a process that dies, so that another one goes on where the season is.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from typing import NamedTuple

from flask import Flask, current_app

from flask_sse_routes import Context, define_hook

from ..extensions import sse
from ..replay import speed
from ..settings import data_folder
from .fixtures import matches
from .model import Played, Season
from .progress import CHANNEL, Progress, reached, remember

log = logging.getLogger(__name__)

EXTENSION = "console_scores"


class Pace(NamedTuple):
    """Seconds at usual speed: after a result, a day, a season; and how long it goes on unseen."""

    result: float = 1.0
    day: float = 4.0
    season: float = 15.0
    unseen: float = 20.0


PACE = Pace()
# Seconds between two attempts to get the lock, and after a failure.
RETRY = 1.0


class Publisher:
    """That of one application in this process; it may be the one that publishes, or not."""

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
            if streams < 0 or self._pid == os.getpid():
                return
            self._pid = os.getpid()
        threading.Thread(target=self._keep, name="scores", daemon=True).start()

    def _keep(self) -> None:
        with self._app.app_context(), (data_folder() / "scores.lock").open("a") as file:
            while self._goes_on():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._publish()
                except BlockingIOError:
                    pass
                except Exception:
                    log.exception("The season cannot go on yet")
                time.sleep(RETRY / speed())

    def _goes_on(self) -> bool:
        """Tell whether this task is wanted; else there is none any more."""
        with self._lock:
            if not self._is_wanted():
                self._pid = None
            return self._pid is not None

    def _is_wanted(self) -> bool:
        """Tell whether anybody follows, or did so a moment ago."""
        return self._watching > 0 or time.monotonic() - self._seen < PACE.unseen / speed()

    def _publish(self) -> None:
        at = reached()
        while self._is_wanted():
            time.sleep(pause_after(at) / speed())
            at = publish_next(at)


def pause_after(at: Progress) -> float:
    """Return for how many seconds people look at what there is."""
    results = matches()
    if at.played == len(results):
        return PACE.season
    if at.played and results[at.played].day == results[at.played - 1].day:
        return PACE.result
    return PACE.day


def publish_next(at: Progress) -> Progress:
    """Publish what comes next; return how far it is then.

    It is published before it is remembered: who takes over finds it in the channel.
    """
    if at.played == len(matches()):
        then = Progress(at.season + 1, 0)
        sse.publish(CHANNEL, Season(season=then.season), event="season")
    else:
        then = Progress(at.season, at.played + 1)
        played = Played(season=at.season, **matches()[at.played].model_dump())
        sse.publish(CHANNEL, played, event="result")
    remember(then)
    return then


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = Publisher(app)


def publisher() -> Publisher:
    """Return the publisher of the current application."""
    found: Publisher = current_app.extensions[EXTENSION]
    return found


def _watch(_ctx: Context) -> None:
    publisher().watch(1)


def _leave(_ctx: Context) -> None:
    publisher().watch(-1)


watched = define_hook("watched", before=_watch, cleanup=_leave)
