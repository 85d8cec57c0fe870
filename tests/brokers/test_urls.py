"""Which broker a URL names, and what a wrong one is told."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flask_sse_routes.brokers import broker_from_url
from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.brokers.redis import RedisBroker
from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.errors import BrokerUnavailable, ConfigError

from .waiting import ROOT


def test_memory() -> None:
    assert isinstance(broker_from_url("memory://"), MemoryBroker)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///log.db", "log.db"),
        ("sqlite:///sub/log", "sub/log"),
        ("sqlite:///a b%20c", "a b%20c"),
        ("sqlite:////{folder}/absolute", "absolute"),
        ("SQLite:///log.db", "log.db"),
    ],
)
def test_sqlite(url: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    broker = broker_from_url(url.format(folder=str(tmp_path).removeprefix("/")))
    # A relative path is one from where the process was then, not from where it is now.
    monkeypatch.chdir("/")
    assert isinstance(broker, SqliteBroker)
    broker.append("a", b"x")
    assert (tmp_path / file).is_file()
    broker.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6380/3",
        "redis://user:p%40ss@localhost/0",
        "rediss://:secret@example.org:6380/1?ssl_cert_reqs=none",
        "redis://[::1]:6379/",
        "unix:///run/redis.sock?db=2",
        "unix://user:pw@/run/redis.sock",
        "valkey://localhost",
        "valkeys://localhost:6379/0",
        "redis://localhost?max_connections=3",
        "unix://:pw@/run/redis.sock?db=1",
        "unix:///s",
    ],
)
def test_redis(url: str) -> None:
    broker = broker_from_url(url)
    assert isinstance(broker, RedisBroker)
    broker.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory:",
        "memory://somewhere",
        "sqlite:log.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://log.db",
        "sqlite://host/log.db",
        "sqlite:///folder/",
        "sqlite:///log.db?mode=ro",
        "sqlite:///lo\0g",
        "sqlite:///:memory:",
        "redis:",
        "redis://",
        "redis:///0",
        "redis://localhost/zero",
        "redis://localhost:port",
        "redis://localhost:99999",
        "redis://localhost/1/2",
        "redis://localhost?no_such_option=1",
        "unix:",
        "unix://",
        "unix:///",
        "unix://?db=2",
        "unix:///?db=2",
        "unix:///#fragment",
        "unix://user:pw@",
        "unix://user:pw@/",
        "unix://run.redis.sock",
        "http://localhost",
        "postgresql://localhost/db",
        "/var/lib/log.db",
    ],
)
def test_what_is_wrong_says_what_is_right(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        broker_from_url(url)
    assert "://" in str(raised.value) or "Redis" in str(raised.value)


def test_a_wrong_url_is_not_repeated_where_it_may_hold_a_password() -> None:
    for url in (
        "redis//:hunter2@localhost",
        "redi://:hunter2@localhost",
        "redis://:hunter2@localhost/zero",
        "redis://:hunter2@localhost:port",
        ":hunter2@localhost",
    ):
        with pytest.raises(ConfigError) as raised:
            broker_from_url(url)
        assert "hunter2" not in str(raised.value)


def test_the_history_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("memory://", f"sqlite:///{tmp_path}/log"):
        broker = broker_from_url(url, history=3, history_age=60)
        for _ in range(1000):
            broker.append("a", b"x")
        assert 3 <= len(broker.read("a", 0, 1000).entries) < 1000
        broker.close()


NOTHING_IS_KEPT = [
    {"history": 0},
    {"history": -1},
    {"history": math.nan},
    {"history_age": 0},
    {"history_age": -0.5},
    {"history_age": math.nan},
    {"history": 0, "history_age": 0.4},
]


@pytest.mark.parametrize("kept", NOTHING_IS_KEPT, ids=str)
@pytest.mark.parametrize("url", ["memory://", "sqlite:///log.db", "redis://localhost", "unix:///s"])
def test_a_log_that_keeps_nothing_is_refused(
    url: str, kept: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would forget the number that it gave last, and give it again."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"history=1 or more .* history_age="):
        broker_from_url(url, **kept)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["memory://", "sqlite:///log.db"])
def test_a_log_may_keep_as_little_as_one_entry_for_a_moment(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    broker = broker_from_url(url, history=1, history_age=0.001)
    seqs = [broker.append("a", b"x").seq for _ in range(300)]
    assert seqs == list(range(seqs[0], seqs[0] + 300))
    broker.close()


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    """Which only the disk can tell, at the first use."""
    broker = broker_from_url(f"sqlite:///{tmp_path}")
    with pytest.raises(BrokerUnavailable):
        broker.append("a", b"x")
    broker.close()


def run(program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_driver_is_imported_only_when_it_is_needed() -> None:
    program = """
import sys, threading
from flask_sse_routes.brokers import broker_from_url
print(sorted({"redis", "sqlite3"} & sys.modules.keys()))
broker_from_url("memory://")
print(sorted({"redis", "sqlite3"} & sys.modules.keys()))
broker_from_url("sqlite:////nowhere/log")
print(sorted({"redis", "sqlite3"} & sys.modules.keys()))
broker_from_url("redis://localhost")
print(sorted({"redis", "sqlite3"} & sys.modules.keys()), threading.active_count())
"""
    assert run(program).splitlines() == [
        "[]",
        "[]",
        "['sqlite3']",
        "['redis', 'sqlite3'] 1",
    ]


def test_without_the_package_redis_its_extra_is_named() -> None:
    program = """
import sys
sys.modules["redis"] = None
from flask_sse_routes.brokers import broker_from_url
from flask_sse_routes.errors import ConfigError
try:
    broker_from_url("redis://localhost")
except ConfigError as error:
    print(error)
"""
    assert "flask_sse_routes[redis]" in run(program)
