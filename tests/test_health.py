"""`sse-health`: whether this worker would take another stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import BrokerUnavailable, Context, RouteBlueprint, define_route
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.pulse import PATIENCE
from flask_sse_routes.testing import sse_client

PATH = "/api/sse-health"


def waiting(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(3600)


def app_with(**config: Any) -> Flask:
    app = Flask("site")
    app.config.update(config)
    routes = {"waiting": define_route(waiting, kind="sse")}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    return app


def check(app: Flask, reason: str | None) -> None:
    response = app.test_client().get(PATH)
    assert response.headers["Cache-Control"] == "no-store"
    if reason is None:
        assert (response.status_code, response.json) == (200, {"status": "ok"})
        return
    assert (response.status_code, response.json) == (
        503,
        {"status": "unavailable", "reason": reason},
    )
    assert int(response.headers["Retry-After"]) > 0


@pytest.fixture(name="shared")
def app_with_shared_broker(tmp_path: Path) -> Iterator[Flask]:
    app = app_with(SSE_BROKER_URL=f"sqlite:///{tmp_path}/events.db")
    yield app
    runtime_of(app).channels.close()


def test_a_worker_that_is_well(shared: Flask) -> None:
    check(app_with(), None)
    check(shared, None)


def test_only_get_and_head() -> None:
    client = app_with().test_client()
    head = client.head(PATH)
    assert (head.status_code, head.data) == (200, b"")
    for method in ("POST", "PUT", "DELETE"):
        assert client.open(PATH, method=method).status_code == 405
    assert PATH not in client.get("/api/openapi.json").text


def test_full_until_a_stream_ends(eventually: Any) -> None:
    app = app_with(SSE_MAX_STREAMS=1)
    with sse_client(app.test_client()).open("/api/waiting") as stream:
        assert stream.json() == 1
        check(app, "full")
    eventually(lambda: runtime_of(app).streams.stats().streams == 0)
    check(app, None)


def test_draining() -> None:
    app = app_with()
    runtime_of(app).streams.drain()
    check(app, "draining")


def test_a_broker_that_is_away(shared: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BrokerUnavailable("It is away.")

    with monkeypatch.context() as patch:
        patch.setattr(runtime_of(shared).channels.broker, "newest", fail)
        check(shared, "broker")
    check(shared, None)


def test_a_broker_that_says_nothing_is_asked_once(
    shared: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answer = threading.Event()

    def wait() -> None:
        asked.append(1)
        assert answer.wait(60)

    monkeypatch.setattr(runtime_of(shared).channels.broker, "newest", wait)
    began = time.monotonic()
    try:
        check(shared, "broker")
        check(shared, "broker")
    finally:
        answer.set()
    assert time.monotonic() - began >= 2 * PATIENCE
    assert len(asked) == 1
