"""Clients that read nothing: they are cut, and the others and the worker's memory feel nothing.

First come 150 that read, alone; then 150 others, and with them 50 that never take a byte.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import replace

from channels.servers import connections_to_all
from e2e.crowd import FROZEN
from e2e.servers import SEND_TIMEOUT, Server
from e2e.waiting import wait_for

from benchmarks.load import Count

from .audience import gather
from .load import load
from .numbers import Numbers
from .scenario import Figure, Rig, Scenario, at_least, at_most, none, told
from .tails import tails
from .workers import USUAL, broker_url, memory, serve

READERS, FROZEN_ONES = 150, 50
# Events a second and characters of each, so that the buffers of both sides are full before long.
RATE, SIZE = 20.0, 24_000
# Entries kept; what is kept longer would look like memory that a slow client costs.
HISTORY = 50
# More than anybody gets.
MANY = 1_000_000
# Seconds until the buffers are full, at most; MiB that a worker may grow by.
FILLED, GROWTH = 20.0, 20.0
# How much later the others may get their events.
LATER = 1.2
TAILS = (
    "p99 of the others alone",
    "p99 of the others beside them",
    "p99 of the others, times that without slow ones",
)


def run(rig: Rig) -> Sequence[Figure]:
    server = serve(rig, history=HISTORY)
    alone, _ = _phase(rig, server, "alone")
    beside, cut = _phase(rig, server, "beside")
    timeout = float(USUAL["FLASK_SSE_SEND_TIMEOUT"]) if rig.long else SEND_TIMEOUT
    return [
        none("slow clients that were not cut", FROZEN_ONES - cut.dropped),
        none("slow clients that statistics do not count", FROZEN_ONES - cut.noted),
        at_least("first cut, after the first event", cut.first, timeout, "s"),
        at_most("last cut, after the first event", cut.last, timeout + FILLED, "s"),
        *tails(rig, alone.p99_ms, beside.p99_ms, LATER, names=TAILS),
        at_most("a worker's memory grew by", cut.growth, GROWTH, "MiB"),
        told(
            "events that they did not take",
            FROZEN_ONES * beside.events / READERS * SIZE / 1024**2,
            "MiB",
        ),
        told("deliveries", alone.events + beside.events),
        none("events lost", alone.missing + beside.missing),
        none("events twice or out of order", sum(c.repeats + c.backwards for c in (alone, beside))),
        none("others that were cut", sum(c.closed + c.failed + c.refused for c in (alone, beside))),
    ]


class Cut:
    """When the slow ones were cut, and how much memory it took until then."""

    def __init__(self) -> None:
        # Streams that have ended, and those of them that the statistics count as dropped.
        self.dropped = self.noted = 0
        self.first = self.last = 0.0
        self.growth = 0.0


def _phase(rig: Rig, server: Server, channel: str) -> tuple[Count, Cut]:
    rig.say(f"{READERS} that read, {channel}")
    numbers = rig.enter(Numbers(broker_url(rig), channel, history=HISTORY, size=SIZE))
    readers = load(rig, server, path=f"/api/follow?channel={channel}", clients=READERS, events=MANY)
    readers.ready()
    wait_for(lambda: readers.now().others >= READERS, "all have their position", 30)
    cut = Cut()
    if channel == "beside":
        people = gather(rig, server.address)
        people.join(FROZEN_ONES, "follow", appetite=FROZEN, returns=False, channel=channel)
        numbers.start(RATE)
        _watch(rig, server, cut)
    else:
        numbers.start(RATE)
        rig.pause(rig.pick(3.0, 40.0))
    wanted = READERS * numbers.stop()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: readers.now().events >= wanted, "all have all", 15)
    count = readers.now()
    return replace(count, missing=wanted - count.events + count.repeats), cut


def _watch(rig: Rig, server: Server, cut: Cut) -> None:
    """Wait until all the slow ones are gone."""
    begun, start = time.monotonic(), memory(server)
    with connections_to_all(server) as workers:
        open_before = sum(_stats(worker)["streams"] for worker in workers.values())
        while cut.dropped < FROZEN_ONES and time.monotonic() < begun + rig.pick(40, 90):
            now, grown = time.monotonic() - begun, memory(server)
            stats = [_stats(worker) for worker in workers.values()]
            cut.noted = sum(each["dropped"] for each in stats)
            cut.dropped = open_before - sum(each["streams"] for each in stats)
            cut.growth = max(cut.growth, *(grown[pid] - start[pid] for pid in start))
            rig.sample("slow clients cut", cut.dropped)
            rig.sample("memory of the largest worker MiB", max(grown.values()))
            cut.first = cut.first or (now if cut.dropped else 0.0)
            cut.last = now
            rig.pause(0.25)


def _stats(worker: http.client.HTTPConnection) -> dict[str, int]:
    worker.request("GET", "/api/stats")
    found: dict[str, int] = json.loads(worker.getresponse().read())
    return found


SCENARIO = Scenario(
    key="slow-readers",
    title="Clients that read nothing",
    promise=(
        "50 clients that read nothing among 200: they are cut after the send timeout, the others' "
        "p99 stays within 1.2 times, and memory stays flat: a worker's grows by at most 20 MiB."
    ),
    seconds=110,
    run=run,
)
