"""Several gunicorn workers on one broker: nothing lost, twice or foreign, whoever is killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from brokers.redis_server import RedisServer
from e2e.servers import Server
from e2e.waiting import wait_for

from flask_sse_routes import Event, broker_from_url

from . import servers
from .followers import published, seq_in, seq_of

HISTORY = 100_000
LAST = '"the last one"'
# Who follows channels of their own, and how many each has.
USERS, CHANNELS = ("ann", "bob"), 50
# Three workers are killed while it lasts.
RATE, SECONDS, BETWEEN = 200, 6, 1.8

# Publishes without an app, as a cron job does: its URL, its count and its channel are arguments.
OUTSIDER = """
import sys
from flask_sse_routes import broker_from_url
broker = broker_from_url(sys.argv[1], history=100_000)
for n in range(int(sys.argv[2])):
    broker.publish(sys.argv[3], n)
broker.close()
"""


@pytest.fixture(name="redis_url")
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = RedisServer(tmp_path)
    yield server.url
    server.kill()


def log_of(url: str, *channels: str) -> list[int]:
    """Return the seqs of everything on some channels."""
    broker = broker_from_url(url, history=HISTORY)
    try:
        return sorted(e.seq for c in channels for e in broker.read(c, 0, HISTORY).entries)
    finally:
        broker.close()


def check_complete(events: list[Event], log: list[int]) -> None:
    """All that came after the first position, once, in order."""
    assert events[0].event == "ready"
    first = seq_of(events[0])
    assert [seq_of(event) for event in published(events)] == [seq for seq in log if seq > first]
    assert {event.event for event in events} == {"ready", "message"}


@pytest.fixture(name="launch", params=servers.KINDS)
def launch(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Start servers with workers of each kind."""
    running: list[Server] = []

    def start(url: str, workers: int, **settings: Any) -> Server:
        settings = {"FLASK_SSE_HISTORY": HISTORY} | settings
        running.append(servers.start(tmp_path, url, workers, kind=request.param, **settings))
        return running[-1]

    yield start
    for server in running:
        server.kill()


