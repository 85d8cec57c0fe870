"""The demo as a team deploys it, without demo accounts: closed to strangers, logs for operators."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from e2e.waiting import wait_for
from flask import Flask, abort
from flask.testing import FlaskClient

from app.database import database
from app.hooks import REAUTHORIZE
from app.orders import store as orders
from app.panels import PANELS
from app.primes import Tally
from flask_sse_routes.kinds import opening
from flask_sse_routes.kinds.reauthorizing import Reauthorizer
from flask_sse_routes.testing import TestStream, sse_client
from tests.app_accounts import quick_passwords, sign_in, with_accounts
from tests.app_fixtures import make_console
from tests.test_app_login import last_of

__all__ = ["quick_passwords"]

COUNT = {"kind": "count", "limit": 20_000}
OPEN_ROUTES = {"login", "logout", "session"}


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Flask:
    # What goes on unseen soon ends.
    brief = {"METRICS_UNSEEN": 0, "REPLAY_SPEED": 50}
    app = make_console(tmp_path, OPEN_TO_ALL=None, SSE_EXPLORER=True, **brief)
    return with_accounts(app, ann="customer", bea="customer", oskar="operator")


def client_of(app: Flask, name: str | None) -> FlaskClient:
    client = app.test_client()
    if name is not None:
        assert sign_in(client, name).status_code == 200
    return client


def routes_of(app: Flask) -> Any:
    return app.blueprints["api"].routes  # type: ignore[attr-defined]  # a RouteBlueprint


def test_no_route_answers_strangers(app: Flask) -> None:
    client = client_of(app, None)
    for name, route in routes_of(app).items():
        if name in OPEN_ROUTES:
            continue
        path = f"/api{route.rule}".replace("<int:task_id>", "1").replace("<int:order_id>", "1")
        answer = client.open(path, method=route.method)
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), name
        assert answer.get_json()["detail"] == "Sign in first."
    for path in ("openapi.json", "explorer", "explorer/routes.json"):
        assert client.get(f"/api/{path}").status_code == 401, path


def test_strangers_are_led_to_the_page_to_sign_in(app: Flask) -> None:
    client = client_of(app, None)
    for path in [*(panel.path for panel in PANELS), "/orders/1"]:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/login?next={path}")
    page = client.get("/login")
    assert page.status_code == 200
    assert "Dashboard" not in page.text
    for path in ("/static/console.css", "/static/panels/login.js", "/api/client.js"):
        with client.get(path) as answer:
            assert answer.status_code == 200, path
    assert client.get("/api/session").get_json() is None
    assert client.post("/api/logout").status_code == 200


def test_who_is_signed_in_sees_the_panels(app: Flask) -> None:
    client = client_of(app, "ann")
    for panel in PANELS:
        answer = client.get(panel.path)
        assert answer.status_code == (403 if panel.name == "logs" else 200)
    assert 'href="/logs"' not in client.get("/").text
    assert client.post("/api/notify", json={"message": "Hello"}).status_code == 200
    with sse_client(client).open("/api/notifications") as stream:
        assert stream.next().event == "snapshot"
    assert client.get("/api/openapi.json").status_code == 200


def test_logs_are_for_operators(app: Flask) -> None:
    ann, oskar = client_of(app, "ann"), client_of(app, "oskar")
    for path in ("/api/logs", "/api/log-files"):
        refused = ann.get(path)
        assert (refused.status_code, refused.get_json()["detail"]) == (
            403,
            "This is for operators.",
        )
    page = ann.get("/logs")
    assert "<h1>Forbidden</h1>" in page.text
    assert "This is for operators." in page.text
    assert oskar.get("/logs").status_code == 200
    assert 'href="/logs"' in oskar.get("/").text
    assert oskar.get("/api/log-files").status_code == 200
    with sse_client(oskar).open("/api/logs") as stream:
        assert stream.next().event == "tail"


# Ends by itself where the task has.
SHORT = {"follow_task"}


@pytest.fixture(name="long_count")
def count_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a stream that counts take ten seconds and more, on a fast machine, too."""
    examine = Tally.examine

    def slowly(tally: Tally, low: int, high: int) -> None:
        examine(tally, low, min(high, low + 100))
        time.sleep(0.1)

    monkeypatch.setattr(Tally, "examine", slowly)


