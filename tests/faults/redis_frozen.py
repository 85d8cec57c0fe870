"""Redis hangs: its links stay open, and nothing comes over them (SIGSTOP). Nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from e2e.waiting import wait_for

from .epochs import compare
from .redis_restarts import BACK, BEATS, BETWEEN, FAST
from .redis_site import RedisSite
from .scenario import Figure, Rig, Scenario, at_most, none, told

# Seconds in which a link that is open but dead is found.
FOUND = 15.0
# What the log of a server says when a worker's tail has found out.
STANDS_STILL = "Channels stand still"


def run(rig: Rig) -> Sequence[Figure]:
    site = RedisSite(rig, restless=1)
    rounds = [_freeze(rig, site) for _ in range(rig.pick(1, 5))]
    site.finish()
    failures, findings = site.publisher.failures, compare(site.everybody, site.publisher.stored)
    return [
        told("times that it hung", len(rounds)),
        at_most("every worker has found out after", max(r[0] for r in rounds), FOUND, "s"),
        at_most("longest publish that failed", max(failures), rig.pick(2.0, FAST), "s"),
        told("publishes that failed", len(failures)),
        at_most("publishing is back after", max(r[1] for r in rounds), BACK, "s"),
        at_most("streams are back after", max(r[2] for r in rounds), BACK, "s"),
        none("streams that were cut", sum(f.connections - 1 for f in site.steady)),
        none("resets, though nothing was lost", findings.resets.total()),
        *findings.figures()[:-1],
    ]


def _freeze(rig: Rig, site: RedisSite) -> tuple[float, float, float]:
    """Stop Redis, and let it go on.

    Returns the seconds until all workers have found out, and until publishing and streams work.
    """
    rig.say("Redis hangs")
    site.publisher.more(BETWEEN)
    workers = site.notes(STANDS_STILL) + len(site.followed())
    site.redis.pause()
    begun = time.monotonic()
    wait_for(lambda: site.notes(STANDS_STILL) >= workers, "all workers have found out", 2 * FOUND)
    found = time.monotonic() - begun
    site.publisher.fails()
    beats = site.beats()
    wait_for(
        lambda: all(now >= then + BEATS for now, then in zip(site.beats(), beats, strict=True)),
        "streams stay open and have their heartbeats",
    )
    known = [len(f.events) for f in site.steady]
    site.redis.resume()
    begun = time.monotonic()
    wait_for(lambda: site.publisher.succeeded_at > begun, "publishing works again")
    back = site.publisher.succeeded_at - begun
    wait_for(
        lambda: all(len(f.events) > n for f, n in zip(site.steady, known, strict=True)),
        "streams go on",
    )
    return found, back, time.monotonic() - begun


SCENARIO = Scenario(
    key="redis-frozen",
    title="Redis hangs on open links",
    promise="A link to Redis that is open but dead (SIGSTOP) is found within 15 s.",
    seconds=60,
    run=run,
)
