"""Counting primes span by span with a segmented sieve: pure Python that knows nothing of Flask."""

from itertools import compress
from math import isqrt


def primes_between(low: int, high: int, divisors: list[int]) -> list[int]:
    """The primes in `low <= n < high`.

    `low` is at least 2, and `divisors` has every prime up to the square root of `high`.
    """
    flags = bytearray(b"\x01") * (high - low)
    for divisor in divisors:
        first = max(divisor * divisor, -(-low // divisor) * divisor) - low
        flags[first::divisor] = bytes(len(range(first, high - low, divisor)))
    return list(compress(range(low, high), flags))


def primes_up_to(limit: int) -> list[int]:
    divisors = primes_up_to(isqrt(limit)) if limit > 3 else []
    return primes_between(2, limit + 1, divisors)


class Tally:
    """What is known about the primes below the end of the last span examined."""

    def __init__(self, limit: int) -> None:
        self._divisors = primes_up_to(isqrt(limit))
        self.count = 0
        self.largest = 0
        self.twins = 0
        self.widest_gap = 0

    def examine(self, low: int, high: int) -> None:
        """Add the span `low <= n < high`; the first begins at 2, each other where one ended."""
        found = primes_between(low, high, self._divisors)
        previous = self.largest
        for prime in found:
            gap = prime - previous if previous else 0
            self.twins += gap == 2
            self.widest_gap = max(self.widest_gap, gap)
            previous = prime
        self.count += len(found)
        self.largest = previous
