"""`listen`: events as Python values, in handlers that transform them and elsewhere."""

from __future__ import annotations

import itertools
import json
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from flask_sse_routes import BrokerUnavailable, Context, Event, Route, concurrency, define_route
from flask_sse_routes.extension import runtime_of

from .sites import NOT_JSON, FlakyBroker, MortalBroker, Site, take


@pytest.fixture(name="relay")
def relay(make_site: Any, broker_url: str) -> Site:
    """A site whose handler transforms what it listens to; 0.05 s and its head leaves."""

    def handler() -> Iterator[Event]:
        for event in site.sse.listen("a", "b"):
            yield Event({"seen": event.data}, event="relayed", id=event.id)

    route = define_route(handler, kind="sse", open_timeout=0.05)
    site: Site = make_site({"relay": route}, SSE_BROKER_URL=broker_url)
    return site


def followed(site: Site, eventually: Any) -> None:
    """Wait until the handler listens."""
    eventually(lambda: "a" in site.channels.hub.rings)


def test_a_handler_transforms_events_and_its_stream_resumes(relay: Site, eventually: Any) -> None:
    with relay.client.open("/api/relay") as stream:
        followed(relay, eventually)
        assert stream.next().event == "ready"
        ids = [relay.publish("ab"[n % 2], n) for n in range(10)]
        events = take(stream, 10)
    assert [event.id for event in events] == ids
    assert {event.event for event in events} == {"relayed"}
    assert [json.loads(event.data) for event in events] == [{"seen": n} for n in range(10)]
    missed = [relay.publish("a", n) for n in range(3)]
    with relay.client.open("/api/relay", last_event_id=ids[7]) as stream:
        assert [event.id for event in take(stream, 5)] == ids[8:] + missed


def test_a_stream_has_a_position_before_its_first_event(relay: Site) -> None:
    newest = relay.publish("b", "old")
    with relay.client.open("/api/relay") as stream:
        ready = stream.next()
        assert (ready.event, ready.data, ready.id) == ("ready", "{}", newest)
    missed = relay.publish("a", "missed")
    with relay.client.open("/api/relay", last_event_id=ready.id) as stream:
        assert stream.next().id == missed


@pytest.mark.parametrize("sent", ["garbage", "a b", "ö", "x" * 300, "gone-7", "{epoch}-99"])
@pytest.mark.parametrize("way", ["header", "query"])
def test_a_position_that_is_none_is_told_as_a_reset(relay: Site, sent: str, way: str) -> None:
    newest = relay.publish("a", "old")
    text = sent.format(epoch=newest.split("-")[0])
    given: dict[str, Any] = {"last_event_id": text}
    if way == "query":
        given = {"query_string": {"last_event_id": text}}
    with relay.client.open("/api/relay", **given) as stream:
        reset = stream.next()
        assert (reset.event, reset.id) == ("reset", newest)
        assert json.loads(reset.data) == {"reason": "epoch"}
        new = relay.publish("a", "new")
        assert stream.next().id == new
    assert relay.sse.stats().resets == 1


def test_what_is_no_json_is_left_out(relay: Site) -> None:
    with relay.client.open("/api/relay") as stream:
        assert stream.next().event == "ready"
        before = relay.publish("a", 1)
        for body in NOT_JSON:
            relay.channels.broker.append("ab"[len(body) % 2], body)
        after = relay.publish("b", 2)
        assert [event.id for event in take(stream, 2)] == [before, after]
    with relay.client.open("/api/relay", last_event_id=before) as stream:
        assert stream.next().id == after
    assert [event.data for event in relay.sse.history("a")] == [1]


def test_it_ends_with_its_stream(relay: Site, eventually: Any) -> None:
    with relay.client.open("/api/relay"):
        followed(relay, eventually)
    eventually(lambda: "a" not in relay.channels.hub.rings)
    assert relay.sse.stats().ended == {"disconnected": 1}


def test_a_gap_is_told_to_the_client(make_site: Any, mortal: MortalBroker, eventually: Any) -> None:
    def handler() -> Iterator[Event]:
        for event in site.sse.listen("a"):
            yield Event(event.data, id=event.id)

    site: Site = make_site({"relay": define_route(handler, kind="sse", open_timeout=0.05)})
    with site.client.open("/api/relay") as stream:
        followed(site, eventually)
        assert stream.next().event == "ready"
        before = site.publish("a", 1)
        assert stream.next().id == before
        mortal.die()
        assert (stream.next().event, stream.received[-1].data) == ("reset", '{"reason":"epoch"}')
        assert site.sse.stats().resets == 1
        new = site.publish("a", 2)
        assert stream.next().id == new
    with site.client.open("/api/relay", last_event_id=before) as stream:
        assert stream.next().event == "reset"
        assert site.sse.stats().resets == 2
    assert site.sse.stats().resets == 2


