"""What is counted is what clients have received, for open and for ended streams."""

from __future__ import annotations

import random

import pytest

from flask_sse_routes import rings

from .sites import Client, Site, wait_for

pytestmark = pytest.mark.gevent


@pytest.mark.parametrize("seed", range(3))
def test_the_counters_are_those_of_the_clients(
    site: Site, breathless: None, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(rings, "HANDFUL", 3)
    chance = random.Random(seed)
    clients = [site.open(*followed) for followed in [("a",), ("a", "b"), ("b",)] * 4]
    for _ in range(20):
        for _ in range(chance.choice([1, 2, 7])):
            site.publish(chance.choice("ab"), chance.choice([0, 100, 2500]))
        for client in clients:
            if chance.random() < 0.6:
                client.read()
        site.streams.stats()
        if chance.random() < 0.3:
            _end(site, clients[chance.randrange(len(clients))])
    wait_for(lambda: all(client.read().over or site.is_complete(client) for client in clients))
    ended = [client for client in clients if client.over]
    wait_for(lambda: all(client.closed.is_set() for client in ended))
    assert ended
    for client in clients:
        assert client.counts() == client.received()
    stats = site.streams.stats()
    assert stats.events == sum(len(client.events) for client in clients)
    assert stats.bytes == sum(len(client.raw) for client in clients)
    assert stats.ended == {"shutdown": len(ended)}
    assert stats.streams == len(clients) - len(ended) == len(site.offload)


def _end(site: Site, client: Client) -> None:
    """End one that has got everything; what it got stays counted."""
    if client.stream.reason is None:
        wait_for(lambda: site.seen_all(client))
        client.stream.close("shutdown")


def test_asking_twice_counts_once(site: Site) -> None:
    crowd = site.crowd(3, "a")
    for _ in range(5):
        site.publish("a")
        wait_for(lambda: site.seen_all(*crowd))
        stats = [site.streams.stats() for _ in range(3)]
        assert stats[0] == stats[1] == stats[2]
    assert stats[0].events == 3 * 6
    assert stats[0].bytes == sum(len(client.raw) for client in crowd)


def test_who_joins_late_is_counted_from_then_on(site: Site) -> None:
    first = site.crowd(2, "a")
    for _ in range(10):
        site.publish("a")
    wait_for(lambda: site.seen_all(*first))
    late = site.crowd(1, "a")
    site.publish("a")
    wait_for(lambda: site.seen_all(*first, *late))
    assert [client.counts() for client in late] == [client.received() for client in late]
    late[0].stream.close("shutdown")
    wait_for(lambda: late[0].read().over)
    assert late[0].counts() == late[0].received()
    assert late[0].counts()[0] == 2
