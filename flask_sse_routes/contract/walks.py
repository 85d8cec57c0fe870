"""`walk`: a log followed to its end as a process follows it, each page checked on the way.

Floor 3, for test suites.
"""

from __future__ import annotations

from ..brokers.base import Broker, Entry


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
