"""Connections on which nothing happens but heartbeats: none of them is dropped."""

from __future__ import annotations

import contextlib

from e2e.waiting import wait_for

from .load import allow_descriptors, load
from .scenario import Figure, Rig, Scenario, at_least, exactly, none, told
from .workers import census, memory, serve, streams

# Seconds between two samples of memory.
SAMPLE = 5.0


def run(rig: Rig) -> list[Figure]:
    clients = rig.pick(500, 10_000)
    heartbeat, seconds = rig.pick((1, 3), (15, 600))
    allow_descriptors(clients)
    server = serve(rig, heartbeat=heartbeat)
    before = sum(memory(server).values())
    clients_of_ours = load(rig, server, path="/api/follow?channel=a", clients=clients)
    ready = clients_of_ours.ready()
    full = census(server)
    for _ in range(round(seconds / min(seconds, SAMPLE))):
        rig.pause(min(seconds, SAMPLE))
        rig.sample("memory of all workers, MiB", sum(memory(server).values()))
    now, after = clients_of_ours.now(), sum(memory(server).values())
    beats = now.comments - ready.comments
    figures = [
        exactly("connections", now.connected, clients),
        exactly("streams on all workers", sum(each["streams"] for each in full.values()), clients),
        none("connections dropped", now.closed + now.failed + now.refused),
        # The last may be under way, and the first is counted from when its stream began.
        at_least("heartbeats for each", beats / clients, seconds / heartbeat - 1),
        told("memory for each", 1024 * (after - before) / clients, "KiB"),
        told("streams of the busier worker", max(each["streams"] for each in full.values())),
    ]
    clients_of_ours.__exit__(None, None, None)
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not streams(server), "all have gone", 60)
    return [*figures, none("streams left once all have gone", streams(server))]


SCENARIO = Scenario(
    key="idle",
    title="Idle connections",
    promise="2 x 5,000 connections, 10 min, heartbeat 15 s: no connection is dropped.",
    seconds=640,
    run=run,
)
