"""Metrics of the machine, read with psutil.

Every stream measures its own spans of time, so that its rates are those of its own interval.
"""

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Annotated, NamedTuple

import psutil
from pydantic import BaseModel, Field

from flask_sse_routes import Context, define_route

from .hooks import log_end

# Seconds. Rates need a span of time, and a page should not wait a whole interval for its first.
FIRST_SPAN = 0.2


class Usage(BaseModel):
    used: int
    total: int
    percent: float


class Network(BaseModel):
    """Bytes per second over all interfaces, loopback included."""

    sent: float
    received: float


class Metrics(BaseModel):
    at: datetime
    cpu: float
    load: float
    memory: Usage
    disk: Usage
    network: Network


class Counters(NamedTuple):
    """Readings that only grow; two of them make rates."""

    at: float
    busy: float
    idle: float
    sent: int
    received: int


def metrics(
    ctx: Context, interval: Annotated[float, Field(ge=0.2, le=60)] = 1.0
) -> Iterator[Metrics]:
    before = _counters()
    ctx.sleep(min(FIRST_SPAN, interval))
    while True:
        now = _counters()
        yield _measure(before, now)
        before = now
        ctx.sleep(interval)


def _counters() -> Counters:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts guest time within user time as well.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    network = psutil.net_io_counters()
    sent, received = (network.bytes_sent, network.bytes_recv) if network else (0, 0)
    return Counters(time.monotonic(), sum(times) - guests - idle, idle, sent, received)


def _measure(before: Counters, now: Counters) -> Metrics:
    seconds = max(now.at - before.at, 0.001)
    busy, idle = now.busy - before.busy, now.idle - before.idle
    memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
    return Metrics(
        at=datetime.now(timezone.utc),
        cpu=round(100 * busy / (busy + idle), 1) if busy + idle > 0 else 0.0,
        load=round(psutil.getloadavg()[0], 2),
        memory=_usage(memory.total - memory.available, memory.total),
        disk=_usage(disk.used, disk.used + disk.free),
        network=Network(
            sent=round((now.sent - before.sent) / seconds, 1),
            received=round((now.received - before.received) / seconds, 1),
        ),
    )


def _usage(used: int, total: int) -> Usage:
    return Usage(used=used, total=total, percent=round(100 * used / total, 1))


routes = {
    "metrics": define_route(
        metrics, kind="sse", hooks=[log_end], summary="CPU, memory, disk, network and load"
    ),
}
