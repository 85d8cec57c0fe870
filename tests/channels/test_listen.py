"""`listen`: events as Python values, in handlers that transform them and elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flask_sse_routes import Event, concurrency, define_route

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
