"""Revoking: which streams end, how, and in which processes."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_sse_routes import (
    Context,
    Event,
    Route,
    Subscription,
    concurrency,
    define_hook,
    define_route,
    orders,
)
from flask_sse_routes.publishing import CONTROL_CHANNEL
from flask_sse_routes.testing import StreamTimeout, TestStream

from .sites import NOT_JSON, FlakyBroker, MortalBroker, Site, sleep_for_ever, user_of


def open_as(site: Site, user: str, *channels: str) -> TestStream:
    stream = site.open(*channels, headers={"X-User": user})
    stream.next()
    return stream


def check_revoked(stream: TestStream) -> None:
    events = list(stream)
    assert [event.event for event in events] == ["error"]
    assert json.loads(events[0].data)["status"] == 403
    assert str(events[0].id).endswith("~end")
    stream.close()


def check_open(site: Site, streams: dict[TestStream, str]) -> None:
    """Each of the streams still brings what is published on its channel."""
    for stream, channel in streams.items():
        id_ = site.publish(channel, "still here")
        while stream.next().id != id_:
            pass
        stream.close()


@pytest.fixture(name="crowd")
def crowd(make_site: Any, broker_url: str) -> tuple[Site, dict[str, TestStream]]:
    site = make_site(identify=user_of, SSE_BROKER_URL=broker_url)
    streams = {
        f"{user} {channels}": open_as(site, user, *channels)
        for user, channels in (("ann", "a"), ("ann", "bc"), ("bob", "a"), ("bob", "c"))
    }
    return site, streams


@pytest.mark.parametrize(
    ("order", "revoked"),
    [
        ({"user": "ann"}, {"ann a", "ann bc"}),
        ({"channel": "a"}, {"ann a", "bob a"}),
        ({"channel": "c"}, {"ann bc", "bob c"}),
        ({"user": "bob", "channel": "a"}, {"bob a"}),
        ({"user": "nobody"}, set()),
        ({"channel": "ab"}, set()),
    ],
)
def test_the_streams_that_match_end_for_good(
    crowd: tuple[Site, dict[str, TestStream]], order: dict[str, str], revoked: set[str]
) -> None:
    site, streams = crowd
    site.sse.revoke(**order)
    for name in revoked:
        check_revoked(streams[name])
    check_open(site, {s: name[4] for name, s in streams.items() if name not in revoked})
    assert site.sse.stats().ended.get("error", 0) == len(revoked)


def test_a_client_that_comes_back_afterwards_is_not_let_in_by_its_id(site: Site) -> None:
    with site.open("a") as stream:
        stream.next()
        site.sse.revoke(channel="a")
        assert stream.next().event == "error"
        id_ = stream.last_event_id
    assert site.open("a", after=id_).status == 204


def test_it_reaches_other_processes_apps(make_site: Any, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    here, there = (make_site(identify=user_of, SSE_BROKER_URL=url) for _ in range(2))
    stream = open_as(there, "ann", "a")
    here.sse.revoke(user="ann")
    check_revoked(stream)


def test_it_ends_streams_of_generators_too(make_site: Any) -> None:
    site = make_site({"sleep": define_route(sleep_for_ever, kind="sse")}, identify=user_of)
    stream = site.client.open("/api/sleep", headers={"X-User": "ann"})
    stream.next()
    site.sse.revoke(user="ann")
    check_revoked(stream)


def test_many_at_once(make_site: Any) -> None:
    site = make_site(identify=user_of)
    stream = open_as(site, "the last one", "a")
    with site.channels.hub.lock:  # the tail reads them all at once
        for n in range(600):
            site.sse.revoke(user=f"user {n}")
        site.sse.revoke(user="the last one")
    check_revoked(stream)


@pytest.mark.parametrize("user", [7, ("team", 3), uuid.UUID(int=5), True])
def test_a_user_may_be_any_value_that_json_can_tell(make_site: Any, user: Any) -> None:
    site = make_site(identify=lambda request: user)
    stream = site.open("a")
    stream.next()
    site.sse.revoke(user=user)
    check_revoked(stream)


def test_an_order_from_before_a_stream_is_none_of_its_business(site: Site) -> None:
    site.sse.revoke(channel="a")
    with site.open("a") as stream:
        assert stream.next().event == "ready"
        with pytest.raises(StreamTimeout):
            stream.next(0.05)


def test_nobody_can_be_revoked_by_publishing(make_site: Any) -> None:
    site = make_site(identify=user_of)
    stream = open_as(site, "ann", "a")
    with pytest.raises(ValueError, match="channel"):
        site.publish("\x00control", {"revoke": {"user": "ann", "channel": None}})
    site.publish("control", {"revoke": {"user": "ann", "channel": None}})
    check_open(site, {stream: "a"})


def test_it_needs_to_know_whom(site: Site) -> None:
    with pytest.raises(ValueError, match="user"):
        site.sse.revoke()


def check_sent_back(stream: TestStream) -> None:
    """It ended for its client to come back: with neither `end` nor `error`."""
    names = [event.event for event in stream]
    assert not {"end", "error"} & set(names), names
    assert 500 <= (stream.retry or 0) <= 3000
    stream.close()


def test_streams_of_users_are_checked_anew_when_the_broker_was_away_at_the_first(
    make_site: Any, flaky: FlakyBroker, eventually: Any
) -> None:
    """What was revoked until orders could be followed may have been missed."""
    site = make_site({"sleep": define_route(sleep_for_ever, kind="sse")}, identify=user_of)
    flaky.away = True
    anns = site.client.open("/api/sleep", headers={"X-User": "ann"})
    nobodys = site.client.open("/api/sleep")
    assert (anns.next().data, nobodys.next().data) == ('"here"', '"here"')
    tried = flaky.failures
    eventually(lambda: flaky.failures > tried + 2)
    assert site.sse.stats().ended == {}
    flaky.away = False
    check_sent_back(anns)
    eventually(lambda: site.sse.stats().ended == {"shutdown": 1})
    again = open_as(site, "ann", "a")
    site.sse.revoke(user="ann")
    check_revoked(again)
    assert site.sse.stats().streams == 1
    nobodys.close()


def test_streams_of_users_are_checked_anew_when_the_log_is_lost(
    make_site: Any, mortal: MortalBroker, eventually: Any
) -> None:
    site = make_site({"sleep": define_route(sleep_for_ever, kind="sse")}, identify=user_of)
    anns = open_as(site, "ann", "a")
    sleeping = site.client.open("/api/sleep", headers={"X-User": "bob"})
    sleeping.next()
    nobodys, idle = site.open("a"), site.client.open("/api/sleep")
    nobodys.next(), idle.next()
    mortal.die()
    check_sent_back(anns)
    check_sent_back(sleeping)
    assert (nobodys.next().event, nobodys.received[-1].data) == ("reset", '{"reason":"epoch"}')
    eventually(lambda: site.sse.stats().ended == {"shutdown": 2})
    again = open_as(site, "ann", "a")
    site.sse.revoke(user="ann")
    check_revoked(again)
    check_open(site, {nobodys: "a"})
    idle.close()


@pytest.mark.parametrize(
    "body",
    [
        *NOT_JSON, b"named\n1", b"\nnull", b"\n[]", b'\n"text"', b"\n{}",
        b'\n{"revoke":null}', b'\n{"revoke":{}}', b'\n{"revoke":{"user":"ann"}}',
        b'\n{"revoke":["ann",null]}', b'\n{"revoke":{"user":[{}],"channel":[{}]}}',
    ],
    ids=range(len(NOT_JSON) + 10),
)  # fmt: skip
@pytest.mark.parametrize("together", [False, True])
def test_an_order_that_is_none_is_left_out(
    make_site: Any,
    flaky: FlakyBroker,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    together: bool,
) -> None:
    site = make_site(identify=user_of)
    anns, bobs = open_as(site, "ann", "a"), open_as(site, "bob", "a")
    with site.channels.hub.lock if together else contextlib.nullcontext():
        flaky.append(CONTROL_CHANNEL, body)
        site.sse.revoke(user="ann")
    check_revoked(anns)
    check_open(site, {bobs: "a"})
    harmless = body in (b"named\n1", b'\n{"revoke":{"user":[{}],"channel":[{}]}}')
    told = [r for r in caplog.records if r.levelname == "WARNING" and "left out" in r.getMessage()]
    assert len(told) == (0 if harmless else 1)


def test_orders_are_followed_before_the_hooks_run(make_site: Any, flaky: FlakyBroker) -> None:
    followed: list[bool] = []

    def before(ctx: Context) -> None:
        followed.append(CONTROL_CHANNEL in site.channels.hub.rings)

    hook = define_hook(before=before)
    sleep = define_route(sleep_for_ever, kind="sse", hooks=[hook])
    site: Site = make_site({"sleep": sleep, "plain": define_route(lambda: 1, hooks=[hook])})
    site.client.http.get("/api/plain")
    with site.client.open("/api/sleep") as stream:
        stream.next()
    assert followed == [False, True]


def test_a_log_that_nobody_shares_carries_no_orders(site: Site) -> None:
    with site.open("a") as stream:
        stream.next()
        assert set(site.channels.hub.rings) == {"a"}
        newest = site.channels.broker.newest()
        site.sse.revoke(channel="a")
        assert stream.next(1).event == "error"
        assert site.channels.broker.newest() == newest


class Holder:
    """Holds an opening up until it is told to go on, so that something comes in between."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.gate = threading.Event()

    def wait(self) -> str:
        self.held.set()
        assert self.gate.wait(15)
        return "waited"


