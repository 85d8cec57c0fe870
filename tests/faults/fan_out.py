"""Many subscribers of one channel at a steady rate: all of it, once, in order, soon."""

from __future__ import annotations

from e2e.waiting import wait_for

from .load import load
from .numbers import Numbers
from .scenario import Figure, Rig, at_most, none, told
from .workers import broker_url, of_both_kinds, serve

# Seconds without an event after which the rest counts as lost.
QUIET = 4.0


def run(rig: Rig, kind: str) -> list[Figure]:
    clients, rate, seconds = rig.pick((200, 10, 3), (500, 10, 60))
    # The short form shares its two cores with others.
    late = rig.pick(2000.0, 500.0)
    server = serve(rig, kind=kind)
    numbers = rig.enter(Numbers(broker_url(rig)))
    count = rate * seconds
    followers = load(
        rig, server, path="/api/follow?channel=a", clients=clients, events=count, quiet=QUIET
    )
    followers.ready()
    wait_for(lambda: followers.now().others >= clients, "all have their position", 30)
    numbers.start(rate, count)
    got = followers.result()
    lost = clients * count - got.events + got.repeats + got.backwards
    return [
        told("deliveries", got.events),
        none("events lost", lost),
        none("events twice", got.repeats),
        none("events out of order", got.backwards),
        none("connections dropped", got.closed + got.failed + got.refused),
        told("p50", got.p50_ms, "ms"),
        at_most("p99", got.p99_ms, late, "ms"),
    ]


SCENARIO, GEVENT = of_both_kinds(
    run,
    key="fan-out",
    title="Fan-out",
    promise=(
        "500 subscribers x 10 events/s x 60 s = 300,000 deliveries: none lost, none twice, none "
        "out of order; p99 at most 500 ms."
    ),
    seconds=70,
)
