"""The SQLite broker on a disk that takes nothing: what cannot be written says so, the rest goes on.

In forked children, whose limits and rights are their own; not under gevent, where a fork in
the middle of a test is gevent's adventure.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.errors import BrokerUnavailable

from .sqlite_file import MakeSqlite, assert_intact, hold
from .waiting import end, in_child


class TestDisk:
    @pytest.fixture
    def public(self) -> Iterator[Path]:
        """A folder that every user of the machine gets to."""
        folder = Path(tempfile.mkdtemp())
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)
        shutil.rmtree(folder)

    def test_a_read_only_file_is_read(self, public: Path, make_sqlite: MakeSqlite) -> None:
        path = public / "log"
        position = make_sqlite(path).append("a", b"x")

        def work() -> None:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            broker = SqliteBroker(path)
            assert [entry.body for entry in broker.read("a", 0, 10).entries] == [b"x"]
            with pytest.raises(BrokerUnavailable, match="readonly"):
                broker.append("a", b"y")
            assert broker.newest() == position
            listener = broker.listen()
            listener.wait(0)
            listener.close()
            broker.close()

        # Held open, so that the files beside it are there, as they are while anybody writes.
        holder = hold(path, "SELECT * FROM entries")
        for file in public.iterdir():
            file.chmod(0o444)
        public.chmod(0o555)
        try:
            in_child(work)
        finally:
            end(holder)
        assert make_sqlite(path).newest() == position

    @staticmethod
    def count_appends(broker: SqliteBroker) -> int:
        """Append until it fails; return how often it did not."""
        for number in range(1000):
            try:
                broker.append("a", bytes(10_000))
            except BrokerUnavailable:
                return number
        raise AssertionError("The disk did not get full.")

    def test_a_full_disk_is_an_error_and_no_more(self, path: Path, make_sqlite: MakeSqlite) -> None:
        make_sqlite().append("a", b"x")

        def work() -> None:
            broker = SqliteBroker(path)
            before = broker.append("a", b"first")
            used = max(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
            room = used + 100_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            stored = 2 + self.count_appends(broker)
            for _ in range(3):
                with pytest.raises(BrokerUnavailable):
                    broker.append("b", bytes(200_000))
                assert len(broker.read("a", 0, 1000).entries) == stored
                assert len(broker.poll(["a"], 0, 1000).entries) == stored
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )
            after = broker.append("a", b"last")
            assert after.epoch == before.epoch
            assert len(broker.read("a", 0, 1000).entries) == stored + 1

        in_child(work)
        assert make_sqlite().read("a", 0, 1000).entries[-1].body == b"last"
        assert_intact(path)
