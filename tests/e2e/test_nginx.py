"""Behind a real nginx: events pass one by one, and disconnects reach the handler."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .client import typical_delay
from .proxy import FLAVOURS, Proxy
from .servers import Server


@pytest.fixture(params=FLAVOURS)
def proxy(
    request: pytest.FixtureRequest, server: Server, program: Callable[[str], str], tmp_path: Path
) -> Iterator[Proxy]:
    running = Proxy(program("nginx"), tmp_path, server.port, request.param)
    yield running
    running.stop()


def test_events_arrive_as_they_are_yielded(server: Server, proxy: Proxy, key: str) -> None:
    every = 0.2
    stream = proxy.open(f"/api/ticker?key={key}&every={every}&count=6")
    stream.read_to_end()
    ticks = stream.events[:-1]
    assert stream.status == 200
    assert stream.headers["server"].startswith("nginx")
    assert [a.json["n"] for a in ticks] == list(range(6))
    assert typical_delay(ticks) < every / 4
    assert stream.names[-1] == "end"
    assert stream.complete
    assert server.journal.outcome(key) == "completed"


def test_disconnect_reaches_the_handler(server: Server, proxy: Proxy, key: str) -> None:
    how = "time" if server.patched else "ctx"
    stream = proxy.open(f"/api/sleeper?key={key}&how={how}&seconds=60")
    stream.next()
    stream.beat(1)
    stream.close()
    left = time.monotonic()
    assert server.journal.outcome(key) == "disconnected"
    ended = server.journal.wait(key, "finally").at
    cleaned = server.journal.wait(key, "cleanup").at
    assert ended <= cleaned < left + 1


def test_first_bytes_pass_before_the_first_event(server: Server, proxy: Proxy, key: str) -> None:
    began = time.monotonic()
    stream = proxy.open(f"/api/sleeper?key={key}&how=ctx&seconds=60&first=false")
    assert time.monotonic() - began < 1.5
    stream.beat(1)
    assert not stream.events
