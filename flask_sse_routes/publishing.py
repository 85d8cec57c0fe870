"""Publishing and following without a request: what `SSERoutes` does with a broker.

Floor 1. One `Channels` per app and process; it makes its broker at first use, so that
nothing is open before a worker has forked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .bodies import make_body
from .brokers import broker_from_url
from .brokers.base import Broker, Position, check_channel
from .channels import ChannelHub
from .config import Config
from .errors import BrokerUnavailable, ConfigError
from .followers import ChannelReader
from .rings import event_of
from .schema import Fallback
from .streams import PROCESS, Streams
from .subscriptions import Subscription, check_channels
from .wire import Event

HISTORY_LIMIT = 1000
# Control characters are refused in the names of channels, so nobody else's is this one.
CONTROL_CHANNEL = "\x00control"
NOT_SHARED = (
    "memory:// keeps its channels in one process, and this server runs several: set "
    'SSE_BROKER_URL = "sqlite:///events.db" (or redis://...), so that its workers share them.'
)


class Control(ChannelReader):
    """Carries out orders in the tail's task, as they are read."""

    def __init__(self, hub: ChannelHub, streams: Streams) -> None:
        super().__init__(hub, (CONTROL_CHANNEL,))
        self._streams = streams

    def wake(self) -> None:
        while events := self.take():
            for event in events:
                if event.event is None and "revoke" in event.data:
                    order = event.data["revoke"]
                    self._streams.revoke(order["user"], order["channel"])


class Channels:
    """One app's channels in this process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.broker: Broker = broker_from_url(
            config.broker_url, history=config.history, history_age=config.history_age
        )
        self.hub = ChannelHub(self.broker)
        self._control: Control | None = None

    def publish(self, channel: str, data: Any, event: str | None, fallback: Fallback) -> str:
        """Store an event; return its id."""
        self.refuse_unshared()
        check_channel(channel)
        body = make_body(data, event, fallback=fallback, max_bytes=self._config.max_event_bytes)
        return str(self.broker.append(channel, body))

    def subscription(
        self,
        channels: tuple[str, ...],
        after: str | None,
        snapshot: Callable[[], bytes] | None,
        where: Callable[[Event], bool] | None,
    ) -> Subscription:
        """Return what a handler returns."""
        self.refuse_unshared()
        return Subscription(self.hub, check_channels(channels), after, snapshot, where)

    def reader(self, channels: tuple[str, ...], after: str | None) -> ChannelReader:
        """Return an open reader for Python code. Raises `BrokerUnavailable`."""
        self.refuse_unshared()
        reader = ChannelReader(self.hub, check_channels(channels))
        reader.open(after, None)
        return reader

    def history(self, channel: str, after: str | None, limit: int) -> list[Event]:
        """Return a channel's events after an id, or its last ones."""
        self.refuse_unshared()
        if not 1 <= limit <= HISTORY_LIMIT:
            raise ValueError(f"limit must be 1 to {HISTORY_LIMIT}, not {limit!r}")
        if after is None:
            return self._last(check_channel(channel), limit)
        position = Position.parse(after)
        batch = self.broker.read(check_channel(channel), position.seq if position else 0, limit)
        if position is None or position.epoch != batch.epoch:
            raise ValueError(f"after={after!r} is not an id of this broker's present epoch.")
        return [event_of(batch.epoch, e.seq, e.body) for e in batch.entries]

    def _last(self, channel: str, limit: int) -> list[Event]:
        found: deque[Event] = deque(maxlen=limit)
        after = 0
        while True:
            batch = self.broker.read(channel, after, HISTORY_LIMIT)
            found.extend(event_of(batch.epoch, e.seq, e.body) for e in batch.entries)
            if len(batch.entries) < HISTORY_LIMIT:
                return list(found)
            after = batch.entries[-1].seq

    def revoke(self, user: Any, channel: str | None) -> None:
        """Tell every process to end streams."""
        self.refuse_unshared()
        order = {"revoke": {"user": user, "channel": channel}}
        self.broker.append(CONTROL_CHANNEL, make_body(order))

    def follow_control(self, streams: Streams) -> None:
        """Obey what other processes say, from now on; calling it again does nothing."""
        if self._control is None and (self.broker.shared or not PROCESS.multiprocess):
            control = Control(self.hub, streams)
            try:
                control.open(None, None)
            except BrokerUnavailable:
                return  # the next stream tries again
            self._control = control

    def refuse_unshared(self) -> None:
        """Raise `ConfigError` where several processes would each have a log of their own."""
        if PROCESS.multiprocess and not self.broker.shared:
            raise ConfigError(NOT_SHARED)
