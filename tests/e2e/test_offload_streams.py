"""Streams in one group under SSEWorker: who leaves it, is sent away, or is served beside others."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from .crowd import Crowd
from .publisher import check_complete
from .servers import Server
from .waiting import wait_for

pytestmark = pytest.mark.parametrize("server", ["sseworker"], indirect=True)
Gather = Callable[[Server], Crowd]
# What the package promises, and what shows on a busy machine that nobody is starved (seconds).
NOTICED, SANE = 1.0, 1.0


def test_revoked_user(server: Server, crowd: Gather, key: str) -> None:
    """Theirs end for good, the others of their group go on."""
    errors = server.stats()["ended"].get("error", 0)
    people = crowd(server)
    theirs = people.join(20, "follow", channel=key, key=f"{key}-ann", headers={"X-User": "ann"})
    others = people.join(20, "follow", channel=key, key=f"{key}-bob", headers={"X-User": "bob"})
    others += people.join(20, "follow", channel=key)
    ids = server.publish(key, "to all", 3)
    people.wait(lambda: all(m.ids == ids for m in people.members), "all have got it")
    assert server.tell("/api/revoke", user="ann")
    people.wait(lambda: all(m.ended for m in theirs), "they are sent away")
    for n, member in enumerate(theirs):
        (visit,) = member.visits
        assert visit.complete
        assert member.names == ["ready"] + ["message"] * 3 + ["error"]
        assert visit.events[-1].json["status"] == 403
        assert visit.last_event_id.endswith("~end")
        assert server.journal.outcome(f"{key}-ann-{n}") == "error"
    ids += server.publish(key, "to those who stay", 3)
    people.wait(lambda: all(m.ids == ids for m in others), "the others go on")
    assert not any(m.ended for m in others)
    assert server.stats()["ended"]["error"] == errors + 20


def test_revoked_channel(server: Server, crowd: Gather, key: str) -> None:
    people = crowd(server)
    theirs = people.join(10, "follow", channel=key)
    theirs += people.join(10, "follow", channel=[key, f"{key}-other"])
    others = people.join(10, "follow", channel=f"{key}-other")
    assert server.tell("/api/revoke", channel=key)
    people.wait(lambda: all(m.ended for m in theirs), "they are sent away")
    assert all(m.names == ["ready", "error"] for m in theirs)
    ids = server.publish(f"{key}-other", "to those who stay")
    people.wait(lambda: all(m.ids == ids for m in others), "the others go on")


def test_max_duration(server: Server, crowd: Gather, key: str) -> None:
    """Each is sent away after its second, and back with the next event that it has not got."""
    people = crowd(server)
    members = people.join(20, "rotating", channel=key, key=key)
    stays = people.join(1, "follow", channel=key)[0]
    ids: list[str] = []
    while not all(len(m.visits) >= 2 for m in members):
        ids += server.publish(key, "all the time")
        people.check()
        assert len(ids) < 2000, [len(m.visits) for m in members]
        time.sleep(0.02)
    people.wait(lambda: stays.ids == ids, "who stays has all")
    people.wait(lambda: all(m.ids[-1] == ids[-1] for m in members), "all have the last")
    for member in members:
        check_complete(member, ids)
        for visit in member.visits[:-1]:
            assert visit.complete
            assert len(visit.retries) == 2
            assert 500 <= visit.retries[1] <= 3000
        assert not member.failures
    assert len(stays.visits) == 1
    assert server.journal.entries(f"{key}-0", "cleanup")[0].facts["outcome"] == "shutdown"


@pytest.mark.parametrize("goodbye", ["close", "reset"])
def test_clients_that_leave(server: Server, crowd: Gather, key: str, goodbye: str) -> None:
    """Half of a group goes away while nothing is sent, and while something is."""
    disconnected = server.stats()["ended"].get("disconnected", 0)
    stays = crowd(server).join(10, "follow", channel=key)
    streams = {f"{key}-{n}": server.open("follow", f"{key}-{n}", channel=key) for n in range(20)}
    for stream in streams.values():
        stream.next()
    server.publish(key, "to all")
    wait_for(lambda: all(m.ids for m in stays), "they are there")
    for n, (each, stream) in enumerate(streams.items()):
        if n == 10:
            server.publish(key, "while some go", 5)
        getattr(stream, goodbye)()
        left = time.monotonic()
        assert server.journal.outcome(each) == "disconnected"
        assert server.journal.wait(each, "cleanup").at - left < NOTICED
    assert server.stats()["ended"]["disconnected"] == disconnected + 20
    server.publish(key, "to those who stay")
    wait_for(lambda: all(len(m.ids) == 7 for m in stays), "the others have all of it")
    assert server.stats()["streams"] == 10


def test_plain_requests_meanwhile(server: Server, crowd: Gather, key: str) -> None:
    """Hundreds get events; nobody else waits for that."""
    people = crowd(server)
    members = [m for n in range(3) for m in people.join(100, "follow", channel=[f"{key}-{n}"])]
    delays, count = [], 0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        for n in range(3):
            server.publish(f"{key}-{n}", "something to all", 2)
        count += 2
        for _ in range(5):
            asked = time.monotonic()
            assert server.json("/api/nap?seconds=0") == "rested"
            delays.append(time.monotonic() - asked)
        people.check()
    people.wait(lambda: all(len(m.ids) == count for m in members), "all have all", 30)
    delays.sort()
    p50, p99 = (delays[len(delays) * share // 100] * 1e3 for share in (50, 99))
    deliveries = count * len(members)
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms beside {deliveries} deliveries")  # noqa: T201  # by -s
    assert count > 10
    assert p99 < SANE * 1e3
