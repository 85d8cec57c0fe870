"""The newest entries of each channel, encoded once and shared by every subscriber.

Floor 1. A process keeps a ring for each channel that somebody follows here; a subscriber
is a number, the seq up to which it has got everything. Nobody waits in here.
"""

from __future__ import annotations

import json
from bisect import bisect_right

from .bodies import split_body
from .brokers.base import Entry
from .wire import Event

# A ring drops its older half when it has grown to this many entries, or bytes.
RING_ENTRIES = 4096
RING_BYTES = 8 * 1024 * 1024


class Ring:
    """Frames of one channel, complete for every seq above `since`."""

    __slots__ = ("bodies", "frames", "seqs", "since", "size")

    def __init__(self, since: int) -> None:
        self.since = since
        self.seqs: list[int] = []
        self.frames: list[bytes] = []
        self.bodies: list[bytes] = []
        self.size = 0

    def add(self, entry: Entry, frame: bytes) -> None:
        """Append an entry; forget older ones when there are too many."""
        self.seqs.append(entry.seq)
        self.frames.append(frame)
        self.bodies.append(entry.body)
        self.size += len(frame)
        if len(self.seqs) > RING_ENTRIES or (self.size > RING_BYTES and len(self.seqs) > 1):
            self._forget(len(self.seqs) // 2)

    def restart(self, since: int) -> None:
        """Forget everything; what was between is not here."""
        self._forget(len(self.seqs))
        self.since = since

    def index_after(self, seq: int) -> int:
        """Return the index of the first entry after a seq."""
        return bisect_right(self.seqs, seq)

    def _forget(self, count: int) -> None:
        if count:
            self.since = self.seqs[count - 1]
            self.size -= sum(map(len, self.frames[:count]))
            del self.seqs[:count], self.frames[:count], self.bodies[:count]


def frame_of(epoch: str, entry: Entry) -> bytes:
    """Return the frame of an entry."""
    name, _, text = entry.body.partition(b"\n")
    head = b"event: %b\n" % name if name else b""
    return b"%bid: %b-%d\ndata: %b\n\n" % (head, epoch.encode(), entry.seq, text)


def special_frame(name: str, id_: str, text: bytes) -> bytes:
    """Return the frame of `ready`, `snapshot` or `reset`."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), id_.encode(), text)


def event_of(epoch: str, seq: int, body: bytes) -> Event:
    """Return an entry as an `Event` with its data parsed."""
    name, text = split_body(body)
    return Event(json.loads(text), event=name, id=f"{epoch}-{seq}")
