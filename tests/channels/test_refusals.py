"""What publishing, revoking and following refuse, so that nothing is lost or ended in silence."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from flask_sse_routes import (
    ConfigError,
    Event,
    EventError,
    OutputError,
    broker_from_url,
    define_route,
)
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.publishing import CONTROL_CHANNEL
from flask_sse_routes.streams import PROCESS
from flask_sse_routes.testing import TestStream

from .sites import FlakyBroker, Site, sleep_for_ever, user_of


class Nobody(pydantic.RootModel[None]):
    root: None = None


class Everybody:
    """Streams of two users and of nobody, on a channel and on none."""

    def __init__(self, make_site: Any, **config: Any) -> None:
        routes = {"sleep": define_route(sleep_for_ever, kind="sse")}
        self.site: Site = make_site(routes, identify=user_of, **config)
        self.streams: list[TestStream] = []
        for user in ("ann", "bob", None):
            headers = {"X-User": user} if user else {}
            self.streams.append(self.site.open("a", headers=headers))
            self.streams.append(self.site.client.open("/api/sleep", headers=headers))
        for stream in self.streams:
            stream.next()

    def check_open(self, eventually: Any) -> None:
        """An order that is carried out comes after all that came before it; bob ends by it."""
        self.site.sse.revoke(user="bob")
        for stream in self.streams[2:4]:
            assert stream.next().event == "error"
        stats = runtime_of(self.site.app).streams.stats
        eventually(lambda: stats().ended == {"error": 2})
        assert stats().streams == 4
        for stream in self.streams:
            stream.close()


# --- revoking


def test_a_user_that_is_null_in_json_is_nobody(
    make_site: Any, broker_url: str, eventually: Any
) -> None:
    everybody = Everybody(make_site, SSE_BROKER_URL=broker_url)
    for user in (math.nan, math.inf, -math.inf, Nobody()):
        for channel in (None, "a"):
            with pytest.raises(ValueError, match="null in JSON"):
                everybody.site.sse.revoke(user=user, channel=channel)
    everybody.check_open(eventually)


def test_an_order_of_nobody_anywhere_is_none(
    make_site: Any, flaky: FlakyBroker, eventually: Any
) -> None:
    everybody = Everybody(make_site)
    flaky.append(CONTROL_CHANNEL, b'\n{"revoke":{"user":null,"channel":null}}')
    runtime_of(everybody.site.app).streams.revoke(None, None)
    everybody.check_open(eventually)


@pytest.mark.parametrize("user", [0, "", False, [], {}])
def test_users_that_are_merely_false_can_be_revoked(make_site: Any, user: Any) -> None:
    site = make_site(identify=lambda request: user)
    with site.open("a") as stream:
        stream.next()
        site.sse.revoke(user=user)
        assert stream.next().event == "error"


def test_a_channel_that_cannot_be_is_not_revoked_in_silence(
    make_site: Any, broker_url: str, eventually: Any
) -> None:
    everybody = Everybody(make_site, SSE_BROKER_URL=broker_url)
    for name in (5, True, b"a", ["a"], "", "a\n", "\0", CONTROL_CHANNEL, "x" * 256, "\ud800"):
        for user in (None, "ann"):
            with pytest.raises(ValueError, match=r"[Cc]hannel"):
                everybody.site.sse.revoke(user=user, channel=name)
    everybody.check_open(eventually)


def test_a_user_that_json_cannot_tell_is_refused(
    make_site: Any, broker_url: str, eventually: Any
) -> None:
    everybody = Everybody(make_site, SSE_BROKER_URL=broker_url)
    with pytest.raises(OutputError):
        everybody.site.sse.revoke(user=object())
    everybody.check_open(eventually)


# --- publishing


@pytest.mark.parametrize(
    "event", [Event({"x": 1}, event="created"), Event(raw="text"), Event(comment="hello")]
)
@pytest.mark.parametrize("name", [None, "created"])
def test_an_event_is_not_published_within_another(
    site: Site, tmp_path: Any, event: Event, name: str | None
) -> None:
    broker = broker_from_url(f"sqlite:///{tmp_path}/events.db")
    for publish in (site.publish, broker.publish):
        with pytest.raises(EventError, match="data, with event= for its name"):
            publish("a", event, event=name)
    assert site.sse.history("a") == []
    assert broker.read("a", 0, 10).entries == []
    broker.close()


# --- several processes, which memory:// does not join

USES: dict[str, Callable[[Site], Any]] = {
    "publish": lambda site: site.publish("a", 1),
    "subscribe": lambda site: site.sse.subscribe("a"),
    "listen": lambda site: site.sse.listen("a").close(),
    "history": lambda site: site.sse.history("a"),
    "revoke": lambda site: site.sse.revoke(channel="a"),
}
SEVERAL = {"wsgi.multiprocess": True}


@pytest.fixture(name="plain")
def plain(make_site: Any, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with views of plain Flask, in a process that has seen no request yet."""
    monkeypatch.setattr(PROCESS, "multiprocess", False)
    site: Site = make_site()

    @site.app.get("/plain/<use>")
    def view(use: str) -> str:
        try:
            USES[use](site)
        except ConfigError as error:
            return str(error)
        return "done"

    return site


