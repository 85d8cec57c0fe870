"""Attempts to sign in, counted per account and per address, for all workers together.

After a few failures each further attempt has to wait, longer each time. An attempt counts as failed
from its beginning, so that many at once are no way around. Who fails on purpose can keep an account
waiting, a minute at most at a time; sessions that it has go on, and a proxy may refuse an address.
"""

import ipaddress
import sqlite3
import time

from ..database import database

# Failures that cost nothing; an address may be that of a whole office.
FREE = {"account": 5, "address": 20}
# Seconds until the next attempt, doubled with each failure, and until all is forgotten.
FIRST_DELAY, LONGEST_DELAY, FORGOTTEN_AFTER = 1.0, 60.0, 900.0


def keys(account: str, address: str | None) -> list[str]:
    return [f"account:{account}", f"address:{_network(address or 'unknown')}"]


def _network(address: str) -> str:
    """Whoever has one address of version 6 has the other 2**64 of its network, too."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    prefix = 64 if known.version == 6 else 32
    return str(ipaddress.ip_network((known, prefix), strict=False))


def begin(keys: list[str]) -> float:
    """Count an attempt and return 0, or return how many seconds it is too early."""
    now = time.time()

    def work(db: sqlite3.Connection) -> float:
        db.execute("DELETE FROM attempts WHERE latest < ?", (now - FORGOTTEN_AFTER,))
        wait = max(_wait(db, key, now) for key in keys)
        if wait <= 0:
            for key in keys:
                db.execute(
                    "INSERT INTO attempts VALUES (?, 1, ?) ON CONFLICT (key)"
                    " DO UPDATE SET failures = failures + 1, latest = excluded.latest",
                    (key, now),
                )
        return max(wait, 0.0)

    return database().write(work)


def _wait(db: sqlite3.Connection, key: str, now: float) -> float:
    row = db.execute("SELECT failures, latest FROM attempts WHERE key = ?", (key,)).fetchone()
    over = row["failures"] - FREE[key.partition(":")[0]] if row else -1
    if over < 0:
        return 0.0
    delay = min(FIRST_DELAY * 2.0 ** min(over, 30), LONGEST_DELAY)
    return float(row["latest"]) + delay - now


def succeeded(keys: list[str]) -> None:
    """Take an attempt back. Those of others from the same address still count."""

    def work(db: sqlite3.Connection) -> None:
        for key in keys:
            keep = "failures - 1" if key.startswith("address:") else "0"
            db.execute(f"UPDATE attempts SET failures = {keep} WHERE key = ?", (key,))

    database().write(work)
