"""A client that takes nothing is dropped after the send timeout; a slow one is served on."""

from __future__ import annotations

import time

import pytest

from .client import typical_delay
from .conftest import SERVERS
from .servers import SEND_TIMEOUT, Server
from .together import AtOnce

ALL = pytest.mark.parametrize("kind", SERVERS)

SMALL = 32 * 1024


def reads_nothing(server: Server, key: str) -> None:
    dropped = server.stats()["dropped"]
    stream = server.connect("flood", key, receive_buffer=SMALL)
    opened = server.journal.wait(key, "opened").at
    assert server.journal.outcome(key, 15) == "disconnected"
    cleaned = server.journal.wait(key, "cleanup").at
    assert server.journal.wait(key, "finally").at <= cleaned
    # The timeout begins with the write that blocks; it is looked at once a second.
    assert SEND_TIMEOUT <= cleaned - opened < SEND_TIMEOUT + 3
    assert server.stats()["dropped"] == dropped + 1
    assert stream.port not in server.peers()


@ALL
def test_client_that_reads_nothing(at_once: AtOnce, kind: str) -> None:
    at_once(reads_nothing, kind=kind)


def reads_slowly(server: Server, key: str) -> None:
    """It takes far longer than the send timeout for what is written, yet never stands still."""
    dropped = server.stats()["dropped"]
    stream = server.connect("flood", key, receive_buffer=SMALL)
    until = time.monotonic() + 2.25 * SEND_TIMEOUT
    while time.monotonic() < until:
        assert stream.take(SMALL // 2), "the server closed the connection"
        time.sleep(0.1)
    assert server.stats()["dropped"] == dropped
    assert not server.journal.entries(key, "cleanup")
    assert stream.received < 5_000_000, "the reader was not slow enough to fill the buffers"


@ALL
def test_client_that_reads_slowly(at_once: AtOnce, kind: str) -> None:
    at_once(reads_slowly, kind=kind)


def serves_others(server: Server, key: str) -> None:
    slow = server.connect("flood", f"{key}-slow", receive_buffer=SMALL)
    server.journal.wait(f"{key}-slow", "opened")
    other = server.open("ticker", key, every=0.1)
    assert typical_delay(other.next() for _ in range(10)) < 0.1
    assert not server.journal.entries(f"{key}-slow", "cleanup")
    slow.close()


@ALL
def test_others_are_served_meanwhile(at_once: AtOnce, kind: str) -> None:
    at_once(serves_others, kind=kind)
