"""Publishing and following without a request: what `SSERoutes` does with a broker.

Floor 1. One `Channels` per app and process; it makes its broker at first use, so that
nothing is open before a worker has forked.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from . import concurrency
from .bodies import make_body
from .brokers import broker_from_url
from .brokers.base import Batch, Broker, Position, check_channel
from .channels import ChannelHub
from .config import Config
from .errors import BrokerUnavailable, ConfigError, PositionGone
from .followers import ChannelReader, readable
from .logs import Log
from .pulse import Pulse
from .reports import Reporter
from .rings import frame_of
from .schema import Fallback
from .streams import PROCESS, Streams
from .subscriptions import Subscription, check_channels
from .wire import Event

log = Log(__name__)

HISTORY_LIMIT = 1000
# Seconds between attempts to follow what is revoked, while the broker is away.
RETRY = 1.0
# Seconds: what ends a row of publishing, and how long one holds up the others of its process.
PAUSE, TURN = 0.001, 0.005
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

    def open_late(self) -> None:
        """Try to open until it works; what was revoked until then may have been missed."""
        log.warning("Revocations cannot be followed yet.")
        while not self.ended:
            try:
                self.open(None, None)
            except Exception as error:
                log.debug("Revocations still cannot be followed: %s", error)
                time.sleep(RETRY)
            else:
                self._streams.recheck()
                return

    def wake(self) -> None:
        while events := self.take_events():
            for event in events:
                self._obey(event)

    def _obey(self, event: Event) -> None:
        if event.event == "reset":
            self._streams.recheck()
        elif event.event is None:
            try:
                order = event.data["revoke"]
                user, channel = order["user"], order["channel"]
            except (KeyError, TypeError, IndexError):
                log.warning("An order that nobody here gives is left out: %.80r", event.data)
            else:
                self._streams.revoke(user, channel)


class Burst:
    """A row of publishing without a pause, which lets others have their turn now and then."""

    def __init__(self) -> None:
        self._began = self._last = 0.0

    def breathe(self) -> None:
        """Note one more; under gevent, others run when the row has become long."""
        now = time.monotonic()
        if now - self._last > PAUSE:
            self._began = now
        elif now - self._began > TURN:
            concurrency.pause()
            self._began = now = time.monotonic()
        self._last = now


class Channels:
    """One app's channels in this process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.broker: Broker = broker_from_url(
            config.broker_url, history=config.history, history_age=config.history_age
        )
        self.hub = ChannelHub(self.broker)
        self.pulse = Pulse(self.broker)
        self._burst = Burst()
        self._control: Control | None = None
        self._reporter: Reporter | None = None
        self._control_lock = threading.Lock()
        self._pid = os.getpid()
        _close_at_exit()
        EVERY_CHANNELS.add(self)

    def close(self) -> None:
        """End who follows, and let go of the broker."""
        if os.getpid() == self._pid:  # in a child the lock may be held by nobody that is there
            if self._control is not None:
                self._control.close("shutdown")
            if self._reporter is not None:
                self._reporter.close("shutdown")
            self.hub.close()
        else:
            self.broker.close()

    def publish(self, channel: str, data: Any, event: str | None, fallback: Fallback) -> str:
        """Store an event; return its id."""
        self.refuse_unshared()
        check_channel(channel)
        body = make_body(data, event, fallback=fallback, max_bytes=self._config.max_event_bytes)
        began = self.hub.lag.begin() if channel in self.hub.rings else None
        position = self.hub.append(channel, body)
        if began is not None:
            self.hub.lag.appended(position, began)
        self._burst.breathe()
        return str(position)

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
        """Return a channel's events after an id, or its last ones. Raises `PositionGone`."""
        self.refuse_unshared()
        if not 1 <= limit <= HISTORY_LIMIT:
            raise ValueError(f"limit must be 1 to {HISTORY_LIMIT}, not {limit!r}")
        if after is None:
            return self._last(check_channel(channel), limit)
        position = Position.parse(after)
        batch = self.broker.read(check_channel(channel), position.seq if position else 0, limit)
        if position is None or position.epoch != batch.epoch or position.seq > batch.newest:
            raise PositionGone("epoch")
        if batch.trimmed > position.seq:
            raise PositionGone("trimmed")
        return _events(batch)

    def _last(self, channel: str, limit: int) -> list[Event]:
        found: deque[Event] = deque(maxlen=limit)
        after = 0
        while True:
            batch = self.broker.read(channel, after, HISTORY_LIMIT)
            found.extend(_events(batch))
            if len(batch.entries) < HISTORY_LIMIT:
                return list(found)
            after = batch.entries[-1].seq

    def revoke(self, streams: Streams, user: Any, channel: str | None) -> None:
        """Tell every process to end streams, or only this one where there is no other."""
        self.refuse_unshared()
        order = make_body({"revoke": {"user": user, "channel": channel}})
        if self.broker.shared:
            self.broker.append(CONTROL_CHANNEL, order)
        else:
            streams.revoke(user, channel)

    def follow_control(self, streams: Streams) -> None:
        """Obey what other processes say, from now on; calling it again does nothing."""
        if self._control is not None or not self.broker.shared:
            return
        with self._control_lock:
            if self._control is None:
                control = Control(self.hub, streams)
                try:
                    control.open(None, None)
                except BrokerUnavailable:
                    concurrency.task(control.open_late, "sse-control").start()
                self._control = control
                self._reporter = Reporter(self.hub, streams)
                self._reporter.begin()

    def refuse_unshared(self) -> None:
        """Raise `ConfigError` where several processes would each have a log of their own."""
        if PROCESS.multiprocess and not self.broker.shared:
            raise ConfigError(NOT_SHARED)


# The tails of all apps in this process end with it.
EVERY_CHANNELS: weakref.WeakSet[Channels] = weakref.WeakSet()


def _exit() -> None:
    for channels in list(EVERY_CHANNELS):
        channels.close()
        channels.broker.close()  # whatever its tail is at


_close_at_exit: Callable[[], object] = concurrency.once_per_process(lambda: atexit.register(_exit))


def _events(batch: Batch) -> list[Event]:
    return readable(frame_of(batch.epoch, entry) for entry in batch.entries)
