"""The tail, the catch-up and the rings of a process: what fails in them, and what they hold."""

from __future__ import annotations

import gc
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from e2e.waiting import wait_for

from flask_sse_routes import BrokerUnavailable, channels, concurrency, rings
from flask_sse_routes.brokers import base
from flask_sse_routes.channels import ChannelHub
from flask_sse_routes.followers import ChannelSource
from flask_sse_routes.publishing import CONTROL_CHANNEL, Control
from flask_sse_routes.streams import Streams
from flask_sse_routes.testing import StreamTimeout
from flask_sse_routes.wire import Decoder

from .sites import FlakyBroker, MortalBroker, Site, events_of, take

BEHIND = 1500


def once(original: Callable[..., Any], error: BaseException, *, late: bool = False) -> Any:
    """Wrap a function: its first call fails, before or after its work is done."""
    failed: list[bool] = []

    def call(*args: Any, **options: Any) -> Any:
        if failed:
            return original(*args, **options)
        failed.append(True)
        if late:
            original(*args, **options)
        raise error

    call.failed = failed  # type: ignore[attr-defined]  # for the test to ask
    return call


ERRORS = [RuntimeError, OSError, BrokerUnavailable, KeyError, MemoryError, StopIteration]


def check_goes_on(site: Site, stream: Any, other: Any, known: list[str | None]) -> None:
    """Each of the streams gets everything once, in order, at the latest with the next event."""
    wait_for(lambda: str(site.channels.hub._position) == known[-1], "the tail has read on")
    known += [site.publish("a", f"later {n}") for n in range(3)]
    for each in (stream, other):
        got = [event.id for event in each.received if event.event != "ready"]
        got += [event.id for event in take(each, len(known) - len(got))]
        assert got == known
        assert each.received[-1].event != "reset"


