"""What a broker is: a log per channel, one sequence over all of them, and a way to wait.

Floor 1. A broker stores opaque bodies and knows nothing of subscribers; what a subscriber
missed, in which order it gets it and where a gap is, is decided above, from `read` alone.
`Broker.poll` merges channels; a broker that can do it in one query overrides it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from ..bodies import make_body
from ..errors import BrokerUnavailable

MAX_CHANNEL_BYTES = 255
# A poll ends early when the bodies it has found come to so many bytes.
PAGE_BYTES = 4 * 1024 * 1024
# Channels whose `trimmed` a broker remembers when nothing else of them is left.
MAX_CHANNELS = 100_000
_POSITION = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,17})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Position(NamedTuple):
    """A place in a broker's log: valid on every channel, within one epoch."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """Read an id that was handed out; anything else is no position."""
        match = _POSITION.fullmatch(text or "")
        return cls(match[1], int(match[2])) if match else None


class Entry(NamedTuple):
    """One published event: its place in the log, and its body as it was given."""

    seq: int
    channel: str
    body: bytes


class Batch(NamedTuple):
    """What `Broker.read` found.

    `entries` in order; `trimmed`, the seq of the last entry ever removed from the channel
    (0 if none); `newest`, the last seq of the whole log when it was read.

    A broker forgets the `trimmed` of the channels trimmed longest ago when there are more
    than `MAX_CHANNELS`. On a channel that it does not know, `trimmed` is then the largest that
    it has forgotten: a gap may be reported where there is none, never the reverse.
    """

    epoch: str
    entries: list[Entry]
    trimmed: int
    newest: int


class Merged(NamedTuple):
    """What `Broker.poll` found on several channels.

    `entries` are in order over all channels and complete up to `until`, which lies above the
    position asked for whenever something newer was found. `trimmed` has the channels that
    lost entries after that position, with their `Batch.trimmed`.
    """

    epoch: str
    entries: list[Entry]
    until: int
    newest: int
    trimmed: dict[str, int]


class Listener(Protocol):
    """Wakes one waiting task when there may be something new."""

    def wait(self, seconds: float) -> None:
        """Return when something may have been appended, or after `seconds`."""

    def close(self) -> None:
        """Stop listening."""


class Broker(ABC):
    """A log of entries per channel.

    `seq` grows by append over all channels; `epoch` names one unbroken life of the log:
    where numbers may have been given out before, it is another one. Driver errors leave as
    `BrokerUnavailable`.
    """

    #: Whether several worker processes share what is appended.
    shared = True

    @abstractmethod
    def append(self, channel: str, body: bytes) -> Position:
        """Store an entry and wake every listener; return its position.

        Where the answer of a broker got lost, an append that raised `BrokerUnavailable` may
        have been stored all the same.
        """

    @abstractmethod
    def read(self, channel: str, after: int, limit: int) -> Batch:
        """Return up to `limit` entries of a channel after a seq."""

    @abstractmethod
    def listen(self) -> Listener:
        """Return a listener for one task of this process."""

    @abstractmethod
    def newest(self) -> Position:
        """Return the position of the last entry of the log."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and files; calling again does nothing."""

    def publish(self, channel: str, data: Any, event: str | None = None) -> str:
        """Append an event without an app, in a cron job for example; return its id.

        `data` is any JSON-serialisable value. Raises `BrokerUnavailable`, `EventError`,
        `OutputError`, and `ValueError` for a channel name that cannot be.
        """
        return str(self.append(check_channel(channel), make_body(data, event)))

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        """Read several channels, at least one, as one log.

        A channel whose batch was cut by the limit is known only up to its last entry, and
        so is the merged log. It is cut by `PAGE_BYTES` as well, after its first entry.
        """
        batches = {channel: self.read(channel, after, limit) for channel in channels}
        if len(batches) == 1:
            return alone(*batches.popitem(), after, limit)
        return merge(batches, after, limit)


# What somebody may have replaced in one broker.
OPERATIONS = {"append", "store", "ring", "read", "poll"}


class RingingBroker(Broker):
    """One that stores first and wakes then, so that who knows of an entry already can sleep on."""

    @abstractmethod
    def store(self, channel: str, body: bytes) -> Position:
        """Store an entry and wake nobody; return its position."""

    @abstractmethod
    def ring(self, *, but: Listener | None = None) -> None:
        """Wake every listener except one; never waits and never fails."""

    def append(self, channel: str, body: bytes) -> Position:
        position = self.store(channel, body)
        self.ring()
        return position

    @property
    def stores_as_told(self) -> bool:
        """Whether what is read is what was stored: a class derived from it may change either."""
        return RingingBroker in type(self).__bases__ and not vars(self).keys() & OPERATIONS


def merge(batches: dict[str, Batch], after: int, limit: int) -> Merged:
    """Merge batches that were read one after another: what is known of all is what counts."""
    epochs = {batch.epoch for batch in batches.values()}
    if len(epochs) > 1:
        raise BrokerUnavailable("The broker began a new epoch while it was read; read again.")
    until = min(
        batch.entries[-1].seq if len(batch.entries) >= limit else batch.newest
        for batch in batches.values()
    )
    found = sorted(e for batch in batches.values() for e in batch.entries if e.seq <= until)
    entries = list(page(found))
    if len(entries) < len(found):
        until = entries[-1].seq
    trimmed = {c: b.trimmed for c, b in batches.items() if b.trimmed > after}
    newest = min(batch.newest for batch in batches.values())
    return Merged(epochs.pop(), entries, until, newest, trimmed)


def alone(channel: str, batch: Batch, after: int, limit: int) -> Merged:
    """Return a single batch as `merge` would, which most polls come to."""
    if batch.entries and batch.entries[-1].seq > batch.newest:  # they were read one after another
        return merge({channel: batch}, after, limit)
    entries = list(page(batch.entries))
    cut = len(entries) < len(batch.entries) or len(entries) >= limit
    trimmed = {channel: batch.trimmed} if batch.trimmed > after else {}
    until = entries[-1].seq if cut else batch.newest
    return Merged(batch.epoch, entries, until, batch.newest, trimmed)


def page(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries until their bodies come to `PAGE_BYTES`, and at least one."""
    size = 0
    for entry in entries:
        yield entry
        size += len(entry.body)
        if size >= PAGE_BYTES:
            return


def check_channel(name: object) -> str:
    """Return a channel name that may be used. Raises `ValueError`.

    Any text of 1 to 255 bytes (UTF-8) without control characters.
    """
    if not isinstance(name, str) or not name or _CONTROL.search(name):
        raise ValueError(f"A channel name is text without control characters, not {name!r}.")
    if len(name.encode()) > MAX_CHANNEL_BYTES:
        raise ValueError(f"Channel name {name[:40]!r}... is longer than 255 bytes.")
    return name
