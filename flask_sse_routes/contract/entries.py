"""The contract's part about entries: `read` gives back what was appended, as it was.

Floor 3, for test suites.
"""

from __future__ import annotations

from ..brokers.base import MAX_CHANNEL_BYTES, Entry, check_channel
from .makers import MakeBroker
from .walks import walk


class EntryContract:
    """Bodies and names of channels are opaque, and no channel shows another's entries."""

    def test_read_gives_a_channel_after_a_seq(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        seqs = [broker.append("ab"[n % 2], b"%d" % n).seq for n in range(10)]
        whole = broker.read("a", 0, 100)
        assert whole.entries == [Entry(seqs[n], "a", b"%d" % n) for n in range(0, 10, 2)]
        assert (whole.trimmed, whole.newest) == (0, seqs[-1])
        assert whole.epoch == broker.newest().epoch
        for after in range(seqs[0] - 1, seqs[-1] + 2):
            expected = [entry for entry in whole.entries if entry.seq > after]
            assert broker.read("a", after, 100).entries == expected
            assert broker.read("a", after, 2).entries == expected[:2]

    def test_read_of_an_unknown_channel_is_empty(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        newest = broker.append("a", b"x")
        assert broker.read("nobody", 0, 10) == (newest.epoch, [], 0, newest.seq)

    def test_bodies_are_kept_as_they_are(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        large = bytes(range(256)) * 4096  # one MiB
        bodies = [b"", b"\0", b"\r\n\r\n", bytes(range(256)), "\u2028\U0001f600".encode(), large]
        for body in bodies:
            broker.append("a", body)
        read = broker.read("a", 0, 100).entries
        assert [entry.body for entry in read] == bodies
        assert [entry.body for entry in walk(broker, ["a"], 0, 100)] == bodies

    def test_channel_names_are_kept_apart(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        longest = "\U0001f600" * (MAX_CHANNEL_BYTES // 4) + "abc"
        names = ["a", "A", " a", "a ", "a:b", "*", "[a]", "{a}", "a'b\"", "%", "a/../b"]
        names += ["\xe9", "e\u0301"]  # look alike, composed and not
        names += [longest, longest[:-1], "last", "seq", "0", "-"]
        for name in names:
            broker.append(check_channel(name), name.encode())
        for name in names:
            assert [e.body for e in broker.read(name, 0, 10).entries] == [name.encode()]
        assert [entry.channel for entry in walk(broker, names, 0, 100)] == names

    def test_names_that_are_no_channel_are_refused(self) -> None:
        # Not a broker's business: no broker gets to see them.
        for name in ("", "a\nb", "\0", "\x7f", "\x85", "\ud800", "é" * 128, 5, None, b"a"):
            try:
                check_channel(name)
            except ValueError:
                continue
            raise AssertionError(f"{name!r} was taken for a channel's name.")
