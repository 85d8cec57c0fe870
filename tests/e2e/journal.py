"""The journal: what the application under test did, in a file that outlives its processes.

The application writes it (`note`), the tests read it (`Journal`). Times are `time.monotonic`,
which all processes of a Linux machine share.
"""

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .waiting import wait_for

VARIABLE = "E2E_JOURNAL"


@dataclass(frozen=True)
class Entry:
    """Something that happened in the server, under the key that the test's request gave."""

    key: str
    what: str
    at: float
    pid: int
    facts: dict[str, Any] = field(default_factory=dict)


def note(key: str, what: str, **facts: Any) -> None:
    """Add an entry; one write, so that workers do not mix their lines."""
    entry = {"key": key, "what": what, "at": time.monotonic(), "pid": os.getpid(), "facts": facts}
    journal = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, json.dumps(entry).encode() + b"\n")
    os.close(journal)


class Journal:
    """A server's journal, as its test sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def entries(self, key: str | None = None, what: str | None = None) -> list[Entry]:
        lines = self.path.read_text().splitlines()
        found = [Entry(**json.loads(line)) for line in lines]
        return [e for e in found if key in (None, e.key) and what in (None, e.what)]

    def wait(self, key: str, what: str, seconds: float = 10.0) -> Entry:
        """Return the first entry of this kind, as soon as it is there."""
        return wait_for(lambda: self.entries(key, what), f"{what!r} of {key}", seconds)[0]

    def outcome(self, key: str, seconds: float = 10.0) -> str:
        """Return the outcome that the cleanup hook of the one request with this key saw."""
        self.wait(key, "cleanup", seconds)
        (cleanup,) = self.entries(key, "cleanup")
        return str(cleanup.facts["outcome"])

    def check_cleanups(self) -> None:
        """Fail unless every hook whose `before` ran has had its cleanup exactly once."""
        before = Counter(e.facts["run"] for e in self.entries(what="before"))
        cleanup = Counter(e.facts["run"] for e in self.entries(what="cleanup"))
        assert cleanup == before
