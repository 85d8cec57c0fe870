"""Heartbeats come on time, whatever the handler does; a gevent hub that it stalls is named."""

from __future__ import annotations

import statistics
from functools import partial
from itertools import pairwise

import pytest

from .client import Stream
from .conftest import SERVERS
from .servers import HEARTBEAT, Server
from .together import AtOnce
from .waiting import wait_for

ALL = pytest.mark.parametrize("kind", SERVERS)
GEVENT = pytest.mark.parametrize("kind", ["gevent", "pywsgi", "sseworker"])
THREADS = pytest.mark.parametrize("kind", ["flask", "gthread"])


def gaps(stream: Stream) -> list[float]:
    return [later - earlier for earlier, later in pairwise(stream.heartbeats)]


def check_rhythm(stream: Stream, count: int) -> None:
    """Read `count` heartbeats; they come at their time, and none of them much later."""
    stream.beat(count)
    assert abs(statistics.median(gaps(stream)) - HEARTBEAT) < HEARTBEAT * 0.4, gaps(stream)
    assert max(gaps(stream)) <= HEARTBEAT * 2, gaps(stream)


def sleeps(server: Server, key: str, how: str, seconds: float) -> Stream:
    stream = server.open("sleeper", key, how=how, seconds=seconds)
    assert stream.next().json == "asleep"
    check_rhythm(stream, 5)
    assert not server.journal.entries(key, "finally")
    return stream


@ALL
def test_handler_that_waits_with_ctx(at_once: AtOnce, kind: str) -> None:
    at_once(partial(sleeps, how="ctx", seconds=60), kind=kind)


@GEVENT
def test_handler_that_sleeps_in_a_greenlet(at_once: AtOnce, kind: str) -> None:
    at_once(partial(sleeps, how="time", seconds=60), kind=kind)


def sleeps_in_a_thread(server: Server, key: str) -> None:
    stream = sleeps(server, key, "time", 3)
    assert stream.next().json == "awake"


@THREADS
def test_handler_that_sleeps_in_a_thread(at_once: AtOnce, kind: str) -> None:
    at_once(sleeps_in_a_thread, kind=kind)


def is_silent(server: Server, key: str) -> None:
    stream = server.open("sleeper", key, how="ctx", seconds=60, first=False)
    check_rhythm(stream, 3)
    assert not stream.events


@ALL
def test_silence_before_the_first_event(at_once: AtOnce, kind: str) -> None:
    at_once(is_silent, kind=kind)


def ticks(server: Server, key: str) -> None:
    stream = server.open("ticker", key, every=HEARTBEAT / 4)
    for _ in range(12):
        stream.next()
    assert not stream.heartbeats


@ALL
def test_events_are_as_good_as_heartbeats(at_once: AtOnce, kind: str) -> None:
    at_once(ticks, kind=kind)


def computes_aside(server: Server, key: str, how: str, seconds: float) -> None:
    other = server.open("sleeper", f"{key}-other", how="time")
    other.next()
    computing = server.open("crunch", key, how=how, seconds=seconds, aside=True)
    assert computing.next().json == "begun"
    begun = server.journal.wait(key, "opened").at
    other.beat(int(seconds / HEARTBEAT) - 1)
    assert other.heartbeats[-1] < begun + seconds + HEARTBEAT, "it did not compute meanwhile"
    assert max(gaps(other)) <= 2 * HEARTBEAT, gaps(other)
    assert computing.next().json == "done"
    assert max(gaps(computing)) <= 2 * HEARTBEAT, gaps(computing)


@GEVENT
@pytest.mark.parametrize(("how", "seconds"), [("python", 5.0), ("c", 2.5)])
def test_computing_aside_delays_nobody(
    at_once: AtOnce, kind: str, how: str, seconds: float
) -> None:
    at_once(partial(computes_aside, how=how, seconds=seconds), kind=kind)


def stands_still(server: Server, key: str) -> None:
    before = len(server.log)
    server.open("crunch", key, how="python", seconds=2.5, aside=False).read_to_end()
    said = wait_for(lambda: stall_reports(server.log[before:]), "the hub's stall in the log")
    assert "in crunch" in said[0]
    assert "ctx.run" in said[0]


@GEVENT
def test_hub_that_stands_still_is_named(at_once: AtOnce, kind: str) -> None:
    at_once(stands_still, kind=kind)


def stall_reports(log: str) -> list[str]:
    reports = log.split("The gevent hub stood still")[1:]
    return [report for report in reports if "in crunch" in report]
