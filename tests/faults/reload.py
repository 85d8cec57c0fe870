"""Workers are replaced under load, by reloads or because they have served enough requests."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
from e2e.crowd import Crowd
from e2e.servers import GRACEFUL_TIMEOUT, Server
from e2e.waiting import wait_for

from .audience import finish, follow, gather
from .caller import Caller
from .ledger import cut_off, delivered, refused, silence
from .numbers import Numbers
from .scenario import Figure, Rig, Scenario, at_least, at_most, exactly, none, told
from .workers import SPARE, broker_url, census, pids, reload, serve, streams, wait_until_rest

HISTORY = 20_000
# Seconds; the short form shares its two cores with others.
QUIET = 5.0, 20.0
# What new workers take to start is part of it.
GONE = GRACEFUL_TIMEOUT + 2
# How often a plain request is made for a worker to be recycled, and how many a worker serves.
PLAIN_RATE, SERVED = 100, (60, 300)
RECYCLED = "Autorestarting worker"
# Seconds within which workers have to be recycled as often as is wanted.
LIMIT = 120.0, 600.0


def run_reloads(rig: Rig) -> list[Figure]:
    reloads, every = rig.pick((2, 0.0), (20, 6.0))
    took: list[float] = []

    def cause(server: Server) -> None:
        for _ in range(reloads):
            due = time.monotonic() + every
            took.append(reload(server))
            rig.say(f"reload {len(took)} of {reloads}")
            # Who was sent away comes back within the time that it was told.
            rig.pause(max(due - time.monotonic(), rig.pick(1.0, 0.0)))

    figures = _under_load(rig, cause, (), reloads)
    return [
        told("reloads", len(took)),
        at_most("longest until the old workers were gone", max(took), rig.pick(30, GONE), "s"),
        *figures,
    ]


def run_recycling(rig: Rig) -> list[Figure]:
    served, wanted = rig.pick(SERVED[0], SERVED[1]), rig.pick(3, 20)
    limit, callers = rig.pick(*LIMIT), list[Caller]()

    def cause(server: Server) -> None:
        with Caller(server.address, PLAIN_RATE) as caller:
            callers.append(caller)
            until = time.monotonic() + limit
            while server.log.count(RECYCLED) < wanted:
                assert time.monotonic() < until, f"not recycled {wanted} times in {limit:g} s"
                caller.check()
                rig.say(f"recycled {server.log.count(RECYCLED)} of {wanted}")
                rig.pause(0.2)

    options = ("--max-requests", str(served), "--max-requests-jitter", str(served // 5))
    figures = _under_load(rig, cause, options, 0)
    return [
        told("plain requests", sum(len(caller.took) for caller in callers)),
        none("plain requests without an answer", sum(caller.failed for caller in callers)),
        *figures,
    ]


def _under_load(
    rig: Rig, cause: Callable[[Server], None], options: tuple[str, ...], rounds: int
) -> list[Figure]:
    """Have a load of both kinds of streams, replace workers, and look for what is left."""
    clients, sleepers, rate = rig.pick((30, 10, 100), (30, 10, 500))
    server = serve(rig, *options, history=HISTORY)
    begun = _warm(rig, server)
    arbiter = psutil.Process(server.process.pid)
    descriptors, first = arbiter.num_fds(), pids(server)
    numbers = rig.enter(Numbers(broker_url(rig), history=HISTORY))
    people = gather(rig, server.address)
    members = follow(people, numbers, clients)
    others = people.join(sleepers, "sleeper", take=lambda: lambda arrival: None)
    numbers.start(rate)
    cause(server)
    finish(people, members, numbers)
    people.wait(lambda: all(m.present for m in [*members, *others]), "all are back", 15)
    replaced, back = first - pids(server), streams(server)
    everybody = [*members, *others]
    cut, turned_away = cut_off(everybody), refused(everybody)
    ends = sum(len(member.visits) - 1 for member in everybody)
    people.leave()
    left = wait_until_rest(server, begun)
    return [
        told("events published", len(numbers)),
        at_least("workers of the start that were replaced", len(replaced), 1),
        _ends(ends, len(everybody), rounds if rig.long else 0),
        none("streams cut off", cut),
        none("requests refused", turned_away),
        *delivered(members, numbers),
        silence(members, rig.pick(QUIET[1], QUIET[0])),
        at_most("streams afterwards", back, len(everybody)),
        none("streams left", left["streams"]),
        none("subscriptions left", left["subscriptions"]),
        at_most("descriptors of a worker, more than at the start", left["descriptors"], 3),
        at_most("threads of a worker, more than at the start", left["threads"], SPARE["threads"]),
        at_most("greenlets of a worker, more than at the start", left["greenlets"], 4),
        at_most("descriptors of the arbiter, more", arbiter.num_fds() - descriptors, 1),
    ]


def _ends(count: int, clients: int, rounds: int) -> Figure:
    """Who is sent away once goes to a worker that stays; in the short form there is no telling."""
    if rounds:
        return exactly("streams that ended, in all reloads", count, rounds * clients)
    return at_least("streams that ended", count, clients)


def _warm(rig: Rig, server: Server) -> dict[int, dict[str, int]]:
    """Let each worker serve each kind of stream once; return what they keep of it."""
    people: Crowd = gather(rig, server.address)
    people.join(12, "follow", channel="warm")
    people.join(12, "sleeper")
    people.leave()
    wait_for(lambda: not streams(server), "those of the warming up are gone", 20)
    return census(server)


RELOAD = Scenario(
    key="reload",
    title="Reloads",
    promise=(
        "SIGHUP, 20 times in 2 min, under 500 events/s to 30 clients: the same; every stream ends "
        "cleanly (no truncated chunk) inside `graceful_timeout`; descriptors, threads and "
        "greenlets come back to where they were."
    ),
    seconds=140,
    run=run_reloads,
)
RECYCLING = Scenario(
    key="recycling",
    title="Workers recycled by max_requests",
    promise="`max_requests` recycling under load: the same as for reloads.",
    seconds=140,
    run=run_recycling,
)
