"""The SQLite file of accounts and orders: a connection for each piece of work, closed after it.

So nothing is shared between threads, greenlets or processes. There is no busy timeout, because
SQLite would sleep in C and freeze a gevent worker with all its streams: a busy file is tried again
after a sleep that lets others go on. One idle connection stays open in each process: SQLite copies
and deletes its log whenever the last one is closed, and all wait for that.
"""

import atexit
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from flask import abort

from .schema import SCHEMAS
from .settings import data_folder

T = TypeVar("T")

# Seconds until a busy file is given up, and between two tries, at first and at most.
PATIENCE = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.02
# The last byte of an extended code is the plain one: SQLITE_BUSY, SQLITE_LOCKED.
BUSY_CODES = (5, 6)


class Idle:
    """The connection that stays open, of the file that this process used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):  # not on Windows
            # None may be carried over into another process, not even to be closed there.
            os.register_at_fork(before=self.close)

    def keep(self, path: Path) -> None:
        if self._path == path:
            return
        # Who comes in between goes on without: a greenlet must not wait for a lock of threads.
        if self._lock.acquire(blocking=False):
            try:
                self._close()
                self._connection = _opened(path)
                self._path = path
            finally:
                self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._path = self._connection = None


idle = Idle()


class Database:
    """The file of one application."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` makes of one state of the file."""
        return self._patiently(work, "BEGIN")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in a transaction: all of it is kept, or nothing where it raises."""
        return self._patiently(work, "BEGIN IMMEDIATE")

    def _patiently(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            try:
                return self._once(work, begin)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                if time.monotonic() > deadline:
                    abort(503, "The database is busy.")
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _once(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        with closing(self._open()) as db:
            db.execute(begin)
            try:
                result = work(db)
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            return result

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            self.path.touch(mode=0o600)
        db = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            if db.execute("PRAGMA user_version").fetchone()[0] != len(SCHEMAS):
                _create(db)
            # A crash of the machine may take back the last changes, and leaves no half of one.
            db.execute("PRAGMA synchronous = NORMAL")
            idle.keep(self.path)
        except BaseException:
            db.close()
            raise
        return db


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection that holds the file and its log open, as one does once it has read."""
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA user_version").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _create(db: sqlite3.Connection) -> None:
    """Bring the tables up to date; where several processes start at once, each finds them whole."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    for schema in SCHEMAS:
        for statement in schema.split(";"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(SCHEMAS)}")
    db.execute("COMMIT")


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection holds a lock; Python 3.10 has the text alone."""
    code = getattr(error, "sqlite_errorcode", None)
    return "lock" in str(error) if code is None else code & 0xFF in BUSY_CODES


def database() -> Database:
    """Return the current application's database."""
    return Database(data_folder() / "console.db")
