"""How much later the slowest of deliveries come beside what disturbs than they do without it.

Only in full length are there enough of them for two tails to be compared. In short, which shares
its cores with others, a tail is not to be far worse: a worker that somebody holds up is late by
seconds, since timeouts are.
"""

from __future__ import annotations

from collections.abc import Sequence

from .scenario import Figure, Rig, at_most, told

# In short: how many times as late, and the milliseconds that are never too late.
TIMES, FLOOR = 5.0, 2000.0


def tails(
    rig: Rig, alone: float, beside: float, most: float, *, names: Sequence[str]
) -> list[Figure]:
    """Two p99 in milliseconds, and `most` times the first, which the second may be in full length.

    `names`: those of the first, of the second, and of how many times the first it is.
    """
    first, second, times = names
    ratio = beside / alone
    if rig.long:
        compared = [told(second, beside, "ms"), at_most(times, ratio, most)]
    else:
        bound = max(TIMES * alone, FLOOR)
        compared = [at_most(second, beside, bound, "ms"), told(times, ratio)]
    return [told(first, alone, "ms"), *compared]