@pytest.mark.parametrize("error", ERRORS)
def test_a_failing_poll_does_not_end_the_tail(
    make_site: Any, flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    site = make_site()
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        poll = once(flaky.poll, error("a fault"))
        monkeypatch.setattr(flaky, "poll", poll)
        check_goes_on(site, stream, other, [site.publish("a", "first")])
        assert poll.failed


@pytest.mark.parametrize("error", ERRORS)
def test_a_failing_listener_does_not_end_the_tail(
    make_site: Any, flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    site = make_site()
    listen, waits = flaky.listen, []

    def fragile() -> Any:
        listener = listen()
        waits.append(once(listener.wait, error("a fault"), late=True))
        monkeypatch.setattr(listener, "wait", waits[-1])
        return listener

    monkeypatch.setattr(flaky, "listen", fragile)
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        check_goes_on(site, stream, other, [site.publish("a", "first")])
        assert any(wait.failed for wait in waits)


@pytest.mark.parametrize("error", ERRORS)
def test_a_source_that_cannot_be_woken_does_not_end_the_tail(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        wake = once(ChannelSource.wake, error("a fault"))
        monkeypatch.setattr(ChannelSource, "wake", wake)
        check_goes_on(site, stream, other, [site.publish("a", "first")])
        assert wake.failed


def test_a_source_that_cannot_be_woken_keeps_nobody_asleep(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.open("a") as one, site.open("a", "b") as two, site.open("a") as three:
        streams = (one, two, three)
        for stream in streams:
            stream.next()
        failing = once(ChannelSource.wake, RuntimeError("a fault"))
        monkeypatch.setattr(ChannelSource, "wake", failing)
        first = site.publish("a", "first")
        asleep = []
        for stream in streams:
            try:
                assert stream.next(2).id == first
            except StreamTimeout:
                asleep.append(stream)
        assert len(asleep) == 1
        second = site.publish("a", "second")
        assert [event.id for event in take(asleep[0], 2)] == [first, second]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("late", [False, True])
def test_a_failure_to_absorb_does_not_end_the_tail(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Any, late: bool
) -> None:
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        absorb = once(ChannelHub._absorb, error("a fault"), late=late)
        monkeypatch.setattr(ChannelHub, "_absorb", absorb)
        check_goes_on(site, stream, other, [site.publish("a", "first")])
        assert absorb.failed


@pytest.mark.parametrize("place", [0, 5, 9])
def test_a_failure_in_the_midst_of_a_page_brings_nothing_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    original, failed = channels.frame_of, []

    def frame_of(epoch: str, entry: Any) -> bytes:
        if entry.body == b"\n%d" % place and not failed:
            failed.append(entry)
            raise RuntimeError("a fault")
        return original(epoch, entry)

    monkeypatch.setattr(channels, "frame_of", frame_of)
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        with site.channels.hub.lock:  # the tail reads them all at once
            ids: list[str | None] = [site.publish("a", n) for n in range(10)]
        check_goes_on(site, stream, other, ids)
    assert failed


def test_what_failed_to_be_absorbed_needs_no_other_event_to_arrive(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.open("a") as stream:
        stream.next()
        absorb = once(ChannelHub._absorb, RuntimeError("a fault"))
        monkeypatch.setattr(ChannelHub, "_absorb", absorb)
        new = site.publish("a", "new")
        assert stream.next().id == new


class Unstartable:
    """A task for which there is no thread."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def refuse_task(monkeypatch: pytest.MonkeyPatch, refused: str) -> list[str]:
    """Have the first task of a name not start; return the names of all that are made."""
    make, made = concurrency.task, []

    def task(function: Callable[[], None], name: str) -> Any:
        made.append(name)
        if name == refused and made.count(name) == 1:
            return Unstartable()
        return make(function, name)

    monkeypatch.setattr(concurrency, "task", task)
    return made


def check_nothing_registered(hub: ChannelHub) -> None:
    assert (hub.rings, hub._followers, hub.catching.waiting) == ({}, {}, {})


def test_a_stream_is_refused_where_no_tail_can_be_started(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = refuse_task(monkeypatch, "sse-tail")
    with site.open("a") as stream:
        assert (stream.status, stream.headers["SSE-Refused"]) == (200, "unavailable")
        assert list(stream) == []
    check_nothing_registered(site.channels.hub)
    assert (site.sse.stats().refused, site.sse.stats().streams) == (1, 0)
    with site.open("a") as stream:
        assert stream.next().event == "ready"
        new = site.publish("a", "new")
        assert stream.next().id == new
    assert made.count("sse-tail") >= 2


def test_orders_are_followed_later_where_no_tail_can_be_started(
    make_site: Any, flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    made, rechecked = refuse_task(monkeypatch, "sse-tail"), []
    recheck = Streams.recheck
    monkeypatch.setattr(Streams, "recheck", lambda self: rechecked.append(recheck(self)))
    site = make_site(identify=lambda request: "ann")
    with site.open("a"):
        eventually(lambda: CONTROL_CHANNEL in site.channels.hub.rings)
    # What may have been missed until then ends the streams of users, once.
    eventually(lambda: rechecked and site.sse.stats().streams == 0)
    assert "sse-control" in made
    with site.open("a") as stream:
        while stream.next().event != "ready":
            pass
        site.sse.revoke(user="ann")
        assert stream.next().event == "error"


def test_a_stream_is_ended_to_be_resumed_where_nobody_can_catch_up_for_it(
    make_site: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    made = refuse_task(monkeypatch, "sse-catch-up")
    site = make_site(SSE_HISTORY=10_000)
    ids = [site.publish("a", n) for n in range(BEHIND)]
    with site.open("a", after=ids[0]) as stream:
        got = [event.id for event in stream]
        assert got == ids[1 : len(got) + 1]
        assert 0 < len(got) < BEHIND - 1
        assert 500 <= (stream.retry or 0) <= 3000
        last = stream.last_event_id
    eventually(lambda: site.sse.stats().ended == {"shutdown": 1})
    check_nothing_registered(site.channels.hub)
    with site.open("a", after=last) as stream:
        rest = ids[ids.index(last) + 1 :]
        assert [event.id for event in take(stream, len(rest))] == rest
    assert made.count("sse-catch-up") >= 2


def test_all_rings_together_stay_small(
    make_site: Any, wsgi: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    limit, sizes = 100_000, []
    absorb = ChannelHub._absorb

    def measured(hub: ChannelHub, *args: Any) -> Any:
        sources = absorb(hub, *args)
        sizes.append(sum(ring.size for ring in hub.rings.values()))
        assert all(ring.size == sum(map(len, ring.frames)) for ring in hub.rings.values())
        return sources

    monkeypatch.setattr(ChannelHub, "_absorb", measured)
    monkeypatch.setattr(channels, "ALL_RINGS_BYTES", limit)
    monkeypatch.setattr(base, "PAGE_BYTES", limit // 10)
    site = make_site(SSE_HISTORY=10_000, SSE_HEARTBEAT=0.5)
    names = "abcdefgh"
    query = "&".join(f"channel={name}" for name in names)
    slow, live = wsgi(site.app, f"/api/follow?{query}"), site.open("a", "c")
    events_of(slow, 1), live.next()
    ids = [site.publish(names[n % 8], "x" * 1000) for n in range(BEHIND)]
    mine = [id_ for n, id_ in enumerate(ids) if n % 8 in (0, 2)]
    assert [event.id for event in take(live, len(mine))] == mine
    live.close()
    eventually(lambda: str(site.channels.hub._position) == ids[-1])
    assert len(sizes) > 10
    assert limit / 3 < max(sizes) <= limit
    assert [event.id for event in events_of(slow, BEHIND)] == ids
    new = site.publish("h", "new")
    assert events_of(slow, 1)[0].id == new
    assert site.sse.stats().resets == 0


def test_one_event_may_be_larger_than_all_rings(
    make_site: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(channels, "ALL_RINGS_BYTES", 10_000)
    site = make_site()
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        ids = [site.publish("a", "x" * size) for size in (20_000, 1, 50_000, 2)]
        for each in (stream, other):
            assert [event.id for event in take(each, 4)] == ids
        held = site.channels.hub.rings
        eventually(lambda: sum(ring.size for ring in held.values()) <= 10_000)


@pytest.mark.parametrize("resumes", [False, True])
def test_a_reader_that_is_behind_by_large_events_gets_them_in_pieces(
    make_site: Any, wsgi: Any, eventually: Any, resumes: bool
) -> None:
    """From the rings, and from pages of the broker's history."""
    size = 100_000
    site = make_site(SSE_HEARTBEAT=0.5)
    first = site.publish("a", 0)
    given = {"HTTP_LAST_EVENT_ID": first} if resumes else {}
    if resumes:
        ids = [site.publish("a", "x" * size) for _ in range(30)]
    reader = wsgi(site.app, "/api/follow?channel=a", **given)
    if not resumes:
        events_of(reader, 1)
        ids = [site.publish("a", "x" * size) for _ in range(30)]
        eventually(lambda: len(site.channels.hub.rings["a"].seqs) == 30)
    decoder, got = Decoder(), []
    while len(got) < 30:
        chunk = reader.chunk()
        assert len(chunk) <= rings.HANDFUL_BYTES
        got += decoder.feed(chunk)
    assert [event.id for event in got] == ids


@pytest.mark.parametrize("read", ["before", "after"])
def test_a_stream_that_began_in_the_new_epoch_is_not_told_of_it(
    make_site: Any, mortal: MortalBroker, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """The tail reads the new epoch, and is held up before it can tell anybody."""
    site = make_site()
    gate, held, poll = threading.Event(), threading.Event(), mortal.poll
    site.publish("a", "old")

    def slow(names: Any, after: int, limit: int) -> Any:
        tail = CONTROL_CHANNEL in names and not gate.is_set() and len(mortal._lives) == 2
        early = poll(names, after, limit) if read == "after" else None
        if tail:
            held.set()
            assert gate.wait(15)
        return early or poll(names, after, limit)

    with site.open("a") as keeper:
        keeper.next()
        monkeypatch.setattr(mortal, "poll", slow)
        mortal.die()
        assert held.wait(10)
        ids = [site.publish("a", n) for n in range(3)]
        with site.open("a") as stream, site.open("a", after=ids[0]) as resumed:
            assert (stream.next().event, stream.last_event_id) == ("ready", ids[-1])
            assert [event.id for event in take(resumed, 2)] == ids[1:]
            gate.set()
            assert keeper.next().event == "reset"
            new = site.publish("a", "new")
            assert stream.next().id == new
            assert resumed.next().id == new
        while keeper.next().id != new:
            pass
    assert site.sse.stats().resets == 1


@pytest.fixture(name="unlogged")
def unlogged() -> Iterator[None]:
    """What is logged would keep, by its exceptions, what they came through."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def note_use_after_close(monkeypatch: pytest.MonkeyPatch, broker: FlakyBroker) -> list[str]:
    """Return what will name each use of a broker that was closed before."""
    uses: list[str] = ["it is not closed"]

    def noting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if uses != ["it is not closed"]:
                uses.append(name)
            return original(*args)

        return call

    for name in ("poll", "listen", "newest", "read", "append"):
        monkeypatch.setattr(broker, name, noting(name, getattr(broker, name)))
    close = broker.close

    def note_close() -> None:
        close()
        if uses == ["it is not closed"]:
            uses.clear()

    monkeypatch.setattr(broker, "close", note_close)
    return uses


def note_end(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> threading.Event:
    """Return what is set when a method has returned."""
    ended, original = threading.Event(), getattr(owner, name)

    def call(*args: Any) -> None:
        original(*args)
        ended.set()

    monkeypatch.setattr(owner, name, call)
    return ended


@pytest.mark.parametrize("held_up", [False, True])
def test_when_the_app_is_gone_nothing_uses_its_broker(
    flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch, eventually: Any, held_up: bool
) -> None:
    """Also where the tail was about to when the app went."""
    uses = note_use_after_close(monkeypatch, flaky)
    gate, held = threading.Event(), threading.Event()
    site = Site()
    with site.open("a") as stream:
        stream.next()
    hub = site.channels.hub
    place = hub._whereabouts

    def slow() -> Any:
        found = place()
        if held_up and found is not None:
            held.set()
            gate.wait(15)
        return found

    monkeypatch.setattr(hub, "_whereabouts", slow)
    eventually(lambda: held.is_set() or not held_up)
    assert hub._tailing
    del site, stream
    gc.collect()
    gate.set()
    eventually(lambda: not hub._tailing and uses != ["it is not closed"])
    check_nothing_registered(hub)
    assert uses == []


@pytest.mark.usefixtures("unlogged")
def test_orders_that_cannot_be_followed_yet_are_let_be_when_the_app_is_gone(
    flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """The broker comes back when nobody is there any more."""
    uses = note_use_after_close(monkeypatch, flaky)
    ended = note_end(monkeypatch, Control, "open_late")
    flaky.away = True
    site = Site()
    with site.open("a") as stream:
        assert stream.headers["SSE-Refused"] == "unavailable"
    hub = site.channels.hub
    eventually(lambda: flaky.failures > 3)
    del site, stream
    gc.collect()
    flaky.away = False
    assert ended.wait(5)
    check_nothing_registered(hub)
    assert uses == []


def test_orders_that_begin_to_be_followed_as_the_app_ends_are_let_be(
    make_site: Any, flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    gate, held, newest = threading.Event(), threading.Event(), flaky.newest

    def slow() -> Any:
        found = newest()
        held.set()
        assert gate.wait(15)
        return found

    ended = note_end(monkeypatch, Control, "open_late")
    flaky.away = True
    site = make_site()
    with site.open("a"):
        pass
    monkeypatch.setattr(flaky, "newest", slow)
    flaky.away = False
    assert held.wait(10)
    site.channels.close()
    gate.set()
    assert ended.wait(5)
    check_nothing_registered(site.channels.hub)
    eventually(lambda: not site.channels.hub._tailing)


def test_data_is_sent_as_it_was_published(site: Site) -> None:
    with site.open("a") as stream:
        stream.next()
        for data in ({"a": [1, None]}, "\u2028", 0):
            site.publish("a", data)
            assert json.loads(stream.next().data) == data
