"""Prometheus metrics of an app's streams, the same from whichever worker is asked.

Floor 2, needs the extra `metrics`. Counts are read when somebody scrapes; where several processes
share a directory (prometheus_client's multiprocess mode), each also writes its own there every
second or so while a stream is open, and when it exits. An event costs nothing.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app, request
from flask.wrappers import Response

from . import clock
from .clock import get_clock
from .concurrency import once_per_process
from .errors import ConfigError
from .extension import SSERoutes
from .streams import PROCESS
from .tallies import End, Tally

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector
except ImportError as error:
    raise ImportError(
        f"Metrics need prometheus-client ({error}): pip install 'flask_sse_routes[metrics]'"
    ) from error

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
# Seconds between two times that a process writes its counts for others to read, at least, and
# for how many times as long as that takes it does something else: with many streams, it is rarer.
EVERY = 1.0
REST = 100
DURATIONS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
NOTICES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60)
LAGS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Families:
    """The metrics, by what they are called."""

    def __init__(self) -> None:
        self.open = Gauge(
            "sse_streams_open",
            "Streams that are open.",
            ["route"],
            registry=None,
            multiprocess_mode="livesum",
        )
        self.events = _counter("sse_events", "Events sent.")
        self.bytes = _counter("sse_sent_bytes", "Bytes sent, heartbeats included.")
        self.heartbeats = _counter("sse_heartbeats", "Heartbeats sent.")
        self.ended = _counter("sse_streams_ended", "Streams that have ended.", "outcome")
        self.refused = _counter("sse_streams_refused", "Requests that got no stream.", "reason")
        self.dropped = _counter("sse_clients_dropped", "Clients cut off that took nothing.")
        self.resets = _counter("sse_resets", "Gaps that clients were told of.")
        self.durations = _histogram(
            "sse_stream_duration_seconds", "How long streams were open.", DURATIONS, "route"
        )
        self.notices = _histogram(
            "sse_disconnect_notice_seconds",
            "From when a client that is gone was last known to be there to its stream's end.",
            NOTICES,
            "route",
        )
        self.lags = _histogram(
            "sse_broker_lag_seconds",
            "From an append of a process to its own reading of the entry, a sample each second.",
            LAGS,
        )

    def all(self) -> tuple[Any, ...]:
        return tuple(vars(self).values())


class PrometheusMetrics:
    """The metrics of all apps that an `SSERoutes` serves. Make one per process, at import.

    `registry` is where they are registered (default: one of their own). `every` is how often a
    process writes what it has counted for the others to read (seconds, more with thousands of
    streams; only where `PROMETHEUS_MULTIPROC_DIR` is set). Raises `ConfigError` where that names
    no directory.
    """

    def __init__(
        self,
        sse: SSERoutes,
        registry: CollectorRegistry | None = None,
        *,
        every: float = EVERY,
    ) -> None:
        if not every > 0:
            raise ConfigError(f"PrometheusMetrics: every={every!r} must be seconds greater than 0.")
        self._shares = _shares_directory()
        self._sse = sse
        self._every = every
        self._families = Families()
        # What the counters stand at.
        self._told: dict[Told, float] = {}
        self._waits = False
        self._took = 0.0
        self._lock = threading.Lock()
        self._write_at_exit: Callable[[], object] = once_per_process(self._register_exit)
        self.registry = CollectorRegistry() if registry is None else registry
        self.registry.register(self)
        sse.observers.append(self)

    def view(self) -> Response:
        """Answer a scrape; mount it as the handler of an http route, or as a view.

        Raises `ConfigError` where other processes count as well and nobody could add that up.
        """
        registry = self.registry
        if self._shares:
            self.update()
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        elif PROCESS.multiprocess or request.environ.get("wsgi.multiprocess"):
            raise ConfigError(
                "This server runs several processes, each with counters of its own: set "
                f"{DIRECTORY} to an empty directory before it starts, and in gunicorn.conf.py "
                "`from flask_sse_routes.gunicorn import child_exit`."
            )
        text = generate_latest(registry)
        headers = {"Cache-Control": "no-store"}
        return current_app.response_class(text, content_type=CONTENT_TYPE_LATEST, headers=headers)

    def collect(self) -> Iterable[Any]:
        """Return the metrics of this process, brought up to date; a registry asks for them."""
        self.update()
        return [metric for family in self._families.all() for metric in family.collect()]

    def describe(self) -> Iterable[Any]:
        """Return the metrics' names, without looking at any stream."""
        return [metric for family in self._families.all() for metric in family.describe()]

    def update(self) -> bool:
        """Bring the metrics up to what has been counted; return whether a stream is open."""
        with self._lock:
            tallies = self._sse.tallies()
            for route, tally in tallies.items():
                self._tell(route, tally)
        return any(tally.open for tally in tallies.values())

    def _tell(self, route: str, tally: Tally) -> None:
        families = self._families
        families.open.labels(route).set(tally.open)
        self._raise(families.events, tally.events, route)
        self._raise(families.bytes, tally.bytes, route)
        self._raise(families.heartbeats, tally.heartbeats, route)
        self._raise(families.dropped, tally.dropped, route)
        self._raise(families.resets, tally.resets, route)
        for outcome, count in tally.ended.items():
            self._raise(families.ended, count, route, outcome)
        for reason, count in tally.refused.items():
            self._raise(families.refused, count, route, reason)

    def _raise(self, counter: Counter, count: int, *labels: str) -> None:
        """Raise a counter to what has been counted; it never goes back.

        What was counted may, by a portion that a client turns out not to have taken.
        """
        child = counter.labels(*labels)
        key = Told(counter, labels)
        more = count - self._told.get(key, 0)
        if more > 0:
            child.inc(more)
            self._told[key] = count

    def stir(self) -> None:
        """Write what is counted in a while, if there is anybody to read it."""
        if not self._shares or self._waits:
            return
        self._write_at_exit()
        self._waits = True
        get_clock().at(clock.now() + max(self._every, REST * self._took), self._tick)

    def _tick(self, _now: float) -> None:
        self._waits = False
        # Of the process's own time: a disk that is slow once would make all writing rare.
        began = time.thread_time()
        is_open = self.update()
        self._took = time.thread_time() - began
        if is_open:
            self.stir()

    def note_end(self, end: End) -> None:
        """Note how long a stream was open, and how long it was open for nobody."""
        self._families.durations.labels(end.route).observe(end.seconds)
        if end.noticed is not None:
            self._families.notices.labels(end.route).observe(end.noticed)

    def note_lag(self, seconds: float) -> None:
        """Note how long an entry took through the broker."""
        self._families.lags.observe(seconds)

    def _register_exit(self) -> object:
        return atexit.register(self.update)


class Told(NamedTuple):
    """One counter with its labels."""

    counter: Counter
    labels: tuple[str, ...]


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, ["route", *labels], registry=None)


def _histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
    return Histogram(name, text, labels, registry=None, buckets=tuple(buckets))


def _shares_directory() -> bool:
    """Tell whether processes share a directory of counts. Raises `ConfigError` if it is no use."""
    path = os.environ.get(DIRECTORY)
    if path is None:
        return False
    if not path or not Path(path).is_dir():
        raise ConfigError(f"{DIRECTORY} is {path!r}, which is no directory: make it, empty.")
    # Chosen when prometheus_client was imported, for all metrics of the process.
    if not getattr(values.ValueClass, "_multiprocess", True):
        raise ConfigError(
            f"{DIRECTORY} was set after prometheus_client had been imported, which so keeps to "
            "this process: set it before the server starts."
        )
    return True
