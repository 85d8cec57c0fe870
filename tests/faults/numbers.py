"""The publisher: numbered events at a steady rate, each with the moment of its publishing."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from flask_sse_routes import BrokerUnavailable, broker_from_url

# Seconds until what failed is published again.
AGAIN = 0.05


class Numbers:
    """Publishes 0, 1, 2, ... to one channel, and knows the id of each.

    A publish that fails is tried again until it succeeds; since the broker may have stored it
    all the same, its number may be there twice (`retried`).
    """

    def __init__(self, url: str, channel: str = "a", *, history: int = 1000, size: int = 0) -> None:
        """`size`: how many characters of padding each event has."""
        self._broker = broker_from_url(url, history=history)
        self._channel = channel
        self._padding = "x" * size
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        # The place in the log by number, and how long each publish took that failed.
        self.seqs: list[int] = []
        self.retried: set[int] = set()
        self.failures: list[float] = []
        self.failure: BaseException | None = None

    def __enter__(self) -> Numbers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(15)
        self._broker.close()

    def __len__(self) -> int:
        return len(self.seqs)

    def start(self, rate: float, most: float = float("inf")) -> None:
        """Publish so many a second from now on, in a thread of its own, and no more than `most`."""
        self._thread = threading.Thread(target=self._run, args=(rate, most), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Publish no more; return how many there are."""
        self.__exit__(None, None, None)
        if self.failure is not None:
            raise self.failure
        return len(self.seqs)

    def burst(self, count: int) -> None:
        """Publish so many at once."""
        for _ in range(count):
            self._publish()

    def _run(self, rate: float, most: float) -> None:
        begun, count = time.monotonic(), 0
        try:
            while count < most:
                if self._end.wait(max(0.0, begun + count / rate - time.monotonic())):
                    return
                self._publish()
                count += 1
        except BaseException as error:
            self.failure = error

    def _publish(self) -> None:
        number = len(self.seqs)
        while not self._end.is_set():
            begun = time.monotonic()
            data = {"seq": number, "ts": time.monotonic_ns(), "padding": self._padding}
            try:
                id_ = self._broker.publish(self._channel, data)
            except BrokerUnavailable:
                self.failures.append(time.monotonic() - begun)
                self.retried.add(number)
                self._end.wait(AGAIN)
            else:
                self.seqs.append(seq_of(id_))
                return


def seq_of(id_: str | None) -> int:
    return int(str(id_).rpartition("-")[2])
