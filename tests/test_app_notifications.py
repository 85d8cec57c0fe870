"""The demo's notifications, in this process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import activity, posting
from app.database import database
from flask_sse_routes.testing import sse_client
from tests.app_fixtures import logging_restored, make_console
from tests.conftest import Eventually


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Iterator[Flask]:
    with logging_restored():
        yield make_console(tmp_path)


@pytest.fixture(name="client")
def make_client(app: Flask) -> FlaskClient:
    return app.test_client()


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
    ids = [_notify(client, f"number {number}") for number in range(12)]
    with sse_client(app).open("/api/notifications") as stream:
        assert [note["id"] for note in stream.json()] == ids[-10:]


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
    one, two = (make_console(tmp_path, SSE_BROKER_URL=url) for _ in range(2))
    with sse_client(two).open("/api/notifications") as stream:
        assert stream.next().event == "snapshot"
        posted = _notify(one.test_client(), "from the other one")
        assert stream.next().id == posted


def _notify(client: FlaskClient, message: str) -> str:
    posted: str = client.post("/api/notify", json={"message": message}).get_json()["id"]
    return posted


def test_notifications_are_read_page_by_page(client: FlaskClient) -> None:
    ids = [_notify(client, f"number {number}") for number in range(7)]
    pages, before = [], ""
    while page := client.get(f"/api/history?limit=3{before}").get_json():
        pages.append([note["id"] for note in page])
        before = f"&before={pages[-1][0]}"
    assert pages == [ids[4:], ids[1:4], ids[:1]]


@pytest.mark.parametrize("before", ["7", "other-3", "<img>", "x" * 256])
def test_nothing_is_before_what_is_not_there(client: FlaskClient, before: str) -> None:
    _notify(client, "old")
    response = client.get("/api/history", query_string={"before": before})
    assert (response.status_code, response.get_json()) == (200, [])


def test_notification_says_who_posted_it(app: Flask) -> None:
    client = make_console(Path(app.config["DATA_FOLDER"]), DEMO_ACCOUNTS=True).test_client()
    _notify(client, "from a stranger")
    client.post("/api/login", json={"name": "alice", "password": "alice-buys"})
    _notify(client, "from alice")
    notes = client.get("/api/history").get_json()
    assert [note["by"] for note in notes] == [None, "alice"]


def test_flood_from_one_client_is_refused(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("app.posting.time.time", lambda: now)
    for number in range(posting.BURST):
        _notify(client, f"number {number}")
    response = client.post("/api/notify", json={"message": "one too many"})
    assert response.status_code == 429
    assert response.mimetype == "application/problem+json"
    assert response.headers["Retry-After"] == "1"
    another = {"environ_base": {"REMOTE_ADDR": "10.1.1.1"}}
    assert client.post("/api/notify", json={"message": "x"}, **another).status_code == 200
    now += 0.9
    assert client.post("/api/notify", json={"message": "x"}).status_code == 429
    now += 0.2
    assert client.post("/api/notify", json={"message": "x"}).status_code == 200
    assert client.post("/api/notify", json={"message": "x"}).status_code == 429
    kept = client.get("/api/history?limit=200").get_json()
    assert len(kept) == posting.BURST + 2


def test_allowance_is_forgotten_when_it_is_whole(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("app.posting.time.time", lambda: now)
    for number in range(3):
        client.post(
            "/api/notify",
            json={"message": "x"},
            environ_base={"REMOTE_ADDR": f"10.1.1.{number}"},
        )
    now += 100
    _notify(client, "later")
    with app.app_context():
        query = "SELECT count(*) FROM posts"
        assert database().read(lambda db: db.execute(query).fetchone()[0]) == 1


def test_activity_adds_up_what_workers_report(
    app: Flask, tmp_path: Path, eventually: Eventually
) -> None:
    folder = tmp_path / "workers"
    with sse_client(app).open("/api/activity") as stream:
        _report(folder, 1, streams=3)
        _report(folder, 2, streams=50, age=activity.FRESH + 1)
        dead = _report(folder, 3, streams=50, age=activity.FORGOTTEN + 1)
        (folder / "4.json").write_text('{"pid"')
        eventually(lambda: stream.json()["streams"] == 4)
        now = json.loads(stream.received[-1].data)
    assert {worker["pid"]: worker["streams"] for worker in now["workers"]} == {1: 3, os.getpid(): 1}
    assert not dead.exists()
    eventually(lambda: not (folder / f"{os.getpid()}.json").exists())


def _report(folder: Path, pid: int, *, streams: int, age: float = 0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{pid}.json"
    path.write_text(json.dumps({"pid": pid, "streams": streams, "events": 7, "rate": 0.5}))
    at = time.time() - age + (1000 if not age else 0)
    os.utime(path, (at, at))
    return path
