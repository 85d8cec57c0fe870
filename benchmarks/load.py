"""The load generator as the scenarios use it: clients of a server, on a core of their own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

from .errors import Failed
from .processes import Process

# Seconds between two looks at what else may have gone wrong.
LOOK = 0.5
# Seconds beyond the generator's own limit until it counts as stuck.
PATIENCE = 30.0


@dataclass(frozen=True)
class Count:
    """What the generator has counted; moments are seconds since it began."""

    clients: int
    connected: int
    sent: int
    failed: int
    closed: int
    done: int
    refused: int
    events: int
    others: int
    comments: int
    bytes: int
    gaps: int
    missing: int
    repeats: int
    backwards: int
    responses: int
    ready: float
    first: float
    last: float
    now: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def read(cls, said: dict[str, Any]) -> Count:
        return cls(**{field.name: said[field.name] for field in fields(cls)})


class Load:
    """Running from entry to exit; keywords are those of `load.c`."""

    def __init__(
        self,
        program: Path,
        core: int | None,
        log: IO[bytes],
        check: Callable[[], None],
        *,
        limit: float = 600.0,
        **wanted: float | str,
    ) -> None:
        options: dict[str, float | str] = {"limit": limit, **wanted}
        self._command = [str(program), *(f"{name}={value}" for name, value in options.items())]
        self._core = core
        self._log = log
        self._check = check
        self._deadline = time.monotonic() + limit + PATIENCE
        self._held = b""

    def __enter__(self) -> Load:
        self._process = Process(
            self._command, log=self._log, output=subprocess.PIPE, core=self._core
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()

    def ready(self) -> Count:
        """Wait until all clients are connected."""
        count = self._said("ready")
        if count.failed or count.refused:
            raise Failed(f"{count.failed + count.refused:,} of {count.clients:,} clients refused")
        return count

    def now(self) -> Count:
        """Ask for what has been counted up to now."""
        self._process.stdin.write(b".")
        self._process.stdin.flush()
        return self._said("now")

    def result(self) -> Count:
        """Wait for the end."""
        return self._said("result")

    def _said(self, what: str) -> Count:
        while (said := json.loads(self._line()))["what"] != what:
            if said["what"] == "result":
                raise Failed("the load ended before it was ready")
        return Count.read(said)

    def _line(self) -> bytes:
        """The next line, read past the pipe's buffer, which `select` does not see."""
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._held:
            if time.monotonic() > self._deadline:
                raise Failed("the load generator is stuck")
            if not select.select([pipe], [], [], LOOK)[0]:
                self._check()
                continue
            part = os.read(pipe, 65536)
            if not part:
                raise Failed("the load generator ended")
            self._held += part
        line, _, self._held = self._held.partition(b"\n")
        return line
