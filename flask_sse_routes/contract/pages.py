"""The contract's part about pages: `poll` merges channels, and passes nothing unread.

Floor 3, for test suites.
"""

from __future__ import annotations

import itertools
import random

from ..brokers.base import PAGE_BYTES, Broker, Entry
from .makers import MakeBroker
from .patience import Patience
from .walks import walk

MIB = 1024 * 1024


class PageContract(Patience):
    """Page by page, many channels are one log in order."""

    def test_poll_merges_channels_in_order(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        appended = [(broker.append(name, b"x").seq, name) for name in "abacabadabac"]
        merged = broker.poll(["a", "c", "nobody"], 0, 100)
        expected = [Entry(seq, name, b"x") for seq, name in appended if name in "ac"]
        assert merged.entries == expected
        newest = appended[-1][0]
        assert (merged.until, merged.newest, merged.trimmed) == (newest, newest, {})
        later = broker.poll(["a", "c"], appended[5][0], 100)
        assert later.entries == [entry for entry in expected if entry.seq > appended[5][0]]

    def test_poll_of_quiet_channels_gets_to_the_end(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        for _ in range(50):
            newest = broker.append("busy", b"x").seq
        assert walk(broker, ["quiet", "quieter"], 0, 5) == []
        assert broker.poll(["quiet"], newest, 5).until == newest

    def test_poll_never_passes_what_it_has_not_read(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        # One channel has nearly everything: its limit cuts what the others may show.
        names = itertools.cycle("aaaaaaab" * 4 + "aaaaaaac" + "dddd")
        appended = [(broker.append(name, b"x").seq, name) for name in itertools.islice(names, 400)]
        for limit in (1, 3, 7, 50, 1000):
            found = walk(broker, ["a", "b", "c"], 0, limit)
            expected = [(seq, name) for seq, name in appended if name in "abc"]
            assert [(entry.seq, entry.channel) for entry in found] == expected

    def test_poll_of_many_channels(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        names = [f"channel {n}" for n in range(1500)]
        appended = [broker.append(name, b"x").seq for name in names[::3] + names[::5]]
        for limit in (100, 5000):
            assert [entry.seq for entry in walk(broker, names, 0, limit)] == appended
        tail = broker.poll(names, appended[-2], 100)
        assert [entry.seq for entry in tail.entries] == appended[-1:]

    def test_poll_of_many_channels_says_what_each_of_them_says(
        self, make_broker: MakeBroker
    ) -> None:
        broker = make_broker(history=20)
        names = [f"channel {n}" for n in range(200)]
        busy, quiet = names[::50], names[1:120:2]  # the others stay empty
        strangers = [f"stranger {n}" for n in range(1100)]
        parts = (busy * 30 + quiet, strangers, busy + quiet)
        chance, seqs = random.Random(5), []
        for part in parts:
            seqs += [broker.append(c, c.encode()).seq for c in chance.sample(part, len(part))]

        def are_trimmed() -> bool:
            for name in busy * 50:
                seqs.append(broker.append(name, b"more").seq)
            return all(broker.read(name, 0, 1).trimmed for name in busy)

        self.eventually(are_trimmed, "the busy channels are trimmed")
        self.eventually(lambda: self._are_exact(broker, names, seqs), "nothing is trimmed any more")

    def _are_exact(self, broker: Broker, names: list[str], seqs: list[int]) -> bool:
        """Compare pages with the channels themselves; `False` if they were trimmed meanwhile."""
        batches = {name: broker.read(name, 0, len(seqs)) for name in names}
        lost = {name: batch.trimmed for name, batch in batches.items() if batch.trimmed}
        places = {0, *seqs[:: len(seqs) // 8], *seqs[-30::7], seqs[-1]}
        places |= {place for seq in lost.values() for place in (seq - 1, seq)}
        asked = [(place, limit) for place in sorted(places) for limit in (1, 25, len(seqs))]
        pages = [broker.poll(names, place, limit) for place, limit in asked]
        if {name: broker.read(name, 0, len(seqs)) for name in names} != batches:
            return False
        kept = sorted(entry for batch in batches.values() for entry in batch.entries)
        for (place, limit), page in zip(asked, pages, strict=True):
            assert page.entries == [e for e in kept if place < e.seq <= page.until], (place, limit)
            assert page.trimmed == {name: seq for name, seq in lost.items() if seq > place}
            assert (page.newest, page.epoch) == (seqs[-1], batches[names[0]].epoch)
            assert place < page.until <= seqs[-1] or place == page.until == seqs[-1]
            assert limit < len(seqs) or page.until == seqs[-1], "It was cut by no limit."
        return True

    def test_poll_of_many_channels_that_are_empty_by_now(self, make_broker: MakeBroker) -> None:
        broker = make_broker(history_age=0.5)
        names = [f"channel {n}" for n in range(120)]
        last = {name: broker.append(name, b"x").seq for name in names * 2}

        def are_empty() -> bool:
            broker.append("other", b"x")
            return not any(broker.read(name, 0, 1).entries for name in names)

        self.eventually(are_empty, "entries older than half a second are removed")
        newest = broker.newest().seq
        for place in (0, last[names[0]] - 1, last[names[0]], last[names[60]], newest):
            page = broker.poll(names, place, newest)
            assert (page.entries, page.until, page.newest) == ([], newest, newest)
            assert page.trimmed == {name: seq for name, seq in last.items() if seq > place}

    def test_poll_does_not_return_more_than_memory_allows(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        appended = [broker.append("ab"[n % 2], bytes(MIB)).seq for n in range(12)]
        assert 1 <= len(broker.poll(["a", "b"], 0, 100).entries) <= PAGE_BYTES // MIB
        assert [entry.seq for entry in walk(broker, ["a", "b"], 0, 100)] == appended
