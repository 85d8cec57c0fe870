"""`SSERoutes`: setting apps up, counting, and keeping none of them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import (
    ConfigError,
    RouteBlueprint,
    SSERoutes,
    Stats,
    define_hook,
    define_route,
)
from flask_sse_routes.testing import sse_client


def ticks() -> Iterator[int]:
    yield 1
    yield 2


def blueprint() -> RouteBlueprint:
    routes = {"ticks": define_route(ticks, kind="sse"), "me": define_route(lambda ctx: ctx.user)}
    return RouteBlueprint("api", __name__, routes, url_prefix="/api")


def test_a_blueprint_alone_is_enough() -> None:
    app = Flask("application")
    app.register_blueprint(blueprint())
    with sse_client(app).open("/api/ticks") as stream:
        assert len(list(stream)) == 3


@pytest.mark.parametrize("order", ["before", "after"])
def test_init_app_may_come_before_or_after_the_blueprint(order: str) -> None:
    seen: list[str] = []
    sse = SSERoutes(
        hooks=[define_hook(before=lambda ctx: seen.append("hook"))],
        identify=lambda request: "someone",
    )
    app = Flask("application")
    if order == "before":
        sse.init_app(app)
    app.register_blueprint(blueprint())
    if order == "after":
        sse.init_app(app)
    assert app.test_client().get("/api/me").json == "someone"
    assert seen == ["hook"]


def test_one_extension_serves_several_apps(eventually: Any) -> None:
    sse = SSERoutes()
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        sse.init_app(app)
        app.register_blueprint(blueprint())
    with sse_client(apps[0]).open("/api/ticks") as stream:
        list(stream)
    eventually(lambda: sse.stats(apps[0]).ended == {"completed": 1})
    assert sse.stats(apps[1]).ended == {}


def test_stats_are_a_named_tuple_of_the_current_app(eventually: Any) -> None:
    app = Flask("application")
    sse = SSERoutes(app)
    app.register_blueprint(blueprint())
    with sse_client(app).open("/api/ticks") as stream:
        list(stream)
    eventually(lambda: sse.stats(app).streams == 0)
    with app.app_context():
        stats = sse.stats()
    assert isinstance(stats, Stats)
    assert isinstance(stats, tuple)
    assert stats == sse.stats(app)
    assert (stats.events, stats.ended, stats.refused) == (3, {"completed": 1}, 0)
    assert Stats._fields[:4] == ("streams", "events", "bytes", "heartbeats")


def test_stats_need_an_app() -> None:
    with pytest.raises(RuntimeError, match="app_context"):
        SSERoutes().stats()


def test_a_second_extension_is_refused() -> None:
    app = Flask("application")
    sse = SSERoutes(app)
    sse.init_app(app)
    with pytest.raises(ConfigError, match="'application' has an SSERoutes already"):
        SSERoutes(app)


def test_the_extension_does_not_keep_the_app(eventually: Any) -> None:
    sse = SSERoutes()

    def use() -> weakref.ref[Flask]:
        app = Flask("application")
        sse.init_app(app)
        app.register_blueprint(blueprint())
        with sse_client(app).open("/api/ticks") as stream:
            list(stream)
        assert app.test_client().get("/api/me").status_code == 200
        return weakref.ref(app)

    gone = use()

    def collected() -> bool:
        gc.collect()
        return gone() is None

    eventually(collected)


def test_setting_up_starts_nothing() -> None:
    import threading

    before = threading.active_count()
    app = Flask("application")
    SSERoutes(app)
    app.register_blueprint(blueprint())
    assert app.test_client().get("/api/me").status_code == 200
    assert threading.active_count() <= before, "another test's thread may have ended meanwhile"
