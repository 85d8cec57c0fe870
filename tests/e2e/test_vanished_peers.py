"""A peer that is gone without a word, its cable pulled: its place is free before long.

SSE_TESTS_LONG=true takes the heartbeat that the package has by default.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator

import pytest

from flask_sse_routes.connections import ASK_AFTER
from flask_sse_routes.sockets import VANISHED_AFTER

from .namespace import Namespace
from .servers import Server
from .waiting import wait_for

LONG = os.environ.get("SSE_TESTS_LONG") == "true"
HEARTBEAT = 15.0 if LONG else 1.0
# A heartbeat has to be sent first; and what a busy machine may add.
FREE = 45.0 if LONG else VANISHED_AFTER + ASK_AFTER + 4 * HEARTBEAT
KINDS = ("sseworker", "gevent")
COUNT, HERE = 5, 2
# More than the buffers of a connection take.
LARGE, MANY = "x" * 48 * 1024, 100


@pytest.fixture
def namespace(program: Callable[[str], str]) -> Iterator[Namespace]:
    path = program("ip")
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    if os.geteuid() != 0:
        give_up("only root may make network namespaces")
    try:
        made = Namespace(path)
    except OSError as error:
        give_up(f"no network namespace: {error}")
    yield made
    made.remove()


def start(launch: Callable[..., Server], kind: str, namespace: Namespace, key: str) -> Server:
    """Start a server that both we and the namespace reach, which has streams open to both."""
    settings = {"FLASK_SSE_HEARTBEAT": HEARTBEAT, "FLASK_SSE_SEND_TIMEOUT": 30}
    server = launch(kind, "--bind", f"{namespace.address}:0", settings=settings)
    found = re.search(rf"http://{re.escape(namespace.address)}:(\d+)", server.log)
    assert found is not None
    targets = [f"/api/follow?channel=a&key={key}-follows-{n}" for n in range(COUNT)]
    targets += [f"/api/follow?channel=b&key={key}-full-{n}" for n in range(COUNT)]
    targets += [f"/api/sleeper?how=time&key={key}-sleeps-{n}" for n in range(COUNT)]
    namespace.follow(int(found[1]), targets)
    for n in range(HERE):
        server.open("follow", f"{key}-here-{n}", channel="a").next()
    return server


def test_place_is_free_before_long(
    launch: Callable[..., Server], namespace: Namespace, key: str
) -> None:
    """Those that SSEWorker has taken over, and those that gunicorn's own worker sends."""
    servers = {kind: start(launch, kind, namespace, f"{key}-{kind}") for kind in KINDS}
    for server in servers.values():
        assert server.stats()["streams"] == 3 * COUNT + HERE
    namespace.pull()
    pulled = time.monotonic()
    for server in servers.values():
        server.publish("b", LARGE, MANY)

    def gone(server: Server) -> bool:
        for stream in server.streams:
            stream.read_some(65536)
        return bool(server.stats()["streams"] == HERE)

    for kind, server in servers.items():
        wait_for(lambda s=server: gone(s), "their places are free", FREE + 5)
        ends = [e for e in server.journal.entries(what="cleanup") if e.key.startswith(key)]
        assert len(ends) == 3 * COUNT
        assert {e.facts["outcome"] for e in ends} == {"disconnected"}
        took = [e.at - pulled for e in ends]
        print(f"{kind}: {min(took):.1f} to {max(took):.1f} s")  # noqa: T201  # shown by -s
        assert max(took) < FREE
        assert min(took) > VANISHED_AFTER - 2 * HEARTBEAT, "a network may be away for a moment"
        assert server.stats()["dropped"] == 3 * COUNT
    for server in servers.values():
        (id_,) = server.publish("a", "to those who are there")
        for stream in server.streams:
            assert stream.next().event.id == id_
        server.settle()