def test_outside_a_stream_it_goes_on_for_ever_and_tells_a_gap(
    make_site: Any, mortal: MortalBroker
) -> None:
    site = make_site()
    got: list[Event] = []
    three = threading.Event()

    def listen() -> None:
        events = site.sse.listen("a")
        for event in events:
            got.append(event)
            if len(got) == 3:
                break
        events.close()
        three.set()

    concurrency.task(listen, "listener").start()
    while not site.channels.hub.rings:
        three.wait(0.01)
    first = site.publish("a", {"n": 1}, event="named")
    while not got:
        three.wait(0.01)
    mortal.die()
    while len(got) < 2:
        three.wait(0.01)
    last = site.publish("a", [2])
    assert three.wait(10)
    assert [(e.id, e.event, e.data) for e in got[::2]] == [
        (first, "named", {"n": 1}), (last, None, [2])
    ]  # fmt: skip
    assert (got[1].event, got[1].data) == ("reset", {"reason": "epoch"})


def test_a_broker_that_is_away_at_the_opening(make_site: Any, flaky: FlakyBroker) -> None:
    def handler() -> Iterator[Any]:
        for event in site.sse.listen("a"):
            yield event.data

    site: Site = make_site({"relay": define_route(handler, kind="sse")})
    flaky.away = True
    with site.client.open("/api/relay") as stream:
        assert stream.status == 200
        assert stream.headers["SSE-Refused"] == "unavailable"
    plain = site.client.http.get("/api/relay")
    assert plain.status_code == 503
    assert int(plain.headers["Retry-After"]) > 0


# --- it begins with the call


