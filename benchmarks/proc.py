"""What /proc tells of the processes of a session: processor time and memory.

A session holds all that its first process started, also what has lost its parent.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    """What is used here of a process's `stat`; `ticks` is its time and that of reaped children."""

    pid: int
    session: int
    ticks: int


def parse_stat(text: str) -> Stat:
    """Read a line of `stat`; the name in it may hold spaces and brackets."""
    pid, _, rest = text.partition(" (")
    fields = rest[rest.rindex(")") + 1 :].split()
    return Stat(int(pid), int(fields[3]), sum(map(int, fields[11:15])))


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
    return sum(stat.ticks for stat in stats(sessions)) / TICKS


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
