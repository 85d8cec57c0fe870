"""The contract's part about positions: what `append` returns and `newest` repeats.

Floor 3, for test suites.
"""

from __future__ import annotations

from ..brokers.base import Position
from .makers import MakeBroker


class PositionContract:
    """Positions are ids, and they grow over the whole log."""

    def test_positions_grow_over_all_channels(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        positions = [broker.append(name, b"x") for name in ("a", "b", "a", "c", "a")]
        seqs = [position.seq for position in positions]
        assert seqs == sorted(set(seqs))
        assert seqs[0] > 0
        assert len({position.epoch for position in positions}) == 1

    def test_a_position_is_an_id_and_back(self, make_broker: MakeBroker) -> None:
        position = make_broker().append("a", b"x")
        assert Position.parse(str(position)) == position

    def test_newest_is_the_last_position(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        empty = broker.newest()
        assert empty.seq == 0
        first = broker.append("a", b"x")
        assert first.epoch == empty.epoch
        assert broker.newest() == first
        assert broker.append("b", b"x") == broker.newest()
