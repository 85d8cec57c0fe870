"""A good client of plain requests, each over a connection of its own."""

from __future__ import annotations

import contextlib
import http.client
import time

from e2e.client import Address
from e2e.waiting import wait_for

from .work import Work


class Caller(Work):
    """Asks so often in a second, one request after another, from entry to exit."""

    def __init__(self, address: Address, rate: float) -> None:
        super().__init__()
        self._address = address
        self._pause = 1 / rate
        # Seconds that each took, and how many were not answered.
        self.took: list[float] = []
        self.failed = 0

    def call(self, count: int) -> None:
        """Wait until it has asked so often again."""
        wanted = len(self.took) + count
        wait_for(lambda: self.failure or len(self.took) >= wanted, "good clients are served", 120)
        self.check()

    def _run(self) -> None:
        while not self._end.wait(self._pause):
            begun = time.monotonic()
            try:
                self.failed += not self._is_answered()
            except (OSError, http.client.HTTPException):
                self.failed += 1
            self.took.append(time.monotonic() - begun)

    def _is_answered(self) -> bool:
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/api/ping", headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
            return response.status == 200
