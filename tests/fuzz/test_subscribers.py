"""Subscribers that join, leave and resume from any id that was ever handed out.

The hub is driven by hand, on a log that is trimmed and begins anew: each gets exactly the rest
in order, or a reset that has a reason; never a silent hole.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flask_sse_routes import BrokerUnavailable, channels, rings
from flask_sse_routes.brokers.base import Entry, Position
from flask_sse_routes.channels import ChannelHub
from flask_sse_routes.followers import ChannelSource
from flask_sse_routes.wire import Decoder, Event

from .by_hand import Hands
from .effort import play, seldom
from .hand_site import HandBroker, position_of

MOST = 6
# What came about in all plays, by its name.
seen: Counter[str] = Counter()
FOLLOWED = [("a",), ("b",), ("a", "b"), ("c", "a"), ("a", "b", "c")]


INTERLUDES = ["publish", "publish here", "die", "take", "leave"]
# What no run of all plays goes without.
USUAL = ["message", "ready", "snapshot", "reset", "trimmed", "epoch"]
USUAL += ["taken in", "left to the tail"]
USUAL += [f"{what} in a read" for what in INTERLUDES]


@dataclass(frozen=True)
class Published:
    """An entry: where in which life of the log it is, and what it says."""

    life: int
    position: Position
    channel: str
    number: int


def evenly(event: Event) -> bool:
    return int(event.data) % 2 == 0


@dataclass
class Subscriber:
    """One stream. `life` is the log's that its position belongs to."""

    source: ChannelSource
    channels: tuple[str, ...]
    filtered: bool
    asked: Position | None
    has_snapshot: bool
    life: int
    overs: int = 0
    wakes: int = 0
    events: list[Event] = field(default_factory=list)
    decoder: Decoder = field(default_factory=Decoder)
    position: Position | None = None

    def start(self) -> None:
        self.source.start(self._wake, self._over)

    def _wake(self) -> None:
        self.wakes += 1

    def _over(self) -> None:
        self.overs += 1


