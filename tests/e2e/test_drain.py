"""A worker that stops ends its streams so that their clients come back to the next one."""

from __future__ import annotations

import signal
import time

import pytest

from .client import Stream
from .servers import GRACEFUL_TIMEOUT, RETRY, Server
from .together import AtOnce
from .waiting import wait_for

WORKERS = pytest.mark.parametrize("kind", ["gevent", "gthread", "sseworker"])


def check_sent_elsewhere(stream: Stream) -> None:
    """Read to the end; it is whole, not terminal, and says when to come back."""
    stream.read_to_end(GRACEFUL_TIMEOUT)
    assert stream.complete, "the response was cut off"
    assert "end" not in stream.names
    assert "error" not in stream.names
    assert not stream.last_event_id.endswith("~end")
    assert len(stream.retries) == 2
    assert stream.retries[0] <= 1.25 * RETRY
    assert 500 <= stream.retries[1] <= 3000


def check_cleaned_up(server: Server, key: str, pid: int) -> None:
    assert server.journal.outcome(key) == "shutdown"
    ended, cleaned = server.journal.wait(key, "finally"), server.journal.wait(key, "cleanup")
    assert cleaned.pid == pid
    assert ended.at <= cleaned.at


def open_ticker(server: Server, key: str) -> Stream:
    stream = server.open("ticker", key, every=0.2)
    stream.next()
    stream.next()
    return stream


def is_terminated(server: Server, key: str) -> None:
    pid = server.worker()
    ticking = open_ticker(server, f"{key}-ticking")
    waiting = server.open("sleeper", f"{key}-waiting", how="ctx", seconds=60)
    waiting.next()
    job = server.open("job", f"{key}-job", method="POST", body={"count": 8, "every": 0.2})
    endless = server.open("job", f"{key}-endless", method="POST", body={"every": 0.2})
    job.next()
    endless.next()

    server.signal(signal.SIGTERM)
    told = time.monotonic()
    check_sent_elsewhere(ticking)
    check_sent_elsewhere(waiting)
    assert time.monotonic() - told < 2, "a GET stream ends at once"
    job.read_to_end()
    assert job.names == ["message"] * 8 + ["end"], "a POST stream runs on to its end"
    assert job.complete
    check_sent_elsewhere(endless)
    assert time.monotonic() - told > GRACEFUL_TIMEOUT - 3, "a POST stream has time to finish"
    assert server.wait(GRACEFUL_TIMEOUT) == 0
    assert time.monotonic() - told < GRACEFUL_TIMEOUT + 4
    for name in ("ticking", "waiting", "endless"):
        check_cleaned_up(server, f"{key}-{name}", pid)
    assert server.journal.outcome(f"{key}-job") == "completed"
    server.check()


@WORKERS
def test_sigterm(at_once: AtOnce, kind: str) -> None:
    at_once.alone(is_terminated, kind=kind)


def reloads(server: Server, key: str) -> None:
    pid = server.worker()
    streams = {f"{key}-{n}": open_ticker(server, f"{key}-{n}") for n in range(3)}
    server.signal(signal.SIGHUP)
    told = time.monotonic()
    for stream in streams.values():
        check_sent_elsewhere(stream)
    for each in streams:
        check_cleaned_up(server, each, pid)
    wait_for(lambda: not alive(pid), "the old worker has ended", GRACEFUL_TIMEOUT)
    assert time.monotonic() - told < GRACEFUL_TIMEOUT

    seen = [a.json["n"] for a in stream.events]
    again = server.open("ticker", key, headers={"Last-Event-ID": stream.last_event_id})
    assert again.next().json["n"] == seen[-1] + 1
    assert server.journal.wait(key, "opened").pid != pid
    server.settle()


@WORKERS
def test_reload(at_once: AtOnce, kind: str) -> None:
    at_once.alone(reloads, kind=kind)


def has_had_enough_requests(server: Server, key: str) -> None:
    pid = server.worker()
    stream = open_ticker(server, key)
    for _ in range(20):
        server.ask("/api/ping")
    check_sent_elsewhere(stream)
    check_cleaned_up(server, key, pid)
    wait_for(lambda: not alive(pid), "the old worker has ended", GRACEFUL_TIMEOUT)
    assert server.worker() != pid
    server.settle()


@WORKERS
def test_max_requests(at_once: AtOnce, kind: str) -> None:
    at_once.alone(has_had_enough_requests, "--max-requests", "20", kind=kind)


def is_interrupted(server: Server, key: str) -> None:
    """Ctrl-C in the terminal; gunicorn takes it for a wish to end at once."""
    pid = server.worker()
    ticking = open_ticker(server, f"{key}-ticking")
    waiting = server.open("sleeper", f"{key}-waiting", how="ctx", seconds=60)
    waiting.next()
    server.signal(signal.SIGINT)
    server.wait(10)
    for name in ("ticking", "waiting"):
        check_cleaned_up(server, f"{key}-{name}", pid)
    ticking.read_to_end()
    assert "end" not in ticking.names
    server.check()


@pytest.mark.parametrize("kind", ["flask", "gevent", "gthread", "sseworker"])
def test_interrupt(at_once: AtOnce, kind: str) -> None:
    at_once.alone(is_interrupted, kind=kind)


def sleeps_on(server: Server, key: str, number: signal.Signals) -> None:
    """A thread that sleeps on holds up neither its client nor the end of the process."""
    stream = server.open("sleeper", key, how="time", seconds=60)
    stream.next()
    server.signal(number)
    told = time.monotonic()
    stream.read_to_end()
    assert "end" not in stream.names
    server.wait(GRACEFUL_TIMEOUT + 2)
    assert time.monotonic() - told < GRACEFUL_TIMEOUT + 4
    assert len(server.journal.entries(key, "cleanup")) <= 1


@pytest.mark.parametrize(
    ("kind", "number"), [("gthread", signal.SIGTERM), ("flask", signal.SIGINT)]
)
def test_handler_that_cannot_be_interrupted(
    at_once: AtOnce, kind: str, number: signal.Signals
) -> None:
    at_once.alone(sleeps_on, kind=kind, number=number)


def alive(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
