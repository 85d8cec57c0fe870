"""Revoking: which streams end, how, and in which processes."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from flask_sse_routes import define_route
from flask_sse_routes.testing import StreamTimeout, TestStream

from .sites import FlakyBroker, Site, sleep_for_ever, user_of


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


def test_the_first_stream_may_open_while_the_broker_is_away(
    make_site: Any, flaky: FlakyBroker
) -> None:
    """Then orders are obeyed from the next stream on."""
    site = make_site({"sleep": define_route(sleep_for_ever, kind="sse")}, identify=user_of)
    flaky.away = True
    first = site.client.open("/api/sleep", headers={"X-User": "ann"})
    first.next()
    flaky.away = False
    second = open_as(site, "bob", "a")
    site.sse.revoke(user="ann")
    check_revoked(first)
    second.close()
