"""Clients that come back by themselves, with a ledger for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from e2e.client import Address
from e2e.crowd import Crowd, Member
from e2e.waiting import wait_for

from .ledger import Ledger, have_all
from .numbers import Numbers
from .scenario import Rig

# Seconds that the last events may take to reach everybody, after which the rest counts as lost.
REST = 15.0


@contextlib.contextmanager
def _gathered(address: Address) -> Iterator[Crowd]:
    people = Crowd(address)
    try:
        yield people
    finally:
        people.leave()


def gather(rig: Rig, address: Address) -> Crowd:
    """A crowd that leaves when the run is over."""
    return rig.enter(_gathered(address))


def follow(people: Crowd, numbers: Numbers, count: int, channel: str = "a") -> list[Member]:
    """Have so many follow the numbers from the first one on."""
    return people.join(count, "follow", take=lambda: Ledger(numbers), channel=channel)


def finish(people: Crowd, members: Sequence[Member], numbers: Numbers, limit: float = REST) -> None:
    """Stop publishing, and give everybody the time to get the rest."""
    count = numbers.stop()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: people.failure or have_all(members, count), "all have all", limit)
    people.check()


def present(members: Sequence[Member]) -> int:
    return sum(member.present for member in members)
