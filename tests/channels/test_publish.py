"""Publishing: ids, what is refused, and the history."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from flask_sse_routes import (
    ConfigError,
    EventError,
    OutputError,
    PositionGone,
    SSERoutes,
    StreamError,
    broker_from_url,
    define_route,
)
from flask_sse_routes.streams import PROCESS

from .sites import FlakyBroker, Site, numbers


@pytest.fixture(name="several_processes")
def several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package has learned of the server does not outlive the test."""
    monkeypatch.setattr(PROCESS, "multiprocess", False)


def test_ids_are_an_epoch_and_a_seq_that_grows_over_all_channels(
    make_site: Any, broker_url: str
) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    ids = [site.publish(channel, n) for n, channel in enumerate("abcab")]
    assert all(re.fullmatch(r"[0-9a-z]+-[1-9][0-9]*", each) for each in ids)
    assert len({each.split("-")[0] for each in ids}) == 1
    seqs = [int(each.split("-")[1]) for each in ids]
    assert seqs == sorted(set(seqs))


@pytest.mark.parametrize(
    "name", ["a", "user:7", "ö" * 127, "x" * 255, " ", "a/b?c#d", "{}", "*", "日本語", "a\u2028b"]
)
def test_a_channel_may_have_any_name(make_site: Any, broker_url: str, name: str) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open(name) as stream:
        assert stream.next().event == "ready"
        id_ = site.publish(name, "hello")
        assert stream.next().id == id_
    assert [event.data for event in site.sse.history(name)] == ["hello"]


@pytest.mark.parametrize(
    "name",
    ["", "a\n", "a\0", "\x00control", "\x7f", "\x85", "\ud800", "x" * 256, "ö" * 128, 7, None],
)
def test_other_names_are_refused_everywhere(site: Site, name: Any) -> None:
    for use in (
        lambda: site.publish(name, 1),
        lambda: site.sse.subscribe(name),
        lambda: site.sse.history(name),
        lambda: site.sse.listen(name),
    ):
        with pytest.raises(ValueError, match=r"[Cc]hannel"):
            use()


def test_a_subscription_names_a_channel_or_more_up_to_a_limit(site: Site) -> None:
    with pytest.raises(ValueError, match="at least one"):
        site.sse.subscribe()
    assert len(site.sse.subscribe(*map(str, range(1000))).channels) == 1000
    with pytest.raises(ValueError, match="1000"):
        site.sse.subscribe(*map(str, range(1001)))
    assert site.sse.subscribe("a", "b", "a").channels == ("a", "b")


@pytest.mark.parametrize("name", ["ready", "snapshot", "reset", "error", "end", "a\nb", "", "\0"])
def test_event_names_that_cannot_be_sent_are_refused(site: Site, name: str) -> None:
    with pytest.raises(EventError):
        site.publish("a", 1, event=name)
    assert site.sse.history("a") == []


def test_data_that_is_no_json_is_refused(site: Site) -> None:
    for data in (object(), {"a": object()}):
        with pytest.raises((OutputError, EventError)):
            site.publish("a", data)
    assert site.sse.history("a") == []


def test_an_event_has_a_largest_size(make_site: Any) -> None:
    site = make_site(SSE_MAX_EVENT_BYTES=100)
    site.publish("a", "x" * 98)
    for size in (99, 10_000):
        with pytest.raises(EventError, match="SSE_MAX_EVENT_BYTES"):
            site.publish("a", "x" * size)
    assert len(site.sse.history("a")) == 1


@pytest.mark.parametrize(
    "data", [None, "text", "a\nb\r\nc\rd", "\u0085\u2028\u2029", {"ö": [1, 2.5, True, None]}, ""]
)
def test_data_arrives_as_it_was_given(make_site: Any, broker_url: str, data: Any) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open("a") as stream:
        stream.next()
        site.publish("a", data, event="named")
        event = stream.next()
        assert (event.event, json.loads(event.data)) == ("named", data)
    assert [(e.event, e.data) for e in site.sse.history("a")] == [("named", data)]


def test_history_is_read_from_an_id_or_from_the_end(make_site: Any, broker_url: str) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    ids = [site.publish("ab"[n % 2], n) for n in range(20)]
    assert [e.data for e in site.sse.history("a", limit=3)] == [14, 16, 18]
    assert [e.data for e in site.sse.history("a", after=ids[15])] == [16, 18]
    assert [e.data for e in site.sse.history("a", after=ids[0], limit=2)] == [2, 4]
    assert [e.id for e in site.sse.history("b", limit=1)] == [ids[19]]
    assert site.sse.history("c") == []
    for limit in (0, -1, 1001):
        with pytest.raises(ValueError, match="limit"):
            site.sse.history("a", limit=limit)


