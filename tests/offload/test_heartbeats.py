"""Heartbeats, and what else happens at its time: vanished clients, slow ones, and old streams."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flask_sse_routes import offload
from flask_sse_routes.sockets import VANISHED_AFTER, ClientSocket

from .sites import Client, Site, wait_for

pytestmark = pytest.mark.gevent

# Seconds; what is due comes a slot (0.02 s here) late at most, on an idle machine.
BEAT = 0.1
LATE = 0.6


def members(site: Site, count: int, **timing: Any) -> list[Client]:
    """A crowd in a group and, at the end, one on its own on another channel."""
    return [*site.crowd(count, "a", **timing), site.open("b", **timing)]


def publish(site: Site, size: int = 0) -> None:
    site.publish("a", size)
    site.publish("b", size)


def test_members_and_single_ones_get_heartbeats(site: Site) -> None:
    clients = members(site, 3, heartbeat=BEAT)
    begun = time.monotonic()
    group = clients[0].group
    wait_for(lambda: all(client.read().heartbeats >= 3 for client in clients))
    assert time.monotonic() - begun > 2 * BEAT
    assert [client.group for client in clients] == [group] * 3 + [None]
    wait_for(lambda: all(client.counts() == client.read().received() for client in clients))
    assert site.streams.stats().heartbeats >= 12
    publish(site)
    wait_for(lambda: site.seen_all(*clients))
    assert [client.group for client in clients] == [group] * 3 + [None]


def test_they_come_no_more_often_than_asked_for(site: Site) -> None:
    clients = members(site, 3, heartbeat=BEAT)
    begun = time.monotonic()
    time.sleep(5 * BEAT)
    most = (time.monotonic() - begun) / BEAT + 1
    assert all(1 <= client.read().heartbeats <= most for client in clients)


def test_none_while_events_flow(site: Site) -> None:
    clients = members(site, 3, heartbeat=LATE)
    group = clients[0].group
    until = time.monotonic() + 1.3 * LATE
    while time.monotonic() < until:
        publish(site)
        wait_for(lambda: site.seen_all(*clients))
        time.sleep(0.03)
    assert [client.heartbeats for client in clients] == [0] * 4
    assert {client.group for client in clients} == {group, None}


def test_one_follows_an_event_by_its_time(site: Site) -> None:
    """The wheel is looked at when the last one was due: what came since puts it off."""
    clients = members(site, 2, heartbeat=0.4)
    time.sleep(0.25)
    publish(site)
    sent = time.monotonic()
    wait_for(lambda: all(client.read().heartbeats for client in clients))
    assert time.monotonic() - sent > 0.35


def test_who_leaves_a_group_has_been_sent_something(site: Site) -> None:
    """What the group sent counts for one that has left it, too."""
    one, other = site.crowd(2, "a", heartbeat=0.5)
    time.sleep(0.3)
    site.publish("a")
    wait_for(lambda: site.seen_all(one, other))
    sent = time.monotonic()
    group = one.group
    assert group is not None
    group.disband()
    wait_for(lambda: one.read().heartbeats)
    assert time.monotonic() - sent > 0.4


def test_none_on_top_of_what_is_held_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "CLOSING", BEAT)  # is for those that end, and none does
    clients = members(site, 3, heartbeat=BEAT)
    wait_for(lambda: all(client.read().heartbeats for client in clients))
    publish(site, 30_000)
    wait_for(lambda: all(client.connection.rest is not None for client in clients))
    beats = [client.counts()[2] for client in clients]
    sends = [client.wire.sends for client in clients]
    time.sleep(4 * BEAT)
    assert [client.counts()[2] for client in clients] == beats
    assert [client.wire.sends for client in clients] == sends
    wait_for(lambda: site.seen_all(*clients))
    for client in clients:
        frame = client.raw[client.raw.rindex(b"id: ") :]
        assert b"\n:\n" not in frame[:30_000]
    wait_for(lambda: all(client.read().heartbeats > 1 for client in clients))


@pytest.mark.parametrize("alone", [False, True], ids=["member", "single"])
def test_one_that_the_socket_does_not_take_comes_later(site: Site, alone: bool) -> None:
    client = members(site, 2, heartbeat=BEAT)[-1 if alone else 0]
    client.wire.faults.append(BlockingIOError())
    wait_for(lambda: client.read().heartbeats >= 2)
    assert not client.wire.faults
    # None is on its way while none is due.
    wait_for(lambda: client.counts()[2] > 2)
    wait_for(lambda: client.read().received() == client.counts(), "the counters are right")


@pytest.mark.parametrize("alone", [False, True], ids=["member", "single"])
def test_a_heartbeat_finds_a_client_that_is_gone(site: Site, alone: bool) -> None:
    clients = members(site, 3, heartbeat=BEAT)
    one = clients.pop(-1 if alone else 1)
    one.wire.faults.extend([BrokenPipeError()] * 2)
    wait_for(one.closed.is_set)
    assert (one.stream.outcome, one.stream.dropped) == ("disconnected", False)
    wait_for(lambda: all(client.read().heartbeats >= 2 for client in clients))


@pytest.mark.parametrize("alone", [False, True], ids=["member", "single"])
def test_a_vanished_client_is_dropped(
    site: Site, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    clients = members(site, 3, heartbeat=BEAT)
    one = clients.pop(-1 if alone else 1)
    fd = one.connection.socket.fd

    def silence(self: ClientSocket) -> float:
        return VANISHED_AFTER if self.fd == fd else VANISHED_AFTER - 1

    monkeypatch.setattr(ClientSocket, "silence", silence)
    wait_for(one.closed.is_set)
    assert (one.stream.outcome, one.stream.dropped) == ("disconnected", True)
    wait_for(lambda: all(client.read().heartbeats >= 2 for client in clients))
    assert site.streams.stats().dropped == 1


@pytest.mark.parametrize("alone", [False, True], ids=["member", "single"])
def test_a_slow_client_is_dropped(site: Site, alone: bool) -> None:
    clients = members(site, 3, send_timeout=0.3)
    one = clients[-1 if alone else 1]
    others = [client for client in clients if client is not one]
    while one.connection.rest is None:
        publish(site, 1500)
        wait_for(lambda: site.seen_all(*others))
    begun = time.monotonic()
    while not one.closed.is_set():
        assert time.monotonic() - begun < 10
        publish(site)
        wait_for(lambda: site.seen_all(*others))
    assert time.monotonic() - begun > 0.25
    assert (one.stream.outcome, one.stream.dropped) == ("disconnected", True)
    assert site.streams.stats().dropped == 1


def take_slowly(client: Client, seconds: float) -> None:
    """Take some 4 KiB now and then, until the client has got something."""
    begun = time.monotonic()
    while not client.ids:
        assert not client.over, f"dropped: {client.stream.dropped}"
        client.read()
        time.sleep(0.1)
    assert time.monotonic() - begun > seconds
    assert not client.stream.dropped


def test_one_that_takes_a_little_is_not_dropped(site: Site) -> None:
    slow = site.open("a", send_timeout=0.4)
    site.publish("a", 50_000)
    take_slowly(slow, 2 * 0.4)


def test_one_that_takes_nothing_does_not_hold_up_an_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offload, "CLOSING", 0.2)
    one, stays = site.open("a"), site.open("b")
    site.publish("a", 60_000)
    site.publish("b", 60_000)
    wait_for(lambda: one.connection.rest is not None and stays.connection.rest is not None)
    one.stream.close("shutdown")
    wait_for(one.closed.is_set)
    assert one.stream.dropped
    wait_for(lambda: site.seen_all(stays))
    assert stays.stream.outcome is None


def test_one_that_takes_a_little_gets_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "CLOSING", 0.3)
    slow = site.open("a")
    site.publish("a", 50_000)
    wait_for(lambda: slow.connection.rest is not None)
    slow.stream.close("shutdown")
    take_slowly(slow, 2 * 0.3)
    wait_for(lambda: slow.read().over)
    assert slow.raw.splitlines()[-1].startswith(b"retry: ")


@pytest.mark.parametrize("heartbeat", [BEAT, 3600.0])
def test_streams_end_when_they_have_lasted_long_enough(site: Site, heartbeat: float) -> None:
    begun = time.monotonic()
    ends = [site.open("a", max_duration=0.5, heartbeat=heartbeat) for _ in range(3)]
    ends.append(site.open("b", max_duration=0.5, heartbeat=heartbeat))
    stays = site.open("a")
    wait_for(lambda: ends[0].group and stays.read().group)
    publish(site)
    wait_for(lambda: site.seen_all(*ends, stays))
    wait_for(lambda: all(client.read().over for client in ends))
    assert 0.5 <= time.monotonic() - begun < 5
    wait_for(lambda: all(client.closed.is_set() for client in ends))
    for client in ends:
        assert client.stream.outcome == "shutdown"
        assert client.raw.count(b"retry: ") == 2
        assert client.raw.splitlines()[-1].startswith(b"retry: ")
    site.publish("a")
    wait_for(lambda: site.seen_all(stays))


def test_one_that_is_held_up_ends_when_it_goes_on(site: Site) -> None:
    client = site.open("a", max_duration=0.3)
    site.publish("a", 30_000)
    wait_for(lambda: client.connection.rest is not None)
    wait_for(lambda: client.stream.reason == "shutdown")
    assert not client.closed.is_set()
    wait_for(lambda: client.read().over)
    assert len(client.ids) == 1
    assert client.raw.splitlines()[-1].startswith(b"retry: ")


def test_nothing_is_left_in_the_wheel(site: Site) -> None:
    clients = members(site, 3, heartbeat=BEAT)
    clients += [site.open("a", heartbeat=BEAT, max_duration=0.2) for _ in range(3)]
    clients.append(site.open("a", heartbeat=BEAT))
    clients[-1].leave()
    wait_for(lambda: all(client.read().over for client in clients[4:7]))
    wait_for(lambda: len(site.wheel()) == 4)
    time.sleep(2 * BEAT)
    assert len(site.wheel()) <= 4, "each is noted once"
    for client in clients[:4]:
        client.leave()
    wait_for(lambda: not len(site.offload) and not site.wheel())
