"""What every broker promises, as tests: a third-party broker inherits them.

Floor 3, for test suites. A subclass whose name begins with `Test` gives the fixture
`make_broker`; a broker that several processes share inherits `SharedBrokerContract` and gives
`vanish` as well:

    class TestMyBroker(SharedBrokerContract):
        @pytest.fixture
        def make_broker(self, tmp_path):
            with closing_brokers(lambda **options: MyBroker(tmp_path, **options)) as make:
                yield make

        @pytest.fixture
        def vanish(self, tmp_path):
            return lambda: shutil.rmtree(tmp_path)
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from .brokers.base import MAX_CHANNEL_BYTES, PAGE_BYTES, Broker, Entry, Position, check_channel
from .errors import BrokerUnavailable

MIB = 1024 * 1024


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


def walk(broker: Broker, channels: list[str], after: int, limit: int) -> list[Entry]:
    """Follow channels page by page to the end of the log, and check each page on the way."""
    found: list[Entry] = []
    while True:
        merged = broker.poll(channels, after, limit)
        seqs = [entry.seq for entry in merged.entries]
        assert seqs == sorted(set(seqs)), "A page is not in order, or has an entry twice."
        assert all(after < seq <= merged.until for seq in seqs), "An entry lies outside the page."
        assert after <= merged.until <= merged.newest, "`until` lies outside what was read."
        found += merged.entries
        if merged.until == merged.newest:
            return found
        assert merged.until > after, "Polling again would find the same for ever."
        after = merged.until


class BrokerContract:
    """What holds for every broker."""

    #: Seconds that a condition gets to come true, for a slow and busy machine.
    limit = 15.0
    #: Entries by which a channel may exceed its history before it is trimmed.
    surplus = 500

    def eventually(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; fails after `limit` seconds."""
        deadline = time.monotonic() + self.limit
        while not condition():
            assert time.monotonic() < deadline, f"Not within {self.limit:g} s: {what}"
            time.sleep(0.01)

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
        large = bytes(range(256)) * (MIB // 256)
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

    def test_closing_again_does_nothing(self, make_broker: MakeBroker) -> None:
        broker = make_broker()
        broker.append("a", b"x")
        broker.close()
        broker.close()
        never_used = make_broker()
        never_used.close()
        never_used.close()


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
