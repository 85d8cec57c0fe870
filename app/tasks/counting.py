"""Counting the primes up to a limit, span by span."""

from __future__ import annotations

from ..primes import Tally
from .model import Primes
from .work import Progress, Work

STEPS = 400


def count(limit: int) -> Work:
    tally = Tally(limit)
    step = -(-limit // STEPS)
    for low in range(2, limit + 1, step):
        high = min(low + step, limit + 1)
        tally.examine(low, high)
        yield Progress(high - 1, limit, "numbers")
    return Primes(
        limit=limit,
        primes=tally.count,
        largest=tally.largest,
        twins=tally.twins,
        widest_gap=tally.widest_gap,
    )