class Subscribers(RuleBasedStateMachine):
    """One log, one hub, and who follows."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = Hands()
        patch = self.hands.patch.setattr
        patch(rings, "RING_ENTRIES", 4)
        patch(rings, "HANDFUL", 3)
        patch(channels, "PAGE", 3)
        self.log: list[Published] = []
        self.life = 0
        self.open: list[Subscriber] = []
        self.handed_out: list[str] = []

    @initialize(history=st.sampled_from([3, 8, 1000]))
    def begin(self, history: int) -> None:
        self.history = history
        self.broker = HandBroker(history)
        self.hub = ChannelHub(self.broker)
        self.handed_out.append(str(self.broker.newest()))

    # The log

    @precondition(lambda self: self.open or len(self.log) < 8)
    @rule(channel=st.sampled_from("abc"), count=st.sampled_from([1, 1, 2, 7]), here=st.booleans())
    def publish(self, channel: str, count: int, here: bool) -> None:
        """Append; what this process has appended `here`, the tail need not read."""
        for _ in range(count):
            number = len(self.log)
            body = b"\n%d" % number
            position = self.broker.append(channel, body)
            if here:
                taken = self.hub._take_in(position, Entry(position.seq, channel, body))
                seen["taken in" if taken else "left to the tail"] += 1
            self.log.append(Published(self.life, position, channel, number))
            self.handed_out.append(str(position))

    @rule(really=seldom)
    def log_begins_anew(self, really: bool) -> None:
        if not really:
            return
        self.life += 1
        self.broker.die()

    @rule(what=st.sampled_from(INTERLUDES))
    def interlude_in_a_read(self, what: str) -> None:
        self.broker.interludes.append(lambda: self._interlude(what))

    def _interlude(self, what: str) -> None:
        seen[f"{what} in a read"] += 1
        if what.startswith("publish"):
            self.publish("a", 2, here=what == "publish here")
        elif what == "die":
            self.log_begins_anew(True)
        elif what == "take":
            self.take(0)
        else:
            self.leave(1)

    # Turns

    @rule()
    def tail(self) -> None:
        place = self.hub._whereabouts()
        if place is not None:
            self.hub._read_on(*place)

    @rule()
    def catch_up(self) -> None:
        source = self.hub.catching.next()
        if source is not None:
            self.hub.read_page(source)
            source.wake()

    # Subscribers

    @precondition(lambda self: len(self.open) < MOST)
    @rule(
        followed=st.sampled_from(FOLLOWED),
        place=st.none() | st.integers(0, 50),
        filtered=st.booleans(),
        snapshot=st.sampled_from([False, False, True]),
    )
    def join(
        self, followed: tuple[str, ...], place: int | None, filtered: bool, snapshot: bool
    ) -> None:
        after = None
        if place is not None and self.handed_out:
            after = self.handed_out[-1 - place % len(self.handed_out)]
        self._open(followed, after, filtered=filtered, snapshot=snapshot)

    @precondition(lambda self: self.open)
    @rule(n=st.integers(0, MOST))
    def come_back(self, n: int) -> None:
        """Leave, and go on from where one was."""
        one = self.open[n % len(self.open)]
        self._close(one)
        if one.events and one.events[-1].id in self.handed_out:
            self._open(one.channels, one.events[-1].id, filtered=one.filtered, snapshot=False)

    def _open(
        self, followed: tuple[str, ...], after: str | None, *, filtered: bool, snapshot: bool
    ) -> None:
        source = ChannelSource(self.hub, followed, evenly if filtered else None)
        asked = Position.parse(after)
        life = self._life_of(asked)
        one = Subscriber(source, followed, filtered, asked, snapshot, life)
        try:
            source.open(after, self._take_snapshot if snapshot else None)
        except BrokerUnavailable:
            assert snapshot, "only one that waits for a snapshot may not come to begin"
            return
        one.start()
        self.open.append(one)

    def _life_of(self, position: Position | None) -> int:
        lives = [e.life for e in self.log if e.position == position]
        return lives[-1] if lives else self.life

    def _take_snapshot(self) -> bytes:
        return json.dumps([self.life, len(self.log)]).encode()

    @precondition(lambda self: self.open)
    @rule(n=st.integers(0, MOST))
    def leave(self, n: int) -> None:
        if self.open:
            self._close(self.open[n % len(self.open)])

    def _close(self, one: Subscriber) -> None:
        one.source.close("disconnected")
        one.source.close("shutdown")
        assert one.overs == 1
        assert one.source.take().data == b""
        assert one.overs == 1
        self.open.remove(one)

    @rule(n=st.integers(0, MOST))
    def take(self, n: int) -> None:
        if not self.open:
            return
        one = self.open[n % len(self.open)]
        chunk = one.source.take()
        events = one.decoder.feed(chunk.data)
        assert len(events) == chunk.events, "a frame is cut, or not counted"
        for event in events:
            self._check(one, event)
            self.handed_out.append(str(event.id))
            one.events.append(event)

    def _check(self, one: Subscriber, event: Event) -> None:
        at = position_of(event.id)
        seen[str(event.event)] += 1
        if event.event in ("ready", "snapshot", "reset"):
            self._check_special(one, event, at)
        else:
            before = one.position or one.asked
            assert before is not None
            missing = self._after(one, before)
            assert missing, f"{event} comes again, or is for others"
            assert (missing[0].position, missing[0].number) == (at, int(event.data))
        one.position = at

    def _check_special(self, one: Subscriber, event: Event, at: Position) -> None:
        before = one.position or one.asked
        if event.event == "reset":
            reason = json.loads(event.data)["reason"]
            seen[reason] += 1
            assert before is None or reason in self._why(one, before, at), (before, at)
            one.life = self.life if at.epoch == self.broker.epoch else one.life
        else:
            is_reset = bool(one.events) and one.events[-1].event == "reset"
            assert before is None or is_reset, "one that has a position is not told another"
            assert (event.event == "snapshot") == one.has_snapshot
        if event.event == "snapshot":
            life, count = json.loads(event.data)
            # One that is of a later life than its position is followed by a reset.
            later = [e.position for e in self.log[count:] if e.life == life]
            again = [each for each in later if each.epoch == at.epoch and each.seq <= at.seq]
            assert not again, "it would come twice"

    def _why(self, one: Subscriber, before: Position, at: Position) -> list[str]:
        """For which reasons one may be sent from a position to another."""
        if before.epoch != at.epoch:
            return ["epoch", "trimmed"]  # of two resets that nobody took, the second is told
        skipped = [
            entry.channel
            for entry in self.log
            if entry.life == one.life and before.seq < entry.position.seq <= at.seq
        ]
        assert any(skipped.count(channel) > self.history for channel in one.channels)
        return ["trimmed"]

    def _after(self, one: Subscriber, position: Position) -> list[Published]:
        return [
            entry
            for entry in self.log
            if entry.channel in one.channels
            and (not one.filtered or entry.number % 2 == 0)
            and entry.life == one.life
            and entry.position.epoch == position.epoch
            and entry.position.seq > position.seq
        ]

    # What always holds

    @invariant()
    def over_is_told_once(self) -> None:
        for one in self.open:
            assert one.overs == one.source.ended
            assert one.source.error is None

    def teardown(self) -> None:
        try:
            if hasattr(self, "hub"):
                self._settle()
        finally:
            self.hands.let_go()

    def _settle(self) -> None:
        """Undisturbed, everybody comes to the end of the log."""
        self.broker.interludes.clear()
        for channel in "abc":
            self.publish(channel, 2, here=False)
        self._until(lambda: False, 3 * len(self.log) + 10)
        for one in self.open:
            if not one.source.ended:
                before = one.position or one.asked
                assert before is not None
                assert before.epoch == self.broker.newest().epoch
                assert not self._after(one, before), "it waits for what does not come"
        for one in list(self.open):
            self._close(one)
        assert not self.hub.rings
        assert not self.hub._followers
        assert not self.hub.catching.waiting

    def _until(self, done: Callable[[], bool], limit: int) -> None:
        for _ in range(limit):
            self.tail()
            self.catch_up()
            for n in range(len(self.open)):
                self.take(n)
            if done():
                return


def test_subscribers_over_their_lives() -> None:
    seen.clear()
    play(Subscribers, 100, 50)
    assert all(seen[what] > 10 for what in USUAL), seen


def test_what_comes_while_a_stream_opens_comes_after_its_first_position() -> None:
    """The tail has read on between the newest position and the ring that begins there."""
    machine = Subscribers()

    def meanwhile() -> None:
        machine.publish("a", 2, here=False)
        machine.tail()

    try:
        machine.begin(1000)
        machine._open(("b",), None, filtered=False, snapshot=False)
        for snapshot in (False, True):
            machine.broker.interludes.append(meanwhile)
            machine._open(("a",), None, filtered=False, snapshot=snapshot)
    finally:
        machine.teardown()