def held_routes(holder: Holder, site: Callable[[], Site]) -> dict[str, Route]:
    def subscribed() -> Subscription:
        holder.wait()
        return site().sse.subscribe("a")

    def listening() -> Iterator[Event]:
        holder.wait()
        for event in site().sse.listen("a"):
            yield Event(event.data, id=event.id)

    def follow() -> Subscription:
        return site().sse.subscribe("a")

    def pictured() -> Subscription:
        return site().sse.subscribe("a", snapshot=holder.wait)

    def before(ctx: Context) -> None:
        holder.wait()

    hook = define_hook(before=before)
    return {
        "hook": define_route(follow, kind="sse", hooks=[hook]),
        "sleep": define_route(sleep_for_ever, kind="sse", hooks=[hook]),
        "handler": define_route(subscribed, kind="sse"),
        "snapshot": define_route(pictured, kind="sse"),
        "listen": define_route(listening, kind="sse", open_timeout=0.05),
    }


@pytest.mark.parametrize(
    ("place", "order"),
    [
        *((place, {"user": "ann"}) for place in ("hook", "sleep", "handler", "snapshot", "listen")),
        *((place, {"channel": "a"}) for place in ("hook", "handler", "snapshot", "listen")),
    ],
)
def test_a_stream_that_is_opening_is_revoked_as_well(
    make_site: Any, broker_url: str, place: str, order: dict[str, str]
) -> None:
    """Its hook may have let it pass on grounds that hold no more."""
    holder = Holder()
    site: Site
    site = make_site(held_routes(holder, lambda: site), identify=user_of, SSE_BROKER_URL=broker_url)
    witness = open_as(site, "ann", "a")
    opened: queue.SimpleQueue[TestStream] = queue.SimpleQueue()

    def opening() -> None:
        opened.put(site.client.open(f"/api/{place}", headers={"X-User": "ann"}))

    concurrency.task(opening, "opening").start()
    assert holder.held.wait(10)
    site.sse.revoke(**order)
    check_revoked(witness)  # the order has been carried out here
    holder.gate.set()
    stream = opened.get(timeout=10)
    assert stream.status == 200
    events = [event for event in stream if event.event not in ("ready", "snapshot")]
    assert [event.event for event in events] == ["error"]
    assert json.loads(events[0].data)["status"] == 403
    stream.close()


