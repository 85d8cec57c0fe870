"""A process beside the server that publishes at a steady rate, and what came of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from flask_sse_routes import broker_from_url

from .crowd import Member

HISTORY = 100_000


class Publisher:
    """Publishes to one channel, `rate` events a second, until it is told to stop."""

    def __init__(self, url: str, channel: str, rate: float, data: Any = "something new") -> None:
        self._broker = broker_from_url(url, history=HISTORY)
        self._channel = channel
        self._rate = rate
        self._data = data
        self._stop = threading.Event()
        self.failure: BaseException | None = None
        # When each event was about to be published, by its id.
        self.at: dict[str | None, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ids(self) -> list[str]:
        return [str(id_) for id_ in self.at]

    def stop(self) -> None:
        """Publish no more."""
        self._stop.set()
        self._thread.join(10)
        self._broker.close()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        begun, count = time.monotonic(), 0
        try:
            while not self._stop.wait(max(0.0, begun + count / self._rate - time.monotonic())):
                at = time.monotonic()
                self.at[self._broker.publish(self._channel, self._data)] = at
                count += 1
        except BaseException as error:
            self.failure = error


def check_complete(member: Member, ids: list[str]) -> None:
    """All that was published after the member's first position, once and in order."""
    assert member.names[0] == "ready"
    assert set(member.names) <= {"ready", "message"}
    assert member.names.count("ready") == 1, "it had lost its position"
    first = _seq(member.events[0].event.id)
    wanted, got = [id_ for id_ in ids if _seq(id_) > first], member.ids
    if got != wanted:
        missing = [id_ for id_ in wanted if id_ not in set(got)]
        twice = [id_ for id_, count in Counter(got).items() if count > 1]
        ends = [visit.last_event_id for visit in member.visits]
        raise AssertionError(f"Not there: {missing}, twice: {twice}, visits ended at {ends}")


def delays(member: Member, published_at: dict[str | None, float]) -> list[float]:
    """How long each event took from just before it was published to its last byte."""
    return [
        a.at - published_at[str(a.event.id)] for a in member.events if a.event.id in published_at
    ]


def _seq(id_: str | None) -> int:
    return int(str(id_).split("-")[1])
