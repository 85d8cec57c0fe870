"""A log that has lost something, on real stores: a `reset` with its reason, then all that follows.

Trimmed history, a file that is removed and a Redis that is flushed, for streams that are open
and for clients that come back.
"""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from brokers.redis_server import RedisServer
from e2e.client import Stream
from e2e.servers import Server
from e2e.waiting import wait_for

from flask_sse_routes import Event, PositionGone, broker_from_url, rings
from flask_sse_routes.brokers.base import Broker
from flask_sse_routes.testing import TestStream

from . import servers
from .followers import seq_in, seq_of
from .sites import Site, events_of, take

HISTORY = 20
LAST = "the last one"
# Bytes of an event's data: the buffers of a socket take a few hundred of them.
LARGE = 20_000


@dataclass
class Store:
    """Where a log lies, and what loses all of it at once."""

    url: str
    wipe: Callable[[], object]


class Publisher(Protocol):
    """A broker, or a site."""

    def publish(self, channel: str, data: Any) -> str: ...


class Log:
    """Has publishers take turns, and keeps where it went."""

    def __init__(self, *publishers: Publisher) -> None:
        self.publishers = publishers
        self._published: list[tuple[str, str]] = []

    def publish(self, channels: Iterable[str], data: Any = None) -> list[str]:
        ids = []
        for channel, publisher in zip(channels, itertools.cycle(self.publishers), strict=False):
            ids.append(publisher.publish(channel, data))
            self._published.append((channel, ids[-1]))
        return ids

    def after(self, id_: str, channels: Iterable[str]) -> list[str]:
        """Return what was published later, as long as the log lived."""
        mine = (each for channel, each in self._published if channel in channels)
        epoch, seq = id_.split("-")[0], seq_in(id_)
        return [each for each in mine if each.startswith(f"{epoch}-") and seq_in(each) > seq]


def check(events: list[Event], channels: Iterable[str], log: Log, after: str = "") -> list[str]:
    """Check that nothing is missing but where `reset` says so; return the reasons it gives.

    `after` is the id that the stream went on from; without one it begins with `ready`.
    """
    place, reasons, expected = after, [], log.after(after, channels) if after else []
    for number, event in enumerate(events):
        if event.event == "reset":
            reasons.append(json.loads(event.data)["reason"])
        else:
            assert event.event == ("message" if place else "ready"), events[: number + 1]
        if event.event == "message":
            assert event.id == expected.pop(0), f"{place} is followed by {event}"
        else:
            expected = log.after(str(event.id), channels)
        place = str(event.id)
    assert not expected, f"{place} is followed by nothing"
    return reasons


def reset_of(event: Event) -> str:
    """Return the id of a `reset` after trimming."""
    assert (event.event, json.loads(event.data)) == ("reset", {"reason": "trimmed"})
    return str(event.id)


def read_up_to(stream: TestStream, found: Callable[[Event], bool]) -> Event:
    """Read a stream up to an event, which may have come already; return it."""
    while not any(map(found, stream.received)):
        stream.next(10)
    return next(filter(found, stream.received))


def is_reset(event: Event) -> bool:
    return event.event == "reset"


def has_id(id_: str, event: Event) -> bool:
    return event.id == id_


def _sqlite(folder: Path, *, whole: bool = False) -> Store:
    file = folder / "events.db"

    def wipe() -> None:
        # The database goes last: until then nobody makes the others anew.
        for path in folder.glob("events.db?*") if whole else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        file.unlink()

    return Store(f"sqlite:///{file}", wipe)


def _redis(server: RedisServer) -> Store:
    server.command("FLUSHALL")
    return Store(server.url, lambda: server.command("FLUSHALL"))


