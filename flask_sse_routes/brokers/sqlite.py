"""The broker of one machine: a SQLite file that several processes append to and follow.

Floor 1. WAL, so that readers and the writer do not wait for each other; the last row stays, so
that no seq is given out twice; no busy timeout, because SQLite would sleep in C and freeze a
gevent worker: a busy database is tried again after a cooperative sleep. Processes wake each
other by `bell`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from .. import concurrency
from ..errors import BrokerUnavailable
from . import sqlite_log
from .base import Batch, Listener, Merged, Position, RingingBroker
from .bell import Bell, BellListener
from .sqlite_log import File

T = TypeVar("T")
Sleep = Callable[[float], None]

# Seconds that an operation waits for the write lock before it gives up.
PATIENCE = 5.0
# Seconds between two tries, at first and at most.
FIRST_RETRY, LAST_RETRY = 0.0005, 0.005
# Seconds after which the file is looked for again, in case it was removed or replaced.
LOOK = 0.01
# Appends to a channel after which it is trimmed, and seconds after which everything is, or
# this part of the age that entries may reach.
TRIM_EVERY = 200
TRIM_SECONDS, TRIM_PART = 10.0, 0.25
# Bytes, as far as they can be told, after which the write-ahead log is moved into the file, and
# what an append costs beside its body: two pages.
CHECKPOINT_BYTES = 4 * 1024 * 1024
APPEND_BYTES = 2 * sqlite_log.PAGE_SIZE
# Result codes SQLITE_BUSY, SQLITE_LOCKED and SQLITE_PROTOCOL; Python 3.10 has the text alone.
BUSY_CODES = (5, 6, 15)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection holds a lock, so that trying again makes sense."""
    code = getattr(error, "sqlite_errorcode", None)
    return "lock" in str(error) if code is None else code & 0xFF in BUSY_CODES


def patiently(path: str, work: Callable[[], T], sleep: Sleep | None = None) -> T:
    """Do a piece of work, again and again while the database is busy."""
    sleep = sleep or time.sleep
    deadline, pause = time.monotonic() + PATIENCE, FIRST_RETRY
    while True:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            busy = isinstance(error, sqlite3.Error) and is_busy(error)
            if not busy or time.monotonic() > deadline:
                raise BrokerUnavailable(f"SQLite broker {path}: {error}") from error
        sleep(pause * random.uniform(0.5, 1))
        pause = min(pause * 2, LAST_RETRY)


