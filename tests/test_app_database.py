"""The demo's database: whole transactions, patience with a lock, processes that start at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clients.conftest import missing
from werkzeug.exceptions import ServiceUnavailable

from app import database
from app.database import Database

ROOT = Path(__file__).parents[1]
INSERT = "INSERT INTO attempts VALUES (?, 1, 0)"
START = """
import sys, pathlib
from app.database import Database
def work(db):
    db.execute("INSERT INTO attempts VALUES (?, 1, 0)", (sys.argv[2],))
print("ready", flush=True)
sys.stdin.readline()
Database(pathlib.Path(sys.argv[1])).write(work)
"""


FORK = """
import os, pathlib, sys
sys.path.insert(0, {root!r})
from app import database
store = database.Database(pathlib.Path({path!r}))
insert = "INSERT INTO attempts VALUES (?, 1, 0)"
store.write(lambda db: db.execute(insert, ("before",)))
if os.fork() == 0:
    print("none" if database.idle._connection is None else "inherited", flush=True)
    store.write(lambda db: db.execute(insert, ("child",)))
    print("child", flush=True)
else:
    assert os.wait()[1] == 0
"""


@pytest.fixture(name="store")
def make_store(tmp_path: Path) -> Database:
    return Database(tmp_path / "console.db")


def keys(store: Database) -> list[str]:
    rows = store.read(lambda db: db.execute("SELECT key FROM attempts ORDER BY key").fetchall())
    return [row["key"] for row in rows]


def test_log_stays_between_two_pieces_of_work(store: Database) -> None:
    """Else each of them would wait until all of it is copied into the file."""
    log = store.path.with_name("console.db-wal")
    store.write(lambda db: db.execute(INSERT, ("one",)))
    made = log.stat().st_ino
    store.write(lambda db: db.execute(INSERT, ("two",)))
    assert keys(store) == ["one", "two"]
    assert log.stat().st_ino == made
    synchronous = store.read(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])
    assert synchronous == 1
    database.idle.close()
    assert not log.exists()


def test_connection_that_stays_open_is_not_carried_into_another_process(store: Database) -> None:
    store.write(lambda db: db.execute(INSERT, ("parent",)))
    script = FORK.format(root=str(ROOT), path=str(store.path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "none\nchild\n", "")
    assert keys(store) == ["before", "child", "parent"]


@pytest.mark.usefixtures("store")
def test_only_the_file_used_last_stays_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        missing("/proc, where open files are counted,")
    for number in range(5):
        keys(Database(tmp_path / f"{number}.db"))
    entries = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    opened = {entry.readlink() for entry in entries}
    names = {path.name for path in opened if path.parent == tmp_path}
    assert names == {"4.db", "4.db-wal", "4.db-shm"}


@pytest.fixture(name="lock")
def hold_lock(store: Database) -> Iterator[Callable[[], None]]:
    """Another connection that holds the write lock; call it to have it let go."""
    keys(store)
    other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def release() -> None:
        other.execute("COMMIT")

    yield release
    other.close()


def test_what_fails_leaves_nothing(store: Database) -> None:
    def work(db: sqlite3.Connection) -> None:
        db.execute(INSERT, ("half",))
        raise LookupError("in between")

    with pytest.raises(LookupError):
        store.write(work)
    assert keys(store) == []
    store.write(lambda db: db.execute(INSERT, ("whole",)))
    assert keys(store) == ["whole"]


def test_writer_waits_for_a_lock_and_readers_do_not(
    store: Database, lock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    slept = threading.Event()

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 3:
            slept.set()
        threading.Event().wait(seconds)

    monkeypatch.setattr(database.time, "sleep", sleep)
    writer = threading.Thread(target=lambda: store.write(lambda db: db.execute(INSERT, ("late",))))
    writer.start()
    assert slept.wait(5)
    assert keys(store) == []
    lock()
    writer.join(5)
    assert keys(store) == ["late"]


@pytest.mark.usefixtures("lock")
def test_lock_that_stays_is_given_up(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    with pytest.raises(ServiceUnavailable):
        store.write(lambda db: db.execute(INSERT, ("never",)))
    assert keys(store) == []


def test_other_faults_are_told_at_once(store: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.read(lambda db: db.execute("SELECT * FROM absent"))


def test_processes_that_start_at_once_find_one_database(tmp_path: Path) -> None:
    path = tmp_path / "console.db"
    names = [str(number) for number in range(4)]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(path), name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    done = [process.communicate("go\n", timeout=30) for process in started]
    assert [error for _, error in done] == [""] * 4
    assert keys(Database(path)) == names