def test_all_see_what_all_publish(launch: Any, follow: Any, tmp_path: Path) -> None:
    """Four workers on one file, 12 subscribers, 6,000 events from workers and a process."""
    url = f"sqlite:///{tmp_path}/events.db"
    server = launch(url, 4)
    everyone = set(servers.worker_pids(server))
    followers = [follow(server.port, ("a", "b"), LAST) for _ in range(12)]

    def are_ready() -> bool:
        return all(follower.events for follower in followers)

    def are_everywhere() -> bool:
        wait_for(are_ready, "everybody is ready", 20)
        if {pid for follower in followers for pid in follower.workers} == everyone:
            return True
        followers.append(follow(server.port, ("a", "b"), LAST))
        return False

    wait_for(are_everywhere, "every worker serves one", 30)
    with servers.connections_to_all(server) as workers:
        outsider = subprocess.Popen(
            [sys.executable, "-c", OUTSIDER, url, "1199", "b"], env=_paths()
        )
        threads = [
            threading.Thread(target=_publish_batches, args=(workers[pid], "ab"[n % 2]))
            for n, pid in enumerate(everyone)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert outsider.wait(60) == 0
    servers.publish(server, "a", LAST.strip('"'))
    for follower in followers:
        follower.join(60)
    log = log_of(url, "a", "b")
    assert len(log) == 6_000, "not all of the four have published all that they were to"
    assert set(servers.worker_pids(server)) == everyone
    for follower in followers:
        check_complete(follower.events, log)
        assert follower.connections == 1


def _publish_batches(worker: http.client.HTTPConnection, channel: str) -> None:
    """Have one worker publish its part of the 6,000."""
    for n in range(10):
        servers.publish_over(worker, channel, n, 120)


def _paths() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def test_workers_are_killed_under_load(launch: Any, follow: Any, redis_url: str) -> None:
    """Two users of fifty channels each, who come and go: each has all of theirs, and no other's."""
    url, chance = redis_url, random.Random(9)
    server = launch(url, 3)
    followers = [
        follow(server.port, some_of(USERS[n % 2], chance), LAST, patience=1.5, seed=n)
        for n in range(9)
    ]
    followers += [follow(server.port, channels_of(user), LAST) for user in USERS]
    wait_for(lambda: all(f.events for f in followers), "everybody is ready", 20)
    broker = broker_from_url(url, history=HISTORY)
    everything = [channel for user in USERS for channel in channels_of(user)]
    acknowledged = _load(server, broker, everything, SECONDS)
    for user in USERS:
        broker.publish(channels_of(user)[0], LAST.strip('"'))
    broker.close()
    for follower in followers:
        follower.join(30)
    assert set(acknowledged) <= set(log_of(url, *everything)), "an acknowledged event is gone"
    for follower in followers:
        told = {json.loads(event.data) for event in published(follower.events)}
        assert told <= {*follower.channels, LAST.strip('"')}, "an event of another channel"
        check_complete(follower.events, log_of(url, *follower.channels))
    assert sum(follower.connections for follower in followers) > 3 * len(followers)


def channels_of(user: str) -> tuple[str, ...]:
    return tuple(f"{user}-{number}" for number in range(CHANNELS))


def some_of(user: str, chance: random.Random) -> tuple[str, ...]:
    """Some channels of a user, with the one on which the last event comes."""
    first, *others = channels_of(user)
    return first, *chance.sample(others, chance.randint(CHANNELS // 4, CHANNELS - 1))


def _load(server: Server, broker: Any, channels: list[str], seconds: int) -> list[int]:
    """Publish each channel's name on it, from here and from workers; kill a worker now and then."""
    chance, seqs = random.Random(3), []
    begun, kill_at, count = time.monotonic(), 1.0, 0
    while (now := time.monotonic() - begun) < seconds:
        if now > kill_at:
            kill_at += BETWEEN
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(servers.worker_pids(server)), signal.SIGKILL)
        if count > now * RATE:
            time.sleep(0.002)
            continue
        count += 1
        channel = chance.choice(channels)
        if count % 20:
            seqs.append(seq_in(broker.publish(channel, channel)))
        else:  # the worker may be killed before it answers
            with contextlib.suppress(OSError, http.client.HTTPException):
                ids = servers.publish(server, channel, channel)
                seqs += map(seq_in, ids)
    assert count > 0.5 * RATE * seconds, "too slow to say anything"
    return seqs


def test_a_locked_file_does_not_stall_a_worker(launch: Any, follow: Any, tmp_path: Path) -> None:
    """Another process holds the write lock for 2 s while the only worker publishes."""
    url = f"sqlite:///{tmp_path}/events.db"
    server = launch(url, 1)
    servers.publish(server, "a", 1)
    follower = follow(server.port, ("a",), '"published"')
    wait_for(lambda: follower.events, "it is ready")
    pid = server.worker()
    threads_before = psutil.Process(pid).num_threads()
    publishing: list[float] = []
    lock = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    def publish() -> None:
        begun = time.monotonic()
        servers.publish(server, "a", "published")
        publishing.append(time.monotonic() - begun)

    writers = [threading.Thread(target=publish) for _ in range(3)]
    begun = time.monotonic()
    for writer in writers:
        writer.start()
    delays = []
    while time.monotonic() - begun < 2:
        asked = time.monotonic()
        assert server.json("/api/ping") == {"pid": pid}
        delays.append(time.monotonic() - asked)
    lock.execute("ROLLBACK")
    lock.close()
    for writer in writers:
        writer.join(10)
    follower.join(10)
    assert len(publishing) == 3
    assert min(publishing) > 1.5, "the lock did not hold it up"
    delays.sort()
    p50, p99 = (delays[len(delays) * share // 100] * 1e3 for share in (50, 99))
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(delays)}")  # noqa: T201  # shown by -s
    assert delays[-1] < 0.5
    assert psutil.Process(pid).num_threads() <= threads_before + 2
