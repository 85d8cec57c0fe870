"""The set of an app's open streams: admission, drain and counters.

Floor 1. One `Streams` per app and process; what the process itself decides (a worker that
stops, the interpreter's exit) reaches all of them.
"""

from __future__ import annotations

import atexit
import json
import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, NamedTuple

from .concurrency import native_rlock, once_per_process
from .errors import OutputError, StreamError
from .schema import dump
from .stream import Stream

# A line for each stream that has ended; silent unless the app, or SSEWorker, sets it up.
access_log = logging.getLogger("flask_sse_routes.access")

# Orders that a stream on its way remembers.
MAX_ORDERS = 100
# Seconds that an interpreter which stops waits for handlers and their cleanup.
EXIT_PATIENCE = 2.0


class Stats(NamedTuple):
    """Counters of one app in one process since it began; `streams` counts the open ones.

    `ended` has the ended streams by outcome, `dropped` those of them whose client took
    nothing for the send timeout, `refused` the requests that got no stream.
    """

    streams: int
    events: int
    bytes: int
    heartbeats: int
    ended: Mapping[str, int]
    dropped: int
    resets: int
    refused: int


class Process:
    """What the server has told about this process."""

    max_streams: int | None = None
    multiprocess = False

    def note(self, environ: Mapping[str, Any]) -> None:
        """Learn from a request whether there are other processes like this one (PEP 3333)."""
        self.multiprocess |= bool(environ.get("wsgi.multiprocess"))


PROCESS = Process()


class Order(NamedTuple):
    """What streams are told from outside; `by_channel` where it depends on what they follow."""

    carry_out: Callable[[Stream], None]
    by_channel: bool


class Opening:
    """A stream on its way, whose hooks may have asked already: it obeys what comes meanwhile.

    It goes on to note orders by channel when the stream is open, for a handler that begins to
    listen to one later.
    """

    __slots__ = ("__weakref__", "is_open", "orders")

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.is_open = False

    def note(self, order: Order) -> None:
        """Remember an order."""
        if (order.by_channel or not self.is_open) and len(self.orders) < MAX_ORDERS:
            self.orders.append(order)

    def obey(self, stream: Stream) -> None:
        """Give the stream the orders that came since its hooks began."""
        self.is_open = True
        orders = tuple(self.orders)
        for order in orders:
            order.carry_out(stream)
            if not order.by_channel:
                self.orders.remove(order)
        if len(orders) == MAX_ORDERS:  # and perhaps more that are not noted
            stream.close("shutdown")


class Streams:
    """The open streams of one app in this process."""

    def __init__(self) -> None:
        self._open: dict[int, Stream] = {}
        self._openings: weakref.WeakSet[Opening] = weakref.WeakSet()
        self._by_client: Counter[Hashable] = Counter()
        self._places = 0
        self._totals: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        # Re-entrant: a body that is dropped may be closed by the collector, at any point.
        self._lock = native_rlock()
        self._empty = threading.Event()
        self.draining = False
        EVERY_APPS.add(self)

    def reserve(self, client: Hashable, limit: int | None, per_client: int | None) -> bool:
        """Take a place for a stream, if the limits leave one.

        `client` is who to count it for: hashable, or `None` where nobody is counted.
        """
        with self._lock:
            full = limit is not None and self._places >= limit
            if full or (per_client is not None and self._by_client[client] >= per_client):
                self._totals["refused"] += 1
                return False
            self._by_client[client] += 1
            self._places += 1
            return True

    def release(self, client: Hashable) -> None:
        """Give a place back."""
        with self._lock:
            self._places -= 1
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def count_refusal(self) -> None:
        """Count a stream that was refused for another reason than the limits."""
        with self._lock:
            self._totals["refused"] += 1

    def opening(self) -> Opening:
        """Note that a stream is to be opened, before its hooks run."""
        opening = Opening()
        with self._lock:
            self._openings.add(opening)
        return opening

    def add(self, stream: Stream, opening: Opening) -> None:
        """Add a stream that has a place."""
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
            self._add_counts(self._totals, stream)
            self._ended[stream.outcome or "completed"] += 1
            self.release(stream.client)
            if not self._open:
                self._empty.set()
        if access_log.isEnabledFor(logging.INFO):
            _write_access(stream)

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
        revoke = partial(_revoke, None if user is None else _in_json(user), channel)
        self._order(Order(revoke, by_channel=channel is not None))

    def recheck(self) -> None:
        """End the streams of users, for their clients to come back and be checked anew.

        For when a revocation may have been missed.
        """
        self._order(Order(_come_back, by_channel=False))

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
        with self._lock:
            totals = Counter(self._totals)
            for stream in self._open.values():
                self._add_counts(totals, stream)
            return Stats(
                streams=len(self._open),
                events=totals["events"],
                bytes=totals["bytes"],
                heartbeats=totals["heartbeats"],
                ended=dict(self._ended),
                dropped=totals["dropped"],
                resets=totals["resets"],
                refused=totals["refused"],
            )

    @staticmethod
    def _add_counts(totals: Counter[str], stream: Stream) -> None:
        if stream.transport is not None:
            stream.transport.count()
        totals["events"] += stream.events
        totals["bytes"] += stream.bytes
        totals["heartbeats"] += stream.heartbeats
        totals["dropped"] += stream.dropped
        totals["resets"] += stream.source.resets


# Every app's streams in this process: a worker that stops drains them all.
EVERY_APPS: weakref.WeakSet[Streams] = weakref.WeakSet()


def _revoke(user: Any, channel: str | None, stream: Stream) -> None:
    theirs = user is None or (stream.user is not None and _in_json(stream.user) == user)
    if theirs and (channel is None or channel in stream.source.channels):
        stream.fail(StreamError("Access to this stream was revoked.", status=403))


def _come_back(stream: Stream) -> None:
    if stream.user is not None:
        stream.close("shutdown")


def _write_access(stream: Stream) -> None:
    """Note who has got what, the server's own line being long gone or yet to come."""
    access_log.info(
        '%s "%s" %s after %.3f s, %d events, %d bytes',
        stream.remote or "-",
        stream.route,
        stream.outcome,
        stream.seconds,
        stream.events,
        stream.bytes,
    )


def _in_json(user: Any) -> Any:
    """Return a user as another process reads it; one that is no JSON is like nobody."""
    try:
        return json.loads(dump(user))
    except OutputError:
        return None


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
