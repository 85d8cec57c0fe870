"""Following channels: one tail per process fills the rings, subscribers take from them.

Floor 1. `ChannelHub` reads the broker in one task and wakes whoever follows what is new. A
subscriber whose position the rings do not cover is brought up to them by a second task,
page by page, so that a stream's own task never waits for a broker.

Rules of order: the log is read as one, over all channels followed here; `position` is the
seq up to which all rings are complete. What a stream sends grows in seq over its channels.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

from . import concurrency
from .brokers.base import Broker, Listener, Merged, Position
from .errors import BrokerUnavailable
from .followers import ChannelSource
from .rings import Ring, frame_of

log = logging.getLogger(__name__)

# Entries read at once, by the tail and for one subscriber that catches up.
PAGE = 500
# Frames that a subscriber hands over at once.
HANDFUL = 256
# Seconds after which the tail looks without having been woken, and after a failure.
LOOK = 0.5
FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0


class ChannelHub:
    """The rings of one broker in this process, and the tasks that fill them."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.rings: dict[str, Ring] = {}
        # Re-entrant, because a source that is served may find that it has to settle anew.
        self.lock = threading.RLock()
        self._position = Position("", 0)
        self._followers: dict[str, dict[ChannelSource, None]] = {}
        self._tailing = False
        self._behind: deque[ChannelSource] = deque()
        self._catching = False

    def follow(self, source: ChannelSource) -> Position:
        """Register a source; return the newest position, taken before it was registered."""
        newest = self.broker.newest()
        with self.lock:
            if not self._followers:
                self._position = newest
            for channel in source.channels:
                self.rings.setdefault(channel, Ring(self._position.seq))
                self._followers.setdefault(channel, {})[source] = None
            tailing, self._tailing = self._tailing, True
        if not tailing:
            concurrency.task(self._tail, "sse-tail").start()
        return newest

    def unfollow(self, source: ChannelSource) -> None:
        """Forget a source, and the rings that nobody else follows."""
        with self.lock:
            for channel in source.channels:
                followers = self._followers.get(channel, {})
                followers.pop(source, None)
                if not followers:
                    self._followers.pop(channel, None)
                    self.rings.pop(channel, None)

    def settle(self, source: ChannelSource) -> None:
        """Let a source live on the rings if they cover its position."""
        with self.lock:
            rings = [self.rings[channel] for channel in source.channels]
            source.live = source.position.epoch == self._position.epoch and all(
                ring.since <= source.position.seq for ring in rings
            )

    def take(self, source: ChannelSource) -> list[Any]:
        """Return the frames that are ready for a source; never blocks."""
        with self.lock:
            if source.ended:
                return []
            try:
                return source.collect(HANDFUL)
            except Exception as error:  # a `where` that fails
                failure = error
        source.fail(failure)
        return []

    def catch_up(self, source: ChannelSource) -> None:
        """Read a page for a source, by and by."""
        with self.lock:
            if source in self._behind:
                return
            self._behind.append(source)
            catching, self._catching = self._catching, True
        if not catching:
            concurrency.task(self._catch, "sse-catch-up").start()

    def read_page(self, source: ChannelSource) -> None:
        """Read a page for a source now. Raises `BrokerUnavailable`."""
        asked = source.position
        merged = self.broker.poll(source.channels, asked.seq, PAGE)
        with self.lock:
            # Where a new epoch has moved it meanwhile, the page is of another place.
            if not source.ended and source.position == asked:
                source.page(merged)
                self.settle(source)

    def _catch(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with self.lock:
                if not self._behind:
                    self._catching = False
                    return
                source = self._behind[0]
            try:
                if not source.ended:
                    self.read_page(source)
                pause = FIRST_PAUSE
            except BrokerUnavailable:
                time.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)
                self._behind.rotate(-1)
                continue
            except Exception as error:  # a `where` that fails
                source.fail(error)
            with self.lock:
                self._behind.popleft()
            source.wake()

    def _tail(self) -> None:
        """Read what is new into the rings, for as long as anybody follows."""
        listener: Listener | None = None
        pause = FIRST_PAUSE
        while (place := self._place(listener)) is not None:
            channels, after = place
            try:
                # Listening comes before reading, or an append in between would go unnoticed.
                listener = listener or self.broker.listen()
                merged = self.broker.poll(channels, after.seq, PAGE)
            except Exception as error:
                if pause == FIRST_PAUSE:
                    log.warning("Channels stand still: %s", error, exc_info=_unexpected(error))
                time.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)
                continue
            if pause != FIRST_PAUSE:
                log.warning("Channels go on.")
                pause = FIRST_PAUSE
            for source in self._absorb(channels, after, merged):
                try:
                    source.wake()
                except Exception:
                    log.exception("Waking a stream failed")
            if merged.until >= merged.newest:
                listener.wait(LOOK)

    def _place(self, listener: Listener | None) -> tuple[tuple[str, ...], Position] | None:
        """Return what the tail is to read, or `None` when nobody follows any more."""
        with self.lock:
            if self.rings:
                return tuple(self.rings), self._position
            self._tailing = False
        if listener is not None:
            listener.close()
        return None

    def _absorb(
        self, channels: tuple[str, ...], after: Position, merged: Merged
    ) -> list[ChannelSource]:
        """Put what the tail has read into the rings; return the sources to be woken."""
        with self.lock:
            if after != self._position:
                return []  # everybody left meanwhile, and somebody came
            if merged.epoch != after.epoch or merged.newest < after.seq:
                return self._new_epoch(Position(merged.epoch, merged.newest))
            for channel, trimmed in merged.trimmed.items():
                if channel in self.rings:
                    self.rings[channel].restart(trimmed)
            touched = set(merged.trimmed)
            for entry in merged.entries:
                if entry.channel in self.rings:
                    self.rings[entry.channel].add(entry, frame_of(merged.epoch, entry))
                    touched.add(entry.channel)
            for channel in self.rings.keys() - set(channels):
                # Followed since the log was read: what came before is the broker's to tell.
                self.rings[channel].restart(merged.until)
                touched.add(channel)
            self._position = Position(merged.epoch, merged.until)
            return list({s: None for c in touched for s in self._followers.get(c, ())})

    def _new_epoch(self, position: Position) -> list[ChannelSource]:
        self._position = position
        for ring in self.rings.values():
            ring.restart(position.seq)
        sources = {s: None for followers in self._followers.values() for s in followers}
        for source in sources:
            source.new_epoch(position)
        return list(sources)


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, BrokerUnavailable) else error
