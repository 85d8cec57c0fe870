"""What only a process that gevent has patched can show; `test_gevent` runs it in one."""

from __future__ import annotations

import time
from pathlib import Path

import gevent

from flask_sse_routes.brokers.base import Broker, Position
from flask_sse_routes.brokers.redis import RedisBroker
from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.concurrency import cooperative
from flask_sse_routes.errors import StreamClosed

from .redis_server import RedisServer
from .waiting import LIMIT


def test_the_process_is_patched() -> None:
    assert cooperative()


def test_who_is_interrupted_takes_nobody_along(redis_server: RedisServer) -> None:
    broker = RedisBroker(redis_server.url)
    epoch = broker.newest().epoch
    redis_server.pause()
    tasks = [gevent.spawn(broker.append, "a", b"%d" % n) for n in range(10)]
    gevent.sleep(0.05)
    # The first one's call is under way, with the others' behind it.
    for task in tasks[::2]:
        task.kill(StreamClosed("disconnected"))
    redis_server.resume()
    gevent.joinall(tasks, timeout=LIMIT, raise_error=False)
    assert all(isinstance(task.value, Position) for task in tasks[1::2])
    assert all(isinstance(task.exception, StreamClosed) for task in tasks[::2])
    assert broker.newest().epoch == epoch
    broker.close()


def test_one_connection_carries_a_thousand_greenlets(redis_server: RedisServer) -> None:
    broker = RedisBroker(redis_server.url)
    tasks = [gevent.spawn(broker.append, "a", b"x") for _ in range(1000)]
    gevent.joinall(tasks, timeout=LIMIT, raise_error=True)
    assert sorted(task.value.seq for task in tasks) == list(range(1, 1001))
    assert redis_server.command("INFO", "clients")["connected_clients"] == 2
    broker.close()


def longest_pause(work: gevent.Greenlet) -> float:
    """Return how long other greenlets had to wait at most, while one works (seconds)."""
    longest, looked = 0.0, time.monotonic()
    while not work.ready():
        gevent.sleep(0.001)
        now = time.monotonic()
        longest, looked = max(longest, now - looked), now
    work.get()
    return longest


def append_much(broker: Broker, count: int) -> None:
    for _ in range(count):
        broker.append("a", bytes(200))
        gevent.sleep(0)


def test_trimming_and_the_disk_hold_up_nobody(tmp_path: Path) -> None:
    broker = SqliteBroker(tmp_path / "log", history=100)
    # Several rounds of trimming, and of moving the write-ahead log.
    assert longest_pause(gevent.spawn(append_much, broker, 10_000)) < 0.2
    # The rounds are in the background, which a busy machine lets come late.
    deadline = time.monotonic() + 10
    while len(broker.read("a", 0, 1000).entries) == 1000:
        assert time.monotonic() < deadline, "too little is trimmed"
        append_much(broker, 200)
    broker.close()


def test_a_hanging_redis_holds_up_nobody(redis_server: RedisServer) -> None:
    broker = RedisBroker(redis_server.url)
    broker.newest()
    listener = broker.listen()
    listener.wait(LIMIT)
    redis_server.pause()

    def fail() -> None:
        for _ in range(2):
            try:
                broker.append("a", b"x")
            except Exception:
                listener.wait(0.1)
            else:
                raise AssertionError("It answered.")

    try:
        assert longest_pause(gevent.spawn(fail)) < 0.2
    finally:
        redis_server.resume()
    listener.close()
    broker.close()
