"""Every broker against a plain list: appends, reads, trims, restarts and new epochs at random."""

from __future__ import annotations

import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from brokers.redis_server import RedisServer
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flask_sse_routes import concurrency
from flask_sse_routes.brokers import base, sqlite
from flask_sse_routes.brokers.base import Broker, Entry, Merged
from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.brokers.redis import RedisBroker
from flask_sse_routes.brokers.sqlite import SqliteBroker

from .effort import play

CHANNELS = ["a", "b", "\u8c46"]
HISTORY = 4
names = itertools.count()

bodies = st.one_of(st.binary(max_size=12), st.sampled_from([b"", b"\n", b"\0\xff\r\n", b"x" * 40]))
channels = st.sampled_from(CHANNELS)
limits = st.integers(1, 7)
places = st.integers(0, 30)


class Log(RuleBasedStateMachine):
    """One log, asked through two brokers as two processes would."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(base, "PAGE_BYTES", 60)
        self.prepare()
        self.brokers = [self.make(), self.make()]
        self.entries: list[Entry] = []
        self.epoch = self.brokers[0].newest().epoch
        self.past: set[str] = set()
        self.trimmed: dict[str, int] = {}

    def prepare(self) -> None:
        raise NotImplementedError

    def make(self) -> Broker:
        raise NotImplementedError

    def wipe(self) -> None:
        """Lose the log, as an accident would."""
        raise NotImplementedError

    def finish_work(self) -> None:
        """End what is done in the background."""

    @rule(n=st.integers(0, 1), channel=channels, body=bodies)
    def append(self, n: int, channel: str, body: bytes) -> None:
        position = self.brokers[n].append(channel, body)
        assert position.epoch == self.epoch
        assert not self.entries or position.seq > self.entries[-1].seq
        self.entries.append(Entry(position.seq, channel, body))

    @rule(n=st.integers(0, 1), count=st.integers(2, 9), channel=channels)
    def append_many(self, n: int, count: int, channel: str) -> None:
        for each in range(count):
            self.append(n, channel, b"%d" % each)

    @rule(n=st.integers(0, 1), channel=channels, back=places, limit=limits)
    def read(self, n: int, channel: str, back: int, limit: int) -> None:
        after = max(self._newest() - back, 0)
        batch = self.brokers[n].read(channel, after, limit)
        assert (batch.epoch, batch.newest) == (self.epoch, self._newest())
        self._note_trimmed(channel, batch.trimmed)
        first = max(after, batch.trimmed)
        assert batch.entries == self._after([channel], first)[:limit]

    @rule(
        n=st.integers(0, 1),
        followed=st.lists(channels, min_size=1, max_size=3, unique=True),
        back=places,
        limit=limits,
    )
    def poll(self, n: int, followed: list[str], back: int, limit: int) -> None:
        after = max(self._newest() - back, 0)
        self._check(self.brokers[n].poll(followed, after, limit), followed, after)

    def _check(self, merged: Merged, followed: list[str], after: int) -> None:
        assert (merged.epoch, merged.newest) == (self.epoch, self._newest())
        for channel, seq in merged.trimmed.items():
            assert channel in followed
            assert seq > after
            self._note_trimmed(channel, seq)
        wanted = [
            entry
            for entry in self._after(followed, after)
            if merged.trimmed.get(entry.channel, 0) < entry.seq <= merged.until
        ]
        assert merged.entries == wanted
        assert merged.until <= merged.newest
        assert merged.until > after or after >= merged.newest or not self._after(followed, after)

    @rule(n=st.integers(0, 1), followed=st.sets(channels, min_size=1), limit=limits)
    def walk(self, n: int, followed: set[str], limit: int) -> None:
        """Page by page from the beginning: everything that was not trimmed, once."""
        after, found, gone = 0, [], dict.fromkeys(followed, 0)
        for _ in range(len(self.entries) + 2):
            merged = self.brokers[n].poll(followed, after, limit)
            self._check(merged, list(followed), after)
            found += merged.entries
            gone.update(merged.trimmed)
            if merged.until >= merged.newest:
                break
            assert merged.until > after, "it stands still"
            after = merged.until
        else:
            raise AssertionError("it comes to no end")
        kept = self._after(list(followed), 0)
        assert found == [entry for entry in kept if entry.seq > gone[entry.channel]]

    @rule(n=st.integers(0, 1))
    def start_again(self, n: int) -> None:
        """A process ends, and another one begins."""
        self.finish_work()
        self.brokers[n].close()
        self.brokers[n].close()
        self.brokers[n] = self.make()

    @rule()
    def lose(self) -> None:
        self.finish_work()
        self.wipe()
        epochs = {broker.newest().epoch for broker in self.brokers}
        assert len(epochs) == 1
        self.past.add(self.epoch)
        self.epoch = epochs.pop()
        assert self.epoch not in self.past
        self.entries.clear()
        self.trimmed.clear()

    def _newest(self) -> int:
        return self.entries[-1].seq if self.entries else 0

    def _after(self, followed: list[str], seq: int) -> list[Entry]:
        return [e for e in self.entries if e.channel in followed and e.seq > seq]

    def _note_trimmed(self, channel: str, seq: int) -> None:
        """A channel keeps its history, and what is trimmed stays so."""
        own = self._after([channel], 0)
        assert seq == 0 or seq in [entry.seq for entry in own], "nothing was ever there"
        assert seq >= self.trimmed.get(channel, 0)
        assert len([e for e in own if e.seq > seq]) >= min(HISTORY, len(own))
        self.trimmed[channel] = seq

    @invariant()
    def all_know_the_newest(self) -> None:
        for broker in self.brokers:
            assert broker.newest() == (self.epoch, self._newest())

    def teardown(self) -> None:
        self.finish_work()
        for broker in self.brokers:
            broker.close()
        self.patch.undo()


class MemoryLog(Log):
    """One process: both names are the same broker, and a restart is a new log."""

    def prepare(self) -> None:
        self.broker = MemoryBroker(history=HISTORY)

    def make(self) -> Broker:
        return self.broker

    def wipe(self) -> None:
        self.broker = MemoryBroker(history=HISTORY)
        self.brokers = [self.broker, self.broker]


class SqliteLog(Log):
    """A file."""

    def prepare(self) -> None:
        self.patch.setattr(sqlite, "TRIM_EVERY", 3)
        self.patch.setattr(sqlite, "LOOK", 0.0)
        self.work: deque[Callable[[], None]] = deque()
        self.patch.setattr(concurrency, "task", self._task)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "log"

    def make(self) -> Broker:
        return SqliteBroker(self.path, history=HISTORY)

    def _task(self, run: Callable[[], None], name: str) -> Any:
        assert name == "sse-trim"
        return SimpleNamespace(start=lambda: self.work.append(run))

    @rule()
    def trim(self) -> None:
        if self.work:
            self.work.popleft()()

    def finish_work(self) -> None:
        while self.work:
            self.trim()

    def wipe(self) -> None:
        """Somebody removes the file from under those who have it open."""
        for path in self.path.parent.glob("log*"):
            if not path.is_dir() and "bell" not in path.name:
                path.unlink(missing_ok=True)

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class RedisLog(Log):
    """A server of its own; what is lost are all of its keys."""

    server: RedisServer

    def prepare(self) -> None:
        self.prefix = f"log-{next(names)}"

    def make(self) -> Broker:
        return RedisBroker(self.server.url, history=HISTORY, prefix=self.prefix)

    def wipe(self) -> None:
        self.server.command("FLUSHALL")


@pytest.fixture(name="server", scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    # Its streams are trimmed node by node: with few entries in each that shows.
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--stream-node-max-entries", "2")
    yield server
    server.kill()


def test_memory() -> None:
    play(MemoryLog, 60, 30)


def test_sqlite() -> None:
    play(SqliteLog, 20, 30)


def test_redis(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RedisLog, "server", server, raising=False)
    play(RedisLog, 20, 30)
