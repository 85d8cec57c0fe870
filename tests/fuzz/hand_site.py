"""A site whose broker is read, and whose streams are sent, only when a machine says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from offload.sites import Client, Perishable, Site

from flask_sse_routes.brokers.base import Merged, Position
from flask_sse_routes.channels import ChannelHub
from flask_sse_routes.offload import Offload

from .by_hand import Hands

TERMINAL = ("error", "end")


class HandBroker(Perishable):
    """A log that something may happen to between its being read and the answer."""

    def __init__(self, history: int) -> None:
        super().__init__(history)
        self.interludes: deque[Callable[[], None]] = deque()

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        merged = super().poll(channels, after, limit)
        self._interlude()
        return merged

    def newest(self) -> Position:
        newest = super().newest()
        self._interlude()
        return newest

    @property
    def epoch(self) -> str:
        """The log's epoch, for who only looks on: nothing happens meanwhile."""
        return super().newest().epoch

    def _interlude(self) -> None:
        if self.interludes:
            self.interludes.popleft()()


class HandSite(Site):
    """A site in the hands of a machine."""

    def __init__(self, hands: Hands, history: int) -> None:
        offload = Offload()
        offload._watcher = self  # nobody polls but the machine
        super().__init__(offload, history=history)
        self.hands = hands
        self.broker: HandBroker = HandBroker(history)
        self.hub = ChannelHub(self.broker)

    def tail(self) -> None:
        """One turn of the tail."""
        place = self.hub._whereabouts()
        if place is not None:
            self.hub._read_on(*place)

    def catch_up(self) -> None:
        """One page for one that is behind."""
        source = self.hub.catching.next()
        if source is not None:
            self.hub.read_page(source)
            source.wake()

    def serve_one(self) -> None:
        """One turn of the task that sends."""
        offload = self.offload
        if offload._ready:
            servable = offload._ready.popleft()
            servable.marked = False
            try:
                servable.serve()
            except BaseException as error:
                offload.note_failure(servable, error)
                raise
            offload.pace()

    def poll(self) -> None:
        """Learn who is gone, and who takes bytes again."""
        self.offload._polled()

    def turn(self) -> None:
        """Everything that would happen by itself, once."""
        self.tail()
        self.catch_up()
        self.poll()
        self.hands.run_all()
        for _ in range(len(self.offload._ready)):
            self.serve_one()

    def check(self, client: Client) -> Position | None:
        """Also: what is terminal comes once and last."""
        events = client.events
        ends = [event for event in events if event.event in TERMINAL]
        assert ends in ([], events[-1:])
        client.events = events[: len(events) - len(ends)]
        try:
            return super().check(client)
        finally:
            client.events = events

    def close(self) -> None:
        """Have everybody leave; nothing may be left."""
        for client in self.clients:
            client.leave()
        for _ in range(20):
            self.turn()
        assert not len(self.offload)
        assert not self.streams.open()
        self.hub.close()
        left = (self.offload._groups, self.offload._keys, self.offload._stuck, self.offload._ready)
        assert not any(left)
        assert not any((self.hub.rings, self.hub._followers))

    def let_go(self) -> None:
        """Close what holds descriptors, whatever went wrong."""
        self.offload._epoll.close()
        for client in self.clients:
            client.leave()


def position_of(text: str | None) -> Position:
    found = Position.parse(text)
    assert found is not None
    return found
