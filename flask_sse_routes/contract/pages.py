"""The contract's part about pages: `poll` merges channels, and passes nothing unread.

Floor 3, for test suites.
"""

from __future__ import annotations

import itertools

from ..brokers.base import PAGE_BYTES, Entry
from .makers import MakeBroker
from .walks import walk

MIB = 1024 * 1024


class PageContract:
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

    def test_poll_does_not_return_more_than_memory_allows(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        appended = [broker.append("ab"[n % 2], bytes(MIB)).seq for n in range(12)]
        assert 1 <= len(broker.poll(["a", "b"], 0, 100).entries) <= PAGE_BYTES // MIB
        assert [entry.seq for entry in walk(broker, ["a", "b"], 0, 100)] == appended
