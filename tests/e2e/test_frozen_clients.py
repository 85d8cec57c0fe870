"""Clients that take little, or nothing for a while, of what SSEWorker sends to their group."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from .crowd import Crowd
from .servers import SEND_TIMEOUT, Server
from .waiting import wait_for

ONLY = pytest.mark.parametrize("server", ["sseworker"], indirect=True)
Gather = Callable[[Server], Crowd]
LARGE = "x" * 48 * 1024
SMALL_BUFFER = 32 * 1024
# More than the buffers of both sides take, so that each event leaves in several pieces.
HUGE = "y" * 6_000_000


@ONLY
def test_one_that_stops_for_a_while(server: Server, crowd: Gather, key: str) -> None:
    """It gets everything once and in order, and is one of its group again.

    A hundred of these are twice what the buffers of both sides take.
    """
    people = crowd(server)
    others = people.join(20, "follow", channel=key)
    slow = server.open("follow", key, channel=key, receive_buffer=SMALL_BUFFER)
    slow.next()
    ids: list[str] = []
    for _ in range(3):
        ids += server.publish(key, LARGE, 100)
        wanted = list(ids)
        people.wait(lambda w=wanted: all(m.ids == w for m in others), "the others do not wait")
        while len(slow.events) < len(ids) + 1:
            slow.next()
        assert [a.event.id for a in slow.events[1:]] == ids
        ids += server.publish(key, "it is back", 2)
        slow.next(), slow.next()
    assert slow.names == ["ready"] + ["message"] * len(ids)
    assert [a.event.id for a in slow.events[1:]] == ids
    assert server.stats()["streams"] == 21


@ONLY
def test_one_that_reads_little_by_little(server: Server, crowd: Gather, key: str) -> None:
    """It takes far longer than the send timeout, in pieces that end anywhere."""
    people = crowd(server)
    others = people.join(20, "follow", channel=key)
    slow = server.open("follow", key, channel=key, receive_buffer=SMALL_BUFFER)
    slow.next()
    ids, begun = server.publish(key, LARGE, 150), time.monotonic()
    last = 0.0
    while len(slow.events) < len(ids) + 1:
        now = time.monotonic()
        assert now - begun < 60, slow
        if now - begun < 1.5 * SEND_TIMEOUT:
            time.sleep(0.015)
            if now - last > 0.2:
                ids += server.publish(key, "in between")
                last = now
        assert slow.read_some(SMALL_BUFFER), "it was cut off"
    assert time.monotonic() - begun > 1.2 * SEND_TIMEOUT, "it was not slow"
    assert [a.event.id for a in slow.events[1:]] == ids
    assert [a.json for a in slow.events[1:151]] == [LARGE] * 150
    wait_for(lambda: all(m.ids == ids for m in others), "the others have it, too")
    assert server.stats()["streams"] == 21


def test_events_larger_than_the_buffers(
    launch: Callable[..., Server], crowd: Gather, key: str
) -> None:
    large = {"FLASK_SSE_MAX_EVENT_BYTES": 8_000_000, "FLASK_SSE_MAX_BODY_BYTES": 8_000_000}
    server = launch("sseworker", settings=large)
    people = crowd(server)
    others = people.join(3, "follow", channel=key)
    slow = server.open("follow", key, channel=key, receive_buffer=SMALL_BUFFER)
    slow.next()
    ids = server.publish(key, HUGE, 2) + server.publish(key, "a small one")
    wait_for(lambda: all(m.ids == ids for m in others), "the others have all")
    for wanted in (HUGE, HUGE, "a small one"):
        assert slow.next().json == wanted
    assert [a.event.id for a in slow.events[1:]] == ids
    people.leave()
    server.settle()
