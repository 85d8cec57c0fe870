"""Brokers over a fork: neither side breaks the other's connection, lock or log."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from flask_sse_routes.brokers.base import Position
from flask_sse_routes.brokers.bell import Bell, BellListener
from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.brokers.redis import RedisBroker

from .redis_server import RedisServer
from .sqlite_file import MakeSqlite, assert_intact, hold, rows
from .waiting import end, in_child, start_python

LAST_OF_ALL = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute("SELECT count(*) FROM entries").fetchone()[0])
database.close()
"""


class TestSqlite:
    def test_parent_and_child_append(self, path: Path, make_sqlite: MakeSqlite) -> None:
        broker = make_sqlite()
        position = broker.append("a", b"parent")

        def work() -> None:
            assert broker.newest() == position
            assert broker.append("a", b"child") == Position(position.epoch, position.seq + 1)
            listener = broker.listen()
            broker.append("a", b"child")
            listener.wait(10)
            listener.close()
            broker.close()

        for n in range(3):
            position = broker.append("a", b"parent")
            in_child(work)
            assert broker.newest() == Position(position.epoch, position.seq + 2), n
        assert_intact(path)

    def test_a_fork_in_the_middle_of_an_append(self, path: Path, make_sqlite: MakeSqlite) -> None:
        broker = make_sqlite()
        stop = threading.Event()
        appended: list[Position] = []

        def append() -> None:
            while not stop.is_set():
                appended.append(broker.append("parent", b"x"))
                time.sleep(0)

        appending = threading.Thread(target=append)
        appending.start()
        try:
            for _ in range(10):
                in_child(lambda: broker.append("child", b"x"))
        finally:
            stop.set()
            appending.join(15)
        assert len(broker.read("child", 0, 100).entries) == 10
        assert appended == sorted(set(appended))
        assert_intact(path)

    def test_a_child_has_its_own_locks(self, path: Path, make_sqlite: MakeSqlite) -> None:
        """A child that trusted its parent's would let the log be taken from under it."""
        broker = make_sqlite()
        broker.append("a", b"parent")
        ready, go_on = os.pipe(), os.pipe()

        def work() -> None:
            broker.append("a", b"child")
            os.write(ready[1], b"!")
            os.read(go_on[0], 1)
            broker.append("a", b"child again")

        def meanwhile() -> None:
            os.read(ready[0], 1)
            broker.close()
            # Who comes last and goes first would clean up, if the child did not hold its locks.
            end(hold(path, "SELECT * FROM entries"))
            other = start_python(LAST_OF_ALL, path)
            assert other.communicate(timeout=60)[0] == "2\n"
            assert path.with_name("log-wal").exists()
            os.write(go_on[1], b"!")

        helping = threading.Thread(target=meanwhile)
        helping.start()
        try:
            in_child(work)
        finally:
            os.write(go_on[1], b"!")
            helping.join()
            for descriptor in (*ready, *go_on):
                os.close(descriptor)
        assert [body for (body,) in rows(path, "SELECT body FROM entries ORDER BY seq")] == [
            b"parent",
            b"child",
            b"child again",
        ]
        assert_intact(path)


def test_a_child_does_not_close_its_parents_bell(tmp_path: Path) -> None:
    listeners = [BellListener(str(tmp_path))]
    listeners[0].wait(0)
    in_child(lambda: listeners.pop().close())
    bell = Bell(str(tmp_path))
    bell.ring()
    began = time.monotonic()
    listeners[0].wait(15)
    assert time.monotonic() - began < 10
    bell.close()
    listeners[0].close()


def test_redis(redis_server: RedisServer) -> None:
    broker = RedisBroker(redis_server.url)
    before = broker.append("a", b"parent")

    def work() -> None:
        for _ in range(10):
            assert broker.append("a", b"child").epoch == before.epoch
        broker.close()

    in_child(work)
    assert broker.append("a", b"parent") == Position(before.epoch, before.seq + 11)
    bodies = [entry.body for entry in broker.read("a", 0, 100).entries]
    assert bodies == [b"parent", *[b"child"] * 10, b"parent"]
    broker.close()


def test_memory() -> None:
    """A worker that is forked again must not repeat the numbers of the one before it."""
    broker = MemoryBroker()
    before = broker.append("a", b"parent")

    def work() -> None:
        assert broker.newest().seq == 0
        assert broker.append("a", b"child").epoch != before.epoch

    in_child(work)
    assert broker.newest() == before
