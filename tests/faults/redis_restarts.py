"""Redis ends and comes back, again and again: cleanly and by `kill -9`, with and without its file.

Some clients are steady, the others leave and come back, while it is away, too. With its file,
workers of gunicorn's own class follow it beside ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

from channels.followers import Follower
from channels.servers import KINDS
from e2e.waiting import wait_for

from .epochs import compare
from .redis_site import APPEND_ONLY, RedisSite
from .scenario import Figure, Rig, Scenario, at_least, at_most, exactly, none, told

PROMISE = (
    "Redis restarts 10 times (5 clean, 5 `kill -9`; with and without persistence): a publish "
    "fails within 1 s with BrokerUnavailable while it is down; every client gets all events or a "
    "`reset`; back in 3 s."
)
# Seconds.
FAST, BACK = 1.0, 3.0
# Events between two restarts, and heartbeats of each stream while it is away.
BETWEEN, BEATS = 30, 2


def without_file(rig: Rig) -> Sequence[Figure]:
    return _run(rig)


def with_file(rig: Rig) -> Sequence[Figure]:
    return _run(rig, *APPEND_ONLY, kinds=KINDS)


def _run(rig: Rig, *options: str, **more: Any) -> Sequence[Figure]:
    site = RedisSite(rig, *options, restless=4, **more)
    ends = list(islice(cycle([site.redis.stop, site.redis.kill]), rig.pick(2, 10)))
    back = [_restart(rig, site, end, count) for count, end in enumerate(ends, 1)]
    site.finish()
    heard = sum(f.events[0].event == "ready" and _resets(f) == len(ends) for f in site.steady)
    return [
        told("restarts", len(back)),
        told("publishes that failed", len(site.publisher.failures)),
        at_most(
            "longest publish that failed", max(site.publisher.failures), rig.pick(2.0, FAST), "s"
        ),
        at_most("publishing is back after", max(p for p, _ in back), BACK, "s"),
        at_most("streams are back after", max(s for _, s in back), BACK, "s"),
        none("streams that were cut", sum(f.connections - 1 for f in site.steady)),
        exactly("steady streams that heard of every restart", heard, len(site.steady)),
        at_least("newcomers told to come back later", sum(f.refusals for f in site.restless), 1),
        *compare(site.everybody, site.publisher.stored).figures(),
    ]


def _restart(rig: Rig, site: RedisSite, end: Callable[[], None], count: int) -> tuple[float, float]:
    """End Redis and start it; return how long publishing and streams took to be back (seconds)."""
    rig.say(f"restart {count}")
    site.publisher.more(BETWEEN)
    end()
    site.publisher.fails()
    beats = site.beats()
    wait_for(
        lambda: all(now >= then + BEATS for now, then in zip(site.beats(), beats, strict=True)),
        "streams stay open and have their heartbeats",
    )
    site.redis.start()
    begun = time.monotonic()
    wait_for(lambda: site.publisher.succeeded_at > begun, "publishing works again")
    wait_for(lambda: all(_resets(f) == count for f in site.steady), "streams go on")
    return site.publisher.succeeded_at - begun, time.monotonic() - begun


def _resets(follower: Follower) -> int:
    return [event.event for event in follower.events].count("reset")


MEMORY = Scenario(
    key="redis",
    title="Redis restarts, without persistence",
    promise=PROMISE,
    seconds=60,
    run=without_file,
)
FILE = Scenario(
    key="redis-aof",
    title="Redis restarts, with its append-only file",
    promise=PROMISE,
    seconds=60,
    run=with_file,
)