class Loop:
    """A loop over events in a task of its own: what never comes fails a test, and hangs none."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.got: list[Event] = []
        self.ended = threading.Event()
        concurrency.task(lambda: self._run(events), "listener").start()

    def _run(self, events: Iterable[Event]) -> None:
        try:
            for event in events:
                self.got.append(event)
        finally:
            self.ended.set()


def test_what_is_published_between_the_call_and_the_loop_arrives(
    make_site: Any, broker_url: str
) -> None:
    """As where one listens, starts the job that publishes, and then loops."""
    site = make_site(SSE_BROKER_URL=broker_url)
    site.publish("a", "too early")
    events = site.sse.listen("a", "b")
    ids = [site.publish("ab"[n % 2], n) for n in range(3)]
    loop = Loop(itertools.islice(events, 3))
    assert loop.ended.wait(10)
    assert [event.id for event in loop.got] == ids
    events.close()


def test_a_handler_listens_from_its_call_as_well(make_site: Any, broker_url: str) -> None:
    def job() -> Iterator[Any]:
        events = site.sse.listen("a")
        site.publish("a", "from the job")
        yield "begun"
        for event in events:
            yield event.data

    site: Site = make_site({"job": define_route(job, kind="sse")}, SSE_BROKER_URL=broker_url)
    with site.client.open("/api/job") as stream:
        names = [(event.event, event.data) for event in take(stream, 3)]
    assert names == [("message", '"begun"'), ("ready", "{}"), ("message", '"from the job"')]


@pytest.mark.parametrize("names", [("",), ("a", "b\n"), (7,), (None,), ()])
def test_a_wrong_name_is_refused_by_the_call(site: Site, names: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"[Cc]hannel"):
        site.sse.listen(*names)
    assert not site.channels.hub.rings


def test_a_broker_that_is_away_is_told_by_the_call(
    make_site: Any, flaky: FlakyBroker, no_gc: None
) -> None:
    site = make_site()
    flaky.away = True
    with pytest.raises(BrokerUnavailable):
        site.sse.listen("a")
    assert not site.channels.hub.rings
    flaky.away = False
    events = site.sse.listen("a")
    id_ = site.publish("a", 1)
    assert next(events).id == id_
    events.close()


# --- and ends


@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize("how", ["dropped", "closed"])
def test_it_leaves_nothing_behind(
    make_site: Any, broker_url: str, no_gc: None, read: int, how: str
) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    hub = site.channels.hub
    for _ in range(20):
        events = site.sse.listen("a", "b")
        assert set(hub.rings) == {"a", "b"}
        for n in range(2):
            site.publish("a", n)
        for _ in range(read):
            next(events)
        if how == "closed":
            events.close()
            events.close()
        else:
            del events
        assert not hub.rings
        assert not hub._followers


def test_closing_it_ends_a_loop_that_waits(make_site: Any, broker_url: str) -> None:
    """In another task, whatever that is at just then."""
    site = make_site(SSE_BROKER_URL=broker_url)
    for pause in range(10):
        events = site.sse.listen("a")
        loop = Loop(events)
        loop.ended.wait(pause / 500)
        events.close()
        assert loop.ended.wait(10)
        assert loop.got == []
        with pytest.raises(StopIteration):
            next(events)
    assert not site.channels.hub.rings


def test_it_ends_with_its_app(site: Site) -> None:
    loop = Loop(site.sse.listen("a"))
    site.close()
    assert loop.ended.wait(10)
    assert loop.got == []


@pytest.mark.parametrize("end", ["client", "revoked", "drained"])
@pytest.mark.parametrize("reads", [False, True])
def test_in_a_stream_it_ends_with_it_also_where_it_is_kept(
    make_site: Any, eventually: Any, reads: bool, end: str
) -> None:
    kept: list[Any] = []

    def handler(ctx: Context) -> Iterator[Any]:
        kept.append(site.sse.listen("a"))
        yield "begun"
        if reads:
            for event in kept[0]:
                yield event.data
        ctx.sleep(3600)

    site: Site = make_site({"it": define_route(handler, kind="sse")})
    with site.client.open("/api/it") as stream:
        assert stream.json() == "begun"
        if end == "revoked":
            site.sse.revoke(channel="a")
            list(stream)
        elif end == "drained":
            runtime_of(site.app).streams.drain()
            list(stream)
    eventually(lambda: site.sse.stats().streams == 0)
    eventually(lambda: not site.channels.hub.rings, limit=3)


# --- whatever a handler is


def relaying(site: Callable[[], Site]) -> dict[str, Route]:
    """Handlers that give what they listen to, each in another way."""

    def generator() -> Iterator[Event]:
        yield from expression()

    def expression() -> Iterator[Event]:
        return (Event(e.data, id=e.id) for e in site().sse.listen("a"))

    def seen(event: Event) -> Event:
        return Event(event.data, id=event.id)

    def mapped() -> Iterator[Event]:
        return map(seen, site().sse.listen("a"))

    options: dict[str, Any] = {"kind": "sse", "open_timeout": 0.05}
    return {
        "generator": define_route(generator, **options),
        "held": define_route(generator, context="stream", **options),
        "bare": define_route(generator, context="none", **options),
        "expression": define_route(expression, **options),
        "map": define_route(mapped, **options),
    }


WAYS = ("generator", "held", "bare", "expression", "map")


@pytest.fixture(name="relays")
def relays(make_site: Any) -> Site:
    site: Site
    site = make_site(relaying(lambda: site))
    return site


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_may_return_what_is_made_of_it(relays: Site, way: str, eventually: Any) -> None:
    old = relays.publish("a", "old")
    with relays.client.open(f"/api/{way}") as stream:
        ready = stream.next()
        assert (ready.event, ready.id) == ("ready", old)
        first = relays.publish("a", 1)
        assert stream.next().id == first
    missed = [relays.publish("a", n) for n in range(3)]
    with relays.client.open(f"/api/{way}", last_event_id=first) as stream:
        assert [event.id for event in take(stream, 3)] == missed
    with relays.client.open(f"/api/{way}", last_event_id="gone-7") as stream:
        assert stream.next().event == "reset"
    eventually(lambda: relays.sse.stats().streams == 0)
    assert not relays.channels.hub.rings


@pytest.mark.parametrize("way", WAYS)
def test_whatever_a_handler_is_its_stream_is_freed_at_once(
    relays: Site, way: str, eventually: Any, no_gc: None
) -> None:
    with relays.client.open(f"/api/{way}") as stream:
        assert stream.next().event == "ready"
        (source,) = (weakref.ref(each.source) for each in runtime_of(relays.app).streams.open())
    eventually(lambda: source() is None, limit=3)


@pytest.mark.parametrize("way", WAYS)
def test_whatever_a_handler_is_its_stream_is_revoked(relays: Site, way: str) -> None:
    with relays.client.open(f"/api/{way}") as stream:
        assert stream.next().event == "ready"
        relays.sse.revoke(channel="b")
        relays.sse.revoke(channel="a")
        (error,) = list(stream)
        assert json.loads(error.data)["status"] == 403
