"""The newest entries of each channel, encoded once and shared by every subscriber.

Floor 1. A process keeps a ring for each channel that somebody follows here; a subscriber
is a number, the seq up to which it has got everything. Nobody waits in here.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable
from heapq import merge
from typing import NamedTuple

from .brokers.base import Entry, Position
from .logs import Log
from .sources import Chunk
from .wire import Event

log = Log(__name__)

# A ring drops its older half when it has grown to this many entries, or bytes.
RING_ENTRIES = 4096
RING_BYTES = 8 * 1024 * 1024
# What a subscriber is handed at once: this many frames, and as many as fit in so many bytes.
HANDFUL = 256
HANDFUL_BYTES = 256 * 1024


class Ring:
    """Frames of one channel, complete for every seq above `since`."""

    __slots__ = ("frames", "seqs", "since", "size")

    def __init__(self, since: int) -> None:
        self.since = since
        self.seqs: list[int] = []
        self.frames: list[bytes] = []
        self.size = 0

    def add(self, seq: int, frame: bytes) -> None:
        """Append an entry; forget older ones when there are too many."""
        self.seqs.append(seq)
        self.frames.append(frame)
        self.size += len(frame)
        if len(self.seqs) > RING_ENTRIES or (self.size > RING_BYTES and len(self.seqs) > 1):
            self._forget(len(self.seqs) // 2)

    def halve(self) -> None:
        """Forget the older half, a single entry too."""
        self._forget((len(self.seqs) + 1) // 2)

    def restart(self, since: int) -> None:
        """Forget everything; what was between is not here."""
        self._forget(len(self.seqs))
        self.since = since

    def after(self, seq: int, limit: int) -> tuple[list[int], list[bytes]]:
        """Return the seqs and the frames of up to `limit` entries after a seq."""
        first = bisect_right(self.seqs, seq)
        return self.seqs[first : first + limit], self.frames[first : first + limit]

    def _forget(self, count: int) -> None:
        if count:
            self.since = self.seqs[count - 1]
            self.size -= sum(map(len, self.frames[:count]))
            del self.seqs[:count], self.frames[:count]


class Portion(NamedTuple):
    """Frames that leave together, joined, and the position that they bring a stream to."""

    frames: list[bytes]
    chunk: Chunk
    until: Position
    # What the frames say, found once for all whose `where=` wants to know.
    readings: list[Event | None]

    @property
    def data(self) -> bytes:
        """The frames as they are sent."""
        return self.chunk.data

    @property
    def full(self) -> bool:
        """Whether there may be more right behind them."""
        return self.chunk.more

    @classmethod
    def of(cls, frames: list[bytes], until: Position, *, full: bool) -> Portion:
        """Join frames."""
        return cls(frames, Chunk(b"".join(frames), len(frames), full), until, [])

    def read(self) -> list[Event | None]:
        """Return the frames as events; `None` for one that is not JSON, which is logged."""
        if not self.readings:
            self.readings.extend(map(read_frame, self.frames))
        return self.readings


def portion_of(rings: list[Ring], after: Position) -> Portion | None:
    """Return the next frames of several rings as one log; `None` where they do not reach back."""
    if any(ring.since > after.seq for ring in rings):
        return None
    if len(rings) == 1:
        seqs, frames = rings[0].after(after.seq, HANDFUL)
    else:
        pairs = merge(*(zip(*ring.after(after.seq, HANDFUL), strict=True) for ring in rings))
        chosen = [pair for pair, _ in zip(pairs, range(HANDFUL), strict=False)]
        seqs, frames = [seq for seq, _ in chosen], [frame for _, frame in chosen]
    count = count_fitting(frames)
    full = count < len(frames) or count == HANDFUL
    until = Position(after.epoch, seqs[count - 1]) if count else after
    return Portion.of(frames[:count], until, full=full)


def count_fitting(frames: Iterable[bytes]) -> int:
    """Return how many of the first frames fit into a handful, at least one if there is any."""
    size = 0
    count = 0
    for frame in frames:
        size += len(frame)
        if count and (size > HANDFUL_BYTES or count == HANDFUL):
            break
        count += 1
    return count


def frame_of(epoch: str, entry: Entry) -> bytes:
    """Return the frame of an entry."""
    name, _, text = entry.body.partition(b"\n")
    head = b"event: %b\n" % name if name else b""
    return b"%bid: %b-%d\ndata: %b\n\n" % (head, epoch.encode(), entry.seq, text)


def special_frame(name: str, id_: str, text: bytes) -> bytes:
    """Return the frame of `ready`, `snapshot` or `reset`."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), id_.encode(), text)


def read_frame(frame: bytes) -> Event | None:
    """Return what a frame says; `None`, and a line in the log, where it is not JSON."""
    try:
        return event_in(frame)
    except (ValueError, RecursionError):
        log.warning("An entry that is not JSON is left out: %r", frame[:80])
        return None


def event_in(frame: bytes) -> Event:
    """Return what one of these frames says, with its data parsed.

    Raises `ValueError` where somebody has appended what is not JSON.
    """
    head, _, text = frame.partition(b"\ndata: ")
    name, _, id_ = head.rpartition(b"id: ")
    event = name[len(b"event: ") : -1].decode() or None
    return Event(json.loads(text), event=event, id=id_.decode())
