"""What one client got of a publisher's numbers: all of them, each once, in order, and when."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Sequence

from e2e.client import Arrival
from e2e.crowd import Member

from .numbers import Numbers, seq_of
from .scenario import Figure, at_most, none, told


class Ledger:
    """Takes each event as it arrives. A client drops what it has seen already, by its id."""

    def __init__(self, numbers: Numbers, first: int | None = 0) -> None:
        """`first`: the number that comes first; if it is `None`, the one that does."""
        self._numbers = numbers
        self._next = first
        self._excused = False
        # Numbers that were left out and may still come, and those that a reset accounts for.
        self.gaps: set[int] = set()
        self.skipped = 0
        self.count = 0
        self.again = 0
        self.twice = 0
        self.disorder = 0
        self.resets: Counter[str] = Counter()
        self.positions = 0
        self.silence = 0.0
        self.at: float | None = None
        self.delays = array("f")

    def __call__(self, arrival: Arrival) -> None:
        name = arrival.event.event
        if name == "message":
            self._number(arrival)
        elif name == "ready":
            self.positions += 1
        elif name == "reset":
            self.resets[arrival.json["reason"]] += 1
            self._excused = True

    def lost(self, count: int) -> int:
        """How many of so many numbers have not come."""
        return len(self.gaps) + max(0, count - (self._next or 0))

    def _number(self, arrival: Arrival) -> None:
        data = json.loads(arrival.event.data)
        number = data["seq"]
        if self._next is None:
            self._next = number
        if number < self._next:
            self._earlier(number, seq_of(arrival.event.id))
            return
        if number > self._next:
            self._later(range(self._next, number))
        self._next = number + 1
        self._excused = False
        self.count += 1
        self.delays.append(arrival.at - data["ts"] / 1e9)
        if self.at is not None:
            self.silence = max(self.silence, arrival.at - self.at)
        self.at = arrival.at

    def _later(self, left_out: range) -> None:
        if self._excused:
            self.skipped += len(left_out)
        else:
            self.gaps.update(left_out)

    def _earlier(self, number: int, seq: int) -> None:
        if number in self.gaps:
            self.gaps.discard(number)
            self.disorder += 1
        elif number < len(self._numbers) and self._numbers.seqs[number] == seq:
            self.again += 1
        elif number not in self._numbers.retried:
            self.twice += 1


def ledger_of(member: Member) -> Ledger:
    assert isinstance(member.take, Ledger)
    return member.take


def delivered(members: Sequence[Member], numbers: Numbers) -> list[Figure]:
    """What the promise says of every client; nothing of it may be."""
    ledgers = [ledger_of(member) for member in members]
    count = len(numbers)
    return [
        told("deliveries", sum(each.count for each in ledgers)),
        none("events lost", sum(each.lost(count) for each in ledgers)),
        none("events twice", sum(each.twice for each in ledgers)),
        none("events out of order", sum(each.disorder for each in ledgers)),
        none("resets", sum(each.resets.total() for each in ledgers)),
        none("positions lost", sum(max(0, each.positions - 1) for each in ledgers)),
        told("sent again, dropped by id", sum(each.again for each in ledgers)),
    ]


def silence(members: Sequence[Member], most: float) -> Figure:
    longest = max(ledger_of(member).silence for member in members)
    return at_most("longest time without an event", longest, most, "s")


def delay(members: Sequence[Member], share: float = 0.99) -> float:
    """Milliseconds from publishing to arrival that this share of deliveries stays under."""
    delays = sorted(each for member in members for each in ledger_of(member).delays)
    return 1e3 * delays[min(len(delays) - 1, int(share * len(delays)))] if delays else 0.0


def have_all(members: Sequence[Member], count: int) -> bool:
    return all(not ledger_of(member).lost(count) for member in members)


def cut_off(members: Sequence[Member]) -> int:
    """Streams that ended, but were not whole, or of which nobody said that they end."""
    return sum(not visit.complete for m in members for visit in m.visits if visit.closed)


def refused(members: Sequence[Member]) -> int:
    """Requests that got no stream, for whatever reason."""
    visits = [visit for member in members for visit in member.visits if visit.status]
    return sum(v.status != 200 or "sse-refused" in v.headers for v in visits)


def errors(members: Sequence[Member]) -> int:
    """Responses that blame the server."""
    return sum(visit.status >= 500 for member in members for visit in member.visits)
