"""Heartbeats of streams that SSEWorker has taken over, alone and among others."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from .crowd import Crowd, Member
from .servers import HEARTBEAT, Server

pytestmark = pytest.mark.parametrize("server", ["sseworker"], indirect=True)
Gather = Callable[[Server], Crowd]
BEATS = 6


def beats(member: Member) -> list[float]:
    return member.visits[-1].heartbeats


def check_rhythm(member: Member) -> None:
    gaps = [later - earlier for earlier, later in pairwise(beats(member))]
    assert abs(statistics.median(gaps) - HEARTBEAT) < HEARTBEAT * 0.25, gaps
    assert max(gaps) <= HEARTBEAT * 2.5, gaps


def test_while_all_are_idle(server: Server, crowd: Gather, key: str) -> None:
    """Those of one group, those of another, and a handler that sleeps."""
    people = crowd(server)
    members = [
        *people.join(20, "follow", channel=key),
        *people.join(1, "follow", channel=f"{key}-other"),
        *people.join(5, "sleeper", key=key, how="time"),
    ]
    people.wait(lambda: all(len(beats(m)) >= BEATS for m in members), "they have their heartbeats")
    for member in members:
        check_rhythm(member)
        assert len(member.events) == 1


def test_while_others_get_events(server: Server, crowd: Gather, key: str) -> None:
    """One that filters all of it away, and one that follows something else."""
    people = crowd(server)
    busy = people.join(20, "follow", channel=key)
    idle = people.join(20, "follow", channel=f"{key}-other") + people.join(3, "deaf", channel=key)
    idle += people.join(3, "follow", channel=[key, f"{key}-other"])[3:]
    before = {id(m): len(beats(m)) for m in busy}
    begun, count = time.monotonic(), 0
    while not all(len(beats(m)) >= BEATS for m in idle):
        count += len(server.publish(key, "an event"))
        people.check()
        assert time.monotonic() - begun < 20, [len(beats(m)) for m in idle]
        time.sleep(HEARTBEAT / 10)
    for member in idle:
        check_rhythm(member)
        assert member.names == ["ready"]
    people.wait(lambda: all(len(m.ids) == count for m in busy), "the others have all events")
    assert sum(len(beats(m)) - before[id(m)] for m in busy) <= len(busy), "they were not idle"


def test_after_the_last_event(server: Server, crowd: Gather, key: str) -> None:
    """The time of silence begins anew with each event."""
    people = crowd(server)
    members = people.join(10, "follow", channel=key)
    people.wait(lambda: all(beats(m) for m in members), "they are idle")
    server.publish(key, "an event")
    people.wait(lambda: all(m.ids for m in members), "they have it")
    at = {id(m): m.events[-1].at for m in members}
    people.wait(lambda: all(beats(m)[-1] > at[id(m)] for m in members), "and a heartbeat after it")
    for member in members:
        first = next(beat for beat in beats(member) if beat > at[id(member)])
        assert first - at[id(member)] > HEARTBEAT * 0.9
