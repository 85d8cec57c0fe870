"""`where=`: a filter of one subscriber, which holds up nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flask_sse_routes import Event, concurrency, define_route, rings

from .sites import NOT_JSON, Site, events_of, take

BEHIND = 1500


@pytest.fixture(name="filtered")
def filtered(make_site: Any) -> Callable[..., Site]:
    """Make a site whose route `some` follows `a` through a filter."""

    def make(where: Callable[[Event], bool], **config: Any) -> Site:
        some = define_route(lambda: site.sse.subscribe("a", where=where), kind="sse")
        site: Site = make_site({"some": some}, **config)
        return site

    return make


def test_where_lets_pass_what_it_says(make_site: Any, broker_url: str) -> None:
    seen: list[Event] = []

    def wanted(event: Event) -> bool:
        seen.append(event)
        return bool(event.data["n"] % 7 == 0)

    site: Site
    follow = define_route(lambda: site.sse.subscribe("a", where=wanted), kind="sse")
    site = make_site({"some": follow}, SSE_BROKER_URL=broker_url, SSE_HISTORY=10_000)
    first = site.publish("a", {"n": -1})
    old = [site.publish("a", {"n": n}, event="number") for n in range(BEHIND)]
    with site.client.open("/api/some", last_event_id=first) as stream:
        assert [event.id for event in take(stream, len(old[::7]))] == old[::7]
        site.publish("a", {"n": 1})
        new = site.publish("a", {"n": 7})
        assert stream.next().id == new
    assert {(type(e.id), e.event) for e in seen} == {(str, "number"), (str, None)}


@pytest.mark.parametrize("behind", [0, 1, 600])
def test_a_where_that_fails_ends_the_stream_with_an_error(
    make_site: Any, eventually: Any, behind: int
) -> None:
    def fail(event: Event) -> bool:
        return bool(event.data["n"] < 599 or event.data["missing"])

    some = define_route(lambda: site.sse.subscribe("a", where=fail), kind="sse")
    site: Site = make_site({"some": some})
    first = site.publish("a", {"n": -1})
    for n in range(behind):
        site.publish("a", {"n": n if behind > 1 else 599})
    stream = site.client.open("/api/some", last_event_id=first)
    assert stream.status == 200
    if not behind:
        site.publish("a", {"n": 599})
    events = list(stream)
    assert events[-1].event == "error"
    sent = [json.loads(event.data)["n"] for event in events[:-1] if event.event != "ready"]
    assert sent == list(range(len(sent)))
    assert len(sent) >= 500 if behind > 1 else not sent
    assert str(events[-1].id).endswith("~end")
    assert "missing" not in events[-1].data
    stream.close()
    eventually(lambda: site.sse.stats().ended == {"error": 1})


def test_what_is_no_json_is_left_out(
    filtered: Any, broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = filtered(lambda event: event.data != "no", SSE_BROKER_URL=broker_url)
    for resumes in (False, True):
        with site.client.open(
            "/api/some", last_event_id=site.publish("a", 0) if resumes else None
        ) as stream:
            if not resumes:
                assert stream.next().event == "ready"
            for body in NOT_JSON:
                site.channels.broker.append("a", body)
            site.publish("a", "no")
            new = site.publish("a", "yes")
            assert stream.next().id == new
    left = [r for r in caplog.records if "not JSON" in r.getMessage()]
    assert len(left) == 2 * len(NOT_JSON)


def test_a_filter_holds_up_nobody_on_another_channel(filtered: Any, eventually: Any) -> None:
    served: list[Any] = []

    def wait(event: Event) -> bool:
        publishing = concurrency.task(lambda: site.publish("b", "meanwhile"), "publisher")
        publishing.start()
        served.append(other.next(10).data)
        return True

    site = filtered(wait)
    with site.open("b") as other, site.client.open("/api/some") as stream:
        other.next(), stream.next()
        new = site.publish("a", 1)
        assert stream.next(15).id == new
    assert served == ['"meanwhile"']


def test_one_that_passes_after_many_that_do_not_comes_at_once(filtered: Any) -> None:
    site = filtered(lambda event: event.data == "the one")
    with site.client.open("/api/some") as stream:
        stream.next()
        with site.channels.hub.lock:  # the tail reads them all at once
            for n in range(rings.HANDFUL + 100):
                site.publish("a", n)
            wanted = site.publish("a", "the one")
        assert stream.next().id == wanted


def test_a_resumed_one_that_passes_after_many_comes_at_once(filtered: Any) -> None:
    site = filtered(lambda event: event.data == "the one", SSE_HISTORY=10_000)
    first = site.publish("a", "the one")
    for n in range(BEHIND):
        site.publish("a", n)
    wanted = site.publish("a", "the one")
    with site.client.open("/api/some", last_event_id=first) as stream:
        assert stream.next().id == wanted


def test_a_filter_in_front_of_a_slow_client_loses_nothing(
    filtered: Any, wsgi: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", 16)
    site = filtered(lambda event: event.data % 3 == 0, SSE_HISTORY=10_000, SSE_HEARTBEAT=0.5)
    slow = wsgi(site.app, "/api/some")
    events_of(slow, 1)
    for n in range(BEHIND):
        site.publish("a", n)
    eventually(lambda: site.channels.hub.rings["a"].since > BEHIND / 2)
    got = [json.loads(event.data) for event in events_of(slow, BEHIND // 3)]
    assert got == list(range(0, BEHIND, 3))
