"""Behind a real nginx: events pass one by one, and disconnects reach the handler."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from .client import typical_delay
from .conftest import SERVERS
from .proxy import FLAVOURS, Proxy
from .servers import Server
from .together import AtOnce

ALL = pytest.mark.parametrize(
    ("kind", "flavour"), [(kind, flavour) for kind in SERVERS for flavour in FLAVOURS]
)
ProxyOf = Callable[[Server, str], Proxy]
Behind = Callable[..., None]


@pytest.fixture(scope="module")
def proxy_of(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyOf]:
    """Start a proxy of each flavour before each server, when the first test asks for it."""
    nginx = program("nginx")
    running: dict[tuple[str, str], Proxy] = {}

    def get(server: Server, flavour: str) -> Proxy:
        of = (server.kind, flavour)
        if of not in running:
            folder = tmp_path_factory.mktemp("nginx")
            running[of] = Proxy(nginx, folder, server.port, flavour)
        return running[of]

    yield get
    for proxy in running.values():
        proxy.stop()


@pytest.fixture(name="behind")
def behind(at_once: AtOnce, proxy_of: ProxyOf) -> Behind:
    """Play a scenario with all servers, behind a proxy of each flavour."""

    def run(scenario: Callable[[Server, Proxy, str], None], kind: str, flavour: str) -> None:
        def perform(server: Server, key: str, flavour: str) -> None:
            proxy = proxy_of(server, flavour)
            scenario(server, proxy, key)
            proxy.leave()

        at_once(perform, kind=kind, flavour=flavour)

    return run


def ticks(server: Server, proxy: Proxy, key: str) -> None:
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


@ALL
def test_events_arrive_as_they_are_yielded(behind: Behind, kind: str, flavour: str) -> None:
    behind(ticks, kind, flavour)


def leaves(server: Server, proxy: Proxy, key: str) -> None:
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


@ALL
def test_disconnect_reaches_the_handler(behind: Behind, kind: str, flavour: str) -> None:
    behind(leaves, kind, flavour)


def is_silent(server: Server, proxy: Proxy, key: str) -> None:
    began = time.monotonic()
    stream = proxy.open(f"/api/sleeper?key={key}&how=ctx&seconds=60&first=false")
    assert time.monotonic() - began < 1.5
    stream.beat(1)
    assert not stream.events


@ALL
def test_first_bytes_pass_before_the_first_event(behind: Behind, kind: str, flavour: str) -> None:
    behind(is_silent, kind, flavour)
