"""The set of an app's open streams: admission, drain and counters.

Floor 1. One `Streams` per app and process; what the process itself decides (a worker that
stops, the interpreter's exit) reaches all of them.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from .concurrency import native_rlock, once_per_process
from .logs import one_line
from .observers import Observers
from .orders import RECHECK, Opening, Order, revoking
from .stream import Stream
from .tallies import End, Stats, Tally, total

# A line for each stream that has ended; silent unless the app, or SSEWorker, sets it up.
access_log = logging.getLogger("flask_sse_routes.access")

# Seconds that an interpreter which stops waits for handlers and their cleanup.
EXIT_PATIENCE = 2.0


class Process:
    """What the server has told about this process."""

    max_streams: int | None = None
    multiprocess = False

    def note(self, environ: Mapping[str, Any]) -> None:
        """Learn from a request whether there are other processes like this one (PEP 3333)."""
        self.multiprocess |= bool(environ.get("wsgi.multiprocess"))


PROCESS = Process()


class Streams:
    """The open streams of one app in this process."""

    def __init__(self) -> None:
        self._open: dict[int, Stream] = {}
        self._openings: weakref.WeakSet[Opening] = weakref.WeakSet()
        self._by_client: Counter[Hashable] = Counter()
        self._places = 0
        # Of the streams that have ended, by route.
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self.observers = Observers()
        # Re-entrant: a body that is dropped may be closed by the collector, at any point.
        self._lock = native_rlock()
        self._empty = threading.Event()
        self.draining = False
        EVERY_APPS.add(self)

    def reserve(
        self, client: Hashable, limit: int | None, per_client: int | None, *, route: str = ""
    ) -> bool:
        """Take a place for a stream, if the limits leave one.

        `client` is who to count it for: hashable, or `None` where nobody is counted.
        """
        with self._lock:
            if limit is not None and self._places >= limit:
                reason = "capacity"
            elif per_client is not None and self._by_client[client] >= per_client:
                reason = "client"
            else:
                self._by_client[client] += 1
                self._places += 1
                return True
        self.count_refusal(route, reason)
        return False

    def is_full(self, limit: int | None) -> bool:
        """Tell whether `limit` leaves no place for another stream."""
        return limit is not None and self._places >= limit

    def release(self, client: Hashable) -> None:
        """Give a place back."""
        with self._lock:
            self._places -= 1
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def count_refusal(self, route: str, reason: str) -> None:
        """Count a request of a route that got no stream."""
        with self._lock:
            self._tallies[route].refused[reason] += 1
        self.observers.stir()

    def opening(self) -> Opening:
        """Note that a stream is to be opened, before its hooks run."""
        opening = Opening()
        with self._lock:
            self._openings.add(opening)
        return opening

    def add(self, stream: Stream, opening: Opening) -> None:
        """Add a stream that has a place."""
        self.observers.stir()  # who counts until the end has to be told before the end is arranged
        _end_at_exit()
        with self._lock:
            self._open[id(stream)] = stream
            self._empty.clear()
        opening.obey(stream)
        if self.draining:
            stream.close("shutdown")

    def discard(self, stream: Stream, error: BaseException | None = None) -> None:
        """Count an ended stream, note it in the log and give its place back."""
        with self._lock:
            if self._open.pop(id(stream), None) is None:
                return
            end = End.of(stream)
            tally = self._tallies[end.route]
            tally.count(stream)
            tally.ended[end.outcome] += 1
            self.release(stream.client)
            if not self._open:
                self._empty.set()
        if access_log.isEnabledFor(logging.INFO):
            _write_access(stream, end)
        self.observers.note_end(end)

    def open(self) -> list[Stream]:
        """Return the streams that are open now."""
        with self._lock:
            return list(self._open.values())

    def drain(self, *, everything: bool = False) -> None:
        """End the streams, and those still to come, so that their clients go elsewhere.

        Streams that are to run to their end (`drain="finish"`) are left to, unless
        `everything` is true.
        """
        self.draining = True
        for stream in self.open():
            if everything or not stream.finish_on_drain:
                stream.close("shutdown")

    def revoke(self, user: Any, channel: str | None) -> None:
        """End the streams of a user, or on a channel, or of a user on a channel.

        `user` has travelled as JSON; a user is compared by what it is in JSON.
        """
        if user is None and channel is None:
            return
        self._order(revoking(user, channel))

    def recheck(self) -> None:
        """End the streams of users, for their clients to come back and be checked anew.

        For when a revocation may have been missed.
        """
        self._order(RECHECK)

    def _order(self, order: Order) -> None:
        """Give an order to the open streams and to those on their way."""
        with self._lock:
            for opening in self._openings:
                opening.note(order)
            streams = list(self._open.values())
        for stream in streams:
            order.carry_out(stream)

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until every stream has ended and its cleanup has run."""
        with self._lock:
            if not self._open:
                return True
        return self._empty.wait(seconds)

    def stats(self) -> Stats:
        """Return a snapshot of the counters."""
        return total(self.tallies().values())

    def tallies(self) -> dict[str, Tally]:
        """Return a snapshot of the counters by route."""
        found: defaultdict[str, Tally] = defaultdict(Tally)
        with self._lock:
            for route, tally in self._tallies.items():
                found[route].add(tally)
            for stream in self._open.values():
                tally = found[stream.route]
                tally.open += 1
                tally.count(stream)
        return dict(found)


# Every app's streams in this process: a worker that stops drains them all.
EVERY_APPS: weakref.WeakSet[Streams] = weakref.WeakSet()


def _write_access(stream: Stream, end: End) -> None:
    """Note who has got what, the server's own line being long gone or yet to come."""
    access_log.info(
        '%s "%s" %s after %.3f s, %d events, %d bytes',
        one_line(stream.remote or "-"),
        end.route.rpartition(".")[2],
        end.outcome,
        end.seconds,
        stream.events,
        stream.bytes,
    )


def drain_all(*, everything: bool) -> None:
    """End the streams of all apps in this process; see `Streams.drain`."""
    for streams in list(EVERY_APPS):
        streams.drain(everything=everything)


def wait_for_all(seconds: float) -> bool:
    """Wait until the streams of all apps have ended and their cleanup has run."""
    deadline = time.monotonic() + seconds
    everywhere = True
    for streams in list(EVERY_APPS):
        everywhere &= streams.wait_until_empty(max(0.0, deadline - time.monotonic()))
    return everywhere


def _exit() -> None:
    """End what is open when the interpreter stops, and let its cleanup run."""
    drain_all(everything=True)
    wait_for_all(EXIT_PATIENCE)


_end_at_exit: Callable[[], object] = once_per_process(lambda: atexit.register(_exit))
