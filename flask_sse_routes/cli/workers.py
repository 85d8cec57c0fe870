"""The workers that have answered `flask sse top`, and what their counters come to in a second.

Floor 3.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

# Seconds after which a worker that does not answer is called silent, and is left out.
SILENT_AFTER, GONE_AFTER = 2.5, 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worker:
    """One line of the table: counters since the worker began, and what is sent in a second.

    `state` is `open`, `draining`, or `silent` for one that has just ceased to answer.
    """

    host: str
    pid: int
    state: str
    streams: int
    events_per_second: float | None
    bytes_per_second: float | None
    heartbeats: int
    ended: Mapping[str, int]
    refused: int
    dropped: int
    resets: int


class Workers:
    """What each worker has answered last, and the time before."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int, str], _Seen] = {}

    def note(self, answer: Mapping[str, Any]) -> None:
        """Take an answer; what another version says otherwise is left out."""
        try:
            key = str(answer["host"]), int(answer["pid"]), str(answer["name"])
            before = self._seen.get(key)
            self._seen[key] = _Seen(answer, None if before is None else before.answer)
        except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError):
            return

    def rows(self) -> list[Worker]:
        """Return those that answer, or did a moment ago, by host and process."""
        now = time.monotonic()
        self._seen = {k: s for k, s in self._seen.items() if now - s.when < GONE_AFTER}
        return [self._seen[key].row(now) for key in sorted(self._seen)]


class _Seen:
    """An answer, when it came, and the rates since the one before."""

    def __init__(self, answer: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        self.answer = answer
        self.when = time.monotonic()
        self._row = Worker(
            host=str(answer["host"]),
            pid=int(answer["pid"]),
            state="draining" if answer["draining"] else "open",
            streams=int(answer["streams"]),
            events_per_second=_rate("events", answer, before),
            bytes_per_second=_rate("bytes", answer, before),
            heartbeats=int(answer["heartbeats"]),
            ended={str(outcome): int(count) for outcome, count in answer["ended"].items()},
            refused=int(answer["refused"]),
            dropped=int(answer["dropped"]),
            resets=int(answer["resets"]),
        )

    def row(self, now: float) -> Worker:
        if now - self.when < SILENT_AFTER:
            return self._row
        return dataclasses.replace(
            self._row, state="silent", events_per_second=None, bytes_per_second=None
        )


def _rate(
    counter: str, answer: Mapping[str, Any], before: Mapping[str, Any] | None
) -> float | None:
    """Return what a counter has risen by in a second; both times are the worker's own."""
    if before is None or answer["at"] <= before["at"]:
        return None
    risen = float(answer[counter] - before[counter])
    return round(max(0.0, risen / float(answer["at"] - before["at"])), 1)
