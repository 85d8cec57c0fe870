"""The demo application, in this process: its page, its routes and what they refuse."""

import json
import logging
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app, logs
from app.primes import Tally, primes_up_to
from flask_sse_routes.testing import TestStream, sse_client

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
LIMIT = 10_000


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log's handler belongs to the process: each test leaves none."""
    monkeypatch.setattr(logs.handler, "app", None)
    root = logging.getLogger()
    level = root.level
    yield
    root.removeHandler(logs.handler)
    root.setLevel(level)


@pytest.fixture(name="app")
def make_app() -> Flask:
    return create_app({"TESTING": True, "SSE_BROKER_URL": "memory://"})


@pytest.fixture(name="client")
def make_client(app: Flask) -> FlaskClient:
    return app.test_client()


class Page(HTMLParser):
    """What a page refers to, and what the policy would refuse."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        for name, value in attrs:
            if name in ("src", "href"):
                self.references.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(f"<{tag} {name}>")

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(f"<{self._within}>{data}")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""


def test_page_keeps_to_its_policy(client: FlaskClient) -> None:
    response = client.get("/")
    page = Page(response.text)
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == POLICY
    assert page.inline == []
    assert page.references
    assert all(reference.startswith("/") for reference in page.references)


def test_page_refers_to_all_static_files_and_they_are_there(
    app: Flask, client: FlaskClient
) -> None:
    folder = Path(app.static_folder or "")
    files = {f"/static/{file.relative_to(folder)}" for file in folder.rglob("*") if file.is_file()}
    assert files == set(Page(client.get("/").text).references)
    for file in files:
        with client.get(file) as response:
            assert response.status_code == 200, file
            assert response.headers["Content-Security-Policy"] == POLICY
            assert response.data


def test_page_shows_text_as_text(app: Flask) -> None:
    script = (Path(app.static_folder or "") / "console.js").read_text()
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert danger not in script


def test_page_lists_every_route(app: Flask, client: FlaskClient) -> None:
    text = client.get("/").text
    views = app.view_functions.keys()
    routes = {view for view in views if view.startswith("api.") and view[4:].isidentifier()}
    rules = [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint in routes]
    rules.remove("/api/explorer")
    assert len(rules) == 9
    for rule in rules:
        assert f"<code>GET {rule}</code>" in text or f"<code>POST {rule}</code>" in text


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("countdown?start=0", "start"),
        ("countdown?start=3601", "start"),
        ("countdown?start=soon", "start"),
        ("task?limit=9999", "limit"),
        ("task?limit=20000001", "limit"),
        ("metrics?interval=0.1", "interval"),
        ("metrics?interval=61", "interval"),
        ("metrics?interval=nan", "interval"),
        ("logs?level=LOUD", "level"),
        ("history?limit=0", "limit"),
    ],
)
def test_query_is_checked(client: FlaskClient, path: str, field: str) -> None:
    response = client.get(f"/api/{path}")
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    assert [error["loc"] for error in response.get_json()["errors"]] == [[field]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": "  \n "}, "message"),
        ({"message": "x" * 201}, "message"),
        ({"message": 7}, "message"),
        ({"message": "x", "level": "loud"}, "level"),
    ],
)
def test_notification_is_checked(client: FlaskClient, body: object, field: str) -> None:
    response = client.post("/api/notify", json=body)
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["loc"][0] == field
    assert client.get("/api/history").get_json() == []


def test_plain_routes_answer(client: FlaskClient) -> None:
    assert client.get("/api/hello").get_json() == {"hello": "world"}
    info = client.get("/api/info").get_json()
    assert info["flask"].startswith("3.")
    assert info["pid"] > 0
    assert info["uptime"] >= 0


def test_notification_reaches_open_streams_and_history(app: Flask, client: FlaskClient) -> None:
    streams = sse_client(app)
    with streams.open("/api/notifications") as one, streams.open("/api/notifications") as two:
        for stream in (one, two):
            event = stream.next()
            assert (event.event, json.loads(event.data)) == ("snapshot", [])
        sent = client.post("/api/notify", json={"message": " <b>hi</b> ", "level": "success"})
        events = [one.next(), two.next()]
    assert [event.id for event in events] == [sent.get_json()["id"]] * 2
    assert json.loads(events[0].data)["message"] == "<b>hi</b>"
    last = client.get("/api/history?limit=1").get_json()
    assert last == [sent.get_json()]
    assert last[0]["level"] == "success"


def test_notifications_resume_after_the_last_one_seen(app: Flask, client: FlaskClient) -> None:
    ids = [_notify(client, f"number {number}") for number in range(10)]
    with sse_client(app).open("/api/notifications", last_event_id=ids[1]) as stream:
        assert [stream.next().id for _ in range(8)] == ids[2:]
        new = _notify(client, "while connected")
        assert stream.next().id == new
    with sse_client(app).open(f"/api/notifications?last_event_id={ids[-1]}") as stream:
        assert stream.next().id == new


def test_notifications_begin_with_the_recent_ones(app: Flask, client: FlaskClient) -> None:
    ids = [_notify(client, f"number {number}") for number in range(10)]
    with sse_client(app).open("/api/notifications") as stream:
        assert [note["id"] for note in stream.json()] == ids[-5:]


@pytest.mark.parametrize("foreign", ["7", "other-3", "-", "{epoch}-x", "{epoch}-999999"])
def test_notifications_of_a_position_that_is_none_begin_anew(
    app: Flask, client: FlaskClient, foreign: str
) -> None:
    old = _notify(client, "old")
    last = foreign.format(epoch=old.partition("-")[0])
    with sse_client(app).open("/api/notifications", last_event_id=last) as stream:
        assert [stream.next().event for _ in range(2)] == ["reset", "snapshot"]
        assert json.loads(stream.received[1].data)[0]["id"] == old
        new = _notify(client, "new")
        assert stream.next().id == new


def test_workers_share_what_is_published(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    one, two = (create_app({"TESTING": True, "SSE_BROKER_URL": url}) for _ in range(2))
    with sse_client(two).open("/api/notifications") as stream:
        assert stream.next().event == "snapshot"
        posted = _notify(one.test_client(), "from the other one")
        assert stream.next().id == posted


def test_the_default_broker_is_a_file_that_workers_share() -> None:
    assert create_app().config["SSE_BROKER_URL"].startswith("sqlite:////")


def test_countdown_counts_down_and_ends(app: Flask) -> None:
    with sse_client(app).open("/api/countdown?start=1") as stream:
        events = list(stream)
    assert [event.event for event in events] == ["message", "message", "end"]
    assert [json.loads(event.data) for event in events] == [{"left": 1}, {"left": 0}, None]
    again = app.test_client().get("/api/countdown", headers={"Last-Event-ID": events[-1].id})
    assert again.status_code == 204


def test_countdown_goes_on_where_the_clock_is(app: Flask) -> None:
    with sse_client(app).open("/api/countdown?start=3600") as stream:
        first = stream.next()
    with sse_client(app).open("/api/countdown?start=3600", last_event_id=first.id) as stream:
        assert stream.next().id.partition("-")[0] == first.id.partition("-")[0]
    with sse_client(app).open("/api/countdown", last_event_id="1000000000.000-5") as stream:
        assert [stream.json(), stream.next().event] == [{"left": 0}, "end"]
    with sse_client(app).open("/api/countdown?start=9", last_event_id="999999999999.999") as stream:
        assert stream.json()["left"] <= 9


def test_task_finds_the_primes(app: Flask) -> None:
    with sse_client(app).open(f"/api/task?limit={LIMIT}") as stream:
        *steps, done, end = list(stream)
    assert {step.event for step in steps} == {"progress"}
    assert (done.event, end.event, end.data) == ("done", "end", "null")
    progress = [json.loads(step.data) for step in steps]
    assert progress == sorted(progress, key=lambda step: step["examined"])
    assert (progress[-1]["percent"], progress[-1]["examined"]) == (100.0, LIMIT)
    result = json.loads(done.data)
    expected = _primes_by_trial(LIMIT)
    assert result.pop("seconds") >= 0
    assert result == {
        "limit": LIMIT,
        "primes": len(expected),
        "largest": expected[-1],
        "twins": sum(b - a == 2 for a, b in pairwise(expected)),
        "widest_gap": max(b - a for a, b in pairwise(expected)),
    }


@pytest.mark.parametrize("limit", [2, 3, 4, 9, 10, 25, 30, 121, 1000])
@pytest.mark.parametrize("step", [1, 2, 7, 5000])
def test_sieve_is_right_however_it_is_cut(limit: int, step: int) -> None:
    tally = Tally(limit)
    for low in range(2, limit + 1, step):
        tally.examine(low, min(low + step, limit + 1))
    expected = _primes_by_trial(limit)
    assert primes_up_to(limit) == expected
    assert (tally.count, tally.largest) == (len(expected), expected[-1])
    assert tally.twins == sum(b - a == 2 for a, b in pairwise(expected))


def test_metrics_are_plausible(app: Flask) -> None:
    with sse_client(app).open("/api/metrics?interval=0.2") as stream:
        first, second = stream.json(), stream.json()
    assert first["at"] < second["at"]
    for now in (first, second):
        assert 0 <= now["cpu"] <= 100
        assert 0 < now["memory"]["used"] < now["memory"]["total"]
        assert 0 < now["disk"]["used"] <= now["disk"]["total"]
        assert min(now["network"].values()) >= 0
        assert now["load"] >= 0


def test_log_is_followed_from_a_level_up(app: Flask) -> None:
    logger = logging.getLogger("somewhere")
    with sse_client(app).open("/api/logs?level=WARNING") as stream:
        assert stream.next().event == "snapshot"
        logger.info("not shown")
        logger.warning("\x1b[33m%s\x1b[0m\x1b[31m is low", "disk")
        line = _line_of("somewhere", stream)
        logger.error("second")
        assert _line_of("somewhere", stream)["message"] == "second"
        last = stream.last_event_id
        logger.error("third")
        assert _line_of("somewhere", stream)["message"] == "third"
    assert (line["message"], line["level"], line["severity"]) == ("disk is low", "WARNING", 30)
    with sse_client(app).open("/api/logs?level=ERROR", last_event_id=last) as stream:
        assert _line_of("somewhere", stream)["message"] == "third"
    with sse_client(app).open("/api/logs?level=ERROR") as stream:
        assert [line["message"] for line in stream.json()] == ["second", "third"]


def test_log_has_no_traceback(app: Flask) -> None:
    with sse_client(app).open("/api/logs?level=ERROR") as stream:
        assert stream.next().event == "snapshot"
        try:
            raise ValueError("a secret")
        except ValueError:
            logging.getLogger("somewhere").exception("it failed")
        assert _line_of("somewhere", stream)["message"] == "it failed"


def test_log_says_how_streams_ended(app: Flask) -> None:
    streams = sse_client(app)
    with streams.open("/api/logs") as log:
        assert log.next().event == "snapshot"
        with streams.open("/api/countdown?start=3600") as stream:
            stream.next()
        assert _line_of("app.streams", log)["message"].startswith("countdown disconnected after ")
        list(streams.open(f"/api/task?limit={LIMIT}"))
        assert _line_of("app.streams", log)["message"].startswith("task completed after ")


def test_second_application_does_not_double_the_log(app: Flask) -> None:
    app = create_app({"TESTING": True, "SSE_BROKER_URL": "memory://"})
    with sse_client(app).open("/api/logs?level=ERROR") as stream:
        assert stream.next().event == "snapshot"
        logging.getLogger("somewhere").error("once")
        logging.getLogger("somewhere").error("then this")
        messages = [_line_of("somewhere", stream)["message"] for _ in range(2)]
    assert messages == ["once", "then this"]


def _notify(client: FlaskClient, message: str) -> str:
    posted: str = client.post("/api/notify", json={"message": message}).get_json()["id"]
    return posted


def _line_of(logger: str, stream: TestStream) -> dict[str, Any]:
    while True:
        line = stream.json()
        if line["logger"] == logger:
            return dict(line)


def _primes_by_trial(limit: int) -> list[int]:
    return [n for n in range(2, limit + 1) if all(n % d for d in range(2, int(n**0.5) + 1))]
