"""Clients that were away come back while publishing goes on, and catch up with all of it."""

from __future__ import annotations

import time

from e2e.waiting import wait_for

from .audience import finish, follow, gather, present
from .ledger import delivered, ledger_of, refused
from .numbers import Numbers
from .scenario import Figure, Rig, Scenario, at_least, at_most, told
from .workers import broker_url, serve

HISTORY = 10_000
LIMIT = 10.0


def run(rig: Rig) -> list[Figure]:
    clients, missed, rate = rig.pick((50, 300, 20), (100, 1000, 50))
    server = serve(rig, history=HISTORY)
    numbers = rig.enter(Numbers(broker_url(rig), history=HISTORY))
    people = gather(rig, server.address)
    members = follow(people, numbers, clients)
    numbers.burst(10)
    people.wait(lambda: all(ledger_of(m).count == 10 for m in members), "all have the first")

    people.dismiss(members)
    people.wait(lambda: not present(members), "all are away")
    numbers.burst(missed)
    numbers.start(rate)
    before, back = len(numbers), time.monotonic()
    people.recall(members)
    # Those that have caught up are where the publisher was a moment ago.
    wait_for(
        lambda: people.failure or all(ledger_of(m).count >= before for m in members),
        "all have caught up",
        3 * LIMIT,
    )
    took, meanwhile = time.monotonic() - back, len(numbers) - before
    rig.pause(1)
    finish(people, members, numbers)
    return [
        told("events missed by each", before - 10),
        at_most("time until the last had all it had missed", took, rig.pick(2 * LIMIT, LIMIT), "s"),
        told("events published meanwhile", meanwhile),
        at_least("events published while they were back", len(numbers) - before, 1),
        *delivered(members, numbers),
        told("requests refused", refused(members)),
    ]


SCENARIO = Scenario(
    key="replay",
    title="Replay",
    promise=(
        "100 clients that each missed 1,000 events, while publishing goes on: complete in 10 s, "
        "nothing lost or twice."
    ),
    seconds=12,
    run=run,
)