@pytest.fixture(name="shared_redis", scope="module")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(name="store", params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty log; `sqlite-all` loses all that lies beside its database as well."""
    if request.param != "redis":
        return _sqlite(tmp_path, whole=request.param == "sqlite-all")
    return _redis(request.getfixturevalue("shared_redis"))


@pytest.fixture(name="outside")
def outside(store: Store) -> Iterator[Broker]:
    """Publishes as another process does, and keeps little."""
    broker = broker_from_url(store.url, history=HISTORY)
    yield broker
    broker.close()


def trim(log: Log, broker: Broker, beyond: int = 0) -> int:
    """Publish on `a`, and now and then on `b`, until a seq of `a` is trimmed; return which is."""

    def is_trimmed() -> bool:
        log.publish("a" * 50 + "b")
        return broker.read("a", 0, 1).trimmed > beyond

    wait_for(is_trimmed, "the history is trimmed")
    broker.close()  # once nothing is trimmed in the background any more
    return broker.read("a", 0, 1).trimmed


def test_a_client_from_beyond_the_history(make_site: Any, store: Store, outside: Broker) -> None:
    log = Log(outside)
    first = log.publish("ab")[0]
    trimmed = trim(log, outside)
    site: Site = make_site(SSE_BROKER_URL=store.url)
    epoch, newest = first.split("-")[0], str(outside.newest())
    cases = [
        (channels, after, ["trimmed"] if "a" in channels and seq_in(after) < trimmed else [])
        for channels in ("a", "b", "ab")
        for after in (first, *(f"{epoch}-{trimmed + n}" for n in (-1, 0, 1)))
    ]
    streams = []
    for channels, after, reasons in cases:
        stream = site.open(*channels, after=after)
        streams.append(stream)
        if reasons:
            assert reset_of(stream.next()) == newest
        else:
            take(stream, len(log.after(after, channels)))
    log.publish("abab")
    for stream, (channels, after, reasons) in zip(streams, cases, strict=True):
        take(stream, 2 * len(channels))
        assert check(stream.received, channels, log, after) == reasons
        stream.close()
    assert site.sse.stats().resets == sum(len(reasons) for _, _, reasons in cases) == 4


@pytest.fixture(name="small_rings")
def small_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have streams need the broker's history soon."""
    monkeypatch.setattr(rings, "RING_ENTRIES", 16)


@pytest.mark.parametrize("missed", [0, 1500])
def test_a_stream_that_is_overtaken(
    make_site: Any, store: Store, outside: Broker, small_rings: None, wsgi: Any, missed: int
) -> None:
    """It has read what it was up to, or a part of what it missed, when that is trimmed."""
    everything = broker_from_url(store.url, history=10_000)
    log = Log(everything)
    after = log.publish("a")[0]
    log.publish("a" * missed)
    everything.close()
    site: Site = make_site(SSE_BROKER_URL=store.url, SSE_HEARTBEAT=0.5)
    slow = wsgi(site.app, "/api/follow?channel=a&channel=b", HTTP_LAST_EVENT_ID=after)
    log.publishers = (outside,)
    end = trim(log, outside, beyond=missed + 100)
    wait_for(lambda: site.channels.hub.rings["a"].since > missed + 100, "the ring moves on")
    events: list[Event] = []
    while not events or events[-1].event != "reset":
        events += events_of(slow, 1)
    assert (len(events) > 1) == (missed > 0)
    assert seq_of(events[-1]) >= end
    log.publish("ab" * 5)
    events += events_of(slow, 10)
    assert check(events, "ab", log, after) == ["trimmed"]
    slow.close()


@pytest.mark.parametrize(
    ("store", "at_once"),
    [("sqlite", 0), ("sqlite", 60), ("sqlite-all", 3), ("redis", 0), ("redis", 3), ("redis", 60)],
    indirect=["store"],
)
def test_a_log_that_is_lost(make_site: Any, store: Store, outside: Broker, at_once: int) -> None:
    """By the time anybody looks, the new log has nothing, a little or more than the old one."""
    old, new = make_site(SSE_BROKER_URL=store.url), make_site(SSE_BROKER_URL=store.url)
    log = Log(outside, old)
    lost = log.publish("abab")
    follow = ["a", "b", "ab", "c", "abc"]
    streams = [(old.open(*channels), channels, "") for channels in follow]
    streams += [(old.open(*channels, after=lost[0]), channels, lost[0]) for channels in follow]
    for stream, channels, after in streams:
        take(stream, len(log.after(after, channels)) if after else 1)
    lost += log.publish("abab" * 5)
    for stream, channels, _ in streams[:3]:
        take(stream, 10 * len(channels))
    store.wipe()
    log.publish("ab" * at_once)
    streams += [
        (site.open(*channels, after=after), channels, after)
        for site in (old, new)
        for channels in follow
        for after in (lost[0], lost[-1])
    ]
    resets = [str(read_up_to(stream, is_reset).id) for stream, _, _ in streams]
    log.publish("abc" * 3)
    for (stream, channels, after), reset in zip(streams, resets, strict=True):
        rest = log.after(reset, channels)
        read_up_to(stream, partial(has_id, rest[-1]))
        assert check(stream.received, channels, log, after) == ["epoch"]
        with old.open(*channels, after=reset) as again:
            assert [event.id for event in take(again, len(rest))] == rest
    for stream, _, _ in streams:
        stream.close()
    assert old.sse.stats().resets + new.sse.stats().resets == len(streams)
    with pytest.raises(PositionGone, match="epoch"):
        old.sse.history("a", after=lost[0])


@pytest.mark.parametrize("at_once", [0, 60])
def test_a_log_that_is_lost_while_nobody_follows(
    make_site: Any, store: Store, outside: Broker, at_once: int
) -> None:
    site: Site = make_site(SSE_BROKER_URL=store.url)
    log = Log(outside)
    after = log.publish("abab")[1]
    with site.open("a", "b", after=after) as stream:
        take(stream, 2)
    store.wipe()
    log.publish("ab" * at_once)
    for _ in range(2):
        with site.open("a", "b", after=after) as stream:
            read_up_to(stream, is_reset)
            log.publish("abab")
            take(stream, 4)
            assert check(stream.received, "ab", log, after) == ["epoch"]
    assert site.sse.stats().resets == 2


@pytest.fixture(name="served", scope="module", params=["gevent-sqlite", "sseworker-redis"])
def served(
    request: pytest.FixtureRequest,
    shared_redis: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, Store]]:
    """Two workers, each kind on a store that processes share."""
    kind, where = request.param.split("-")
    folder = tmp_path_factory.mktemp(kind)
    store = _sqlite(folder) if where == "sqlite" else _redis(shared_redis)
    settings = {"FLASK_SSE_HISTORY": 100_000, "FLASK_SSE_SEND_TIMEOUT": 60}
    server = servers.start(kind=kind, folder=folder, url=store.url, workers=2, **settings)
    yield server, store
    server.kill()


