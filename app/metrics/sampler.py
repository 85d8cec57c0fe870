"""Measures and publishes once a second, in one process of the server, while anybody watches."""

from __future__ import annotations

import platform
import time

from flask import Flask

from ..elected import Elected, watching
from ..extensions import sse
from .measure import Counters, counters, measure
from .model import Metrics, figures
from .past import spans_of
from .processes import Workers
from .spans import Gathering

EXTENSION = "console_metrics"
# Seconds: between two samples, and before the first one, for whose rates there is no other yet.
BEAT, FIRST_SPAN = 1.0, 0.2
# Seconds that it goes on when nobody watches any more, so that who comes back finds no gap.
UNSEEN = 15 * 60.0


def channel() -> str:
    """Return where this machine's samples are published: several may share a broker."""
    return f"metrics:{platform.node()}"


class Sampler(Elected):
    name = "metrics"
    trouble = "The machine cannot be measured yet"

    def retry(self) -> float:
        return BEAT

    def unseen(self) -> float:
        return float(self._app.config.get("METRICS_UNSEEN", UNSEEN))

    def work(self) -> None:
        samples, gathering = Samples(), Gathering()
        time.sleep(FIRST_SPAN)
        while self.is_wanted():
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


watched = watching(EXTENSION)