class Store:
    """One process's connection to the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._place = Path(path)
        self.bell = Bell(f"{path}-bell")
        self._file: File | None = None
        self._looked = 0.0
        self._lock = concurrency.native_lock()
        _before_forks().add(self)

    def do(self, work: Callable[[File], T], sleep: Sleep | None = None) -> T:
        """Do a piece of work on the open file. Raises `BrokerUnavailable`."""

        def locked() -> T:
            with self._lock:
                try:
                    return work(self._current())
                except sqlite3.Error as error:
                    if not is_busy(error):
                        self._close_file()  # it may be another, or a sound one, by now
                    raise

        return patiently(self.path, locked, sleep)

    def _current(self) -> File:
        """Return the open file, unless it was removed or replaced: then open it anew."""
        if self._file is None or not self._in_place(self._file):
            self._close_file()
            self._file = sqlite_log.open_file(self.path)
        return self._file

    def _in_place(self, file: File) -> bool:
        now = time.monotonic()
        if now - self._looked < LOOK:
            return True
        self._looked = now
        try:
            return self._place.stat().st_ino == file.inode
        except FileNotFoundError:
            return False

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.database.close()

    def close(self) -> None:
        with self._lock:
            self._close_file()
        self.bell.close()

    def __del__(self) -> None:
        self._close_file()

    def pause(self) -> None:
        """Close the file, and keep everybody from opening it until `go_on`."""
        self._lock.acquire()
        self._close_file()

    def go_on(self) -> None:
        self._lock.release()


@functools.cache
def _before_forks() -> weakref.WeakSet[Store]:
    """Return the stores that are closed before a fork and opened again after it.

    SQLite remembers per process which locks a file has. A child that inherits this memory, but
    not the locks, can break the log (sqlite.org/howtocorrupt.html, section 2.6).
    """
    stores: weakref.WeakSet[Store] = weakref.WeakSet()
    paused: list[Store] = []

    def pause() -> None:
        paused.extend(stores)
        for store in paused:
            store.pause()

    def go_on() -> None:
        while paused:
            paused.pop().go_on()

    def forget() -> None:
        # The child makes stores of its own.
        paused.clear()
        stores.clear()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=pause, after_in_parent=go_on, after_in_child=forget)
    return stores


class Housekeeping:
    """Trims the log and moves the write-ahead log, in the background of what appends.

    It has a connection of its own and, under gevent, a real thread: both wait for the disk.
    """

    def __init__(self, path: str, history: int, age: float) -> None:
        self._store = Store(path)
        self._history = history
        self._age = age
        self._every = min(TRIM_SECONDS, age * TRIM_PART)
        self._due: dict[str, int] = {}
        # Bytes in the write-ahead log since it was moved last.
        self._written = 0
        self._last = time.monotonic()
        self._running = concurrency.native_lock()

    def note(self, channel: str, size: int) -> None:
        """Count an append of so many bytes."""
        # A process that lives for a few appends has its turn to trim now and then, too.
        count = self._due.get(channel)
        count = random.randint(1, TRIM_EVERY) if count is None else count + 1
        self._due[channel] = count
        self._written += size + APPEND_BYTES
        if count >= TRIM_EVERY or self._written >= CHECKPOINT_BYTES or self._late():
            self._begin()

    def note_failure(self) -> None:
        """Make room where there may be none: moved, the write-ahead log takes no more of it."""
        self._written = CHECKPOINT_BYTES
        self._begin()

    def note_read(self, channels: Iterable[str]) -> None:
        """Remember channels that others append to, perhaps without the time to trim."""
        for channel in channels:
            self._due.setdefault(channel, 0)
        if self._late():
            self._begin()

    def _late(self) -> bool:
        return time.monotonic() - self._last > self._every

    def _begin(self) -> None:
        if not self._running.acquire(blocking=False):
            return
        try:
            if concurrency.cooperative():
                concurrency.native_thread(self._run)
            else:
                concurrency.task(lambda: self._run(time.sleep), "sse-trim").start()
        except RuntimeError:  # no more threads, or the interpreter is about to end
            self._running.release()

    def _run(self, sleep: Sleep) -> None:
        late = self._late()
        names = [name for name, n in list(self._due.items()) if late or n >= TRIM_EVERY]
        for name in names:
            # From 0 on, where a process that has only begun would take its turn by chance.
            self._due[name] = 0
        try:
            # What cannot be done is tried again after a later append. On a full disk there may
            # be room to move the write-ahead log, and then for noting what is removed.
            with contextlib.suppress(BrokerUnavailable):
                self._move(late, sleep)
            with contextlib.suppress(BrokerUnavailable):
                self._tidy(names, late, sleep)
        finally:
            self._running.release()

    def _move(self, late: bool, sleep: Sleep) -> None:
        if late or self._written >= CHECKPOINT_BYTES:
            self._written = 0
            self._store.do(lambda file: sqlite_log.checkpoint(file.database), sleep)

    def _tidy(self, names: list[str], late: bool, sleep: Sleep) -> None:
        for name in names:
            self._repeat(sleep, sqlite_log.trim, name, self._history)
        if late:
            self._last = time.monotonic()
            self._due.clear()
            self._repeat(sleep, sqlite_log.expire, time.time() - self._age)
            self._store.do(lambda file: sqlite_log.forget(file.database), sleep)

    def _repeat(self, sleep: Sleep, step: Callable[..., bool], *args: Any) -> None:
        while self._store.do(lambda file: step(file.database, *args), sleep):
            sleep(0)

    def close(self) -> None:
        """Wait until what is under way has ended."""
        with self._running:
            self._store.close()


class SqliteBroker(RingingBroker):
    """A log in one SQLite file, which is made if it is not there.

    The epoch is stored in the file, so that it survives restarts and `kill -9`; see
    `sqlite_log.prepare` for when it changes.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, history: int = 1000, history_age: float = 3600.0
    ) -> None:
        self._path = str(Path(path).absolute())
        self._store: Callable[[], Store] = concurrency.once_per_process(lambda: Store(self._path))
        self._housekeeping: Callable[[], Housekeeping] = concurrency.once_per_process(
            lambda: Housekeeping(self._path, history, history_age)
        )

    def store(self, channel: str, body: bytes) -> Position:
        try:
            position = self._store().do(
                lambda file: Position(file.epoch, sqlite_log.append(file.database, channel, body))
            )
        except BrokerUnavailable:
            self._housekeeping().note_failure()
            raise
        self._housekeeping().note(channel, len(body))
        return position

    def ring(self, *, but: Listener | None = None) -> None:
        self._store().bell.ring(but=but.name if isinstance(but, BellListener) else None)

    def read(self, channel: str, after: int, limit: int) -> Batch:
        return self._store().do(lambda file: sqlite_log.read(file, channel, after, limit))

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        wanted = frozenset(channels)
        merged = self._store().do(lambda file: sqlite_log.poll(file, wanted, after, limit))
        self._housekeeping().note_read({entry.channel for entry in merged.entries})
        return merged

    def newest(self) -> Position:
        return self._store().do(lambda file: Position(file.epoch, sqlite_log.newest(file.database)))

    def listen(self) -> BellListener:
        return BellListener(self._store().bell.folder)

    def close(self) -> None:
        self._housekeeping().close()
        self._store().close()
