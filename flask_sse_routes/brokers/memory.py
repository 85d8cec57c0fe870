"""The broker of one process: everything is gone when it ends.

Floor 1. For tests, `flask run` and deployments of a single worker. A fork begins an empty
log with an epoch of its own, or a worker that was started again would repeat numbers.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from .. import concurrency
from .base import MAX_CHANNELS, Batch, Entry, Listener, Merged, Position, RingingBroker

# The last appends, of which it is known where they went: who follows looks there alone.
RECENT = 4096
# Appends after which channels that nobody appends to any more are looked through for old entries.
SWEEP_EVERY = 1000


class MemoryListener:
    """Waits for the next append in this process."""

    def __init__(self, listeners: set[MemoryListener]) -> None:
        self._listeners = listeners
        self._signal = threading.Event()
        listeners.add(self)

    def wake(self) -> None:
        if not self._signal.is_set():
            self._signal.set()

    def wait(self, seconds: float) -> None:
        self._signal.wait(seconds)
        self._signal.clear()

    def close(self) -> None:
        self._listeners.discard(self)
        self.wake()


class Channel:
    """The entries of one channel that are kept, each with the time of its append."""

    __slots__ = ("entries", "trimmed")

    def __init__(self, trimmed: int) -> None:
        self.entries: deque[tuple[float, Entry]] = deque()
        self.trimmed = trimmed

    def trim(self, history: int, oldest: float) -> None:
        while self.entries and (len(self.entries) > history or self.entries[0][0] < oldest):
            self.trimmed = self.entries.popleft()[1].seq

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Return entries after a seq; looks from the end, where readers mostly are."""
        kept = (entry for _, entry in reversed(self.entries))
        newer = list(itertools.takewhile(lambda entry: entry.seq > seq, kept))
        newer.reverse()
        return newer[:limit]


class Log:
    """The channels of one process."""

    def __init__(self, history: int, age: float) -> None:
        self.epoch = secrets.token_hex(4)
        self.listeners: set[MemoryListener] = set()
        self.newest = 0
        self._history = history
        self._age = age
        self._channels: dict[str, Channel] = {}
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._emptied: dict[str, int] = {}
        self._forgotten = 0
        self._sweep_at = SWEEP_EVERY
        self._lock = concurrency.native_lock()

    def append(self, name: str, body: bytes) -> int:
        now = time.monotonic()
        with self._lock:
            self.newest = seq = self.newest + 1
            channel = self._channels.get(name)
            if channel is None:
                trimmed = self._emptied.pop(name, self._forgotten)
                channel = self._channels[name] = Channel(trimmed)
            channel.entries.append((now, Entry(seq, name, body)))
            channel.trim(self._history, now - self._age)
            self._recent.append(name)
            if seq >= self._sweep_at:
                self._sweep(now)
        return seq

    def appended_to(self, after: int) -> tuple[int, set[str] | None]:
        """Return the newest seq, and the channels that got entries since: `None` if unknown."""
        with self._lock:
            count = self.newest - after
            if not 0 <= count <= len(self._recent):
                return self.newest, None
            return self.newest, set(itertools.islice(reversed(self._recent), count))

    def read(self, name: str, after: int, limit: int) -> Batch:
        with self._lock:
            channel = self._channels.get(name)
            if channel is None:
                trimmed = self._emptied.get(name, self._forgotten)
                return Batch(self.epoch, [], trimmed, self.newest)
            channel.trim(self._history, time.monotonic() - self._age)
            entries = channel.after(after, limit)
            return Batch(self.epoch, entries, channel.trimmed, self.newest)

    def _sweep(self, now: float) -> None:
        """Trim every channel, and keep of an emptied one only what a reader has to know."""
        for name, channel in list(self._channels.items()):
            channel.trim(self._history, now - self._age)
            if not channel.entries:
                self._emptied[name] = channel.trimmed
                del self._channels[name]
        while len(self._emptied) > MAX_CHANNELS:
            oldest = next(iter(self._emptied))
            self._forgotten = max(self._forgotten, self._emptied.pop(oldest))
        self._sweep_at = self.newest + max(SWEEP_EVERY, len(self._channels))


class MemoryBroker(RingingBroker):
    """A deque per channel. A restart is a new epoch."""

    shared = False

    def __init__(self, *, history: int = 1000, history_age: float = 3600.0) -> None:
        self._log: Callable[[], Log] = concurrency.once_per_process(
            lambda: Log(history, history_age)
        )

    def store(self, channel: str, body: bytes) -> Position:
        log = self._log()
        return Position(log.epoch, log.append(channel, body))

    def ring(self, *, but: Listener | None = None) -> None:
        for listener in tuple(self._log().listeners):
            if listener is not but:
                listener.wake()

    def read(self, channel: str, after: int, limit: int) -> Batch:
        return self._log().read(channel, after, limit)

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        log = self._log()
        newest, touched = log.appended_to(after)
        if touched is None:
            return super().poll(channels, after, limit)
        wanted = touched.intersection(channels)
        if not wanted:
            return Merged(log.epoch, [], newest, newest, {})
        merged = super().poll(wanted, after, limit)
        if merged.newest == newest:
            return merged
        # What was appended since may be on a channel that was not looked at.
        entries = [entry for entry in merged.entries if entry.seq <= newest]
        return merged._replace(entries=entries, until=min(merged.until, newest), newest=newest)

    def newest(self) -> Position:
        log = self._log()
        return Position(log.epoch, log.newest)

    def listen(self) -> MemoryListener:
        return MemoryListener(self._log().listeners)

    def close(self) -> None:
        for listener in tuple(self._log().listeners):
            listener.close()
