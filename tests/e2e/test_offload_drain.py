"""A worker that stops sends hundreds of streams away, whole, and waits for what cleans up."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from .crowd import FROZEN, Crowd, Member
from .publisher import Publisher, check_complete
from .servers import GRACEFUL_TIMEOUT, RETRY, Server
from .waiting import wait_for

# Seconds within which all streams end once the worker has noticed that it is to stop, which the
# arbiter tells it at once; of its arbiter's death it learns by asking every second.
ENDED, ASKED = 3.0, 1.0
Launch = Callable[..., Server]
Gather = Callable[[Server], Crowd]
Publish = Callable[..., Publisher]


@pytest.fixture(name="url")
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/events.db"


def launch_on(launch: Launch, url: str, *options: str) -> Server:
    return launch("sseworker", *options, settings={"FLASK_SSE_BROKER_URL": url})


def gather(people: Crowd, key: str, followers: int, sleepers: int) -> list[Member]:
    """Some follow a channel, some wait for a handler that is blocked."""
    members = people.join(followers, "follow", channel=key, key=f"{key}-follows")
    return members + people.join(sleepers, "sleeper", key=f"{key}-sleeps", how="time")


def check_sent_elsewhere(members: list[Member]) -> None:
    """Fail unless the first stream of each came to an end that is whole and not terminal."""
    for member in members:
        visit = member.visits[0]
        assert not member.failures
        assert visit.complete, "the response was cut off"
        assert set(visit.names) <= {"ready", "message"}
        assert not visit.last_event_id.endswith("~end")
        assert len(visit.retries) == 2
        assert visit.retries[0] <= 1.25 * RETRY
        assert 500 <= visit.retries[1] <= 3000


def check_cleaned_up(server: Server, key: str, pid: int, count: int) -> None:
    """The worker that is gone has told of the cleanup of all its streams."""
    wait_for(lambda: not psutil.pid_exists(pid) or is_zombie(pid), "the worker has ended")
    entries = [e for e in server.journal.entries() if e.pid == pid and e.key.startswith(key)]
    begun = Counter(e.facts["run"] for e in entries if e.what == "before")
    cleanups = [e for e in entries if e.what == "cleanup"]
    assert Counter(e.facts["run"] for e in cleanups) == begun
    assert {e.facts["outcome"] for e in cleanups} == {"shutdown"}
    # One that came back at once may have found the same worker, and was sent away once more.
    assert len({e.key for e in cleanups}) == count


def check_nothing_lost(people: Crowd, followers: list[Member], publisher: Publisher) -> None:
    publisher.stop()
    last = publisher.ids[-1]
    people.wait(lambda: all(m.ids[-1] == last for m in followers), "all have the last event")
    for member in followers:
        check_complete(member, publisher.ids)


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_reload_of_many(
    launch: Launch, crowd: Gather, publish: Publish, url: str, key: str
) -> None:
    server = launch_on(launch, url)
    people = crowd(server)
    publisher = publish(url, key, rate=50)
    members = gather(people, key, 150, 50)
    pid = server.worker()
    server.signal(signal.SIGHUP)
    told = time.monotonic()
    people.wait(lambda: all(m.ended for m in members), "all are sent away")
    assert max(m.ended[0] for m in members) - told < ENDED
    check_sent_elsewhere(members)
    pauses = sorted(m.visits[0].retries[1] for m in members)
    assert pauses[20] < 1200, pauses
    assert 1400 < pauses[100] < 2100, pauses
    assert pauses[-20] > 2300, pauses

    people.wait(lambda: all(m.present for m in members), "all are back")
    check_cleaned_up(server, key, pid, 200)
    check_nothing_lost(people, members[:150], publisher)
    assert server.worker() != pid
    assert server.stats()["streams"] == 200
    people.leave()
    server.settle()


@pytest.mark.parametrize("how", ["sigterm", "master killed"])
def test_end_of_the_server(launch: Launch, crowd: Gather, url: str, key: str, how: str) -> None:
    server = launch_on(launch, url)
    people = crowd(server)
    members = gather(people, key, 30, 10)
    for member in members:
        member.returns = False
    pid = server.worker()
    if how == "sigterm":
        server.signal(signal.SIGTERM)
    else:
        os.kill(server.process.pid, signal.SIGKILL)
    told = time.monotonic()
    people.wait(lambda: all(m.ended for m in members), "all are sent away")
    assert max(m.ended[0] for m in members) - told < ENDED + ASKED
    check_sent_elsewhere(members)
    status = server.wait(GRACEFUL_TIMEOUT + 1)
    assert status == (0 if how == "sigterm" else -signal.SIGKILL)
    check_cleaned_up(server, key, pid, 40)
    server.check()


def test_max_requests(launch: Launch, crowd: Gather, publish: Publish, url: str, key: str) -> None:
    """It counts plain requests, and none that became a stream."""
    said = "Autorestarting worker"
    server = launch_on(launch, url, "--max-requests", "30")
    people = crowd(server)
    members = gather(people, key, 40, 20)
    publisher = publish(url, key, rate=20)
    server.open("finite", "finite").read_to_end()
    pid = server.worker()
    # This one, the one that found out that the server answers, and now 27 and 1 more.
    for _ in range(27):
        server.ask("/api/nap?seconds=0")
    assert said not in server.log, "streams were counted"
    assert not any(m.ended for m in members)
    server.ask("/api/finite", "HEAD")
    wait_for(lambda: said in server.log, "plain requests are counted")
    people.wait(lambda: all(m.ended for m in members), "all are sent away")
    check_sent_elsewhere(members)
    people.wait(lambda: all(m.present for m in members), "all are back")
    check_cleaned_up(server, key, pid, 60)
    check_nothing_lost(people, members[:40], publisher)


def test_cleanup_that_takes_its_time(launch: Launch, crowd: Gather, url: str, key: str) -> None:
    """The worker waits for it, its clients do not."""
    server = launch_on(launch, url)
    people = crowd(server)
    members = people.join(20, "untidy", channel=key, key=key, returns=False)
    server.signal(signal.SIGTERM)
    told = time.monotonic()
    people.wait(lambda: all(m.ended for m in members), "all are sent away")
    assert max(m.ended[0] for m in members) - told < 2
    assert server.wait(GRACEFUL_TIMEOUT + 1) == 0
    assert len(server.journal.entries(what="tidied")) == 20
    server.check()


def test_client_that_takes_nothing(launch: Launch, crowd: Gather, url: str, key: str) -> None:
    """It holds up neither the others nor the end of the worker."""
    server = launch_on(launch, url)
    people = crowd(server)
    frozen = people.join(5, "flood", key=f"{key}-frozen", appetite=FROZEN, returns=False)
    others = people.join(5, "follow", channel=key, key=f"{key}-others", returns=False)
    server.signal(signal.SIGTERM)
    told = time.monotonic()
    people.wait(lambda: all(m.ended for m in others), "the others are sent away")
    assert max(m.ended[0] for m in others) - told < ENDED
    check_sent_elsewhere(others)
    assert server.wait(GRACEFUL_TIMEOUT + 2) == 0
    assert time.monotonic() - told < GRACEFUL_TIMEOUT + 1
    assert not any(m.ended for m in frozen), "they had taken nothing"
    for n in range(5):
        server.journal.outcome(f"{key}-frozen-{n}", 0)
    server.check()
