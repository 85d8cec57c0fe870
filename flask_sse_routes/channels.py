"""Following channels: one tail per process fills the rings, subscribers take from them.

Floor 1. `ChannelHub` reads the broker in one task and wakes whoever follows what is new. A
subscriber whose position the rings do not cover is brought up to them by a second task,
page by page, so that a stream's own task never waits for a broker.

Rules of order: the log is read as one, over all channels followed here; `position` is the
seq up to which all rings are complete. What a stream sends grows in seq over its channels.
"""

from __future__ import annotations

import heapq
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from . import concurrency
from .brokers.base import Broker, Listener, Merged, Position
from .errors import BrokerUnavailable
from .rings import Ring, event_of, frame_of, special_frame
from .wire import Event

log = logging.getLogger(__name__)

# Entries read at once, by the tail and for one subscriber that catches up.
PAGE = 500
# Frames that a subscriber hands over at once.
HANDFUL = 256
# Seconds after which the tail looks without having been woken, and after a failure.
LOOK = 0.5
FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0


class ChannelSource:
    """What one stream follows: channels, and the seq up to which it has got everything.

    It is `live` while the rings cover its position; otherwise pages of the broker's history
    bring it nearer, one at a time, as fast as its client takes them.
    """

    began = True
    ready = True

    def __init__(
        self,
        hub: ChannelHub,
        channels: tuple[str, ...],
        where: Callable[[Event], bool] | None = None,
    ) -> None:
        self.ended = False
        self.error: BaseException | None = None
        self.channels = channels
        self.position = Position("", 0)
        self.live = False
        self.resets = 0
        self._hub = hub
        self._where = where
        self._pending: deque[Any] = deque()
        self._wake: Callable[[], None] = _nothing
        self._over: Callable[[], None] = _nothing
        self._told = False

    def open(self, after: str | None, snapshot: Callable[[], bytes] | None) -> None:
        """Find the position to begin at. Raises `BrokerUnavailable`.

        `after` is an id that was handed out; any other text is a position that is gone.
        `snapshot` gives the JSON text that stands for everything up to now.
        """
        newest = self._hub.follow(self)
        try:
            self._begin(after, newest, snapshot)
        except BaseException:
            self._hub.unfollow(self)
            raise

    def _begin(
        self, after: str | None, newest: Position, snapshot: Callable[[], bytes] | None
    ) -> None:
        wanted = Position.parse(after)
        if after is not None and wanted is not None and _may_hold(wanted, newest):
            with self._hub.lock:
                self.position = wanted
                self._hub.settle(self)
            if not self.live:
                self._hub.read_page(self)
        else:
            with self._hub.lock:
                self._start_anew(newest, after, snapshot is not None)
        if snapshot is not None and (after is None or self.resets):
            self._pending.append(self._special("snapshot", self.position, snapshot()))

    def _start_anew(self, newest: Position, after: str | None, has_snapshot: bool) -> None:
        if after is not None:
            self._reset(newest, "epoch")
            return
        self._start_at(newest)
        if not has_snapshot:
            self._pending.append(self._special("ready", newest, b"{}"))

    def start(self, wake: Callable[[], None], over: Callable[[], None]) -> None:
        self._wake, self._over = wake, over
        if self.ended:  # closed before it began
            self._tell_over()
        wake()

    def wake(self) -> None:
        """Have the transport ask what there is."""
        self._wake()

    def take(self) -> list[Any]:
        if self.ended:
            return []
        frames = self._hub.take(self)
        if not self.live and not frames:
            self._hub.catch_up(self)
        return frames

    def last_words(self) -> bytes | None:
        return None

    def close(self, reason: str) -> None:
        if not self.ended:
            self.ended = True
            self._hub.unfollow(self)
            self._tell_over()

    def fail(self, error: Exception) -> None:
        """End the stream with an error."""
        self.error = error
        self.ended = True
        self._hub.unfollow(self)
        self.wake()
        self._tell_over()

    def _tell_over(self) -> None:
        with self._hub.lock:
            if self._told or self._over is _nothing:
                return
            self._told = True
        self._over()

    def collect(self, limit: int) -> list[Any]:
        """Return what is next; the hub's lock is held."""
        pending = self._pending
        frames = [pending.popleft() for _ in range(min(limit, len(pending)))]
        if len(frames) < limit and self.live:
            frames += self._from_rings(limit - len(frames))
        return frames

    def page(self, merged: Merged) -> None:
        """Accept a page of history; the hub's lock is held."""
        newest = Position(merged.epoch, merged.newest)
        if merged.epoch != self.position.epoch or merged.newest < self.position.seq:
            self._reset(newest, "epoch")
        elif merged.trimmed:
            self._reset(newest, "trimmed")
        else:
            for entry in merged.entries:
                if self._passes(merged.epoch, entry.seq, entry.body):
                    frame = frame_of(merged.epoch, entry)
                    self._pending.append(self._item(merged.epoch, entry.seq, frame, entry.body))
            self.position = Position(merged.epoch, merged.until)

    def new_epoch(self, position: Position) -> None:
        """Begin anew where another epoch is; the hub's lock is held."""
        self._reset(position, "epoch")

    def _from_rings(self, limit: int) -> list[Any]:
        rings = [self._hub.rings[channel] for channel in self.channels]
        if any(ring.since > self.position.seq for ring in rings):
            self.live = False
            return []
        found = [self._after(ring, limit) for ring in rings]
        merged = found[0] if len(found) == 1 else list(heapq.merge(*found))[:limit]
        if not merged:
            return []
        epoch = self.position.epoch
        self.position = Position(epoch, merged[-1][0])
        return [
            self._item(epoch, *each) for each in merged if self._passes(epoch, each[0], each[2])
        ]

    def _after(self, ring: Ring, limit: int) -> list[tuple[int, bytes, bytes]]:
        first = ring.index_after(self.position.seq)
        last = first + limit
        return list(
            zip(
                ring.seqs[first:last],
                ring.frames[first:last],
                ring.bodies[first:last],
                strict=False,
            )
        )

    def _passes(self, epoch: str, seq: int, body: bytes) -> bool:
        return self._where is None or bool(self._where(event_of(epoch, seq, body)))

    def _start_at(self, position: Position) -> None:
        self.position = position
        self._hub.settle(self)

    def _reset(self, position: Position, reason: str) -> None:
        self.resets += 1
        self._pending.clear()
        text = b'{"reason":"%b"}' % reason.encode()
        self._pending.append(self._special("reset", position, text))
        self._start_at(position)

    def _item(self, epoch: str, seq: int, frame: bytes, body: bytes) -> Any:
        """Return what `take` gives for an entry."""
        return frame

    def _special(self, name: str, position: Position, text: bytes) -> Any:
        """Return what `take` gives for `ready`, `snapshot` and `reset`."""
        return special_frame(name, str(position), text)


class ChannelReader(ChannelSource):
    """A source that gives events to Python code instead of frames to a client."""

    def __init__(self, hub: ChannelHub, channels: tuple[str, ...]) -> None:
        super().__init__(hub, channels)
        self.signal = threading.Event()

    def wake(self) -> None:
        if not self.signal.is_set():
            self.signal.set()

    def _item(self, epoch: str, seq: int, frame: bytes, body: bytes) -> Event:
        return event_of(epoch, seq, body)

    def _special(self, name: str, position: Position, text: bytes) -> Event:
        return Event(json.loads(text), event=name, id=str(position))


def _nothing() -> None:
    pass


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, BrokerUnavailable) else error


def _may_hold(wanted: Position, newest: Position) -> bool:
    """Tell whether a log at `newest` may have been at `wanted` before."""
    return wanted.epoch == newest.epoch and wanted.seq <= newest.seq


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
