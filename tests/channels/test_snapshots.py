"""`snapshot=`: what a stream begins with, also when the log begins anew meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flask_sse_routes import define_route
from flask_sse_routes.followers import ChannelSource

from .sites import MortalBroker, Site, take


@pytest.fixture(name="pictured")
def pictured(make_site: Any) -> Callable[..., Site]:
    """Make a site whose route `state` begins with a snapshot."""

    def make(picture: Callable[[], Any], **config: Any) -> Site:
        state = define_route(lambda: site.sse.subscribe("a", snapshot=picture), kind="sse")
        site: Site = make_site({"state": state}, **config)
        return site

    return make


def epoch_of(id_: str | None) -> str:
    return str(id_).split("-")[0]


def test_a_snapshot_comes_first_and_then_what_came_after_it(
    make_site: Any, broker_url: str
) -> None:
    taken: list[int] = []

    def picture() -> Any:
        taken.append(1)
        return {"taken": len(taken), "line": "a\u2028b"}

    site: Site
    routes = {
        "state": define_route(lambda: site.sse.subscribe("a", snapshot=picture), kind="sse"),
    }
    site = make_site(routes, SSE_BROKER_URL=broker_url)
    old = site.publish("a", "old")
    with site.client.open("/api/state") as stream:
        event = stream.next()
        assert (event.event, event.id) == ("snapshot", old)
        assert json.loads(event.data) == {"taken": 1, "line": "a\u2028b"}
        new = site.publish("a", "new")
        assert stream.next().id == new
    with site.client.open("/api/state", last_event_id=event.id) as stream:
        assert stream.next().id == new
    assert len(taken) == 1, "one that resumes has its picture"
    with site.client.open("/api/state", last_event_id="gone-7") as stream:
        assert [e.event for e in take(stream, 2)] == ["reset", "snapshot"]


def test_what_is_published_while_a_snapshot_is_taken_is_not_lost(make_site: Any) -> None:
    during: list[str] = []

    def picture() -> str:
        during.append(site.publish("a", "during"))
        return "picture"

    site: Site
    routes = {"state": define_route(lambda: site.sse.subscribe("a", snapshot=picture), kind="sse")}
    site = make_site(routes)
    with site.client.open("/api/state") as stream:
        assert stream.next().event == "snapshot"
        assert stream.next().id == during[0]


def test_a_snapshot_that_fails_is_an_error_before_the_first_byte(make_site: Any) -> None:
    def picture() -> Any:
        raise LookupError("no picture")

    site: Site
    routes = {"state": define_route(lambda: site.sse.subscribe("a", snapshot=picture), kind="sse")}
    site = make_site(routes)
    stream = site.client.open("/api/state")
    assert stream.status == 500
    stream.close()
    assert not site.channels.hub.rings.get("a")


@pytest.mark.parametrize("resumes", [False, True])
def test_none_is_sent_that_was_taken_before_a_new_epoch(
    pictured: Any, mortal: MortalBroker, eventually: Any, resumes: bool
) -> None:
    taken: list[int] = []

    def picture() -> int:
        taken.append(len(taken) + 1)
        if len(taken) == 1:
            old = mortal.newest().epoch
            mortal.die()
            eventually(lambda: site.channels.hub._position.epoch != old)
        return len(taken)

    site = pictured(picture)
    site.publish("a", "old")
    with site.client.open("/api/state", last_event_id="gone-7" if resumes else None) as stream:
        reset, snapshot = take(stream, 2)
        new = site.publish("a", "new")
        assert stream.next().id == new
    assert (reset.event, snapshot.event, snapshot.data) == ("reset", "snapshot", "2")
    assert epoch_of(reset.id) == epoch_of(snapshot.id) == epoch_of(new)
    assert taken == [1, 2]


@pytest.mark.parametrize("resumes", [False, True])
def test_a_stream_that_meets_a_new_epoch_comes_back_for_another(
    pictured: Any, mortal: MortalBroker, eventually: Any, resumes: bool
) -> None:
    taken: list[int] = []

    def picture() -> int:
        taken.append(len(taken) + 1)
        return len(taken)

    site = pictured(picture)
    first = site.publish("a", "older")
    with site.client.open("/api/state", last_event_id=first if resumes else None) as stream:
        assert resumes or stream.next().event == "snapshot"
        site.publish("a", "old")
        assert stream.next().data == '"old"'
        mortal.die()
        assert list(stream) == [], "it tells neither an end nor a reset"
        assert 500 <= (stream.retry or 0) <= 3000
        last = stream.last_event_id
    eventually(lambda: site.sse.stats().ended == {"shutdown": 1})
    assert not last.endswith("~end")
    with site.client.open("/api/state", last_event_id=last) as stream:
        reset, snapshot = take(stream, 2)
        assert (reset.event, reset.data) == ("reset", '{"reason":"epoch"}')
        assert (snapshot.event, snapshot.data) == ("snapshot", "1" if resumes else "2")
        new = site.publish("a", "new")
        assert stream.next().id == new


def test_a_stream_that_lost_its_place_comes_back_for_another(
    pictured: Any, wsgi: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """What it missed has left the ring and the history."""
    monkeypatch.setattr("flask_sse_routes.rings.RING_ENTRIES", 16)
    site = pictured(lambda: "picture", SSE_HISTORY=50, SSE_HEARTBEAT=0.5)
    slow = wsgi(site.app, "/api/state")
    chunk = b""
    while b"event: snapshot" not in chunk:
        chunk = slow.chunk()
    for n in range(200):
        site.publish("a", n)
    eventually(lambda: site.channels.hub.rings["a"].since > 100)
    rest = slow.rest()
    assert b"event: " not in rest
    assert b"data: " not in rest
    assert b"retry: " in rest


@pytest.mark.parametrize("step", ["_begin", "_begin_with"])
@pytest.mark.parametrize("resumes", [False, True])
def test_no_reset_comes_without_another(
    pictured: Any,
    mortal: MortalBroker,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
    step: str,
    resumes: bool,
) -> None:
    """A new epoch right after any step of the opening: sent again, or fetched by coming back."""
    original: Any = getattr(ChannelSource, step)

    def interrupted(source: ChannelSource, *args: Any) -> None:
        original(source, *args)
        if source.channels == ("a",) and len(mortal._lives) == 1:
            old = source.position.epoch
            mortal.die()
            eventually(lambda: source.position.epoch != old)

    monkeypatch.setattr(ChannelSource, step, interrupted)
    site = pictured(lambda: "picture")
    first = site.publish("a", "old")
    with site.client.open("/api/state", last_event_id=first if resumes else None) as stream:
        if len(mortal._lives) == 1:  # one that resumes takes no picture
            mortal.die()
        site.publish("a", "new")
        names = []
        for event in stream:
            if event.data == '"new"':
                break
            names.append(event.event)
    assert names in ([], ["snapshot"], ["reset", "snapshot"])
