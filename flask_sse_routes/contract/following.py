"""The contract's part about following: whoever appends meanwhile, the reader misses nothing.

Floor 3, for test suites.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
import time

from ..brokers.base import Broker, Entry
from .makers import MakeBroker
from .walks import walk


class FollowContract:
    """Appends at the same time have one order, the same for writers and readers."""

    def test_appends_of_many_threads_are_followed_without_loss(
        self, make_broker: MakeBroker
    ) -> None:
        broker = make_broker(history=10_000)
        self.check_follow([broker] * 4, broker)

    def check_follow(self, publishers: list[Broker], reader: Broker) -> None:
        """Append 500 entries per publisher at once, over 8 channels, while one follows."""
        names = [f"channel {n}" for n in range(8)]
        done = threading.Event()

        def publish(number: int) -> list[tuple[int, bytes]]:
            broker = publishers[number]
            bodies = [b"%d %d" % (number, n) for n in range(500)]
            return [
                (broker.append(names[n % len(names)], body).seq, body)
                for n, body in enumerate(bodies)
            ]

        def follow() -> list[Entry]:
            found: list[Entry] = []
            while True:
                ending = done.is_set()
                found += walk(reader, names, found[-1].seq if found else 0, 50)
                if ending:
                    return found
                time.sleep(0)

        with concurrent.futures.ThreadPoolExecutor(len(publishers) + 1) as pool:
            following = pool.submit(follow)
            try:
                publishing = [pool.submit(publish, n) for n in range(len(publishers))]
                logs = [future.result() for future in publishing]
            finally:
                done.set()
            found = following.result()
        for published in logs:
            assert published == sorted(published), "A publisher's own positions do not grow."
        appended = sorted(itertools.chain.from_iterable(logs))
        assert [(entry.seq, entry.body) for entry in found] == appended
        assert len({seq for seq, _ in appended}) == 500 * len(publishers)
