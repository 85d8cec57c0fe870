"""The guide to Flask-SQLAlchemy: what its streams hold of a small pool, and what they are told."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from clients.conftest import missing
from clients.serving import OURS, Serving
from e2e.client import Stream

from flask_sse_routes.testing import sse_client

from .integrations import imported, lay_out, serve, stream

try:
    import flask_sqlalchemy
except ImportError:
    flask_sqlalchemy = None  # type: ignore[assignment]  # the fixtures tell

PAGE = "guides/flask-sqlalchemy.md"
SERVERS = {"flask": "flask", "sseworker": OURS}


@pytest.fixture(autouse=True)
def needed() -> None:
    if flask_sqlalchemy is None:
        missing("flask-sqlalchemy")


def post(serving: Serving, item: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=20)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/order", json.dumps({"item": item}), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


class Crowd:
    """Many streams of one route, closed together."""

    def __init__(self, serving: Serving, target: str, count: int) -> None:
        self.streams: list[Stream] = []
        for _ in range(count):
            self.streams.append(stream(serving, target))
        for each in self.streams:
            each.read_head()

    def next(self) -> list[Any]:
        return [each.next().json for each in self.streams]

    def close(self) -> None:
        for each in self.streams:
            each.close()


@pytest.mark.parametrize("server", SERVERS)
def test_two_connections_serve_thirty_streams(tmp_path: Path, server: str) -> None:
    lay_out(tmp_path, PAGE, "shop.py")
    serving = serve(tmp_path, "shop", worker=SERVERS[server])
    try:
        first = {"id": 1, "item": "tea"}
        assert post(serving, "tea") == (200, first)
        followers = Crowd(serving, "/api/orders", 15)
        pollers = Crowd(serving, "/api/arrivals", 15)
        assert followers.next() == [[first]] * 15
        assert pollers.next() == [first] * 15
        second = {"id": 2, "item": "<b>rice</b>"}
        assert post(serving, "<b>rice</b>") == (200, second)
        assert followers.next() == [second] * 15
        assert pollers.next() == [second] * 15
        followers.close()
        pollers.close()
    finally:
        serving.kill()


def test_a_session_that_is_held_takes_the_application_down(tmp_path: Path) -> None:
    """Without the `with` around its query a loop keeps its connection: the pool is that small."""
    without = {"with ctx.app_context():": "if True:"}
    lay_out(tmp_path, PAGE, "shop.py", replace=without)
    serving = serve(tmp_path, "shop", worker="flask")
    try:
        pollers = Crowd(serving, "/api/arrivals", 2)
        status, problem = post(serving, "tea")
        assert (status, problem["title"]) == (500, "Internal Server Error")
        assert "QueuePool limit of size 2 overflow 0 reached" in serving.log
        pollers.close()
    finally:
        serving.kill()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's module, in this process."""
    lay_out(tmp_path, PAGE, "shop.py")
    monkeypatch.chdir(tmp_path)
    with imported(tmp_path / "shop.py") as module:
        yield module
        with module.app.app_context():
            module.db.engine.dispose()


def told(shop: ModuleType) -> list[Any]:
    return [event.data["id"] for event in shop.sse.history("orders")]


def test_only_what_is_committed_is_published(shop: ModuleType) -> None:
    session = shop.db.session
    with shop.app.app_context():
        shop.announce("orders", {"id": 1}, "created")
        session.execute(shop.select(1))
        with session.begin_nested():
            session.execute(shop.select(1))
        assert told(shop) == []
        session.rollback()
        session.commit()
        assert told(shop) == []
        shop.announce("orders", {"id": 2}, "created")
        with session.begin_nested() as savepoint:
            shop.announce("orders", {"id": 3}, "created")
            session.execute(shop.select(1))
            savepoint.rollback()
        assert told(shop) == []
        session.commit()
        assert told(shop) == [2, 3]
        session.commit()
        assert told(shop) == [2, 3]


def test_what_waits_is_not_told_in_another_request(shop: ModuleType) -> None:
    with shop.app.app_context():
        shop.announce("orders", {"id": 1}, "created")
    with shop.app.app_context():
        shop.db.session.execute(shop.select(1))
        shop.db.session.commit()
        assert told(shop) == []


def test_an_order_stands_when_nobody_can_be_told(
    shop: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise shop.BrokerUnavailable("away")

    monkeypatch.setattr(shop.sse, "publish", fail)
    answer = shop.app.test_client().post("/api/order", json={"item": "tea"})
    assert answer.json == {"id": 1, "item": "tea"}
    assert "Nobody is told of {'id': 1" in caplog.text
    with shop.app.app_context():
        assert shop.all_orders() == [answer.json]


@pytest.mark.parametrize("handler", ["expired", "streamed"])
def test_a_row_does_not_outlive_a_yield(shop: ModuleType, handler: str) -> None:
    """What the page says of rows that are read late, and of queries that are read by and by."""
    session, query = shop.db.session, shop.select(shop.Order)

    def expired() -> Iterator[Any]:
        row = session.get(shop.Order, 1)
        session.commit()
        yield "first"
        yield row.item

    def streamed() -> Iterator[Any]:
        for _ in session.scalars(query.execution_options(yield_per=1)):
            yield "first"

    with shop.app.app_context():
        session.add_all([shop.Order(item="tea"), shop.Order(item="rice")])
        session.commit()
    route = shop.define_route({"expired": expired, "streamed": streamed}[handler], kind="sse")
    shop.app.register_blueprint(shop.RouteBlueprint("late", "late", {"rows": route}))
    with sse_client(shop.app).open("/rows") as opened:
        assert opened.json() == "first"
        assert opened.next().event == "error"


def test_polling_goes_on_where_a_client_was(shop: ModuleType) -> None:
    with shop.app.app_context():
        shop.db.session.add_all([shop.Order(item=item) for item in ("tea", "rice", "salt")])
        shop.db.session.commit()
    with sse_client(shop.app).open("/api/arrivals", last_event_id="2") as opened:
        assert opened.json() == {"id": 3, "item": "salt"}
        assert opened.last_event_id == "3"
