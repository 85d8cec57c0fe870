"""Half the load for a long time with one fault after another: the memory of a worker stays flat.

Faults replace one of the two workers; the other one lives from the start to the end, and it is
the one whose memory is judged.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from e2e.crowd import Crowd, Member
from e2e.servers import Server

from .audience import finish, follow, gather
from .churn import Visitors
from .ledger import delivered, silence
from .link import Link
from .load import allow_descriptors
from .numbers import Numbers
from .scenario import Figure, Rig, Scenario, at_least, at_most, exactly, told
from .workers import broker_url, kill_one, memory, pids, serve, streams

# MiB in ten minutes.
SLOPE = 1.0
# Until memory has settled: the interpreter and the allocator fill what they keep.
SETTLED = 1 / 3
LOCKED, FROZEN = 2.0, 3.0
# Seconds; the short form shares its two cores with others.
QUIET = 10.0, 30.0


def run(rig: Rig) -> list[Figure]:
    clients, rate = rig.pick((50, 20), (250, 10))
    # The short form takes as long as each of the faults needs.
    seconds, every, least = rig.pick((7.7, 1.1, 6), (1800.0, 60.0, 29))
    allow_descriptors(4 * clients)
    server = serve(rig)
    eldest = min(pids(server))
    numbers = rig.enter(Numbers(broker_url(rig)))
    link = rig.enter(Link(server.address))
    people = gather(rig, link.address)
    members = follow(people, numbers, clients)
    numbers.start(rate)
    samples, done = _endure(rig, server, people, members, link, eldest, seconds, every, least)
    finish(people, members, numbers)
    people.wait(lambda: all(m.present for m in members), "all are back", 15)
    grown = slope(samples[int(len(samples) * SETTLED) :])
    short = at_most("growth of memory", samples[-1][1] - samples[0][1], 20, "MiB")
    return [
        told("faults", done),
        exactly("workers that lived through it", len({eldest} & pids(server)), 1),
        told("events published", len(numbers)),
        *delivered(members, numbers),
        silence(members, rig.pick(QUIET[1], QUIET[0])),
        exactly("streams on all workers", streams(server), clients),
        rig.pick(short, at_most("growth of memory in 10 min", 600 * grown, SLOPE, "MiB")),
        told("memory of the worker", samples[-1][1], "MiB"),
        at_least("samples", len(samples), 5),
    ]


def _endure(
    rig: Rig,
    server: Server,
    people: Crowd,
    members: Sequence[Member],
    link: Link,
    eldest: int,
    seconds: float,
    every: float,
    least: int,
) -> tuple[list[tuple[float, float]], int]:
    """Do one harm after another; return the memory of the eldest over time, and how many."""
    chance, harms = random.Random(5), itertools.cycle(_harms(rig, server, link, eldest))
    begun, done, samples = time.monotonic(), 0, []
    while (now := time.monotonic() - begun) < seconds or done < least:
        if now > (done + 1) * every:
            done += 1
            name, harm = next(harms)
            rig.say(name)
            harm(chance)
        resident = memory(server)[eldest]
        samples.append((now, resident))
        rig.sample("memory of the worker, MiB", resident)
        rig.pause(min(every / 6, 5.0))
        people.check()
    return samples, done


Harm = tuple[str, Callable[[random.Random], object]]


def _harms(rig: Rig, server: Server, link: Link, eldest: int) -> list[Harm]:
    def freeze(chance: random.Random) -> None:
        link.freeze()
        rig.pause(FROZEN)
        link.thaw()

    def lock(chance: random.Random) -> None:
        """Another process writes to the file for long."""
        with closing(sqlite3.connect(rig.folder / "events.db", isolation_level=None)) as held:
            held.execute("BEGIN IMMEDIATE")
            rig.pause(LOCKED)
            held.execute("ROLLBACK")

    def churn(chance: random.Random) -> None:
        visitors = Visitors(server.address, rig.pick(50, 500))
        rig.later(visitors.stop)
        while visitors.busy:
            rig.pause(0.1)

    def slow(chance: random.Random) -> None:
        link.delay(0.2)
        rig.pause(1)
        link.delay(0)

    return [
        ("a worker is killed", lambda chance: kill_one(server, chance, pids(server) - {eldest})),
        ("every connection is cut", lambda chance: link.cut()),
        ("nothing passes", freeze),
        ("the broker is locked", lock),
        ("clients connect and drop", churn),
        ("everything is late", slow),
    ]


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """The straight line that is nearest to the samples: by how much it rises in a second."""
    count = len(samples)
    middle = sum(at for at, _ in samples) / count
    mean = sum(value for _, value in samples) / count
    spread = sum((at - middle) ** 2 for at, _ in samples)
    return sum((at - middle) * (value - mean) for at, value in samples) / spread if spread else 0.0


SCENARIO = Scenario(
    key="soak",
    title="Soak",
    promise=(
        "30 min at half load (250 clients, 10 events/s) with a fault every 60 s: the memory of a "
        "worker grows by less than 1 MiB in 10 min."
    ),
    seconds=1840,
    run=run,
)
