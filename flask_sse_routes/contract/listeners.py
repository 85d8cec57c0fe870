"""The contract's part about listeners: they wake at an append, and never much later than asked.

Floor 3, for test suites.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time

from ..brokers.base import Broker
from .makers import MakeBroker
from .patience import Patience


class ListenerContract(Patience):
    """A wait ends at an append, or when its time is up; no append is missed."""

    def test_a_listener_wakes_at_an_append(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        self.check_wake(broker, broker)

    def check_wake(self, publisher: Broker, broker: Broker) -> None:
        """Follow 20 appends, each made after the last one was seen; none may need a look."""
        listener = broker.listen()
        waiting = threading.Event()

        def publish() -> None:
            for n in range(20):
                assert waiting.wait(self.limit)
                waiting.clear()
                publisher.append("a", b"%d" % n)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(publish)
            after, seen = 0, 0
            began = time.monotonic()
            while seen < 20:
                waiting.set()
                while not (merged := broker.poll(["a"], after, 10)).entries:
                    listener.wait(self.limit)
                    assert time.monotonic() - began < self.limit, "A listener was not woken."
                after, seen = merged.until, seen + len(merged.entries)
            publishing.result()
        listener.close()

    def test_an_append_before_the_wait_is_not_missed(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        listener = broker.listen()
        began = time.monotonic()
        for n in range(5):
            broker.append("a", b"x")
            after = broker.newest().seq - 1
            listener.wait(self.limit)
            assert len(broker.poll(["a"], after, 10).entries) == 1, n
        assert time.monotonic() - began < self.limit
        listener.close()

    def test_a_wait_ends_in_time(self, make_broker: MakeBroker) -> None:
        listener = make_broker().listen()
        began = time.monotonic()
        for _ in range(3):
            listener.wait(0.05)
        listener.wait(0)
        assert time.monotonic() - began < self.limit
        listener.close()

    def test_every_listener_wakes(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        gone = broker.listen()
        gone.close()
        gone.close()
        listeners = [broker.listen() for _ in range(5)]
        with concurrent.futures.ThreadPoolExecutor(5) as pool:

            def follow(index: int) -> None:
                began = time.monotonic()
                while not broker.poll(["a"], 0, 10).entries:
                    listeners[index].wait(2 * self.limit)
                    assert time.monotonic() - began < self.limit, "A listener was not woken."

            following = [pool.submit(follow, n) for n in range(5)]
            broker.append("a", b"x")
            for future in following:
                future.result()
        for listener in listeners:
            listener.close()
