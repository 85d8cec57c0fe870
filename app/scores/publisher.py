"""Publishes result after result, in one process of the server, while anybody follows."""

from __future__ import annotations

import time
from typing import NamedTuple

from flask import Flask

from ..elected import Elected, watching
from ..extensions import sse
from ..replay import speed
from .fixtures import matches
from .model import Played, Season
from .progress import CHANNEL, Progress, reached, remember

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


class Publisher(Elected):
    name = "scores"
    trouble = "The season cannot go on yet"

    def retry(self) -> float:
        return RETRY / speed()

    def unseen(self) -> float:
        return PACE.unseen / speed()

    def work(self) -> None:
        at = reached()
        while self.is_wanted():
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


watched = watching(EXTENSION)
