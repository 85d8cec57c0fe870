"""Streams that come to an end by themselves: a computation that lives as long as its stream, and a
countdown that finds its place again.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Generator, Iterator
from typing import Annotated

from pydantic import BaseModel, Field
from werkzeug.exceptions import TooManyRequests

from flask_sse_routes import Context, Event, hook

from ..hooks import is_first
from ..primes import Tally

STEPS = 100
# Streams of a process that compute at once, and seconds after which others may try again.
MOST = 2
PATIENCE = 5

_room = threading.Semaphore(MOST)


@hook
def computing(ctx: Context) -> Generator[None, None, None]:
    """Refuse a stream where as many as may be compute already."""
    if not is_first(ctx, "computes"):
        yield
        return
    if not _room.acquire(blocking=False):
        detail = f"{MOST} streams compute here already: try again in {PATIENCE} s."
        raise TooManyRequests(detail, retry_after=PATIENCE)
    yield
    _room.release()


class Progress(BaseModel):
    percent: float
    examined: int
    found: int


class Done(BaseModel):
    limit: int
    primes: int
    largest: int
    twins: int
    widest_gap: int
    seconds: float


def task(
    ctx: Context, limit: Annotated[int, Field(ge=10_000, le=20_000_000)] = 5_000_000
) -> Iterator[Progress | Done]:
    started = time.monotonic()
    tally = Tally(limit)
    step = -(-limit // STEPS)
    for low in range(2, limit + 1, step):
        high = min(low + step, limit + 1)
        ctx.run(tally.examine, low, high)
        yield Progress(percent=100 * (high - 1) / limit, examined=high - 1, found=tally.count)
    yield Done(
        limit=limit,
        primes=tally.count,
        largest=tally.largest,
        twins=tally.twins,
        widest_gap=tally.widest_gap,
        seconds=round(time.monotonic() - started, 2),
    )


class Left(BaseModel):
    """Whole seconds left."""

    left: int


def countdown(ctx: Context, start: Annotated[int, Field(ge=1, le=3600)] = 10) -> Iterator[Event]:
    zero = _zero(ctx.last_event_id, latest=time.time() + start)
    left = math.ceil(zero - time.time())
    while left > 0:
        yield Event(Left(left=left), id=f"{zero:.3f}-{left}")
        left -= 1
        ctx.sleep(max(zero - left - time.time(), 0))
    yield Event(Left(left=0), id=f"{zero:.3f}-0")


def _zero(last_event_id: str | None, latest: float) -> float:
    """The moment of zero, which is in every id: so a client that comes back finds it right."""
    known = re.fullmatch(r"([0-9]{1,12}\.[0-9]{3})-[0-9]{1,4}", last_event_id or "")
    return min(float(known[1]), latest) if known else latest
