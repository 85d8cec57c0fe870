"""A broker that goes away: who is refused and how, and what open streams notice of it."""

from __future__ import annotations

from typing import Any

import pytest

from flask_sse_routes import BrokerUnavailable

from .sites import FlakyBroker, take


def test_an_event_source_is_told_to_come_back_later(make_site: Any, flaky: FlakyBroker) -> None:
    site = make_site()
    flaky.away = True
    with site.open("a") as stream:
        assert stream.status == 200
        assert stream.headers["SSE-Refused"] == "unavailable"
        assert list(stream) == []
        assert 3000 <= (stream.retry or 0) <= 10_000
    stats = site.sse.stats()
    assert (stats.refused, stats.streams) == (1, 0)


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_any_other_client_gets_a_503(make_site: Any, flaky: FlakyBroker, accept: str) -> None:
    site = make_site()
    flaky.away = True
    response = site.client.http.get("/api/follow?channel=a", headers={"Accept": accept})
    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    assert "SSE-Refused" not in response.headers


@pytest.mark.parametrize("known", [False, True])
def test_a_client_that_resumes_is_refused_likewise(
    make_site: Any, flaky: FlakyBroker, known: bool
) -> None:
    site = make_site()
    position = site.publish("a", 1)
    if known:
        with site.open("a") as stream:
            stream.next()
    missed = site.publish("a", 2)
    flaky.away = True
    with site.open("a", after=position) as stream:
        assert stream.headers["SSE-Refused"] == "unavailable"
    flaky.away = False
    with site.open("a", after=position) as stream:
        assert stream.next().id == missed


def test_open_streams_stay_and_go_on(
    make_site: Any, flaky: FlakyBroker, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site(SSE_HEARTBEAT=0.05)
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        flaky.away = True
        eventually(lambda: flaky.failures > 2)
        beats = stream.heartbeats
        eventually(lambda: stream.heartbeats > beats + 3 and other.heartbeats > 3)
        with pytest.raises(BrokerUnavailable):
            site.publish("a", 1)
        flaky.away = False
        ids = [site.publish("a", n) for n in range(3)]
        assert [event.id for event in take(stream, 3)] == ids
        assert [event.id for event in take(other, 3)] == ids
        assert site.sse.stats().resets == 0
    # The streams are woken first: the second line may come after their events.
    eventually(lambda: len(told(caplog)) == 2)
    assert told(caplog)[1] == "Channels go on."


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "flask_sse_routes.channels"]


def test_one_that_catches_up_waits_for_the_broker(
    make_site: Any, flaky: FlakyBroker, wsgi: Any, eventually: Any
) -> None:
    site = make_site(SSE_HISTORY=10_000)
    ids = [site.publish("a", n) for n in range(700)]
    with site.open("b", after=ids[0]):
        pass
    reader = wsgi(site.app, "/api/follow?channel=a", HTTP_LAST_EVENT_ID=ids[0])
    got = reader.chunk()
    flaky.away = True
    failures = flaky.failures
    while got.count(b"\nid: ") + got.startswith(b"id: ") < 499:
        got += reader.chunk()
    eventually(lambda: flaky.failures > failures + 2)
    flaky.away = False
    while not got.endswith(f"id: {ids[-1]}\ndata: 699\n\n".encode()):
        got += reader.chunk()
    found = [line[4:].decode() for line in got.split(b"\n") if line.startswith(b"id: ")]
    # What the broker holds is asked for by nobody before the client has taken what there was.
    assert found == ids[1:]


def test_revoking_says_that_the_broker_is_away(make_site: Any, flaky: FlakyBroker) -> None:
    site = make_site()
    flaky.away = True
    with pytest.raises(BrokerUnavailable):
        site.sse.revoke(user="u")
    with pytest.raises(BrokerUnavailable):
        site.sse.history("a")