@pytest.mark.parametrize("use", USES)
def test_the_first_request_of_a_worker_may_be_a_plain_view(plain: Site, use: str) -> None:
    answer = plain.client.http.get(f"/plain/{use}", environ_overrides=SEVERAL).text
    assert "memory://" in answer
    assert "sqlite:///" in answer
    assert plain.channels.broker.newest().seq == 0
    # What it has learned holds without a request, too.
    with pytest.raises(ConfigError):
        USES[use](plain)


@pytest.mark.parametrize("use", USES)
def test_one_process_may_use_memory_in_a_plain_view(plain: Site, use: str) -> None:
    assert plain.client.http.get(f"/plain/{use}").text == "done"


@pytest.mark.parametrize("use", USES)
def test_other_brokers_join_several_processes(
    make_site: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, use: str
) -> None:
    monkeypatch.setattr(PROCESS, "multiprocess", False)
    site: Site = make_site(SSE_BROKER_URL=f"sqlite:///{tmp_path}/events.db")
    with site.app.test_request_context(environ_overrides=SEVERAL):
        USES[use](site)
    assert PROCESS.multiprocess


# --- snapshots


def pictured(make_site: Any, picture: Callable[[], Any], **config: Any) -> Site:
    site: Site
    route = define_route(lambda: site.sse.subscribe("a", snapshot=picture), kind="sse")
    site = make_site({"state": route}, **config)
    return site


@pytest.mark.parametrize(
    ("fits", "too_large"),
    [
        ("x" * 98, "x" * 99),
        ("ä" * 49, "ä" * 49 + "x"),  # bytes count
        ("\u2028" * 16, "\u2028" * 17),  # as they are sent: six bytes each
        ([1] * 49, [1] * 50),
    ],
)
def test_a_snapshot_has_the_largest_size_of_an_event(
    make_site: Any, fits: Any, too_large: Any
) -> None:
    site = pictured(make_site, lambda: fits, SSE_MAX_EVENT_BYTES=100)
    with site.client.open("/api/state") as stream:
        assert (stream.next().event, json.loads(stream.received[-1].data)) == ("snapshot", fits)
    site = pictured(make_site, lambda: too_large, SSE_MAX_EVENT_BYTES=100)
    with site.client.open("/api/state") as stream:
        assert stream.status == 500


def test_one_that_is_too_large_is_an_error_before_the_first_byte(
    make_site: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """A stream begins with it: there is no later one."""
    site = pictured(make_site, lambda: "x" * 3 * 2**20)
    first = site.publish("a", 1)
    answer = site.client.http.get("/api/state", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "SSE_MAX_EVENT_BYTES" not in answer.text
    assert answer.json["error_id"] in caplog.text
    assert "larger than SSE_MAX_EVENT_BYTES (1048576)" in caplog.text
    stats = site.sse.stats()
    assert (stats.streams, stats.ended) == (0, {})
    assert not site.channels.hub.rings.get("a")
    with site.client.open("/api/state", last_event_id=first) as stream:
        new = site.publish("a", 2)
        assert stream.next().id == new, "one that resumes takes none"
    site.app.config["TESTING"] = True
    with pytest.raises(EventError, match="SSE_MAX_EVENT_BYTES"):
        site.client.http.get("/api/state")
    eventually(lambda: not site.channels.hub.rings.get("a"))
