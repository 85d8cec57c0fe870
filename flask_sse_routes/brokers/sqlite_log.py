"""The tables of the SQLite broker, and what is asked of them.

Floor 1. Functions on an open connection; none of them waits. `prepare` runs when a
connection is opened, `trim` and `expire` now and then in the background.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]  # a module or nothing

from .base import MAX_CHANNELS, PAGE_BYTES, Batch, Entry, Merged, page

# An entry costs a page of the table and one of the index: small ones write less. Only a file that
# is made anew takes this size (bytes).
PAGE_SIZE = 1024
# Pages in the write-ahead log at which an append has to move them itself and waits for the disk.
# The background does it long before.
CHECKPOINT_PAGES = 32_000
# Rows that one transaction removes, so that no writer waits long.
TRIM_ROWS = 500
# Up to so many channels are looked up by index; beyond, the log is read through.
INDEXED_CHANNELS = 100

SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS entries (
        seq INTEGER PRIMARY KEY, channel TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL)
    """,
    "CREATE INDEX IF NOT EXISTS entries_of_channel ON entries (channel, seq)",
    """
    CREATE TABLE IF NOT EXISTS trims (channel TEXT PRIMARY KEY, seq INTEGER NOT NULL)
    WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS trims_in_order ON trims (seq)",
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
)
APPEND = "INSERT INTO entries (channel, at, body) VALUES (?, ?, ?)"
# SQLite gives out the largest number in the table and one more. AUTOINCREMENT would keep it in
# a page of its own, which costs a third of an append; here the last row stays, emptied if need be.
NEWEST = "SELECT coalesce(max(seq), 0) FROM entries"
EMPTY = "UPDATE entries SET channel = '', body = x'' WHERE seq = ?"
FORGOTTEN = "SELECT coalesce(max(value), 0) FROM meta WHERE name = 'forgotten'"
# What a follower asks first, in one statement: the newest seq, and whether anything was trimmed.
STATE = f"SELECT ({NEWEST}), max(({FORGOTTEN}), (SELECT coalesce(max(seq), 0) FROM trims))"
NOTE_TRIM = """
    INSERT INTO trims VALUES (?, ?)
    ON CONFLICT (channel) DO UPDATE SET seq = max(seq, excluded.seq)
"""


class File(NamedTuple):
    """An open database, the epoch of its log, and which file it is."""

    database: sqlite3.Connection
    epoch: str
    inode: int


def open_file(path: str) -> File:
    """Open a log, and make it if there is none. Raises `sqlite3.Error` and `OSError`."""
    if not Path(path).exists() and Path(path).parent.is_dir():
        _make_file(path)
    database = connect(path)
    try:
        inode = Path(path).stat().st_ino
        return File(database, prepare(database, inode), inode)
    except BaseException:
        database.close()
        raise


def _make_file(path: str) -> None:
    """Make an empty database where none is, one process at a time.

    If the old one alone was removed, its `-wal` and `-shm` lie there still: the first connection
    to the new one would truncate what others have mapped into their memory.
    """
    with Path(f"{path}-lock").open("wb") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:  # waited for like SQLite's own locks
                raise sqlite3.OperationalError("database is locked") from error
        if not Path(path).exists():
            for suffix in ("-wal", "-shm"):
                Path(path + suffix).unlink(missing_ok=True)
            Path(path).touch()


def connect(path: str) -> sqlite3.Connection:
    """Connect without SQLite's own waiting, which sleeps in C and freezes a gevent worker."""
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # Without a name for the boot, a lost commit could not be told: then each one is kept.
        database.execute(f"PRAGMA synchronous = {'NORMAL' if boot_id() else 'FULL'}")
    except BaseException:
        database.close()
        raise
    return database


def boot_id() -> str:
    """Return what names this boot of the machine; empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def prepare(database: sqlite3.Connection, inode: int) -> str:
    """Make the tables if they are missing; return the epoch, a new one in a new life.

    A power cut may take the last commits along (`synchronous=NORMAL`), so another boot is
    another life; so is a copy of the file, which may be put back after numbers that it lacks, as
    far as it shows: one that is written over the file itself, or gets the number of the inode
    again, does not. Whoever restores a backup therefore deletes `life` from `meta` in it.
    """
    life = f"{boot_id()} {inode}"
    found = _meta(database)
    if found.get("life") == life:
        return str(found["epoch"])
    database.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    database.execute("PRAGMA journal_mode = WAL")
    with _writing(database):
        for statement in SCHEMA:
            database.execute(statement)
        found = _meta(database)
        if found.get("life") != life:
            found = {"life": life, "epoch": secrets.token_hex(4)}
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", found.items())
    return str(found["epoch"])


def append(database: sqlite3.Connection, channel: str, body: bytes) -> int:
    """Store an entry; return its seq."""
    return database.execute(APPEND, (channel, time.time(), body)).lastrowid or 0


def newest(database: sqlite3.Connection) -> int:
    """Return the last seq that was given out."""
    return int(database.execute(NEWEST).fetchone()[0])


def read(file: File, channel: str, after: int, limit: int) -> Batch:
    """Read one channel."""
    database = file.database
    with _snapshot(database):
        last = newest(database)
        entries = list(_entries(database, (channel,), after, limit, last))
        return Batch(file.epoch, entries, _trimmed(database, channel), last)


def poll(file: File, channels: Collection[str], after: int, limit: int) -> Merged:
    """Read several channels as one log."""
    database = file.database
    with _snapshot(database):
        last, last_trim = database.execute(STATE).fetchone()
        found = list(page(_entries(database, channels, after, limit, last)))
        trimmed = _trimmed_after(database, channels, after) if last_trim > after else {}
    size = sum(len(entry.body) for entry in found)
    cut = len(found) >= limit or size >= PAGE_BYTES
    entries = [entry for entry in found if entry.channel in channels]
    return Merged(file.epoch, entries, found[-1].seq if cut else last, last, trimmed)


def trim(database: sqlite3.Connection, channel: str, history: int) -> bool:
    """Remove some of a channel's entries beyond its history; return whether there are more."""
    sql = "SELECT seq FROM entries WHERE channel = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
    surplus = database.execute(sql, (channel, history)).fetchone()
    if surplus is None:
        return False
    sql = """
        SELECT max(seq), count(*) FROM
        (SELECT seq FROM entries WHERE channel = ? AND seq <= ? ORDER BY seq LIMIT ?)
    """
    last, count = database.execute(sql, (channel, *surplus, TRIM_ROWS)).fetchone()
    with _writing(database):
        database.execute(NOTE_TRIM, (channel, last))
        database.execute("DELETE FROM entries WHERE channel = ? AND seq <= ?", (channel, last))
    return bool(count == TRIM_ROWS)


