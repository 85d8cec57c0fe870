"""All clients are cut off at once, and all of them come back at once."""

from __future__ import annotations

import time

from .audience import finish, follow, gather, present
from .ledger import delivered, errors, refused
from .link import Link
from .load import allow_descriptors
from .numbers import Numbers
from .scenario import Figure, Rig, Scenario, at_most, exactly, none
from .workers import broker_url, serve, streams

LIMIT = 10.0


def run(rig: Rig) -> list[Figure]:
    clients, rate, cuts = rig.pick((300, 2, 1), (1000, 2, 3))
    allow_descriptors(4 * clients)
    server = serve(rig)
    numbers = rig.enter(Numbers(broker_url(rig)))
    link = rig.enter(Link(server.address))
    people = gather(rig, link.address)
    members = follow(people, numbers, clients)
    numbers.start(rate)
    rig.pause(1)
    cut, took = 0, []
    for _ in range(cuts):
        visits = [len(member.visits) for member in members]
        at = time.monotonic()
        cut += link.cut()
        people.wait(
            lambda visits=visits: (
                present(members) == clients
                and all(len(m.visits) > n for m, n in zip(members, visits, strict=True))
            ),
            "all are back",
            3 * LIMIT,
        )
        took.append(time.monotonic() - at)
        rig.pause(rig.pick(0, 3))
    finish(people, members, numbers)
    open_streams = streams(server)
    return [
        exactly("clients cut off", cut, clients * cuts),
        at_most("time until the last was back", max(took), rig.pick(2 * LIMIT, LIMIT), "s"),
        none("answers that blame the server", errors(members)),
        none("requests refused", refused(members)),
        *delivered(members, numbers),
        exactly("streams on all workers", open_streams, clients),
    ]


SCENARIO = Scenario(
    key="storm",
    title="Reconnection storm",
    promise="1,000 clients cut at once: all are back within 10 s, no 5xx below the cap.",
    seconds=40,
    run=run,
)