def test_an_order_of_another_user_does_not_end_an_opening_stream(make_site: Any) -> None:
    holder = Holder()
    site: Site
    site = make_site(held_routes(holder, lambda: site), identify=user_of)
    opened: queue.SimpleQueue[TestStream] = queue.SimpleQueue()
    concurrency.task(
        lambda: opened.put(site.client.open("/api/hook", headers={"X-User": "ann"})), "opening"
    ).start()
    assert holder.held.wait(10)
    site.sse.revoke(user="bob")
    site.sse.revoke(user="ann", channel="b")
    holder.gate.set()
    check_open(site, {opened.get(timeout=10): "a"})


def test_no_order_is_forgotten_while_a_stream_opens(
    make_site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is revoked, or sent back to have its hooks ask again."""
    monkeypatch.setattr(orders, "MAX_ORDERS", 20)
    holder = Holder()
    site: Site
    site = make_site(held_routes(holder, lambda: site), identify=user_of)
    opened: queue.SimpleQueue[TestStream] = queue.SimpleQueue()
    concurrency.task(
        lambda: opened.put(site.client.open("/api/hook", headers={"X-User": "ann"})), "opening"
    ).start()
    assert holder.held.wait(10)
    for n in range(100):
        site.sse.revoke(user="ann" if n == 50 else f"user {n}")
    holder.gate.set()
    with opened.get(timeout=10) as stream:
        assert {event.event for event in stream} <= {"ready", "error"}
        site.publish("a", "secret")
        assert "secret" not in stream.raw.decode()


@pytest.mark.parametrize("order", [{"channel": "b"}, {"user": "ann", "channel": "b"}])
def test_it_ends_a_generator_that_listens(
    make_site: Any, broker_url: str, order: dict[str, str]
) -> None:
    def relay(channel: list[str]) -> Iterator[Event]:
        for event in site.sse.listen(*channel):
            yield Event(event.data, id=event.id)

    site: Site
    site = make_site(
        {"relay": define_route(relay, kind="sse")}, identify=user_of, SSE_BROKER_URL=broker_url
    )
    streams = [
        site.client.open(f"/api/relay?channel=a&channel={last}", headers={"X-User": "ann"})
        for last in "bc"
    ]
    for stream in streams:
        assert stream.next().event == "ready"
    site.sse.revoke(**order)
    check_revoked(streams[0])
    check_open(site, {streams[1]: "a"})
