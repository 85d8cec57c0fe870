"""A publisher beside the workers that keeps what it was told: ids, and how long failures took."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from e2e.waiting import wait_for

from flask_sse_routes import BrokerUnavailable, broker_from_url

HISTORY = 100_000
# Seconds between two events, and between two goodbyes.
EVERY, AGAIN = 0.01, 0.05


class Publisher:
    """Publishes on channels by chance, up to 100 events a second, whatever becomes of them."""

    def __init__(self, url: str, channels: tuple[str, ...]) -> None:
        self._broker = broker_from_url(url, history=HISTORY)
        self._channels = channels
        self._stop = threading.Event()
        # Channel and id of what was stored, and the seconds after which each failure said so.
        self.stored: list[tuple[str, str]] = []
        self.failures: list[float] = []
        self.succeeded_at = 0.0
        self.failed_at = 0.0
        self.fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        chance = random.Random(4)
        try:
            while not self._stop.wait(EVERY):
                self._publish(chance.choice(self._channels), len(self.stored))
        except BaseException as error:
            self.fault = error

    def _publish(self, channel: str, data: Any) -> None:
        begun = time.monotonic()
        try:
            self.stored.append((channel, self._broker.publish(channel, data)))
            self.succeeded_at = time.monotonic()
        except BrokerUnavailable:
            self.failed_at = time.monotonic()
            self.failures.append(self.failed_at - begun)

    def more(self, count: int, seconds: float = 15.0) -> None:
        """Wait until so many more are stored."""
        known = len(self.stored)
        wait_for(lambda: self.fault or len(self.stored) >= known + count, "more is stored", seconds)

    def fails(self, seconds: float = 15.0) -> None:
        """Wait until one more fails."""
        known = len(self.failures)
        wait_for(lambda: self.fault or len(self.failures) > known, "publishing fails", seconds)

    def say_goodbye(self, last: str, everybody_left: Callable[[], bool]) -> None:
        """Publish only what tells everybody to go, until they do.

        One time may not be enough: a new epoch that a worker has yet to learn of begins, for
        its clients, where it learns of it.
        """
        self.stop()

        def heard() -> bool:
            time.sleep(AGAIN)
            self._publish(self._channels[-1], last)
            return everybody_left()

        wait_for(heard, "everybody has all", 20)

    def stop(self) -> None:
        """Publish no more. Raises what has stopped it before."""
        self._stop.set()
        self._thread.join(10)
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._broker.close()
