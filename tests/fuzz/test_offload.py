"""Streams on the fast transport: small sockets, clients that stall, leave and come back.

Each turn of the tail, of the sender, of the epoll and of the clock is drawn; so is what happens
in the middle of a pass over a group, and between a read of the log and its answer.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from offload.sites import Client, Wire

from flask_sse_routes import channels, groups, offload, rings
from flask_sse_routes.connections import Connection
from flask_sse_routes.peer import NOWHERE
from flask_sse_routes.wire import HEARTBEAT, Decoder

from .by_hand import Hands
from .effort import play
from .hand_site import HandSite

MOST = 6
BEAT, TIMEOUT = 5.0, 30.0
FOLLOWED = [("a",), ("a",), ("a", "b"), ("b", "c")]
IN_A_PASS = ["leaves", "poll", "publish", "close", "revoke", "tail"]

seen: Counter[str] = Counter()


class SparingWire(Wire):
    """A socket that takes few bytes at a time; keeps what it was to send."""

    def __init__(self, wire: Wire, connection: Connection) -> None:
        super().__init__(wire._sock)
        self._connection = connection
        self.room = 1_000_000
        self.total = 0
        self.handed = b""

    def send(self, data: Any) -> int:
        if self._connection.rest is None:
            self.handed += data
        if not self.room:
            raise BlockingIOError
        sent = super().send(data[: self.room])
        self.total += sent
        self.room -= sent
        seen["partial"] += sent < len(data)
        return sent


class Offloaded(RuleBasedStateMachine):
    """Some streams that follow channels of one log."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = Hands()
        for module, name, value in [
            (rings, "RING_ENTRIES", 6),
            (rings, "HANDFUL", 3),
            (channels, "PAGE", 4),
            (groups, "BATCH", 1),
            (offload, "BATCH", 1),
            (offload, "TURN", -1.0),
        ]:
            self.hands.patch.setattr(module, name, value)
        self.held: list[tuple[Client, Connection]] = []

    @initialize(history=st.sampled_from([4, 1000]), crowd=st.integers(2, 4))
    def begin(self, history: int, crowd: int) -> None:
        self.site = HandSite(self.hands, history)
        self.hands.in_the_middle = self._in_a_pass
        self.releases = 0
        release = self.site.streams.release

        def count(client: Any) -> None:
            self.releases += 1
            release(client)

        self.hands.patch.setattr(self.site.streams, "release", count)
        for _ in range(crowd):
            self._open(("a",), None)
        self.everything(3)

    def _in_a_pass(self) -> bool:
        return any(group._row for group in self.site.offload._groups.values())

    def _open_clients(self) -> list[Client]:
        return [c for c in self.site.clients if not c.left and not c.over]

    def _pick(self, n: int) -> Client | None:
        clients = self._open_clients()
        return clients[n % len(clients)] if clients else None

    # Clients

    @precondition(lambda self: len(self._open_clients()) < MOST)
    @rule(followed=st.sampled_from(FOLLOWED), place=st.none() | st.integers(0, 30))
    def comes(self, followed: tuple[str, ...], place: int | None) -> None:
        after = None
        if place is not None and self.site.log:
            after = str(self.site.log[-1 - place % len(self.site.log)].position)
        self._open(followed, after)

    @precondition(lambda self: len(self._open_clients()) < MOST)
    @rule(n=st.integers(0, 10))
    def comes_back(self, n: int) -> None:
        gone = [c for c in self.site.clients if (c.left or c.over) and c.events]
        if gone:
            client = gone[n % len(gone)]
            self._open(client.channels, client.events[-1].id)

    def _open(self, followed: tuple[str, ...], after: str | None) -> None:
        client = self.site.open(*followed, after=after, heartbeat=BEAT, send_timeout=TIMEOUT)
        connection = client.connection
        client.wire = wire = SparingWire(client.wire, connection)
        connection.write = wire.send
        self.held.append((client, connection))

    @rule(n=st.integers(0, 10), room=st.sampled_from([0, 1, 5, 40, 1_000_000]))
    def takes_little(self, n: int, room: int) -> None:
        client = self._pick(n)
        if client is not None and isinstance(client.wire, SparingWire):
            client.wire.room = room

    @rule(n=st.integers(0, 10), shut=st.booleans())
    def leaves(self, n: int, shut: bool) -> None:
        client = self._pick(n)
        if client is not None:
            client.read()
            if shut and not client.over:
                client.shut()
            client.leave()

    @rule()
    def clients_read(self) -> None:
        for client in self.site.clients:
            client.read()

    # The log

    @rule(channel=st.sampled_from("aabc"), size=st.sampled_from([0, 0, 30, 6000]))
    def publish(self, channel: str, size: int) -> None:
        self.site.publish(channel, size)

    @rule(count=st.integers(2, 9))
    def publish_many(self, count: int) -> None:
        for n in range(count):
            self.site.publish("ab"[n % 2])

    @rule()
    def log_ends(self) -> None:
        self.site.broker.die()

    # Turns

    @rule()
    def tail(self) -> None:
        self.site.tail()

    @rule()
    def catch_up(self) -> None:
        self.site.catch_up()

    @rule(count=st.integers(1, 12))
    def serve(self, count: int) -> None:
        for _ in range(count):
            self.site.serve_one()

    @rule()
    def poll(self) -> None:
        self.site.poll()

    @rule()
    def task(self) -> None:
        self.hands.run_one()

    @rule(count=st.integers(1, 3))
    def everything(self, count: int) -> None:
        for _ in range(count):
            self.site.turn()

    @rule(seconds=st.sampled_from([0.3, BEAT, BEAT * 1.2, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.hands.time.go_on(seconds)

    # In the middle

    @rule(what=st.sampled_from(IN_A_PASS))
    def interlude_in_a_pass(self, what: str) -> None:
        self.hands.interludes.append(lambda: self._interlude(what))

    @rule(what=st.sampled_from(IN_A_PASS))
    def a_pass_with_an_interlude(self, what: str) -> None:
        for _ in range(min(2, MOST - len(self._open_clients()))):
            self._open(("a",), None)
        self.everything(3)
        self.interlude_in_a_pass(what)
        self.publish("a", 0)
        self.tail()
        self.serve(6)

    @rule(what=st.sampled_from(["leaves", "publish", "close", "serve", "die"]))
    def interlude_in_a_read(self, what: str) -> None:
        self.site.broker.interludes.append(lambda: self._interlude(what))

    def _interlude(self, what: str) -> None:
        seen[f"{what} in a pass"] += self._in_a_pass()
        if what == "leaves":
            self.leaves(len(self.site.log), False)  # before its turn, or after it
            self.site.poll()
            self.hands.run_all()
        elif what == "poll":
            self.site.poll()
        elif what == "publish":
            self.site.publish("a")
        elif what == "close":
            self.app_ends(1)
        elif what == "revoke":
            self.app_revokes("a")
        elif what == "die":
            self.site.broker.die()
        elif what == "serve" and not self._in_a_pass():
            self.site.serve_one()
        elif what == "tail":
            self.site.tail()

    # The app

    @rule(n=st.integers(0, 10))
    def app_ends(self, n: int) -> None:
        client = self._pick(n)
        if client is not None:
            client.stream.close("shutdown")

    @rule(channel=st.sampled_from("abc"))
    def app_revokes(self, channel: str) -> None:
        self.site.streams.revoke(None, channel)

    # What always holds

    @invariant()
    def clients_got_what_was_published(self) -> None:
        for client in self.site.clients:
            self.site.check(client)
            assert not re.search(rb"retry: \d+\n\n", client.raw)

    @invariant()
    def the_counters_agree(self) -> None:
        for client, connection in self.held:
            wire = client.wire
            assert isinstance(wire, SparingWire)
            events, beats = Decoder().feed(wire.handed), wire.handed.split(b"\n").count(b":")
            assert client.counts() == (len(events), len(wire.handed), beats)
            if connection.open:
                rest = b"" if connection.rest is None else bytes(connection.rest)
                assert wire.handed.endswith(rest)
                assert len(wire.handed) == wire.total + len(rest)
            assert wire.handed.startswith(client.raw)

    @invariant()
    def stats_are_their_sum(self) -> None:
        stats = self.site.streams.stats()
        counts = [client.counts() for client in self.site.clients]
        assert (stats.events, stats.bytes, stats.heartbeats) == (
            *map(sum, zip(*counts, strict=True)),
        ) or not counts
        assert stats.streams + self.releases == len(self.site.clients)
        assert sum(stats.ended.values()) == self.releases

    def teardown(self) -> None:
        if not hasattr(self, "site"):
            self.hands.let_go()
            return
        try:
            self._settle()
            self.site.close()
            self.stats_are_their_sum()
            assert self.releases == len(self.site.clients)
            for client in self.site.clients:
                assert client.closed.is_set()
                assert client.stream.transport is NOWHERE
        finally:
            self.site.let_go()
            self.hands.let_go()

    def _settle(self) -> None:
        """Let everything go on undisturbed: who is here has got all of it, and by the counters."""
        self.hands.interludes.clear()
        self.site.broker.interludes.clear()
        stay = self._open_clients()
        for client in stay:
            assert isinstance(client.wire, SparingWire)
            client.wire.room = 1_000_000
        for _ in range(200):
            self.site.turn()
            self.clients_read()
            if all(c.over or self.site.is_complete(c) for c in stay):
                break
        self.clients_got_what_was_published()
        for client in stay:
            if not client.over:
                assert self.site.is_complete(client), (client.channels, client.events[-3:])
                beats = client.raw.split(b"\n").count(HEARTBEAT.rstrip())
                assert client.counts() == (len(client.events), len(client.raw), beats)


def test_streams_of_channels_on_small_sockets() -> None:
    seen.clear()
    play(Offloaded, 60, 40)
    assert seen["partial"]
    assert sum(seen[f"{what} in a pass"] for what in IN_A_PASS) > 10, seen