@pytest.mark.parametrize("after", ["", "garbage", "other-1", "{epoch}-3", "x" * 300])
def test_history_after_an_id_that_nobody_has_is_gone(
    make_site: Any, broker_url: str, after: str
) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    first, last = (site.publish("a", n) for n in range(2))
    with pytest.raises(PositionGone) as gone:
        site.sse.history("a", after=after.format(epoch=first.split("-")[0]))
    assert (gone.value.reason, gone.value.status) == ("epoch", 410)
    assert isinstance(gone.value, StreamError)
    assert site.sse.history("a", after=last) == []


def test_history_that_lost_entries_after_an_id_is_gone(make_site: Any) -> None:
    site: Site
    recent = define_route(lambda after: len(site.sse.history("a", after=after)))
    site = make_site({"recent": recent}, SSE_HISTORY=10)
    ids = [site.publish("a", n) for n in range(30)]
    quiet = site.publish("b", "of which nothing was removed")
    assert [e.id for e in site.sse.history("a", after=ids[19])] == ids[20:]
    with pytest.raises(PositionGone) as gone:
        site.sse.history("a", after=ids[18])
    assert (gone.value.reason, gone.value.status) == ("trimmed", 410)
    assert [e.id for e in site.sse.history("b", after=ids[0])] == [quiet]
    assert site.client.http.get(f"/api/recent?after={ids[19]}").json == 10
    answer = site.client.http.get(f"/api/recent?after={ids[18]}")
    assert (answer.status_code, answer.content_type) == (410, "application/problem+json")


def test_the_end_of_a_long_history_is_its_end(make_site: Any) -> None:
    site = make_site(SSE_HISTORY=20_000)
    for n in range(11_000):
        site.publish("a", n)
    assert [e.data for e in site.sse.history("a", limit=2)] == [10_998, 10_999]


def test_publishing_needs_no_request_but_must_know_the_app(site: Site) -> None:
    assert site.sse.publish("a", 1)
    with pytest.raises(RuntimeError, match="Which app"):
        SSERoutes().publish("a", 1)
    with site.app.app_context():
        assert SSERoutes().publish("a", 2)
    assert [e.data for e in site.sse.history("a")] == [1, 2]


def test_what_a_broker_of_its_own_appends_is_followed(make_site: Any, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    first, second = make_site(SSE_BROKER_URL=url), make_site(SSE_BROKER_URL=url)
    with first.open("a") as stream:
        stream.next()
        id_ = second.publish("a", "from elsewhere")
        event = stream.next()
        assert (event.id, json.loads(event.data)) == (id_, "from elsewhere")
        broker = broker_from_url(url)
        id_ = broker.publish("a", {"without": "an app"}, event="named")
        broker.close()
        event = stream.next()
        assert (event.id, event.event) == (id_, "named")
        assert json.loads(event.data) == {"without": "an app"}


@pytest.mark.usefixtures("several_processes")
def test_memory_is_refused_where_there_are_several_processes(make_site: Any) -> None:
    said: list[str] = []

    def tell(use: Any) -> Any:
        try:
            return use()
        except ConfigError as error:
            said.append(str(error))
            raise

    site: Site
    routes = {
        "publish": define_route(lambda: tell(lambda: site.publish("a", 1)), method="POST"),
        "subscribe": define_route(lambda: tell(lambda: site.sse.subscribe("a")), kind="sse"),
        "history": define_route(lambda: tell(lambda: site.sse.history("a"))),
    }
    site = make_site(routes)
    several = {"wsgi.multiprocess": True}
    for method, path in (("POST", "publish"), ("GET", "subscribe"), ("GET", "history")):
        response = site.client.http.open(f"/api/{path}", method=method, environ_overrides=several)
        assert response.status_code == 500
    assert len(said) == 3
    assert all("sqlite:///" in text and "SSE_BROKER_URL" in text for text in said)


@pytest.mark.usefixtures("several_processes")
def test_other_brokers_serve_several_processes(make_site: Any, tmp_path: Any) -> None:
    site = make_site(SSE_BROKER_URL=f"sqlite:///{tmp_path}/events.db")
    with site.open("a", environ_overrides={"wsgi.multiprocess": True}) as stream:
        assert stream.next().event == "ready"


def test_publishing_in_a_request_while_the_broker_is_away(
    make_site: Any, flaky: FlakyBroker
) -> None:
    site: Site
    routes = {"publish": define_route(lambda: site.publish("a", 1), method="POST")}
    site = make_site(routes)
    flaky.away = True
    response = site.client.http.post("/api/publish")
    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    assert "away" not in response.text
    flaky.away = False
    assert site.client.http.post("/api/publish").status_code == 200
    assert numbers(site.sse.history("a")) == [1]


def test_a_handler_may_publish_while_it_streams(make_site: Any) -> None:
    def chat() -> Iterator[str]:
        yield site.publish("a", "said")

    site: Site = make_site({"chat": define_route(chat, kind="sse")})
    with site.open("a") as stream, site.client.open("/api/chat") as talk:
        stream.next()
        assert stream.next().id == talk.json()
