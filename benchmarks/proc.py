"""What the processes of a session use: processor time and memory, by way of /proc.

A session holds all that its first process started, also what has lost its parent. /proc counts
processor time in hundredths of a second; the clock of a process has the same time, but finer.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    """What is used here of a process's `stat`; `reaped` is the time of children that ended."""

    pid: int
    session: int
    reaped: float


def parse_stat(text: str) -> Stat:
    """Read a line of `stat`; the name in it may hold spaces and brackets."""
    pid, _, rest = text.partition(" (")
    fields = rest[rest.rindex(")") + 1 :].split()
    return Stat(int(pid), int(fields[3]), sum(map(int, fields[13:15])) / TICKS)


def parse_kib(text: str, name: str) -> int:
    """Read one size from `status` or `smaps_rollup`; 0 where there is none."""
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def stats(sessions: Collection[int]) -> Iterator[Stat]:
    """The processes that belong to one of the sessions."""
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            # It may end between the two steps.
            with contextlib.suppress(OSError):
                stat = parse_stat((folder / "stat").read_text())
                if stat.session in sessions:
                    yield stat


def cpu_seconds(sessions: Collection[int]) -> float:
    """Processor time of the sessions up to now, in user mode and in the kernel."""
    total = 0.0
    for stat in stats(sessions):
        with contextlib.suppress(OSError):
            total += time.clock_gettime(clock_of(stat.pid)) + stat.reaped
    return total


def clock_of(pid: int) -> int:
    """The clock of a process's time, as `clock_getcpuclockid` of the C library makes it."""
    return ~pid << 3 | 2


def memory_kib(sessions: Collection[int]) -> int:
    """Resident memory of the sessions now."""
    return _total(sessions, "smaps_rollup", "Rss")


def peak_kib(sessions: Collection[int]) -> int:
    """The most that each process of the sessions had resident, summed up."""
    return _total(sessions, "status", "VmHWM")


def _total(sessions: Collection[int], file: str, name: str) -> int:
    total = 0
    for stat in stats(sessions):
        with contextlib.suppress(OSError):
            total += parse_kib((PROC / str(stat.pid) / file).read_text(), name)
    return total


def forget_peak(sessions: Collection[int]) -> None:
    """Let `peak_kib` begin anew, from what is resident now."""
    for stat in stats(sessions):
        with contextlib.suppress(OSError):
            (PROC / str(stat.pid) / "clear_refs").write_text("5")
