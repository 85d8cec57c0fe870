"""What followers saw of a log that may begin anew, held against what its publisher was told.

Within an epoch everything that was acknowledged after the first position has to be there, once
and in order, up to the last event that was seen of it; what lies beyond is what `reset` announces
to be gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from channels.followers import Follower, epoch_of, published, seq_in, seq_of

from flask_sse_routes import Event

from .scenario import Figure, none, told

Stored = tuple[str, str]


@dataclass
class Findings:
    """What was wrong with all that some followers saw; each is a number of events."""

    lost: int = 0
    twice: int = 0
    unordered: int = 0
    # New epochs that came without a `reset`.
    unannounced: int = 0
    seen: int = 0
    resets: Counter[str] = field(default_factory=Counter)

    def figures(self) -> list[Figure]:
        return [
            none("events lost without a reset", self.lost),
            none("events twice", self.twice),
            none("events out of order", self.unordered),
            none("new epochs without a reset", self.unannounced),
            told("deliveries", self.seen),
            told("resets", self.resets.total()),
        ]


def compare(followers: Iterable[Follower], stored: Sequence[Stored]) -> Findings:
    """Hold followers against what was acknowledged: pairs of a channel and an id."""
    findings = Findings()
    for follower in followers:
        ids = [id_ for channel, id_ in stored if channel in follower.channels]
        for part in _parts(follower.events):
            _compare_part(part, ids, findings)
    return findings


def _parts(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Cut what was seen where a `reset` begins something new."""
    part: list[Event] = []
    for event in events:
        if part and event.event == "reset":
            yield part
            part = []
        part.append(event)
    if part:
        yield part


def _compare_part(part: list[Event], ids: list[str], findings: Findings) -> None:
    first, last, epoch = part[0], part[-1], epoch_of(part[0])
    findings.unannounced += len({epoch_of(event) for event in part} - {epoch})
    findings.unannounced += first.event not in ("ready", "reset")
    findings.resets[first.data] += first.event == "reset"
    seqs = [seq_of(event) for event in published(part)]
    findings.seen += len(seqs)
    findings.twice += len(seqs) - len(set(seqs))
    findings.unordered += sum(a > b for a, b in pairwise(seqs))
    acknowledged = {seq_in(id_) for id_ in ids if id_.startswith(f"{epoch}-")}
    between = {seq for seq in acknowledged if seq_of(first) < seq <= seq_of(last)}
    findings.lost += len(between - set(seqs))
