"""A client that goes away frees what it held, and its handler and hooks learn of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .client import Stream
from .conftest import SERVERS
from .servers import Server
from .together import AtOnce
from .waiting import wait_for

ALL = pytest.mark.parametrize("kind", SERVERS)
GEVENT = pytest.mark.parametrize("server", ["gevent", "pywsgi", "sseworker"], indirect=True)
# What the package promises (seconds).
NOTICED = 1.0


def leave(stream: Stream) -> float:
    """Close the connection; return when."""
    stream.close()
    return time.monotonic()


def check_noticed(server: Server, key: str, left: float) -> None:
    assert server.journal.outcome(key) == "disconnected"
    ended = server.journal.wait(key, "finally").at
    cleaned = server.journal.wait(key, "cleanup").at
    assert ended <= cleaned, "cleanup ran while the handler did"
    assert cleaned - left < NOTICED


def waits_with_ctx(server: Server, key: str) -> None:
    stream = server.open("sleeper", key, how="ctx", seconds=60)
    stream.next()
    stream.beat(1)
    check_noticed(server, key, leave(stream))
    assert len(server.journal.entries(key, "finally")) == 1


@ALL
def test_handler_that_waits_with_ctx(at_once: AtOnce, kind: str) -> None:
    at_once(waits_with_ctx, kind=kind)


def sleeps_in_a_greenlet(server: Server, key: str) -> None:
    stream = server.open("sleeper", key, how="time", seconds=60)
    stream.next()
    stream.beat(1)
    check_noticed(server, key, leave(stream))
    assert len(server.journal.entries(key, "finally")) == 1


@pytest.mark.parametrize("kind", ["gevent", "pywsgi", "sseworker"])
def test_handler_that_sleeps_in_a_greenlet(at_once: AtOnce, kind: str) -> None:
    at_once(sleeps_in_a_greenlet, kind=kind)


def sleeps_in_a_thread(server: Server, key: str) -> None:
    """The connection is freed at once, cleanup waits for the handler."""
    seconds = 3
    stream = server.open("sleeper", key, how="time", seconds=seconds)
    stream.next()
    assert stream.port in server.peers()
    left = leave(stream)
    wait_for(lambda: stream.port not in server.peers(), "the connection is closed", NOTICED)
    assert not server.journal.entries(key, "cleanup")
    assert server.journal.outcome(key) == "disconnected"
    ended = server.journal.wait(key, "finally").at
    assert ended - left > seconds - NOTICED, "a thread cannot be interrupted"
    assert ended <= server.journal.wait(key, "cleanup").at


@pytest.mark.parametrize("kind", ["flask", "gthread"])
def test_handler_that_sleeps_in_a_thread(at_once: AtOnce, kind: str) -> None:
    at_once(sleeps_in_a_thread, kind=kind)


@pytest.mark.parametrize("server", ["gthread"], indirect=True)
def test_threads_of_the_pool_are_free_at_once(server: Server, key: str) -> None:
    """Six of eight threads had a stream; eight requests at a time find room while six sleep."""
    streams = [server.open("sleeper", f"{key}-{n}", how="time", seconds=5) for n in range(6)]
    for stream in streams:
        stream.next()
    for stream in streams:
        stream.close()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.json("/api/nap?seconds=0.8"), range(8)))
    assert answers == ["rested"] * 8
    assert time.monotonic() - began < 2, "two threads would have taken 3.2 s"
    assert not server.journal.entries(f"{key}-0", "finally"), "the handlers slept no more"


def test_closed_before_the_first_event(server: Server, key: str) -> None:
    """The client goes while the head is still held back for the first event."""
    stream = server.connect("sleeper", key, how="ctx", seconds=60, first=False)
    server.journal.wait(key, "opened")
    check_noticed(server, key, leave(stream))


def test_closed_while_there_was_no_event_yet(server: Server, key: str) -> None:
    stream = server.open("sleeper", key, how="ctx", seconds=60, first=False)
    check_noticed(server, key, leave(stream))


def test_reset_instead_of_close(server: Server, key: str) -> None:
    stream = server.open("sleeper", key, how="ctx", seconds=60)
    stream.next()
    stream.reset()
    check_noticed(server, key, time.monotonic())


def is_left_by_many(server: Server, key: str) -> None:
    ended = server.stats()["ended"].get("disconnected", 0)
    for n in range(30):
        stream = server.connect("ticker", f"{key}-{n}", every=0.01)
        if n % 3:
            stream.read_head()
        stream.close()
    outcomes = wait_for(lambda: all_outcomes(server, key, 30), "30 cleanups")
    # A gthread worker has room for six; the others may have come too early for a place.
    assert set(outcomes) <= {"disconnected", "rejected"}
    assert server.stats()["ended"]["disconnected"] - ended == outcomes.count("disconnected") >= 6
    wait_for(lambda: len(server.peers()) <= 1, "only the asking connection is left")


@ALL
def test_many_come_and_go(at_once: AtOnce, kind: str) -> None:
    at_once(is_left_by_many, kind=kind)


def all_outcomes(server: Server, key: str, count: int) -> list[str]:
    """Return the outcomes of all requests whose keys begin with this one, once they are there."""
    cleanups = [e for e in server.journal.entries(what="cleanup") if e.key.startswith(key)]
    return [e.facts["outcome"] for e in cleanups] if len(cleanups) == count else []


@pytest.mark.parametrize("server", ["gevent", "pywsgi"], indirect=True)
def test_killed_greenlet(server: Server, key: str) -> None:
    """The one that serves the request; a stream that SSEWorker has taken over has none."""
    stream = server.open("sleeper", key, how="time", seconds=60)
    stream.next()
    assert server.ask(f"/api/kill/{key}", "POST")[0] == 200
    server.journal.wait(key, "finally")
    assert server.journal.outcome(key) == "disconnected"
    stream.read_to_end()
    assert "end" not in stream.names


@GEVENT
def test_killed_handler(server: Server, key: str) -> None:
    stream = server.open("sleeper", key, how="time", seconds=60)
    stream.next()
    assert server.tell(f"/api/kill/{key}", handler=True)
    stream.read_to_end()
    assert stream.complete
    assert stream.names == ["message"], "its client comes back"
    assert len(server.journal.entries(key, "finally")) == 1
    assert server.journal.outcome(key) == "shutdown"
