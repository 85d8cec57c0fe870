"""The contract, on every broker that the package has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.brokers.redis import RedisBroker
from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.contract import (
    BrokerContract,
    MakeBroker,
    SharedBrokerContract,
    closing_brokers,
)

from .redis_server import RedisServer


class TestMemory(BrokerContract):
    @pytest.fixture
    def make_broker(self) -> Iterator[MakeBroker]:
        with closing_brokers(MemoryBroker) as make:
            yield make


class TestSqlite(SharedBrokerContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "folder"
        folder.mkdir()
        return folder

    @pytest.fixture
    def make_broker(self, folder: Path) -> Iterator[MakeBroker]:
        with closing_brokers(lambda **options: SqliteBroker(folder / "log", **options)) as make:
            yield make

    @pytest.fixture
    def vanish(self, folder: Path) -> Callable[[], None]:
        def vanish() -> None:
            folder.rename(folder.with_name("elsewhere"))

        return vanish


class TestRedis(SharedBrokerContract):
    fails_within = 1.0

    @pytest.fixture
    def make_broker(self, redis_server: RedisServer) -> Iterator[MakeBroker]:
        with closing_brokers(lambda **options: RedisBroker(redis_server.url, **options)) as make:
            yield make

    @pytest.fixture
    def vanish(self, redis_server: RedisServer) -> Callable[[], None]:
        return redis_server.kill