def expire(database: sqlite3.Connection, oldest: float) -> bool:
    """Remove some of the entries from before a time; return whether there are more."""
    rows = database.execute(
        "SELECT seq, channel, at FROM entries ORDER BY seq LIMIT ?", (TRIM_ROWS,)
    )
    expired = list(itertools.takewhile(lambda row: row[2] < oldest, rows))
    rows.close()
    noted = [(channel, seq) for seq, channel, _ in expired if channel]
    if not noted:
        return False
    with _writing(database):
        last = expired[-1][0]
        if last == newest(database):
            database.execute(EMPTY, (last,))
            last -= 1
        database.executemany(NOTE_TRIM, noted)
        database.execute("DELETE FROM entries WHERE seq <= ?", (last,))
    return len(expired) == TRIM_ROWS


def forget(database: sqlite3.Connection) -> None:
    """Forget what was trimmed longest ago where too many channels are remembered."""
    sql = "SELECT seq FROM trims ORDER BY seq DESC LIMIT 1 OFFSET ?"
    surplus = database.execute(sql, (MAX_CHANNELS,)).fetchone()
    if surplus is None:
        return
    with _writing(database):
        database.execute("INSERT OR REPLACE INTO meta VALUES ('forgotten', ?)", surplus)
        database.execute("DELETE FROM trims WHERE seq <= ?", surplus)


def checkpoint(database: sqlite3.Connection) -> None:
    """Move the write-ahead log into the file, so that it begins anew; waits for the disk.

    It keeps writers out (RESTART): beside a busy one, a passive checkpoint never comes to the
    end, and a log that never begins anew grows and gets slow.
    """
    busy = database.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0]
    if busy:
        raise sqlite3.OperationalError("database is locked by a reader")


@contextlib.contextmanager
def _snapshot(database: sqlite3.Connection) -> Iterator[None]:
    """Read several things as of one moment."""
    database.execute("BEGIN")
    try:
        yield
    finally:
        database.execute("ROLLBACK")


@contextlib.contextmanager
def _writing(database: sqlite3.Connection) -> Iterator[None]:
    """Write several things, or none of them."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _meta(database: sqlite3.Connection) -> dict[str, object]:
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return {}
    return dict(database.execute("SELECT name, value FROM meta").fetchall())


def _entries(
    database: sqlite3.Connection, channels: Collection[str], after: int, limit: int, last: int
) -> Iterator[Entry]:
    """Yield entries after a seq, at least those of the channels, in order.

    Near the end of the log, where followers are, reading it through is faster than asking the
    index for each channel; the `+` keeps SQLite from doing so (sqlite.org/optoverview.html).
    """
    where, names, near = "", tuple(channels), last - after <= limit
    if len(names) <= INDEXED_CHANNELS:
        where = f"AND {'+' if near else ''}channel IN ({', '.join('?' * len(names))})"
    wanted = f"FROM entries WHERE seq > ? {where} ORDER BY seq LIMIT ?"
    if not near:
        # The seqs come from the index alone: no body is read that the limit would leave out.
        wanted = f"FROM entries WHERE seq IN (SELECT seq {wanted}) ORDER BY seq"
    rows = database.execute(
        f"SELECT seq, channel, body {wanted}", (after, *(names if where else ()), limit)
    )
    return (Entry(*row) for row in rows)


def _trimmed(database: sqlite3.Connection, channel: str) -> int:
    sql = "SELECT seq FROM trims WHERE channel = ?"
    row = database.execute(sql, (channel,)).fetchone() or database.execute(FORGOTTEN).fetchone()
    return int(row[0])


def _trimmed_after(
    database: sqlite3.Connection, channels: Collection[str], after: int
) -> dict[str, int]:
    if database.execute(FORGOTTEN).fetchone()[0] > after:
        found = {channel: _trimmed(database, channel) for channel in channels}
        return {channel: seq for channel, seq in found.items() if seq > after}
    rows = database.execute("SELECT channel, seq FROM trims WHERE seq > ?", (after,))
    return {channel: seq for channel, seq in rows if channel in channels}
