"""Fixtures: SQLite brokers on one file, an empty Redis server, and servers of a test's own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_sse_routes.brokers.sqlite import SqliteBroker

from .redis_server import RedisServer
from .sqlite_file import MakeSqlite

StartRedis = Callable[..., RedisServer]


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """A server without data, whatever the test before has done to it."""
    shared_redis.start()
    shared_redis.resume()
    shared_redis.command("FLUSHALL")
    return shared_redis


@pytest.fixture
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartRedis]:
    """Start servers with options of their own, each in a folder of its own."""
    started: list[RedisServer] = []

    def start(*options: str, folder: Path | None = None, saving: bool = False) -> RedisServer:
        folder = folder or tmp_path_factory.mktemp("redis")
        server = RedisServer(folder, *options, saving=saving)
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def make_sqlite(path: Path) -> Iterator[MakeSqlite]:
    """Make brokers on `path`, or on another; they are closed after the test."""
    with contextlib.ExitStack() as stack:

        def make(where: Path = path, **options: int) -> SqliteBroker:
            broker = SqliteBroker(where, **options)
            stack.callback(broker.close)
            return broker

        yield make
