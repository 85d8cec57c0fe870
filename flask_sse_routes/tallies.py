"""What an app's streams have come to in this process: by route, and over all of them.

Floor 1. Values; `streams` counts when a stream ends and when somebody asks, never for an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .stream import Stream


class Stats(NamedTuple):
    """Counters of one app in one process since it began; `streams` counts the open ones.

    `ended` has the ended streams by outcome, `dropped` those of them whose client took
    nothing for the send timeout, `refused` the requests that got no stream.
    """

    streams: int
    events: int
    bytes: int
    heartbeats: int
    ended: Mapping[str, int]
    dropped: int
    resets: int
    refused: int


class End(NamedTuple):
    """One stream that has ended: its route, in full, its outcome and how long it was open.

    `noticed`: for a client that is gone, the seconds from when it was last known to be there
    (see `Delivery.note_loss`) until its place was free; `None` where the system does not tell.
    """

    route: str
    outcome: str
    seconds: float
    noticed: float | None

    @classmethod
    def of(cls, stream: Stream) -> End:
        """Return the end of a stream that has ended just now."""
        outcome, seconds, noticed = stream.outcome or "completed", stream.seconds, None
        if outcome == "disconnected" and stream.lost_at is not None:
            noticed = max(0.0, stream.opened + seconds - stream.lost_at)
        return cls(stream.route, outcome, seconds, noticed)


class Tally:
    """What the streams of one route have come to. `open` counts those that are open."""

    __slots__ = ("bytes", "dropped", "ended", "events", "heartbeats", "open", "refused", "resets")

    def __init__(self) -> None:
        self.open = self.events = self.bytes = self.heartbeats = self.dropped = self.resets = 0
        # Ends by outcome, and refused requests by reason.
        self.ended: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def add(self, other: Tally) -> None:
        """Add another's counts."""
        self.open += other.open
        self.events += other.events
        self.bytes += other.bytes
        self.heartbeats += other.heartbeats
        self.dropped += other.dropped
        self.resets += other.resets
        self.ended += other.ended
        self.refused += other.refused

    def count(self, stream: Stream) -> None:
        """Add what one stream has sent."""
        if stream.transport is not None:
            stream.transport.count()
        self.events += stream.events
        self.bytes += stream.bytes
        self.heartbeats += stream.heartbeats
        self.dropped += stream.dropped
        self.resets += stream.source.resets


def total(tallies: Iterable[Tally]) -> Stats:
    """Return the counts of all routes together."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return Stats(
        streams=whole.open,
        events=whole.events,
        bytes=whole.bytes,
        heartbeats=whole.heartbeats,
        ended=dict(whole.ended),
        dropped=whole.dropped,
        resets=whole.resets,
        refused=whole.refused.total(),
    )
