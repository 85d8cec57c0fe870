"""Workers are killed one after another: their clients go on with another worker."""

from __future__ import annotations

import random
import time

from e2e.waiting import wait_for

from .audience import finish, follow, gather
from .ledger import delivered, errors, silence
from .numbers import Numbers
from .scenario import Figure, Rig, at_least, none, told
from .workers import WORKERS, broker_url, kill_one, of_both_kinds, pids, serve

# Seconds; the short form shares its two cores with others.
QUIET = 5.0, 20.0


def run(rig: Rig, kind: str) -> list[Figure]:
    clients, rate = rig.pick((50, 50), (100, 50))
    every, kills = rig.pick((2.0, 2), (5.0, 36))
    server = serve(rig, kind=kind)
    numbers = rig.enter(Numbers(broker_url(rig)))
    people = gather(rig, server.address)
    members = follow(people, numbers, clients)
    numbers.start(rate)
    chance, killed = random.Random(7), []
    for _ in range(kills):
        due = time.monotonic() + every
        killed.append(kill_one(server, chance))
        rig.say(f"killed {len(killed)} of {kills}")
        rig.pause(due - time.monotonic())
        people.check()
    wait_for(lambda: len(pids(server)) == WORKERS, "all workers run", 20)
    finish(people, members, numbers)
    return [
        told("workers killed", len(set(killed))),
        told("events published", len(numbers)),
        # Each of them ends the streams of about half of the clients.
        at_least("streams cut", sum(len(m.visits) - 1 for m in members), kills * clients / 10),
        *delivered(members, numbers),
        silence(members, rig.pick(QUIET[1], QUIET[0])),
        none("answers that blame the server", errors(members)),
    ]


SCENARIO, GEVENT = of_both_kinds(
    run,
    key="kill",
    title="A worker is killed",
    promise=(
        "`kill -9` of a random worker every 5 s for 3 min, 100 clients, 50 events/s: nothing lost, "
        "nothing twice to the application, order kept, no client silent for over 5 s."
    ),
    seconds=190,
)
