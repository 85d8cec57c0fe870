"""The broker of many machines: Redis 6.2 or newer, or Valkey, one server or one shard.

Floor 1. Every step is one script (`redis_scripts`) over one connection per process
(`redis_link`). All keys begin with `{flask_sse_routes}:`, which is also a hash tag that keeps
them on one shard; entries expire by themselves, the hash `...:log` and the sorted set
`...:last` stay.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from typing import Any

from .. import concurrency
from ..logs import Log
from . import redis_scripts
from .base import Batch, Broker, Entry, Merged, Position
from .redis_link import FAILURES, Connect, Link, Script, connector

log = Log(__name__)

# Seconds of silence after which a listener asks the server for a sign of life, and for which it
# waits for that. A link that is open but dead is found after both.
QUIET, ANSWER = 5.0, 2.0
# Seconds between two tries to listen.
PAUSE = 0.25


class RedisListener:
    """A subscription. Where it breaks, it is made again and counts as woken."""

    def __init__(self, connect: Connect, bell: str) -> None:
        self._connect = connect
        self._bell = bell
        self._connection: Any = None
        self._heard = 0.0
        self._asked = 0.0
        self._warned = False

    def wait(self, seconds: float) -> None:
        """Return when something may have been appended, or after `seconds`; never fails."""
        until = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._subscribe()
            else:
                self._listen(until)
        except FAILURES as error:
            self._failed(error)
            time.sleep(max(0, min(PAUSE, until - time.monotonic())))

    def _subscribe(self) -> None:
        """Begin to listen. What was appended before is for the caller to look for."""
        connection = self._connect()
        try:
            connection.connect()
            connection.send_command("SUBSCRIBE", self._bell)
            connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        self._connection = connection
        self._heard = time.monotonic()
        self._warned = False

    def _listen(self, until: float) -> None:
        connection = self._connection
        while (now := time.monotonic()) < until:
            if connection.can_read(timeout=min(until, self._due(now)) - now):
                while connection.can_read(timeout=0):
                    connection.read_response()
                self._heard = time.monotonic()
                return

    def _due(self, now: float) -> float:
        """Return when the next sign of life is to be asked for, or to have come."""
        if self._asked <= self._heard:
            if now < self._heard + QUIET:
                return self._heard + QUIET
            self._connection.send_command("PING")
            self._asked = now
        if now >= self._asked + ANSWER:
            raise TimeoutError("the link is open but dead")
        return self._asked + ANSWER

    def _failed(self, error: BaseException) -> None:
        self.close()
        if not self._warned:
            self._warned = True
            log.warning("Redis broker: not listening, looking instead: %s", error)

    def close(self) -> None:
        """Stop listening; calling again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*FAILURES):
                connection.disconnect()


# With more channels than that, Redis is asked first which of them got anything; up to so many.
FEW_CHANNELS, MANY_CHANNELS = 50, 1000


class RedisBroker(Broker):
    """A stream per channel. `prefix` tells apart what shares a database.

    `url` is `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS or
    `unix://[user:password@]/path[?db=]`. An epoch belongs to one process of the server and its
    unbroken memory: a restart, a failover and `FLUSHALL` begin another.
    """

    def __init__(
        self,
        url: str,
        *,
        history: int = 1000,
        history_age: float = 3600.0,
        prefix: str = "flask_sse_routes",
    ) -> None:
        self._history = history
        self._age = max(round(history_age * 1000), 1)
        self._key = f"{{{prefix}}}:log"
        self._bell = f"{{{prefix}}}:bell"
        self._listen_connect = connector(url, ())
        self._connect = connector(url, redis_scripts.SCRIPTS)
        self._links: dict[tuple[int, int], Link] = {}
        self._seen = Position("", 0)

    def append(self, channel: str, body: bytes) -> Position:
        return self._saw(
            self._call(
                redis_scripts.APPEND, channel.encode(), body, self._history, self._age, self._bell
            )
        )

    def read(self, channel: str, after: int, limit: int) -> Batch:
        reply = self._call(redis_scripts.READ, channel.encode(), after, limit)
        position = self._saw(reply)
        entries = [
            Entry(int(seq), channel, body)
            for seq, body in zip(reply[3].split(), reply[4], strict=True)
        ]
        return Batch(position.epoch, entries, reply[2], position.seq)

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        names = tuple(channels)
        if len(names) <= FEW_CHANNELS:
            return self._poll(names, after, limit)
        position, touched = self._touched(after)
        if touched is None:
            return self._poll(names, after, limit)
        wanted = tuple(touched.intersection(names))
        if not wanted:
            return Merged(position.epoch, [], position.seq, position.seq, {})
        merged = self._poll(wanted, after, limit)
        if merged.epoch != position.epoch:
            return merged
        # What was appended since may be on a channel that was not looked at.
        entries = [entry for entry in merged.entries if entry.seq <= position.seq]
        until = min(merged.until, position.seq)
        return merged._replace(entries=entries, until=until, newest=position.seq)

    def _touched(self, after: int) -> tuple[Position, set[str] | None]:
        """Return the channels that got entries after a seq; `None` if they are too many to say."""
        reply = self._call(redis_scripts.TOUCHED, after, MANY_CHANNELS)
        position = self._saw(reply)
        found = reply[2] if len(reply) > 2 else None
        if found is None or len(found) >= MANY_CHANNELS or position.seq < after:
            return position, None
        return position, {name.decode() for name in found}

    def _poll(self, names: tuple[str, ...], after: int, limit: int) -> Merged:
        encoded = [name.encode() for name in names]
        reply = self._call(redis_scripts.POLL, after, limit, *encoded)
        position = self._saw(reply)
        heads = [int(number) for number in reply[4].split()]
        entries = [
            Entry(seq, names[index], body)
            for seq, index, body in zip(heads[::2], heads[1::2], reply[5], strict=True)
        ]
        trimmed = {names[index]: seq for index, seq in reply[3]}
        return Merged(position.epoch, entries, reply[2], position.seq, trimmed)

    def newest(self) -> Position:
        return self._saw(self._call(redis_scripts.NEWEST))

    def listen(self) -> RedisListener:
        return RedisListener(self._listen_connect, self._bell)

    def close(self) -> None:
        for (pid, _), link in list(self._links.items()):
            if pid == os.getpid():
                link.close()

    def _link(self) -> Link:
        """Return the process's link; under gevent a thread has its own, as it has its own hub."""
        thread = threading.get_native_id() if concurrency.cooperative() else 0
        key = (os.getpid(), thread)
        return self._links.get(key) or self._links.setdefault(key, Link(self._connect))

    def _call(self, script: Script, *args: Any) -> Any:
        return self._link().call(script, self._key, *self._seen, *args)

    def _saw(self, reply: Any) -> Position:
        """Return the position in a reply, and remember it if it is the furthest.

        A server that later knows less has lost entries, whatever else it says of itself.
        """
        position = Position(reply[0].decode(), reply[1])
        if position.epoch != self._seen.epoch or position.seq > self._seen.seq:
            self._seen = position
        return position
