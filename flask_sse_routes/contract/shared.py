"""`SharedBrokerContract`: what a broker promises on top when several processes share its log.

Floor 3, for test suites.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..brokers.base import Entry
from ..errors import BrokerUnavailable
from .broker import BrokerContract
from .makers import MakeBroker


class SharedBrokerContract(BrokerContract):
    """What holds for a broker whose log outlives it and is shared by processes.

    The fixture `vanish` returns a function that takes the store away: the server stops
    answering, the file is gone.
    """

    #: Seconds within which a broker without its store says so.
    fails_within = 10.0

    def test_two_brokers_have_one_log(self, make_broker: MakeBroker) -> None:
        one, other = make_broker(), make_broker()
        assert one.shared
        assert one.newest() == other.newest()
        positions = [(one if n % 2 else other).append("a", b"%d" % n) for n in range(10)]
        assert positions == sorted(positions)
        assert one.newest() == other.newest() == positions[-1]
        assert one.read("a", 0, 100) == other.read("a", 0, 100)
        assert len(one.read("a", 0, 100).entries) == 10

    def test_an_append_wakes_the_listener_of_another(self, make_broker: MakeBroker) -> None:
        self.check_wake(make_broker(), make_broker())

    def test_appends_of_several_brokers_are_followed_without_loss(
        self, make_broker: MakeBroker
    ) -> None:
        brokers = [make_broker(history=10_000) for _ in range(3)]
        self.check_follow([*brokers, brokers[0]], brokers[2])

    def test_the_log_outlives_its_brokers(self, make_broker: MakeBroker) -> None:
        first = make_broker()
        position = first.append("a", b"x")
        first.close()
        second = make_broker()
        assert second.newest() == position
        assert second.read("a", 0, 10).entries == [Entry(position.seq, "a", b"x")]
        assert second.append("a", b"y") > position

    def test_without_its_store_a_broker_is_unavailable(
        self, make_broker: MakeBroker, vanish: Callable[[], None]
    ) -> None:
        used, unused = make_broker(), make_broker()
        used.append("a", b"x")
        listener = used.listen()
        listener.wait(0)
        vanish()
        for broker in (used, unused):
            self.check_unavailable(broker.append, "a", b"x")
            self.check_unavailable(broker.read, "a", 0, 10)
            self.check_unavailable(broker.poll, ["a"], 0, 10)
            self.check_unavailable(broker.newest)
        began = time.monotonic()
        listener.wait(0.1)
        used.listen().close()
        assert time.monotonic() - began < self.fails_within
        listener.close()

    def check_unavailable(self, function: Callable[..., object], *args: object) -> None:
        began = time.monotonic()
        try:
            function(*args)
        except BrokerUnavailable:
            took = time.monotonic() - began
            assert took < self.fails_within, f"It took {took:.1f} s to say so."
        else:
            raise AssertionError("BrokerUnavailable was not raised.")
