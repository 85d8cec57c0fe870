"""Subscribers that come, go and resume at random, held against what was published."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from flask_sse_routes import concurrency, rings
from flask_sse_routes.testing import StreamTimeout

from .sites import Site

CHANNELS = "abcdef"
LAST = "last"
PUBLISHERS, SUBSCRIBERS, EVENTS = 3, 8, 400


@dataclass
class Subscriber:
    """One client: it follows some channels, and keeps what it was sent, over all connections."""

    site: Site
    chance: random.Random
    channels: list[str] = field(default_factory=list)
    begun: int | None = None
    seqs: list[int] = field(default_factory=list)
    names: set[str | None] = field(default_factory=set)
    failure: BaseException | None = None
    done: bool = False

    def run(self) -> None:
        try:
            self.channels = self.chance.sample(CHANNELS, self.chance.randrange(1, len(CHANNELS)))
            position = None
            while not self.done:
                position = self._visit(position)
                time.sleep(self.chance.random() * 0.01)
        except BaseException as error:
            self.failure = error

    def _visit(self, position: str | None) -> str | None:
        """Stay for some events; return the position to come back with."""
        how = self.chance.choice(["after", "query"])
        given = {} if position is None else {how: position}
        left = self.chance.choice([0, 1, 2, 5, 20, 100, 10_000])
        with self.site.open(*self.channels, **given) as stream:
            while left and not self.done:
                try:
                    event = stream.next(self.chance.choice([0.01, 0.2]))
                except StreamTimeout:
                    break
                left -= 1
                position = str(event.id)
                self._note(event.event, int(position.split("-")[1]), event.data)
        return position

    def _note(self, name: str | None, seq: int, data: str) -> None:
        self.names.add(name)
        if name == "ready":
            assert self.begun is None, "one that has a position is not told that it is ready"
            self.begun = seq
        else:
            self.seqs.append(seq)
            self.done = data == f'"{LAST} {self.channels[-1]}"'

    def expected(self, log: list[tuple[int, str]]) -> list[int]:
        """Return what it must have seen up to where it is now."""
        first, last = self.begun or 0, self.seqs[-1]
        return [seq for seq, c in log if c in self.channels and first < seq <= last]


@pytest.fixture(name="small_rings", params=[8, 4096], ids=["small-rings", "rings"])
def small_rings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", request.param)


@pytest.mark.usefixtures("small_rings")
@pytest.mark.parametrize("seed", [1, 2])
def test_everybody_sees_all_of_their_channels_once_and_in_order(
    make_site: Any, broker_url: str, seed: int
) -> None:
    site: Site = make_site(SSE_BROKER_URL=broker_url, SSE_HISTORY=100_000)
    chance = random.Random(seed)
    log: list[tuple[int, str]] = []
    lock = threading.Lock()

    def publish(channel: str, data: Any) -> None:
        seq = int(site.publish(channel, data).split("-")[1])
        with lock:
            log.append((seq, channel))

    def publisher() -> None:
        own = random.Random(chance.random())
        for n in range(EVENTS):
            publish(own.choice(CHANNELS), n)
            if own.random() < 0.1:
                time.sleep(own.random() * 0.02)

    subscribers = [Subscriber(site, random.Random(f"{seed} {n}")) for n in range(SUBSCRIBERS)]
    tasks = [_start(subscriber.run) for subscriber in subscribers]
    publishers = [_start(publisher) for _ in range(PUBLISHERS)]
    for ended in publishers:
        assert ended.wait(60)
    for channel in CHANNELS:
        publish(channel, f"{LAST} {channel}")
    for ended in tasks:
        assert ended.wait(60), "a subscriber waits for what does not come"
    log.sort()
    assert len({seq for seq, _ in log}) == len(log) == PUBLISHERS * EVENTS + len(CHANNELS)
    for subscriber in subscribers:
        if subscriber.failure is not None:
            raise subscriber.failure
        assert subscriber.seqs == subscriber.expected(log)
        assert "reset" not in subscriber.names
    assert sum(len(subscriber.seqs) for subscriber in subscribers) > EVENTS
    assert site.sse.stats().resets == 0


def _start(run: Any) -> threading.Event:
    ended = threading.Event()

    def task() -> None:
        try:
            run()
        finally:
            ended.set()

    concurrency.task(task, "test").start()
    return ended
