"""A Redis that is restarted under load: all events or an announced gap, on streams that stay."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from brokers.redis_server import RedisServer
from e2e.servers import Server
from e2e.waiting import wait_for

from flask_sse_routes import BrokerUnavailable, Event, broker_from_url

from . import servers
from .followers import Follower, epoch_of, published, seq_in, seq_of

LONG = os.environ.get("SSE_TESTS_LONG") == "true"
RESTARTS = 10 if LONG else 3
CHANNELS = ("a", "b")
LAST = "the last one"
# Seconds in which publishing fails, as it is promised, and what a busy machine may add.
FAST, ALLOWANCE = 1.0, 0.1


class Publisher:
    """Publishes all the time, as fast as 100 a second, and keeps what it was told."""

    def __init__(self, url: str) -> None:
        self._broker = broker_from_url(url, history=100_000)
        self._stop = threading.Event()
        self.ids: list[str] = []
        self.failures: list[float] = []
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        chance = random.Random(4)
        try:
            while not self._stop.wait(0.01):
                self._publish(chance.choice(CHANNELS), len(self.ids))
        except BaseException as error:
            self.failure = error

    def _publish(self, channel: str, data: Any) -> None:
        begun = time.monotonic()
        try:
            self.ids.append(f"{channel} {self._broker.publish(channel, data)}")
        except BrokerUnavailable:
            self.failures.append(time.monotonic() - begun)

    def finish(self, everybody_left: Callable[[], bool]) -> None:
        """Publish only what tells everybody to go, until they do.

        One time may not be enough: a new epoch that a worker has yet to learn of begins, for
        its clients, where it learns of it.
        """
        self._stop.set()
        self._thread.join(10)
        if self.failure is not None:
            raise self.failure
        wait_for(lambda: self._say_goodbye() and everybody_left(), "everybody has all", 20)
        self._broker.close()

    def _say_goodbye(self) -> bool:
        time.sleep(0.05)
        self._publish("b", LAST)
        return True


@pytest.fixture(name="redis_server", params=["memory", "aof"])
def redis_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    aof = ("--appendonly", "yes", "--appendfsync", "always")
    server = RedisServer(tmp_path, *(aof if request.param == "aof" else ()))
    yield server
    server.kill()


@pytest.fixture(name="server", params=servers.KINDS)
def server(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path
) -> Iterator[Server]:
    settings = {"FLASK_SSE_HISTORY": 100_000}
    server = servers.start(tmp_path, redis_server.url, 2, kind=request.param, **settings)
    yield server
    server.kill()


def check(follower: Follower, ids: list[str]) -> None:
    """Within each epoch: all that was acknowledged from its first position on, in order.

    An epoch ends where `reset` says so. What was acknowledged after the last event of an epoch
    is what `reset` announces to be gone.
    """
    part: list[Event] = []
    for event in [*follower.events, None]:
        if event is None or (part and event.event == "reset"):
            _check_part(part, follower.channels, ids)
            part = []
        if event is not None:
            part.append(event)


def _check_part(part: list[Event], channels: tuple[str, ...], ids: list[str]) -> None:
    assert part[0].event in ("ready", "reset")
    assert len({epoch_of(event) for event in part}) == 1, "a new epoch was not announced"
    seqs = [seq_of(event) for event in published(part)]
    assert seqs == sorted(set(seqs))
    first, last, epoch = seq_of(part[0]), seq_of(part[-1]), epoch_of(part[0])
    followed = [id_.split(" ")[1] for id_ in ids if id_.split(" ")[0] in channels]
    acknowledged = {seq_in(id_) for id_ in followed if id_.startswith(f"{epoch}-")}
    missing = {seq for seq in acknowledged if first < seq <= last} - set(seqs)
    assert not missing, f"{missing} are not there, and nothing said so"


def resets(follower: Follower) -> int:
    return [event.event for event in follower.events].count("reset")


def test_restarts_under_load(redis_server: RedisServer, server: Server, follow: Any) -> None:
    steady = [follow(server.port, channels, f'"{LAST}"') for channels in (("b",), CHANNELS)]
    restless = [
        follow(server.port, CHANNELS[n % 2 :], f'"{LAST}"', patience=1, seed=n) for n in range(6)
    ]
    wait_for(lambda: all(f.events for f in steady + restless), "everybody is ready", 20)
    publisher = Publisher(redis_server.url)
    ends = islice(cycle([redis_server.stop, redis_server.kill]), RESTARTS)
    for count, end in enumerate(ends, 1):
        known = len(publisher.ids)
        wait_for(lambda known=known: len(publisher.ids) > known + 30, "publishing goes on")
        end()
        failed, beats = len(publisher.failures), [f.heartbeats for f in steady]
        wait_for(lambda n=failed: len(publisher.failures) > n, "publishing fails", 2)
        wait_for(
            lambda beats=beats: all(
                f.heartbeats > n + 1 for f, n in zip(steady, beats, strict=True)
            ),
            "streams stay open and have their heartbeats",
        )
        redis_server.start()
        back = len(publisher.ids)
        wait_for(lambda back=back: len(publisher.ids) > back, "publishing works again", 3)
        wait_for(lambda n=count: all(resets(f) == n for f in steady), "streams go on", 4)
    publisher.finish(lambda: all(f.done for f in steady + restless))
    for follower in steady + restless:
        follower.join(1)
        check(follower, publisher.ids)
    assert max(publisher.failures) < FAST + ALLOWANCE
    for follower in steady:
        assert follower.connections == 1, "its stream was cut"
        assert resets(follower) == RESTARTS
    assert sum(follower.refusals for follower in restless), "none came while it was away"
