"""`MakeBroker`: how the contract's tests get their brokers, and what closes them.

Floor 3, for test suites: `closing_brokers` is what a fixture `make_broker` is written with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from ..brokers.base import Broker


class MakeBroker(Protocol):
    """Returns a new broker object. Within a test, all of them have one store."""

    def __call__(self, *, history: int = 1000, history_age: float = 3600.0) -> Broker: ...


@contextlib.contextmanager
def closing_brokers(make: Callable[..., Broker]) -> Iterator[MakeBroker]:
    """Give a `make_broker` that closes in the end whatever it has made."""
    with contextlib.ExitStack() as stack:

        def make_broker(**options: float) -> Broker:
            broker = make(**options)
            stack.callback(broker.close)
            return broker

        yield make_broker
