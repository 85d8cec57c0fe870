"""Readings of the machine by psutil: counters that only grow, and what two of them make."""

import platform
import time
from datetime import datetime, timezone
from typing import Any, NamedTuple

import psutil

from .model import Disks, Load, Metrics, Network, Process, Usage


class Core(NamedTuple):
    """Seconds."""

    busy: float
    idle: float


class Counters(NamedTuple):
    at: float
    cores: list[Core]
    read: int
    written: int
    received: int
    sent: int


def counters() -> Counters:
    # Each is `None` where the machine does not tell.
    disks, network = psutil.disk_io_counters(), psutil.net_io_counters()
    return Counters(
        at=time.monotonic(),
        cores=[_core(times) for times in psutil.cpu_times(percpu=True)],
        read=disks.read_bytes if disks else 0,
        written=disks.write_bytes if disks else 0,
        received=network.bytes_recv if network else 0,
        sent=network.bytes_sent if network else 0,
    )


def _core(times: Any) -> Core:
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts guest time within user time as well.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return Core(sum(times) - guests - idle, idle)


def measure(before: Counters, now: Counters, workers: list[Process]) -> Metrics:
    """Return what the machine is doing; rates are those since `before`."""
    at = datetime.now(timezone.utc)
    cores = _spent(before.cores, now.cores)
    memory, swap, disk = psutil.virtual_memory(), psutil.swap_memory(), psutil.disk_usage("/")
    one, five, fifteen = (round(value, 2) for value in psutil.getloadavg())
    return Metrics(
        at=at,
        host=platform.node(),
        uptime=round(at.timestamp() - psutil.boot_time(), 1),
        cpu=_percent(_sum(cores)),
        cores=[_percent(core) for core in cores],
        load=Load(one=one, five=five, fifteen=fifteen),
        memory=_usage(memory.total - memory.available, memory.total),
        swap=_usage(swap.used, swap.total),
        # What is kept for root counts neither as used nor as free.
        disk=_usage(disk.used, disk.used + disk.free),
        disks=Disks(**_rates(before, now, "read", "written")),
        network=Network(**_rates(before, now, "received", "sent")),
        workers=workers,
    )


def _spent(before: list[Core], now: list[Core]) -> list[Core]:
    """Return what each core did since `before`; cores may come and go."""
    pairs = zip(before, now, strict=False)
    return [Core(b.busy - a.busy, b.idle - a.idle) for a, b in pairs]


def _sum(cores: list[Core]) -> Core:
    return Core(sum(core.busy for core in cores), sum(core.idle for core in cores))


def _percent(core: Core) -> float:
    # Linux may take idle time back.
    busy, idle = max(core.busy, 0), max(core.idle, 0)
    return round(100 * busy / (busy + idle), 1) if busy + idle else 0.0


def _usage(used: int, total: int) -> Usage:
    return Usage(used=used, total=total, percent=round(100 * used / total, 1) if total else 0.0)


def _rates(before: Counters, now: Counters, *names: str) -> dict[str, float]:
    """Return counts per second; a counter that began again counts as still."""
    seconds = max(now.at - before.at, 0.001)
    grown = {name: getattr(now, name) - getattr(before, name) for name in names}
    return {name: round(max(count, 0) / seconds) for name, count in grown.items()}
