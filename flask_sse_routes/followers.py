"""Followers of channels: what one stream, or one loop in Python, has got of them so far.

Floor 1. A follower is channels and a position. It never waits: `ChannelHub` (in `channels`)
wakes it, and reads the pages of history that it asks for.
"""

from __future__ import annotations

import heapq
import json
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .brokers.base import Merged, Position
from .rings import Ring, event_of, frame_of, special_frame
from .wire import Event

if TYPE_CHECKING:
    from .channels import ChannelHub


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


def _may_hold(wanted: Position, newest: Position) -> bool:
    """Tell whether a log at `newest` may have been at `wanted` before."""
    return wanted.epoch == newest.epoch and wanted.seq <= newest.seq
