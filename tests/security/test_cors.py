"""CORS: nothing by default, an allow-list on a blueprint, and the same word on every answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from flask_cors import CORS as FlaskCORS  # noqa: N811

from flask_sse_routes import CORS, RouteBlueprint, define_hook, define_route

SHOP, EVIL = "https://shop.example", "https://shop.example.evil.example"
ORIGIN = "Access-Control-Allow-Origin"
ran: list[str] = []


def ticks() -> Iterator[int]:
    yield 1


def fails() -> Any:
    raise LookupError("no")


def refuse(ctx: Any) -> None:
    ran.append(ctx.route.name)
    abort(401)


def busy(ctx: Any) -> None:
    abort(503)


ROUTES = {
    "it": define_route(lambda: 1),
    "say": define_route(lambda word: word, method="POST"),
    "stream": define_route(ticks, kind="sse"),
    "closed": define_route(lambda: 1, hooks=[define_hook(before=refuse)]),
    "closed_stream": define_route(ticks, kind="sse", hooks=[define_hook(before=refuse)]),
    "busy": define_route(ticks, kind="sse", hooks=[define_hook(before=busy)]),
    "fails": define_route(fails),
    "number": define_route(lambda n: n, path="/number/<int:n>"),
}
INNER = {"it": ROUTES["it"]}
# Every way in which a blueprint answers.
ANSWERS = [
    ("GET", "/api/it", 200),
    ("GET", "/api/stream", 200),
    ("HEAD", "/api/stream", 200),
    ("GET", "/api/busy", 200),
    ("GET", "/api/client.js", 200),
    ("GET", "/api/openapi.json", 200),
    ("OPTIONS", "/api/it", 200),
    ("GET", "/api/closed", 401),
    ("GET", "/api/closed_stream", 401),
    ("GET", "/api/say", 405),
    ("GET", "/api/nothing", 404),
    ("GET", "/api/explorer", 404),
    ("GET", "/api/number/x", 404),
    ("POST", "/api/say", 422),
    ("GET", "/api/fails", 500),
    ("GET", "/api/inner/it", 200),
    ("GET", "/api/inner/nothing", 404),
]


def app_with(cors: Any = None, inner_cors: Any = None, before: Any = None) -> Flask:
    app = Flask("application")
    if before is not None:
        app.before_request(before)
    outer = RouteBlueprint("api", __name__, ROUTES, url_prefix="/api", cors=cors)
    inner = RouteBlueprint("inner", __name__, INNER, url_prefix="/inner", cors=inner_cors)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.add_url_rule("/page", "page", lambda: "a page")
    return app


@pytest.fixture
def client() -> FlaskClient:
    return app_with(CORS([SHOP], credentials=True)).test_client()


def ask(client: FlaskClient, method: str, path: str, origin: str | None) -> Any:
    headers = {"Accept": "text/event-stream"}
    if origin is not None:
        headers["Origin"] = origin
    return client.open(path, method=method, headers=headers)


def test_there_is_none_by_default() -> None:
    client = app_with().test_client()
    for method, path, status in ANSWERS:
        answer = ask(client, method, path, SHOP)
        assert answer.status_code == status, path
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert "Origin" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize("origin", [SHOP, EVIL, "null", None])
def test_every_answer_says_whom_it_is_for(client: FlaskClient, origin: str | None) -> None:
    for method, path, status in ANSWERS:
        answer = ask(client, method, path, origin)
        assert answer.status_code == status, path
        assert "Origin" in answer.vary, path
        assert answer.headers.get(ORIGIN) == (SHOP if origin == SHOP else None), path
        allowed = answer.headers.get("Access-Control-Allow-Credentials")
        assert allowed == ("true" if origin == SHOP else None)
        if origin == SHOP:
            exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"SSE-Heartbeat", "SSE-Refused", "Retry-After"} <= set(exposed)


def test_other_pages_of_the_app_are_none_of_its_business(client: FlaskClient) -> None:
    for path in ("/page", "/nothing", "/apis"):
        answer = ask(client, "GET", path, SHOP)
        assert ORIGIN not in answer.headers
        assert "Vary" not in answer.headers


def preflight(client: FlaskClient, path: str, origin: str, method: str = "GET") -> Any:
    asked = "authorization,content-type,last-event-id"
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": asked,
    }
    return client.options(path, headers=headers)


def test_a_preflight_is_answered_before_anything_runs() -> None:
    def ask_for_a_session() -> None:
        ran.append("app")
        abort(401)

    cors = CORS(SHOP, headers=["Authorization"], expose=["X-Total"], max_age=60)
    app = app_with(cors, before=ask_for_a_session)
    ran.clear()
    for path, method in (("/api/closed", "GET"), ("/api/closed_stream", "GET")):
        answer = preflight(app.test_client(), path, SHOP, method)
        assert answer.status_code == 200
        assert answer.data == b""
        assert answer.headers[ORIGIN] == SHOP
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        allowed = answer.headers["Access-Control-Allow-Headers"]
        assert allowed == "Last-Event-ID, Content-Type, Authorization"
        assert "X-Total" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Access-Control-Max-Age"] == "60"
        assert "Access-Control-Request-Headers" in answer.vary
    assert ran == []


def test_a_preflight_of_a_foreign_page_is_told_nothing() -> None:
    answer = preflight(app_with([SHOP]).test_client(), "/api/it", EVIL)
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-Allow")]
    assert "Origin" in answer.vary


def test_a_preflight_for_what_is_not_there_fails() -> None:
    assert preflight(app_with([SHOP]).test_client(), "/api/nothing", SHOP).status_code == 404


def test_everybody_may_be_let_in_without_credentials() -> None:
    client = app_with("*").test_client()
    for origin in (SHOP, EVIL, "null", None):
        answer = ask(client, "GET", "/api/it", origin)
        assert answer.headers[ORIGIN] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Vary" not in answer.headers


def test_a_nested_blueprint_may_say_otherwise() -> None:
    other = "https://other.example"
    client = app_with([SHOP], [other]).test_client()
    assert ask(client, "GET", "/api/inner/it", SHOP).headers.get(ORIGIN) is None
    for path in ("/api/inner/it", "/api/inner/nothing"):
        assert ask(client, "GET", path, other).headers.get(ORIGIN) == other
    closed = app_with([SHOP], []).test_client()
    assert ask(closed, "GET", "/api/inner/it", SHOP).headers.get(ORIGIN) is None
    assert ask(closed, "GET", "/api/it", SHOP).headers.get(ORIGIN) == SHOP


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_flask_cors_beside_it_keeps_to_the_rest(first: str) -> None:
    """Where a blueprint has a list, its answers have its word; elsewhere it is flask-cors's."""
    other = "https://other.example"
    app = Flask("application")
    if first == "theirs":
        FlaskCORS(app, origins=[SHOP, other])
    app.register_blueprint(RouteBlueprint("listed", __name__, ROUTES, url_prefix="/a", cors=[SHOP]))
    app.register_blueprint(RouteBlueprint("unlisted", __name__, ROUTES, url_prefix="/b"))
    if first == "ours":
        FlaskCORS(app, origins=[SHOP, other])
    client = app.test_client()
    for path in ("/a/it", "/a/stream", "/b/it", "/b/stream"):
        answer = ask(client, "GET", path, SHOP)
        assert answer.headers.getlist(ORIGIN) == [SHOP]
        assert "Origin" in answer.vary
    assert ask(client, "GET", "/b/it", other).headers.getlist(ORIGIN) == [other]
    assert preflight(client, "/b/it", other).headers.getlist(ORIGIN) == [other]
    # Whom the list leaves out stays out, whatever flask-cors says of the whole app.
    for path in ("/a/it", "/a/stream", "/a/closed", "/a/say"):
        with ask(client, "GET", path, other) as answer:
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
            assert "Origin" in answer.vary
    answer = preflight(client, "/a/it", other)
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_view_of_its_own_says_nothing_else() -> None:
    """One word for all: a header that a handler has set lets nobody in beside the list."""

    def opened() -> Any:
        return 1, {ORIGIN: "*", "Access-Control-Allow-Credentials": "true"}

    app = Flask("application")
    routes = {"opened": define_route(opened)}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, cors=[SHOP]))
    assert ask(app.test_client(), "GET", "/opened", SHOP).headers.getlist(ORIGIN) == [SHOP]
    for origin in (EVIL, "null", None):
        answer = ask(app.test_client(), "GET", "/opened", origin)
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
