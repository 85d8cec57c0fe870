"""The SQLite broker where it meets other processes and its file another life."""

from __future__ import annotations

import gc
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_sse_routes.brokers import sqlite as sqlite_broker
from flask_sse_routes.brokers import sqlite_log
from flask_sse_routes.brokers.base import Batch, Position
from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.errors import BrokerUnavailable

from .sqlite_file import MakeSqlite, assert_intact, hold, rows
from .waiting import end, wait_for


class TestLock:
    """Another process holds the write lock."""

    @pytest.fixture
    def locked(self, path: Path, make_sqlite: MakeSqlite) -> Iterator[subprocess.Popen[str]]:
        make_sqlite().append("a", b"before")
        holder = hold(path, "BEGIN IMMEDIATE")
        yield holder
        end(holder)

    def test_appends_wait_while_readers_and_others_go_on(
        self, make_sqlite: MakeSqlite, locked: subprocess.Popen[str]
    ) -> None:
        broker = make_sqlite()
        appended: list[Position] = []
        appending = threading.Thread(target=lambda: appended.append(broker.append("a", b"after")))
        appending.start()
        began = looked = time.monotonic()
        longest = 0.0
        while looked - began < 2:
            assert [entry.body for entry in broker.read("a", 0, 10).entries] == [b"before"]
            assert broker.poll(["a"], 0, 10).newest == broker.newest().seq == 1
            # Under gevent, nothing but a cooperative wait lets this go on.
            time.sleep(0.005)
            now = time.monotonic()
            longest, looked = max(longest, now - looked), now
        assert longest < 0.5
        assert not appended
        assert locked.stdin is not None
        locked.stdin.write("\n")
        appending.join(15)
        assert [position.seq for position in appended] == [2]
        assert [entry.body for entry in broker.read("a", 0, 10).entries] == [b"before", b"after"]

    def test_a_reader_that_comes_now_gets_in(
        self, make_sqlite: MakeSqlite, locked: subprocess.Popen[str]
    ) -> None:
        assert locked.poll() is None
        assert [entry.body for entry in make_sqlite().read("a", 0, 10).entries] == [b"before"]

    def test_patience_ends(
        self,
        make_sqlite: MakeSqlite,
        locked: subprocess.Popen[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sqlite_broker, "PATIENCE", 0.2)
        with pytest.raises(BrokerUnavailable, match="locked"):
            make_sqlite().append("a", b"x")
        assert locked.poll() is None
        assert make_sqlite().newest().seq == 1

    def test_a_holder_that_is_killed_lets_go(
        self, make_sqlite: MakeSqlite, locked: subprocess.Popen[str]
    ) -> None:
        end(locked)
        assert make_sqlite().append("a", b"x").seq == 2


def test_patience_is_five_seconds() -> None:
    assert sqlite_broker.PATIENCE == 5


class TestLife:
    """When the log is another one, its epoch is too."""

    def test_a_removed_file_is_made_anew(self, path: Path, make_sqlite: MakeSqlite) -> None:
        one, other = make_sqlite(), make_sqlite()
        before = one.append("a", b"x")
        assert other.newest() == before
        path.unlink()
        wait_for(lambda: one.newest().epoch != before.epoch, "the removal is noticed")
        after = one.append("a", b"y")
        assert after.epoch != before.epoch
        assert after.seq == 1
        wait_for(lambda: other.newest() == after, "the other one notices, too")
        assert [entry.body for entry in other.read("a", 0, 10).entries] == [b"y"]
        assert_intact(path)

    def test_a_copy_that_is_put_back_is_another_log(
        self, path: Path, make_sqlite: MakeSqlite
    ) -> None:
        broker = make_sqlite()
        broker.append("a", b"old")
        broker.close()
        copy = path.with_name("copy")
        shutil.copy(path, copy)
        lost = broker.append("a", b"lost")
        broker.close()
        path.unlink()
        copy.rename(path)
        again = make_sqlite().append("a", b"again")
        assert again.seq == lost.seq
        assert again.epoch != lost.epoch

    def test_another_boot_is_another_epoch(
        self, make_sqlite: MakeSqlite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = make_sqlite().append("a", b"x")
        assert make_sqlite().newest() == before
        monkeypatch.setattr(sqlite_log, "boot_id", lambda: "another")
        after = make_sqlite().newest()
        assert after.epoch != before.epoch
        assert after.seq == before.seq
        assert len(make_sqlite().read("a", 0, 10).entries) == 1
        assert make_sqlite().append("a", b"y") == Position(after.epoch, before.seq + 1)

    def test_without_a_name_for_the_boot_every_commit_is_kept(
        self, make_sqlite: MakeSqlite, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def synchronous() -> int:
            database = sqlite_log.connect(str(path))
            try:
                return int(database.execute("PRAGMA synchronous").fetchone()[0])
            finally:
                database.close()

        assert synchronous() == 1  # NORMAL
        monkeypatch.setattr(sqlite_log, "boot_id", lambda: "")
        assert synchronous() == 2  # FULL
        before = make_sqlite().append("a", b"x")
        assert make_sqlite().newest() == before

    def test_a_number_is_not_given_out_twice(self, path: Path, make_sqlite: MakeSqlite) -> None:
        """Not even when everything has reached its age."""
        last = [make_sqlite().append("a", b"x") for _ in range(3)][-1]
        database = sqlite_log.connect(str(path))
        for _ in range(2):
            sqlite_log.expire(database, time.time() + 60)
            assert make_sqlite().read("a", 0, 9) == Batch(last.epoch, [], last.seq, last.seq)
            assert rows(path, "SELECT seq, channel, body FROM entries") == [(last.seq, "", b"")]
        database.close()
        assert make_sqlite().newest() == last
        assert make_sqlite().append("a", b"x") == Position(last.epoch, last.seq + 1)


class TestPlace:
    """Where the file is."""

    def test_no_folder_and_no_database_are_errors(
        self, tmp_path: Path, make_sqlite: MakeSqlite
    ) -> None:
        with pytest.raises(BrokerUnavailable, match="unable to open"):
            make_sqlite(tmp_path / "nowhere" / "log").append("a", b"x")
        text = tmp_path / "text"
        text.write_text("This is no database at all. " * 100)
        with pytest.raises(BrokerUnavailable, match="not a database"):
            make_sqlite(text).append("a", b"x")
        assert text.read_text().startswith("This is no database")

    def test_a_broker_whose_folder_comes_later_works_then(
        self, tmp_path: Path, make_sqlite: MakeSqlite
    ) -> None:
        folder = tmp_path / "folder"
        broker = make_sqlite(folder / "log")
        with pytest.raises(BrokerUnavailable):
            broker.newest()
        folder.mkdir()
        assert broker.append("a", b"x").seq == 1

    def test_long_paths(self, tmp_path: Path, make_sqlite: MakeSqlite) -> None:
        folder = tmp_path.joinpath(*["a folder with a long name"] * 8)
        folder.mkdir(parents=True)
        assert len(str(folder)) > 200
        one, other = make_sqlite(folder / "log"), make_sqlite(folder / "log")
        listener = one.listen()
        for n in range(3):
            other.append("a", b"x")
            began = time.monotonic()
            listener.wait(10)
            assert time.monotonic() - began < 5, "It was not woken."
            assert one.newest().seq == n + 1
        assert list(Path(f"{folder}/log-bell").iterdir())
        listener.close()


class TestHousekeeping:
    def test_processes_that_live_for_one_append_trim_as_well(
        self, path: Path, make_sqlite: MakeSqlite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_broker, "TRIM_EVERY", 5)
        for _ in range(150):
            broker = SqliteBroker(path, history=10)
            broker.append("a", b"x")
            broker.close()
        # Each has one chance in five: 100 in a row that do not would be one in 10^9.
        assert 10 <= len(make_sqlite().read("a", 0, 1000).entries) <= 110

    def test_who_follows_trims_what_others_append(
        self, path: Path, make_sqlite: MakeSqlite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_broker, "TRIM_EVERY", 1_000_000)
        monkeypatch.setattr(sqlite_broker, "TRIM_SECONDS", 0.05)
        writer = make_sqlite(history=1_000_000)
        for _ in range(300):
            writer.append("a", b"x")
        reader = make_sqlite(history=10)

        def is_trimmed() -> bool:
            reader.poll(["a"], 0, 1000)
            return len(rows(path, "SELECT seq FROM entries")) == 10

        wait_for(is_trimmed, "the reader trims")
        assert reader.read("a", 0, 1000).trimmed == 290

    @pytest.mark.parametrize(("count", "size"), [(10_000, 100), (1_000, 20_000)])
    def test_the_write_ahead_log_stays_small(
        self, path: Path, make_sqlite: MakeSqlite, count: int, size: int
    ) -> None:
        broker = make_sqlite(history=20)
        for number in range(count):
            broker.append("a", bytes(size))
            if not number % 100:
                with broker._housekeeping()._running:
                    pass  # what is under way has ended
        broker._housekeeping().close()
        # Pages count more than bodies, and appends go on while it is moved.
        assert 0 < Path(f"{path}-wal").stat().st_size < 4 * sqlite_broker.CHECKPOINT_BYTES

    def test_a_large_backlog_goes_in_small_steps(self, path: Path, make_sqlite: MakeSqlite) -> None:
        many = 3 * sqlite_log.TRIM_ROWS
        broker = make_sqlite(history=1_000_000)
        seqs = [broker.append("a", b"x").seq for _ in range(many)]
        broker.close()
        database = sqlite_log.connect(str(path))
        assert sqlite_log.trim(database, "a", 10)
        assert broker.read("a", 0, many).trimmed == seqs[sqlite_log.TRIM_ROWS - 1]
        while sqlite_log.trim(database, "a", 10):
            pass
        assert [entry.seq for entry in broker.read("a", 0, many).entries] == seqs[-10:]
        assert broker.read("a", 0, many).trimmed == seqs[-11]
        assert not sqlite_log.expire(database, time.time() - 60)
        assert broker.read("a", 0, many).trimmed == seqs[-11]
        assert not sqlite_log.expire(database, time.time() + 60)
        assert broker.read("a", 0, many) == (broker.newest().epoch, [], seqs[-1], seqs[-1])
        database.close()

    def test_what_was_trimmed_long_ago_is_forgotten_with_care(
        self, path: Path, make_sqlite: MakeSqlite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_log, "MAX_CHANNELS", 3)
        broker = make_sqlite()
        seqs = [broker.append(f"channel {n}", b"x").seq for n in range(6)]
        database = sqlite_log.connect(str(path))
        sqlite_log.expire(database, time.time() + 60)
        sqlite_log.forget(database)
        database.close()
        assert rows(path, "SELECT count(*) FROM trims") == [(3,)]
        for n, seq in enumerate(seqs):
            # A channel that is not known may have been any of those forgotten.
            expected = max(seq, seqs[2])
            assert broker.read(f"channel {n}", 0, 10).trimmed == expected
            assert broker.poll([f"channel {n}"], expected, 10).trimmed == {}
        names = ["channel 0", "channel 5", "new"]
        merged = broker.poll(names, seqs[2] - 1, 10)
        assert merged.trimmed == {"channel 0": seqs[2], "channel 5": seqs[5], "new": seqs[2]}
        assert broker.poll(names, seqs[2], 10).trimmed == {"channel 5": seqs[5]}


def test_nothing_is_opened_before_it_is_used(path: Path, make_sqlite: MakeSqlite) -> None:
    make_sqlite()
    assert list(path.parent.iterdir()) == []


def test_a_broker_that_is_dropped_leaves_nothing_behind(path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    broker = SqliteBroker(path)
    listener = broker.listen()
    for _ in range(2 * sqlite_broker.TRIM_EVERY):
        broker.append("a", b"x")
    listener.close()
    del broker, listener

    def is_clean() -> bool:
        gc.collect()
        return len(list(descriptors.iterdir())) <= before

    wait_for(is_clean, "no descriptor is left")
    assert not Path(f"{path}-wal").exists()
