"""`BrokerContract`: what every broker promises, put together from its parts.

Floor 3, for test suites.
"""

from __future__ import annotations

from .entries import EntryContract
from .following import FollowContract
from .history import HistoryContract
from .listeners import ListenerContract
from .makers import MakeBroker
from .pages import PageContract
from .positions import PositionContract


class BrokerContract(
    PositionContract,
    EntryContract,
    HistoryContract,
    PageContract,
    FollowContract,
    ListenerContract,
):
    """What holds for every broker."""

    def test_closing_again_does_nothing(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        broker.append("a", b"x")
        broker.close()
        broker.close()
        never_used = make_broker()
        never_used.close()
        never_used.close()
