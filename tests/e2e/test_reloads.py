"""One reload after another under load: nothing is lost, and nothing is left behind.

SSE_TESTS_LONG=true makes them 20, with 500 events a second.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from .crowd import Crowd, Member
from .publisher import Publisher, check_complete
from .servers import Server
from .waiting import wait_for

LONG = os.environ.get("SSE_TESTS_LONG") == "true"
RELOADS, RATE = (20, 500) if LONG else (3, 100)
FOLLOWERS, SLEEPERS = 30, 10
# Seconds from a reload to the next, at least: 20 of them in two minutes.
EVERY = 6.0 if LONG else 0.0
# What a worker may have more of than another; a leak grows with streams or with reloads.
SPARE = {"greenlets": 4, "threads": 2, "descriptors": 3, "kibibytes": 12 * 1024}


def check_alike(found: dict[str, int], begun: dict[str, int]) -> None:
    for what, spare in SPARE.items():
        assert found[what] <= begun[what] + spare, (what, found, begun)


def reload(server: Server, people: Crowd, members: list[Member]) -> None:
    """Have the worker replaced, and wait until everybody is with the new one."""
    pid, visits = server.worker(), [len(m.visits) for m in members]
    begun = time.monotonic()
    server.signal(signal.SIGHUP)
    people.wait(
        lambda: all(len(m.visits) > n and m.present for m, n in zip(members, visits, strict=True)),
        "everybody is back",
        30,
    )
    wait_for(lambda: not psutil.pid_exists(pid), "the old worker is gone")
    wait_for(lambda: server.stats()["streams"] == len(members), "all are with the new one")
    assert server.worker() != pid
    left = begun + EVERY - time.monotonic()
    if left > 0:
        time.sleep(left)


def test_under_load(
    launch: Callable[..., Server],
    crowd: Callable[[Server], Crowd],
    publish: Callable[..., Publisher],
    key: str,
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    settings = {"FLASK_SSE_BROKER_URL": url, "FLASK_SSE_HISTORY": 100_000}
    server = launch("sseworker", settings=settings)
    warm = (
        server.open("follow", "warm", channel="warm"),
        server.open("sleeper", "warm-too", how="ctx"),
    )
    for stream in warm:
        stream.next()
    server.settle()
    empty = server.census()
    arbiter = psutil.Process(server.process.pid)
    descriptors = arbiter.num_fds()

    people = crowd(server)
    publisher = publish(url, "a", RATE)
    followers = people.join(FOLLOWERS, "follow", channel="a")
    members = followers + people.join(SLEEPERS, "sleeper", key=key, how="time", seconds=3600)
    full = server.census()
    for _ in range(RELOADS):
        reload(server, people, members)
        check_alike(server.census(), full)
    publisher.stop()
    ids = publisher.ids
    assert len(ids) > RELOADS * RATE / 2, "too slow to say anything"
    people.wait(lambda: all(m.ids[-1] == ids[-1] for m in followers), "all have the last event")
    for member in followers:
        check_complete(member, ids)
    for member in members:
        assert not member.failures
        assert all(visit.complete for visit in member.visits[:-1])

    people.leave()
    wait_for(lambda: not server.stats()["streams"], "all have left")
    # The tail ends when it looks the next time.
    wait_for(lambda: server.census()["greenlets"] <= empty["greenlets"] + 4, "no greenlet stays")
    check_alike(server.census(), empty)
    assert arbiter.num_fds() <= descriptors + 1
    server.settle()
