"""The workers of this server: processes beside this one that were started as it was."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from ..activity import count
from .model import Process

# Seconds between two looks at which processes there are, because all of the machine are looked at.
LOOK = 5.0


class Workers:
    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._looked = -LOOK

    def measure(self) -> list[Process]:
        """Return what each worker takes, by its number."""
        if time.monotonic() - self._looked >= LOOK:
            self._look()
        streams = {worker.pid: worker.streams for worker in count().workers}
        return [
            process
            for pid in sorted(self._known)
            if (process := self._process(pid, streams.get(pid, 0)))
        ]

    def _look(self) -> None:
        self._looked = time.monotonic()
        found = {process.pid: process for process in _siblings()}
        # The old objects are kept: they remember the CPU time of the last look.
        self._known = {pid: self._known.get(pid, process) for pid, process in found.items()}

    def _process(self, pid: int, streams: int) -> Process | None:
        process = self._known[pid]
        with suppress(psutil.Error), process.oneshot():
            return Process(
                pid=pid,
                memory=process.memory_info().rss,
                cpu=process.cpu_percent(),
                streams=streams,
            )
        return None


def _siblings() -> Iterator[psutil.Process]:
    """Find this process, and those with its parent and its command line."""
    this = psutil.Process(os.getpid())
    yield this
    with suppress(psutil.Error):
        parent, command = this.parent(), this.cmdline()
        for process in parent.children() if parent else ():
            with suppress(psutil.Error):
                if process != this and process.cmdline() == command:
                    yield process
