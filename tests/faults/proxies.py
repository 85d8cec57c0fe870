"""Behind the proxies of the guides: how long an event takes to arrive, and a leaving to be noticed.

Heartbeats are too rare to help with anything: what is noticed, the proxy has passed on.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence

from docs.flavours import FLAVOURS, start
from e2e.client import Address, Stream
from e2e.servers import Server

from .scenario import Figure, Rig, Scenario, at_most, told

QUIET = {"FLASK_SSE_HEARTBEAT": 60}
# Seconds: an event that waits for the next one would take as long as it does; and a leaving.
ARRIVES, NOTICED = 1.0, 3.0
GZIP = {"Accept-Encoding": "gzip"}
Open = Callable[[str], Stream]


class Unpacked(Stream):
    """A stream whose response is compressed; each piece is read as far as it can be."""

    def __init__(self, address: Address, target: str) -> None:
        self._unpack = zlib.decompressobj(wbits=31)
        super().__init__(address, target, headers=GZIP)

    def _read_body(self, data: bytes, now: float) -> None:
        super()._read_body(self._unpack.decompress(data), now)


def run(rig: Rig) -> Sequence[Figure]:
    server = Server("sseworker", rig.folder, settings=QUIET)
    rig.later(server.kill)
    figures = _figures(rig, server, "no proxy", _opener(rig, server.address))
    for name, flavour in FLAVOURS.items():
        rig.program(flavour.kind)
        folder = rig.folder / name
        folder.mkdir()
        proxy = start(flavour, folder, server.port)
        rig.later(proxy.stop)
        kind = Unpacked if flavour.compresses_streams else Stream
        figures += _figures(rig, server, name, _opener(rig, proxy.address, kind))
    return figures


def _opener(rig: Rig, address: Address, kind: Callable[[Address, str], Stream] = Stream) -> Open:
    def open_stream(target: str) -> Stream:
        stream = kind(address, target)
        rig.later(stream.close)
        return stream

    return open_stream


def _figures(rig: Rig, server: Server, name: str, connect: Open) -> list[Figure]:
    rig.say(name)
    arrivals = sorted(_arrivals(server, name, connect, rig.pick(20, 300)))
    leavings = [_leaving(server, f"{name} {n}", connect) for n in range(rig.pick(1, 10))]
    share = arrivals[int(0.99 * len(arrivals))]
    return [
        told(f"{name}: from publishing to arrival, median", arrivals[len(arrivals) // 2], "ms"),
        at_most(f"{name}: from publishing to arrival, p99", share, 1e3 * ARRIVES, "ms"),
        told(f"{name}: leavings noticed", len(leavings)),
        at_most(f"{name}: until a leaving is noticed", 1e3 * max(leavings), 1e3 * NOTICED, "ms"),
    ]


def _arrivals(server: Server, name: str, connect: Open, count: int) -> list[float]:
    """Publish when the event before has come; return how long each takes (milliseconds)."""
    channel = name.replace(" ", "-")
    stream = connect(f"/api/follow?channel={channel}&key={channel}")
    stream.next()
    took = []
    for n in range(count):
        begun = time.monotonic()
        server.publish(channel, n)
        took.append(1e3 * (stream.next().at - begun))
    stream.close()
    return took


def _leaving(server: Server, name: str, connect: Open) -> float:
    """Leave a handler that is blocked; return after how many seconds it has ended."""
    key = name.replace(" ", "-")
    stream = connect(f"/api/sleeper?key={key}-sleeps&how=ctx&seconds=60")
    stream.next()
    stream.close()
    left = time.monotonic()
    return server.journal.wait(f"{key}-sleeps", "finally").at - left


SCENARIO = Scenario(
    key="proxies",
    title="Proxies in front",
    promise=(
        "nginx (default and HTTP/1.1, with and without gzip), haproxy, caddy in front: events "
        "arrive as they are sent, disconnects reach the handler."
    ),
    seconds=40,
    run=run,
)
