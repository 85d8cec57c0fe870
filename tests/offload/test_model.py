"""Clients that come, go, stall and resume at random, held against what was published."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest

from flask_sse_routes import channels, groups, offload, rings
from flask_sse_routes.brokers.base import Position
from flask_sse_routes.connections import Connection
from flask_sse_routes.groups import Group

from .sites import Client, Site, wait_for

pytestmark = pytest.mark.gevent

STEPS = 180
MOST = 14
# Entries that a channel keeps: few enough that who stalls is reset, or all.
SHORT, LONG = 40, 100_000
FOLLOWED = (("a",), ("a", "b"), ("a", "b", "c"), ("c",))
SIZES = (0, 0, 20, 200, 3000)


@pytest.fixture(name="small", autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is enough to fall out of the rings, and to be sent in several portions."""
    monkeypatch.setattr(rings, "RING_ENTRIES", 12)
    monkeypatch.setattr(rings, "HANDFUL", 4)
    monkeypatch.setattr(channels, "PAGE", 5)
    monkeypatch.setattr(groups, "BATCH", 2)


@pytest.fixture(name="seen")
def seen(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What has happened to groups: a run in which nothing does shows nothing."""
    counts: Counter[str] = Counter()

    def count(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def call(self: Any, *args: Any, **options: Any) -> Any:
            in_group = owner is Group or self.group is not None
            counts[f"{name}"] += in_group
            counts[f"{name} in a pass"] += owner is Group and bool(self._row)
            return original(self, *args, **options)

        monkeypatch.setattr(owner, name, call)

    count(Group, "add")
    count(Group, "disband")
    count(Group, "release")
    count(Connection, "hold")
    return counts


class Play:
    """One run: what it does depends on the seed, and on how far the offload has got."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.open: list[Client] = []
        self.acts = [
            *[self.publish] * 6,
            *[self.come] * 2,
            *[self.come_back] * 2,
            *[self.turn] * 3,
            self.leave,
            self.end,
            *[self.pause] * 3,
        ]

    def step(self) -> None:
        self.chance.choice(self.acts)()
        self.open = [client for client in self.open if not client.left and not client.over]
        for client in self.open:
            if client.reading:
                client.read()

    def publish(self) -> None:
        gap = self.chance.choice([None, 0, 0.0005])
        for _ in range(self.chance.choice([1, 1, 3, 10, 25])):
            self.site.publish(self.chance.choice("abc"), self.chance.choice(SIZES))
            if gap is not None:
                time.sleep(gap)

    def come(self) -> None:
        self._open(self.chance.choice(FOLLOWED), None)

    def come_back(self) -> None:
        """Resume, mostly from where one was that is gone, else from anywhere."""
        gone = [client for client in self.site.clients if client.left and client.events]
        if gone and self.chance.random() < 0.7:
            client = self.chance.choice(gone[-10:])
            self._open(client.channels, client.events[-1].id)
        elif self.site.log:
            entry = self.chance.choice(self.site.log[-2 * SHORT :])
            self._open(self.chance.choice(FOLLOWED), str(entry.position))

    def _open(self, followed: tuple[str, ...], after: str | None) -> None:
        if len(self.open) < MOST:
            heartbeat = self.chance.choice([0.1, 0.5])
            self.open.append(self.site.open(*followed, after=after, heartbeat=heartbeat))

    def turn(self) -> None:
        """Stop reading, or go on."""
        if self.open:
            client = self.chance.choice(self.open)
            client.reading = not client.reading

    def leave(self) -> None:
        if self.open:
            self.chance.choice(self.open).leave()

    def end(self) -> None:
        """The server ends one."""
        if self.open:
            self.chance.choice(self.open).stream.close("shutdown")

    def pause(self) -> None:
        time.sleep(self.chance.choice([0, 0.0005, 0.01]))


def have_read(clients: list[Client], last: dict[str, str]) -> bool:
    """Let clients read, and tell whether all have come to the last of their channels."""
    for client in clients:
        client.read()
    return all(is_at_least(client, last[client.channels[-1]]) for client in clients)


def is_at_least(client: Client, last: str) -> bool:
    to = Position.parse(client.events[-1].id) if client.events else None
    end = Position.parse(last)
    return to is not None and end is not None and to.epoch == end.epoch and to.seq >= end.seq


@pytest.mark.parametrize("deadly", [False, True], ids=["one-epoch", "epochs"])
@pytest.mark.parametrize("history", [SHORT, LONG])
@pytest.mark.parametrize("seed", range(2))
def test_everybody_gets_all_of_their_channels_once_and_in_order(
    make_site: Any,
    monkeypatch: pytest.MonkeyPatch,
    seen: Counter[str],
    seed: int,
    history: int,
    deadly: bool,
) -> None:
    site: Site = make_site(history=history)
    if seed % 2:
        monkeypatch.setattr(offload, "BATCH", 1)
        monkeypatch.setattr(offload, "TURN", -1.0)
    play = Play(site, seed)
    for step in range(STEPS):
        play.step()
        if deadly and step % 60 == 40:
            site.broker.die()
    stay = [client for client in play.open if client.stream.reason is None]
    last = {channel: site.publish(channel) for channel in "abc"}
    wait_for(lambda: have_read(stay, last), last)
    assert site.seen_all(*stay)
    for client in stay:
        events, size, _ = client.counts()
        assert (events, size) == client.read().received()[:2]
    for client in site.clients:
        site.check(client)
    names = Counter(name for client in site.clients for name in client.names)
    assert sum(len(client.ids) for client in site.clients) > STEPS
    assert names["ready"]
    assert bool(names["reset"]) == (deadly or history == SHORT)
    assert seen["add"] > 10
    assert seen["hold"]
    assert seen["release"]
