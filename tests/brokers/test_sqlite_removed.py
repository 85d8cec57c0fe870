"""The file of the SQLite broker is removed, or spoiled, while processes work with it."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

from flask_sse_routes.errors import BrokerUnavailable

from .sqlite_file import MakeSqlite, assert_intact
from .waiting import end, start_python, wait_for

# Appends for ever, through whatever happens, and says what it has appended.
APPEND = """
import sys, time
from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.errors import BrokerUnavailable
broker, log = SqliteBroker(sys.argv[1]), open(sys.argv[2], "w")
while True:
    try:
        print(broker.append("a", b"x"), file=log, flush=True)
    except BrokerUnavailable:
        time.sleep(0.01)
"""
REMOVALS = 12


def test_without_its_database_alone_nobody_crashes(path: Path, make_sqlite: MakeSqlite) -> None:
    """What belongs to the old database lies there still, and others have it open."""
    logs = [path.with_name(f"log-{n}") for n in range(3)]
    writers = [start_python(APPEND, path, log) for log in logs]
    broker = make_sqlite()
    try:
        for _ in range(REMOVALS):
            epoch = broker.newest().epoch
            path.unlink(missing_ok=True)
            wait_for(lambda epoch=epoch: broker.newest().epoch != epoch, "the log is made anew")
            size = sum(log.stat().st_size for log in logs if log.exists())
            wait_for(
                lambda size=size: sum(g.stat().st_size for g in logs if g.exists()) > size + 5000,
                "they go on",
            )
        assert [writer.poll() for writer in writers] == [None] * len(writers)
    finally:
        for writer in writers:
            end(writer)
    ids = [line for log in logs for line in log.read_text().splitlines()[:-1]]
    assert len(ids) > 100
    assert [i for i, n in collections.Counter(ids).items() if n > 1] == []
    assert_intact(path)


def test_a_spoiled_file_is_looked_at_again(path: Path, make_sqlite: MakeSqlite) -> None:
    broker = make_sqlite()
    before = broker.append("a", b"x")
    broker.close()
    sound = path.read_bytes()
    broker.newest()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with path.open("r+b") as file:
        file.write(b"no database" * 400)
    broker.close()
    with pytest.raises(BrokerUnavailable):
        broker.newest()
    with path.open("r+b") as file:
        file.write(sound)
        file.truncate()
    assert broker.newest() == before
