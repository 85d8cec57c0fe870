"""Followers of channels: what one stream, or one loop in Python, has got of them so far.

Floor 1. A follower is channels and a position. It never waits: `ChannelHub` (in `channels`)
wakes it, and reads the pages of history that it asks for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from . import concurrency
from .brokers.base import Merged, Position
from .errors import BrokerUnavailable
from .rings import Portion, count_fitting, frame_of, read_frame, special_frame
from .sources import NOTHING, Chunk
from .wire import Event

if TYPE_CHECKING:
    from .channels import ChannelHub

# Snapshots that an opening stream takes when the broker begins one epoch after the other.
SNAPSHOTS = 5


class Follower(Protocol):
    """Whoever gets what is new on channels."""

    channels: tuple[str, ...]
    position: Position
    ended: bool

    def wake(self) -> None:
        """Look at what there is; never waits."""

    def accept(self, merged: Merged) -> None:
        """Take a page of history that was asked for; the hub's lock is held."""

    def new_epoch(self, newest: Position, *, rewound: bool) -> None:
        """Begin anew unless that is done already; the hub's lock is held.

        `rewound`: the log has lost its end, but says that it is the one it was.
        """

    def close(self, reason: str) -> None:
        """Follow no more."""


class ChannelSource:
    """What one stream follows: channels, and the seq up to which it has got everything.

    It is `live` while the rings cover its position; otherwise pages of the broker's history
    bring it nearer, one at a time, as fast as its client takes them.
    """

    __slots__ = (
        "_has_snapshot",
        "_outdated",
        "_over",
        "_page",
        "_special",
        "_told",
        "_wake",
        "_where",
        "channels",
        "ended",
        "error",
        "hub",
        "live",
        "on_ring",
        "position",
        "resets",
    )
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
        # Whether the hub's portion for its position is all that is to be sent next.
        self.on_ring = False
        self.resets = 0
        self.hub = hub
        self._where = where
        # `ready`, `snapshot` or `reset`, and then what has been read of the history.
        self._special: deque[bytes] | None = None
        self._page: deque[bytes] | None = None
        # Set once there is a snapshot that a reset makes worthless.
        self._has_snapshot = False
        self._outdated = False
        self._wake: Callable[[], None] = _nothing
        self._over: Callable[[], None] = _nothing
        self._told = False

    @property
    def plain(self) -> bool:
        """Whether others on the same channels get the same."""
        return self._where is None

    def open(self, after: str | None, snapshot: Callable[[], bytes] | None) -> None:
        """Find the position to begin at. Raises `BrokerUnavailable`.

        `after` is an id that was handed out; any other text is a position that is gone.
        `snapshot` gives the JSON text that stands for everything up to now.
        """
        try:
            newest = self.hub.follow(self)
            self._begin(after, newest)
            if snapshot is not None:
                self._begin_with(snapshot, needed=after is None)
            elif after is None:
                with self.hub.lock:
                    self._put("ready", self.position, b"{}")
        except BaseException:
            self.hub.unfollow(self)
            raise

    def _begin(self, after: str | None, newest: Position) -> None:
        wanted = newest if after is None else Position.parse(after)
        with self.hub.lock:
            if wanted is None or not _may_hold(wanted, newest):
                self._reset(newest, "epoch")
                return
            if not self.resets:  # the log was not made anew since it was asked
                self._start_at(wanted)
        # What has come meanwhile must not stand behind a `ready` or a snapshot that is newer.
        if after is not None and not self.resets and not self.live:
            self.hub.read_page(self)

    def _begin_with(self, snapshot: Callable[[], bytes], *, needed: bool) -> None:
        """Send what there is now, if the client does not go on from where it was.

        A snapshot that was taken before a reset says nothing after it.
        """
        for _ in range(SNAPSHOTS):
            with self.hub.lock:
                resets, position = self.resets, self.position
                if not needed and not resets:
                    self._has_snapshot = True
                    return
            text = snapshot()
            with self.hub.lock:
                if self.resets == resets:
                    self._put("snapshot", position, text)
                    self._has_snapshot = True
                    return
        raise BrokerUnavailable("The broker begins one epoch after the other.")

    def start(self, wake: Callable[[], None], over: Callable[[], None]) -> None:
        self._wake, self._over = wake, over
        if self.ended:  # closed before it began
            self._tell_over()
        wake()

    def wake(self) -> None:
        """Have the transport ask what there is."""
        self._wake()

    def take(self) -> Chunk:
        if self.on_ring:
            # What `next_portion` would come to for most streams, most of the time.
            with self.hub.lock:
                portion = self.hub.portion(self)
                if portion is not None:
                    self.position = portion.until
                    return portion.chunk
        portion = self.next_portion()
        return portion.chunk if portion is not None else NOTHING

    def last_words(self) -> bytes | None:
        return None

    def close(self, reason: str) -> None:
        if not self.ended:
            self.ended = True
            self.on_ring = False
            self.hub.unfollow(self)
            self._tell_over()

    def fail(self, error: Exception) -> None:
        """End the stream with an error."""
        self.error = error
        self.close("error")
        self.wake()

    def _tell_over(self) -> None:
        with self.hub.lock:
            if self._told or self._over is _nothing:
                return
            self._told = True
        wake, over = self._wake, self._over
        # A stream that is over is freed at once, not when the cycle collector runs.
        self._wake = self._over = _nothing
        wake()
        over()

    def next_portion(self) -> Portion | None:
        """Return what is to be sent next, if anything is; has a page read where there is more.

        Of a portion that `where` lets nothing pass, no frames are left.
        """
        with self.hub.lock:
            outdated = self._outdated
            portion = None if self.ended or outdated else self._advance()
            behind = portion is None and not self.live
        if outdated:
            # Its client comes back for another snapshot, with the id that it has.
            self.close("shutdown")
            self.wake()
        elif behind and not self.ended:
            self.hub.catching.add(self)
        if portion is None or self._where is None:
            return portion
        return self._choose(portion, self._where)

    def _advance(self) -> Portion | None:
        """Move on by a portion; the hub's lock is held."""
        frames = self._special or self._page
        if frames:
            count = count_fitting(frames)
            some = [frames.popleft() for _ in range(count)]
            self._special = self._special or None
            self._page = self._page or None
            return Portion.of(some, self.position, full=True)
        portion = self.hub.portion(self) if self.live else None
        if portion is None:
            self.live = self.on_ring = False
            return None
        self.position = portion.until
        self.on_ring = self._where is None
        return portion if portion.frames else None

    def _choose(self, portion: Portion, where: Callable[[Event], bool]) -> Portion | None:
        """Filter a portion, without the lock; a `where` that fails ends the stream."""
        try:
            passed = [
                frame
                for frame, event in zip(portion.frames, portion.read(), strict=True)
                if event is not None and (frame.startswith(SPECIAL) or where(event))
            ]
        except Exception as error:
            self.fail(error)
            return None
        except BaseException as error:
            if concurrency.is_kill(error):
                raise
            self.fail(RuntimeError(f"where= raised {error!r}"))
            return None
        return Portion.of(passed, portion.until, full=True)

    def accept(self, merged: Merged) -> None:
        newest = Position(merged.epoch, merged.newest)
        if merged.epoch != self.position.epoch or merged.newest < self.position.seq:
            self._reset(newest, "epoch")
        elif merged.trimmed:
            self._reset(newest, "trimmed")
        else:
            frames = (frame_of(merged.epoch, entry) for entry in merged.entries)
            self._page = deque([*(self._page or ()), *frames])
            self._start_at(Position(merged.epoch, merged.until))

    def go_on_at(self, position: Position) -> None:
        """Follow again from a position that others have brought it to."""
        with self.hub.lock:
            if not self.ended:
                self.hub.register(self)
                self._start_at(position)

    def new_epoch(self, newest: Position, *, rewound: bool) -> None:
        # One that has begun in another epoch may be further than the tail by now.
        kept = self.position.seq <= newest.seq or not rewound
        if self.position.epoch == newest.epoch and kept:
            self._start_at(self.position)
        else:
            self._reset(newest, "epoch")

    def _put(self, name: str, position: Position, text: bytes) -> None:
        self.on_ring = False
        self._special = self._special or deque()
        self._special.append(special_frame(name, str(position), text))

    def _start_at(self, position: Position) -> None:
        # A copy: those at one place share the object, and this one only gets there by itself.
        self.position = Position(*position)
        self.live = self.hub.covers(self)
        self.on_ring = False

    def _reset(self, position: Position, reason: str) -> None:
        self.resets += 1
        self._page = self._special = None
        text = b'{"reason":"%b"}' % reason.encode()
        self._put("reset", position, text)
        self._outdated = self._has_snapshot
        self._start_at(position)


class ChannelReader(ChannelSource):
    """A source that gives events to Python code instead of frames to a client."""

    def __init__(self, hub: ChannelHub, channels: tuple[str, ...]) -> None:
        super().__init__(hub, channels)
        self.signal = threading.Event()

    def wake(self) -> None:
        if not self.signal.is_set():
            self.signal.set()

    def close(self, reason: str) -> None:
        super().close(reason)
        self.wake()

    def take_events(self) -> list[Event]:
        """Return the events that are ready; what is not JSON is left out and logged."""
        while (portion := self.next_portion()) is not None:
            if events := readable(portion.frames):
                return events
        return []


def readable(frames: Iterable[bytes]) -> list[Event]:
    """Return frames as events, without those that are not JSON."""
    return [event for event in map(read_frame, frames) if event is not None]


def _nothing() -> None:
    pass


def _may_hold(wanted: Position, newest: Position) -> bool:
    """Tell whether a log at `newest` may have been at `wanted` before."""
    return wanted.epoch == newest.epoch and wanted.seq <= newest.seq


# The names of these are reserved, so that no published event has one of them.
SPECIAL = tuple(b"event: %b\n" % name for name in (b"ready", b"snapshot", b"reset"))
