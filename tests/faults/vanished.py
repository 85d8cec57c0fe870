"""Peers that are gone without a word, their cable pulled: their places are free before long.

Streams that SSEWorker has taken over and those that gunicorn's own worker sends; idle ones, ones
that wait for room in a buffer, and ones whose handler is blocked.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence

from e2e.namespace import Namespace
from e2e.servers import Server
from e2e.waiting import wait_for

from flask_sse_routes.connections import ASK_AFTER
from flask_sse_routes.sockets import VANISHED_AFTER

from .scenario import Figure, Rig, Scenario, Unavailable, at_least, at_most, exactly, none

KINDS = ("sseworker", "gevent")
COUNT, HERE = 5, 2
ROUTES = ("follow?channel=a&", "follow?channel=b&", "sleeper?how=time&")
# What the journal files the requests of those under that vanish.
GONE = "gone"
# More than the buffers of a connection take.
LARGE, MANY = "x" * 48 * 1024, 100
# Seconds by which a place is to be free, with the usual heartbeat.
FREE = 45.0


def run(rig: Rig) -> Sequence[Figure]:
    heartbeat = rig.pick(1.0, 15.0)
    network = _network(rig)
    servers = {kind: _start(rig, kind, network, heartbeat) for kind in KINDS}
    network.pull()
    pulled = time.monotonic()
    for server in servers.values():
        server.publish("b", LARGE, MANY)
    figures = []
    # A heartbeat has to be sent first, and looks at what is asked are few.
    free = min(FREE, VANISHED_AFTER + ASK_AFTER + 4 * heartbeat)
    for kind, server in servers.items():
        rig.say(f"waiting for {kind}")
        wait_for(lambda s=server: _only_we_are_left(s), "their places are free", 2 * FREE)
        ends = [e for e in server.journal.entries(what="cleanup") if e.key.startswith(GONE)]
        took = [end.at - pulled for end in ends]
        others = sum(end.facts["outcome"] != "disconnected" for end in ends)
        figures += [
            exactly(f"{kind}: places that are free again", len(ends), len(ROUTES) * COUNT),
            at_most(f"{kind}: the last place was free after", max(took), free, "s"),
            # A network may be away for a moment.
            at_least(
                f"{kind}: the first place was free after",
                min(took),
                max(0.0, VANISHED_AFTER - 2 * heartbeat),
                "s",
            ),
            none(f"{kind}: streams with another outcome than disconnected", others),
            none(
                f"{kind}: places that statistics do not count",
                len(ends) - server.stats()["dropped"],
            ),
            none(f"{kind}: others that were cut", _unserved(server)),
        ]
        server.settle()
    return figures


def _network(rig: Rig) -> Namespace:
    if os.geteuid() != 0:
        raise Unavailable("only root may make network namespaces")
    try:
        network = Namespace(rig.program("ip"))
    except OSError as error:
        raise Unavailable(f"no network namespace: {error}") from error
    rig.later(network.remove)
    return network


def _start(rig: Rig, kind: str, network: Namespace, heartbeat: float) -> Server:
    """Start a server that both we and the namespace reach, which has streams open to both."""
    folder = rig.folder / kind
    folder.mkdir()
    settings = {"FLASK_SSE_HEARTBEAT": heartbeat, "FLASK_SSE_SEND_TIMEOUT": 30}
    server = Server(kind, folder, "--bind", f"{network.address}:0", settings=settings)
    rig.later(server.kill)
    found = re.search(rf"http://{re.escape(network.address)}:(\d+)", server.log)
    assert found is not None
    targets = [f"/api/{route}key={GONE}-{n}-{route[:3]}" for route in ROUTES for n in range(COUNT)]
    network.follow(int(found[1]), targets)
    for n in range(HERE):
        server.open("follow", f"here-{n}", channel="a").next()
    return server


def _only_we_are_left(server: Server) -> bool:
    for stream in server.streams:
        stream.read_some(65536)
    return bool(server.stats()["streams"] == HERE)


def _unserved(server: Server) -> int:
    """Publish to those who are there; return how many do not get it."""
    (id_,) = server.publish("a", "to those who are there")
    return sum(stream.next().event.id != id_ for stream in server.streams)


SCENARIO = Scenario(
    key="vanished",
    title="Peers that vanish",
    promise=(
        "Half-open TCP: a peer vanishes (its network drops everything): its slot is free within "
        "45 s at a heartbeat of 15 s."
    ),
    seconds=60,
    run=run,
)
