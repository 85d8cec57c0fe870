"""The contract's part about history: what is removed, what stays, and what is remembered of it.

Floor 3, for test suites.
"""

from __future__ import annotations

from ..brokers.base import Entry
from .makers import MakeBroker
from .patience import Patience


class HistoryContract(Patience):
    """A channel keeps its history, and `trimmed` is the last seq that it ever lost."""

    #: Entries by which a channel may exceed its history before it is trimmed.
    surplus = 500

    def test_history_is_kept_and_not_much_more(self, make_broker: MakeBroker) -> None:
        broker = make_broker(history=20)
        other = broker.append("other", b"x").seq
        seqs: list[int] = []

        def is_trimmed() -> bool:
            seqs.extend(broker.append("a", b"x").seq for _ in range(50))
            kept = len(broker.read("a", 0, len(seqs)).entries)
            assert kept >= min(20, len(seqs)), "More was removed than the history allows."
            return len(seqs) > 2 * self.surplus and kept <= 20 + self.surplus

        self.eventually(is_trimmed, "the channel has at most `surplus` entries too many")

        def is_exact() -> bool:
            # To the very number: a reader at this seq has missed nothing, one before it has.
            batch = broker.read("a", 0, len(seqs))
            at = broker.poll(["a", "other"], batch.trimmed, 10 * self.surplus)
            before = broker.poll(["a", "other"], batch.trimmed - 1, 10 * self.surplus)
            if broker.read("a", 0, len(seqs)) != batch:
                return False  # it was trimmed meanwhile
            kept = [entry.seq for entry in batch.entries]
            assert kept == seqs[-len(kept) :]
            assert batch.trimmed == seqs[-len(kept) - 1]
            assert (at.trimmed, before.trimmed) == ({}, {"a": batch.trimmed})
            assert at.entries == before.entries == batch.entries
            return True

        self.eventually(is_exact, "nothing is trimmed any more")
        assert broker.read("other", 0, 10)[1:3] == ([Entry(other, "other", b"x")], 0)

    def test_old_entries_go_and_what_was_removed_is_remembered(
        self, make_broker: MakeBroker
    ) -> None:
        broker = make_broker(history_age=1.0)
        last = [broker.append("a", b"x") for _ in range(3)][-1]
        assert broker.read("a", 0, 10).trimmed == 0

        def is_empty() -> bool:
            broker.append("other", b"x")
            return not broker.read("a", 0, 10).entries

        self.eventually(is_empty, "entries older than a second are removed")
        for _ in range(2):
            assert broker.read("a", 0, 10).trimmed == last.seq
            assert broker.poll(["a"], last.seq - 1, 10).trimmed == {"a": last.seq}
            assert broker.poll(["a"], last.seq, 10).trimmed == {}
        assert broker.read("nobody", 0, 10).trimmed == 0
        after = broker.append("a", b"y")
        assert after.epoch == last.epoch
        batch = broker.read("a", 0, 10)
        assert (batch.entries, batch.trimmed) == ([Entry(after.seq, "a", b"y")], last.seq)

    def test_young_entries_stay(self, make_broker: MakeBroker) -> None:
        broker = make_broker(history_age=60.0)
        seqs = [broker.append("a", b"x").seq for _ in range(600)]
        assert [entry.seq for entry in broker.read("a", 0, 1000).entries] == seqs