@pytest.fixture(name="asks")
def ask_often(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Have hooks asked again fifty times as often; count for which routes."""
    asks: Counter[str] = Counter()

    class Impatient(Reauthorizer):
        def __init__(self, call: Any, ctx: Any, stream: Any, seconds: float) -> None:
            super().__init__(call, ctx, stream, seconds / 50)

        def _run_hooks(self) -> None:
            super()._run_hooks()
            asks[self._call.route.name] += 1

    monkeypatch.setattr(opening, "Reauthorizer", Impatient)
    return asks


def all_streams(app: Flask, client: FlaskClient, within: ExitStack) -> dict[str, TestStream]:
    """Open a stream of every route, with an order to follow."""
    with app.app_context():
        order = orders.place("ann", "Lamp", 1)
    streams = {}
    for name, route in routes_of(app).items():
        if route.kind == "sse" and name not in SHORT:
            path = f"/api{route.rule}".replace("<int:order_id>", str(order.id))
            query = {"limit": 20_000_000, "start": 3600}
            streams[name] = within.enter_context(sse_client(client).open(path, query_string=query))
    return streams


@pytest.mark.usefixtures("long_count")
def test_every_stream_ends_when_its_session_has_expired(app: Flask, asks: Counter[str]) -> None:
    """Without a word from anybody, within the seconds after which the hooks are asked again."""
    routes = [route for route in routes_of(app).values() if route.kind == "sse"]
    assert {route.options["reauthorize"] for route in routes} == {REAUTHORIZE}
    with ExitStack() as within:
        streams = all_streams(app, client_of(app, "oskar"), within)
        assert len(streams) >= 10
        wait_for(lambda: asks.keys() >= streams.keys(), "a look at each session")
        with app.app_context():
            database().write(lambda db: db.execute("UPDATE sessions SET expires = 0"))
        for name, stream in streams.items():
            assert last_of(stream)["status"] == 401, name


@pytest.mark.usefixtures("long_count")
def test_signing_out_ends_every_stream(app: Flask) -> None:
    client = client_of(app, "oskar")
    with ExitStack() as within:
        streams = all_streams(app, client, within)
        client.post("/api/logout")
        for name, stream in streams.items():
            assert last_of(stream)["status"] == 403, name


@pytest.mark.usefixtures("long_count")
def test_hooks_that_are_asked_again_neither_log_nor_count(
    app: Flask, asks: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.streams")
    client = client_of(app, "ann")
    with ExitStack() as within:
        # As many as compute at once.
        for _ in range(2):
            query = {"limit": 20_000_000}
            stream = sse_client(client).open("/api/task", query_string=query)
            within.enter_context(stream).next()
        wait_for(lambda: asks["task"] >= 4, "two looks at each of them")
        assert client.get("/api/task").status_code == 429
    wait_for(lambda: len(said_by(caplog)) == 3, "their ends")
    assert sorted(said_by(caplog)) == ["task disconnected"] * 2 + ["task rejected"]


def said_by(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.message for record in caplog.records if record.name == "app.streams"]
    return [line.partition(" after ")[0] for line in lines]


def cancel(client: FlaskClient, task: int) -> int:
    return client.post(f"/api/tasks/{task}/cancel").status_code


def test_tasks_are_cancelled_by_operators_and_who_started_them(app: Flask) -> None:
    ann, bea, oskar = (client_of(app, name) for name in ("ann", "bea", "oskar"))
    tasks = [ann.post("/api/tasks", json=COUNT).get_json()["id"] for _ in range(2)]
    assert [cancel(bea, task) for task in tasks] == [403, 403]
    assert (cancel(ann, tasks[0]), cancel(oskar, tasks[1])) == (200, 200)
    assert cancel(bea, 999) == 404


def test_open_console_asks_nobody(tmp_path: Path) -> None:
    """With the demo accounts, or where it is said."""
    for config in ({"DEMO_ACCOUNTS": "yes", "OPEN_TO_ALL": None}, {"OPEN_TO_ALL": "on"}):
        client = client_of(make_console(tmp_path, **config), None)
        for panel in PANELS:
            assert client.get(panel.path).status_code == 200
        assert client.get("/api/log-files").status_code == 200
        task = client.post("/api/tasks", json=COUNT).get_json()["id"]
        assert cancel(client, task) == 200
        assert client.get("/api/orders").status_code == 401


def test_demo_accounts_may_be_asked_for_too(tmp_path: Path) -> None:
    client = client_of(make_console(tmp_path, DEMO_ACCOUNTS=True, OPEN_TO_ALL="no"), None)
    assert client.get("/api/log-files").status_code == 401
    assert "alice-buys" in client.get("/login").text


@pytest.mark.parametrize("path", ["/foo", "/foo/bar", "/orders/abc", "/static/missing.css"])
def test_missing_page_is_told_as_a_page(app: Flask, path: str) -> None:
    client = client_of(app, "ann")
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "<h1>Not found</h1>" in answer.text
    assert "/static/console.css" in answer.text
    if path.startswith("/static"):
        return
    missing = client.get(f"/api{path}x")
    assert (missing.status_code, missing.mimetype) == (404, "application/problem+json")


def test_wrong_method_is_told_as_a_page(app: Flask) -> None:
    answer = client_of(app, "ann").post("/dashboard")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert "<h1>Method not allowed</h1>" in answer.text


def test_failure_is_told_as_a_page(tmp_path: Path) -> None:
    app = make_console(tmp_path, PROPAGATE_EXCEPTIONS=False)
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    app.add_url_rule("/busy", endpoint="busy", view_func=lambda: abort(503, "It is busy."))
    client = app.test_client()
    for path, status, title in (
        ("/broken", 500, "Internal server error"),
        ("/busy", 503, "Service unavailable"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html")
        assert f"<h1>{title}</h1>" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert "It is busy." in answer.text


def test_failure_of_the_database_is_told_as_a_page(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell it takes no look into the database."""
    client = client_of(app, "ann")

    def fail(*_: Any) -> None:
        abort(503, "The database is busy.")

    monkeypatch.setattr("app.accounts.visitor.find_visitor", fail)
    page, route = client.get("/dashboard"), client.get("/api/hello")
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert "The database is busy." in page.text
    assert (route.status_code, route.mimetype) == (503, "application/problem+json")
