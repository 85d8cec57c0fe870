"""Attempts to sign in: those at an account from an address, at the account, from the address.

They are counted for all workers together. After a few failures each further attempt has to wait,
longer each time. An attempt counts as failed from its beginning, so that many at once are no way
around. Who fails on purpose keeps others waiting at the same address alone; from many addresses at
once an account is slowed down to an attempt a second, which its owner can make as well.
"""

import ipaddress
import sqlite3
import time
from typing import NamedTuple

from ..database import database

# Seconds until the next attempt, doubled with each failure, and until all is forgotten.
FIRST_DELAY, FORGOTTEN_AFTER = 1.0, 900.0


class Limit(NamedTuple):
    """Failures that cost nothing, and the seconds that an attempt has to wait at most."""

    free: int
    longest: float


LIMITS = {
    "both": Limit(5, 60.0),
    "account": Limit(50, FIRST_DELAY),
    # It may be that of a whole office.
    "address": Limit(20, 60.0),
}


def keys(account: str, address: str | None) -> list[str]:
    network = address_key(address)
    return [f"both:{account} {network}", f"account:{account}", network]


def address_key(address: str | None) -> str:
    return f"address:{_network(address or 'unknown')}"


def _network(address: str) -> str:
    """Whoever has one address of version 6 has the other 2**64 of its network, too.

    One of version 4 may be written as one of version 6, on a socket for both.
    """
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    known = getattr(known, "ipv4_mapped", None) or known
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
    limit = LIMITS[key.partition(":")[0]]
    over = row["failures"] - limit.free if row else -1
    if over < 0:
        return 0.0
    delay = min(FIRST_DELAY * 2.0 ** min(over, 30), limit.longest)
    return float(row["latest"]) + delay - now


def succeeded(keys: list[str]) -> None:
    """Take an attempt back. Those of others, at the account or from the address, still count."""

    def work(db: sqlite3.Connection) -> None:
        for key in keys:
            keep = "0" if key.startswith("both:") else "failures - 1"
            db.execute(f"UPDATE attempts SET failures = {keep} WHERE key = ?", (key,))

    database().write(work)
