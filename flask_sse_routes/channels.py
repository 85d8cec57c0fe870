"""Following channels: one tail per process fills the rings, subscribers take from them.

Floor 1. `ChannelHub` reads the broker in one task and wakes whoever follows what is new. A
subscriber whose position the rings do not cover is brought up to them by a second task,
page by page, so that a stream's own task never waits for a broker.

Rules of order: the log is read as one, over all channels followed here; `position` is the
seq up to which all rings are complete. What a stream sends grows in seq over its channels.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable

from . import concurrency
from .brokers.base import Broker, Entry, Listener, Merged, Position, RingingBroker
from .catching import FIRST_PAUSE, LAST_PAUSE, CatchUp, launch, report, wake
from .errors import BrokerUnavailable
from .followers import ChannelSource, Follower
from .lag import Lag
from .logs import Log
from .rings import Portion, Ring, frame_of, portion_of

log = Log(__name__)

# Entries read at once, by the tail and for one subscriber that catches up.
PAGE = 500
# All rings of a process drop their older halves when they come to this many bytes.
ALL_RINGS_BYTES = 64 * 1024 * 1024
# Portions that are kept for subscribers at the same place.
PORTIONS = 16
# Followers of a channel, each group being one, that are woken by who publishes; more are woken by
# the tail, once for a whole burst.
FEW = 64
# Seconds after which the tail looks without having been woken.
LOOK = 0.5


class ChannelHub:
    """The rings of one broker in this process, and the tasks that fill them."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.rings: dict[str, Ring] = {}
        self.lag = Lag()
        # Re-entrant, because a source that is served may find that it has to settle anew.
        self.lock = concurrency.native_rlock()
        self._position = Position("", 0)
        self._followers: dict[str, dict[Follower, None]] = {}
        # Kept until a ring changes, or who follows what.
        self._names: frozenset[str] | None = None
        self._portions: dict[tuple[tuple[str, ...], Position], Portion | None] = {}
        # The portion that was asked for last, and the place that it comes after.
        self._place: Position | None = None
        self._next: Portion | None = None
        # What the rings held when they were last looked at, and all that came since.
        self._size = 0
        self._tailing = False
        # What the tail waits with, and under gevent the thread that it is in.
        self._listener: Listener | None = None
        self._thread: int | None = None
        self.catching = CatchUp(self)
        self.closed = False

    def append(self, channel: str, body: bytes) -> Position:
        """Store an entry; put it into the rings at once where the tail would read it next.

        To read back what was stored a moment ago costs more than to store it.
        """
        broker = self.broker
        if (
            self._thread is None
            or self._thread != threading.get_native_id()
            or not (isinstance(broker, RingingBroker) and broker.stores_as_told)
        ):
            return broker.append(channel, body)
        position = broker.store(channel, body)
        taken = False
        try:
            taken = self._take_in(position, Entry(position.seq, channel, body))
        except Exception as error:  # it is stored: the tail will read it
            log.error("An entry could not be put into the rings", error=error)
        finally:
            broker.ring(but=self._listener if taken else None)
        return position

    def follow(self, source: ChannelSource) -> Position:
        """Register a source; return the newest position, taken before it was registered.

        Raises `BrokerUnavailable`; the source is to be unfollowed then as well.
        """
        newest = self.broker.newest()
        with self.lock:
            if self.closed:
                raise BrokerUnavailable("Its app is gone.")
            if not self._followers:
                self._position = newest
                self.lag.forget()
            self.register(source)
            tailing, self._tailing = self._tailing, True
        if not tailing:
            try:
                launch(self._tail, "sse-tail")
            except BaseException:
                self._tailing = False
                raise
        return newest

    def register(self, follower: Follower) -> None:
        """Have a follower woken from now on; lock held."""
        for channel in follower.channels:
            if channel not in self.rings:
                self.rings[channel] = Ring(self._position.seq)
                self._names = None
                self._forget_portions()
            self._followers.setdefault(channel, {})[follower] = None

    def unfollow(self, follower: Follower) -> None:
        """Forget a follower, and the rings that nobody else follows."""
        with self.lock:
            self.catching.waiting.pop(follower, None)
            for channel in follower.channels:
                followers = self._followers.get(channel, {})
                followers.pop(follower, None)
                if not followers:
                    self._followers.pop(channel, None)
                    self.rings.pop(channel, None)
                    self._names = None

    def close(self) -> None:
        """End whoever follows, then the tail, and let go of the broker."""
        with self.lock:
            self.closed = True
            sources = self._every_source()
        for source in sources:
            source.close("shutdown")
            wake(source)
        self.let_go()

    def let_go(self) -> None:
        """Close the broker, unless a task that uses it will do so at its end."""
        with self.lock:
            if not self.closed or self._tailing or self.catching.running:
                return
        self.broker.close()

    def covers(self, follower: Follower) -> bool:
        """Tell whether the rings have all that comes after a follower's position; lock held."""
        position = follower.position
        if position.epoch != self._position.epoch:
            return False
        rings = (self.rings.get(channel) for channel in follower.channels)
        return all(ring is not None and ring.since <= position.seq for ring in rings)

    def has_passed(self, position: Position) -> bool:
        """Tell whether the tail has read everything up to a position."""
        return position.epoch == self._position.epoch and position.seq <= self._position.seq

    def portion(self, follower: Follower) -> Portion | None:
        """Return what the rings have for a follower, the same for all at its place; lock held.

        Followers that got the same portion share its `until`, and with it the way to the next.
        """
        position = follower.position
        if position is self._place:
            return self._next
        key = (follower.channels, position)
        if key in self._portions:
            portion = self._portions[key]
        else:
            portion = portion_of([self.rings[c] for c in follower.channels], position)
            if len(self._portions) >= PORTIONS:
                self._portions.clear()
            self._portions[key] = portion
        self._place, self._next = position, portion
        return portion

    def _forget_portions(self) -> None:
        self._portions.clear()
        self._place = self._next = None

    def read_page(self, source: Follower) -> None:
        """Read a page for a source now. Raises `BrokerUnavailable`."""
        asked = source.position
        merged = self.broker.poll(source.channels, asked.seq, PAGE)
        with self.lock:
            # Where a new epoch has moved it meanwhile, the page is of another place.
            if not source.ended and source.position == asked:
                source.accept(merged)

    def _tail(self) -> None:
        """Read what is new into the rings, for as long as anybody follows."""
        listener: Listener | None = None
        pause = FIRST_PAUSE
        if concurrency.cooperative() and hasattr(threading, "get_native_id"):
            self._thread = threading.get_native_id()
        try:
            while (place := self._whereabouts()) is not None:
                try:
                    # Listening comes before reading, or what is appended in between would
                    # go unnoticed.
                    listener = self._listener = listener or self.broker.listen()
                    more = self._read_on(*place)
                    if pause != FIRST_PAUSE:
                        log.warning("Channels go on.")
                        pause = FIRST_PAUSE
                    if not more:
                        listener.wait(LOOK)
                except Exception as error:
                    report(log, "Channels stand still", error, pause)
                    time.sleep(pause)
                    pause = min(pause * 2, LAST_PAUSE)
        except BaseException:
            self._tailing = False
            raise
        finally:
            self._listener = None
            if listener is not None:
                listener.close()
            self.let_go()

    def _whereabouts(self) -> tuple[frozenset[str], Position] | None:
        """Return what the tail is to read, or `None` when nobody follows any more."""
        with self.lock:
            if self.rings and not self.closed:
                self._names = self._names or frozenset(self.rings)
                return self._names, self._position
            self._tailing = False
            return None

    def _read_on(self, channels: frozenset[str], after: Position) -> bool:
        """Read a page into the rings, wake who follows; return whether there is more."""
        merged = self.broker.poll(channels, after.seq, PAGE)
        with self.lock:
            if after != self._position:
                return True  # everybody left meanwhile, and somebody came; or it was taken in
            sources = self._absorb_whole(channels, after, merged)
        self._tell(merged, sources)
        return merged.until < merged.newest

    def _take_in(self, position: Position, entry: Entry) -> bool:
        """Put what this process has stored into the rings, if they have all that was before."""
        merged = Merged(position.epoch, [entry], entry.seq, entry.seq, {})
        with self.lock:
            after = self._position
            if not self.rings or (position.epoch, entry.seq - 1) != after:
                return False
            if len(self._followers.get(entry.channel, ())) > FEW:
                return False
            self._names = self._names or frozenset(self.rings)
            sources = self._absorb_whole(self._names, after, merged)
        self._tell(merged, sources)
        return True

    def _tell(self, merged: Merged, sources: Iterable[Follower]) -> None:
        waiting = deque(sources)
        try:
            while waiting:
                wake(waiting[0])
                waiting.popleft()
        finally:
            for source in waiting:  # if whoever publishes was ended at that
                wake(source)
        self.lag.read(Position(merged.epoch, merged.until))

    def _absorb_whole(
        self, channels: frozenset[str], after: Position, merged: Merged
    ) -> Iterable[Follower]:
        try:
            return self._absorb(channels, after, merged)
        except BaseException:
            self._restart()  # or what is in there by now would come a second time
            raise

    def _absorb(
        self, channels: frozenset[str], after: Position, merged: Merged
    ) -> Iterable[Follower]:
        """Put what the tail has read into the rings; return the sources to be woken."""
        self._forget_portions()
        if merged.epoch != after.epoch or merged.newest < after.seq:
            rewound = merged.epoch == after.epoch
            return self._new_epoch(Position(merged.epoch, merged.newest), rewound=rewound)
        touched = self._restart_trimmed(merged)
        for entry in merged.entries:
            if entry.channel in self.rings:
                frame = frame_of(merged.epoch, entry)
                self.rings[entry.channel].add(entry.seq, frame)
                self._size += len(frame)
                touched.add(entry.channel)
        if channels is not self._names:
            for channel in self.rings.keys() - channels:
                # Followed since the log was read: what came before is the broker's to tell.
                self.rings[channel].restart(merged.until)
                touched.add(channel)
        self._position = Position(merged.epoch, merged.until)
        if self._size > ALL_RINGS_BYTES:
            self._make_room()
        return {s: None for c in touched for s in self._followers.get(c, ())}

    def _make_room(self) -> None:
        while (size := sum(ring.size for ring in self.rings.values())) > ALL_RINGS_BYTES:
            for ring in self.rings.values():
                ring.halve()
        self._size = size

    def _restart_trimmed(self, merged: Merged) -> set[str]:
        """Forget the rings of channels that have lost entries the tail had not read."""
        touched = self.rings.keys() & merged.trimmed.keys()
        for channel in touched:
            self.rings[channel].restart(merged.trimmed[channel])
        return set(touched)

    def _new_epoch(self, position: Position, *, rewound: bool) -> Iterable[Follower]:
        self._position = position
        self._restart()
        sources = self._every_source()
        for source in sources:
            source.new_epoch(position, rewound=rewound)
        return sources

    def _restart(self) -> None:
        for ring in self.rings.values():
            ring.restart(self._position.seq)

    def _every_source(self) -> dict[Follower, None]:
        return {s: None for followers in self._followers.values() for s in followers}