def test_a_client_that_is_too_slow(served: tuple[Server, Store]) -> None:
    """Its socket is full when all that comes next is trimmed."""
    server, store = served
    everything, outside = (broker_from_url(store.url, history=n) for n in (10_000, HISTORY))
    log = Log(everything)
    target = "/api/follow?channel=a&channel=b"
    slow = Stream(server.address, target, receive_buffer=8192, keep=50)
    server.streams.append(slow)
    ready = slow.next().event
    quick = beside(server, slow, target)
    log.publish("a" * 600, "x" * LARGE)
    while len(quick.events) <= 600:
        quick.next()
    quick.close()
    log.publishers = (outside,)
    log.publish("a" * 600, "x" * LARGE)
    outside.close()  # once nothing is trimmed in the background any more
    while slow.names[-1] != "reset":
        slow.next()
    log.publish("ab" * 3)
    last = log.after(str(ready.id), "ab")[-1]
    while slow.last_event_id != last:
        slow.next()
    events = [arrival.event for arrival in slow.events]
    assert check(events, "ab", log) == ["trimmed"]
    assert 10 < slow.names.index("reset") < 600
    slow.close()
    everything.close()
    outside.close()


def beside(server: Server, other: Stream, target: str) -> Stream:
    """Open a stream that the same worker serves, and that has begun."""

    def found() -> Stream | None:
        stream = Stream(server.address, target, keep=50)
        server.streams.append(stream)
        stream.next()
        return stream if stream.headers["x-worker"] == other.headers["x-worker"] else None

    return wait_for(found, "the same worker serves one more") or other


def test_workers_that_lose_their_log(served: tuple[Server, Store], follow: Any) -> None:
    server, store = served
    channels = ("a", "b")
    last = json.dumps(LAST)
    steady = [follow(server.port, channels[n % 2 :], last) for n in range(4)]
    restless = [follow(server.port, channels[n % 2 :], last, 0.5, seed=n) for n in range(6)]
    everybody = steady + restless
    wait_for(lambda: all(f.events for f in everybody), "everybody is ready", 20)
    outside = broker_from_url(store.url, history=100_000)
    log = Log(outside, _Worker(server))

    def publish(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            log.publish("aabb")

    publish(0.5)
    store.wipe()
    publish(0.5)
    wait_for(lambda: all(any(map(is_reset, f.events)) for f in everybody), "all were told", 20)
    log.publish("aabb")
    log.publish("b", LAST)
    for follower in everybody:
        follower.join(20)
        told = check(follower.events, follower.channels, log)
        # Who goes from one worker to another may be there before that one has noticed.
        assert told == ["epoch"] or (follower in restless and set(told) == {"epoch"})
    assert {f.connections for f in steady} == {1}
    assert all(f.connections > 1 for f in restless)
    outside.close()


class _Worker:
    """Whichever worker takes the request."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def publish(self, channel: str, data: Any) -> str:
        return servers.publish(self._server, channel, data)[0]
