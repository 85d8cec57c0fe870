"""Fixtures: servers that many tests share, servers of a test's own, and their logs on failure."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from .crowd import Crowd
from .publisher import Publisher
from .servers import Server
from .together import AtOnce, Outcome

SERVERS = ("flask", "gevent", "gthread", "pywsgi", "sseworker")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Start each kind of server once, when the first test asks for it."""
    running: dict[str, Server] = {}
    locks: dict[str, threading.Lock] = {}

    def get(kind: str) -> Server:
        with locks.setdefault(kind, threading.Lock()):  # several kinds may start at once
            if kind not in running:
                running[kind] = Server(kind, tmp_path_factory.mktemp(kind))
            return running[kind]

    yield get
    for server in running.values():
        server.kill()
    for server in running.values():
        server.check()  # once more: a second cleanup may come late


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, shared: Callable[[str], Server]) -> Iterator[Server]:
    """A shared server, of each kind in turn; fails a test that leaves a stream on it."""
    found = shared(request.param)
    yield found
    found.settle()


@pytest.fixture
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start servers of the test's own."""
    running: list[Server] = []

    def start(kind: str, *options: str, **more: Any) -> Server:
        server = Server(kind, tmp_path_factory.mktemp(kind), *options, **more)
        running.append(server)
        return server

    start.running = running  # type: ignore[attr-defined]  # for the report of a failure
    yield start
    for server in running:
        server.kill()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What came of the tests that are played at once, by their ids."""
    return {}


@pytest.fixture
def at_once(
    request: pytest.FixtureRequest,
    outcomes: dict[str, Outcome],
    shared: Callable[[str], Server],
    launch: Callable[..., Server],
) -> AtOnce:
    """Play the scenario of a test with all its parameters at the same time."""
    return AtOnce(request.node, outcomes, shared, launch)


@pytest.fixture
def crowd() -> Iterator[Callable[[Server], Crowd]]:
    """Gather crowds before servers; they are sent away with the test at the latest."""
    gathered: list[Crowd] = []

    def gather(server: Server) -> Crowd:
        gathered.append(Crowd(server.address))
        return gathered[-1]

    yield gather
    for each in gathered:
        each.leave()


@pytest.fixture
def publish() -> Iterator[Callable[..., Publisher]]:
    """Start publishers, which stop with the test at the latest."""
    started: list[Publisher] = []

    def start(*args: Any, **options: Any) -> Publisher:
        started.append(Publisher(*args, **options))
        return started[-1]

    yield start
    for publisher in started:
        publisher.stop()


@pytest.fixture
def key() -> str:
    """What the journal files this test's requests under."""
    return uuid.uuid4().hex


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return the path of an installed program, or skip; where CI runs, it must be there."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if path is None:
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"{name} is not installed")
        return str(path)

    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the servers' logs with a failure."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for server in _servers_of(item):
            report.sections.append((f"Log of {server.kind}", server.log[-6000:]))
    return report


def _servers_of(item: pytest.Function) -> list[Server]:
    arguments = getattr(item, "funcargs", {}).values()
    launched = [each for start in arguments for each in getattr(start, "running", [])]
    return [each for each in arguments if isinstance(each, Server)] + launched
