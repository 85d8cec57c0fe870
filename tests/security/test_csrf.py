"""Pages of other origins do not get their visitor's streams, nor act in their name."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import RouteBlueprint, SSERoutes, check_origin, define_hook, define_route
from flask_sse_routes.testing import sse_client

HOST = "shop.example"
SHOP, OTHER, EVIL = f"https://{HOST}", "https://partner.example", "https://evil.example"
ran: list[str] = []


def ticks() -> Any:
    yield 1


def routes(*hooks: Any) -> dict[str, Any]:
    remember = define_hook(before=lambda ctx: ran.append(ctx.route.name))
    return {
        "http": define_route(lambda: 1, hooks=[*hooks, remember]),
        "post": define_route(lambda word="": word, method="POST", hooks=[*hooks, remember]),
        "sse": define_route(ticks, kind="sse", hooks=[*hooks, remember]),
        "post_sse": define_route(ticks, kind="sse", method="POST", hooks=[*hooks, remember]),
    }


def by_blueprint() -> RouteBlueprint:
    return RouteBlueprint(
        "api", __name__, routes(), url_prefix="/api", check_origin=True, cors=[OTHER]
    )


def by_hook() -> RouteBlueprint:
    return RouteBlueprint("api", __name__, routes(check_origin([OTHER])), url_prefix="/api")


def by_nesting() -> RouteBlueprint:
    outer = RouteBlueprint("outer", __name__, check_origin=True, cors=[OTHER])
    outer.register_blueprint(RouteBlueprint("api", __name__, routes(), url_prefix="/api"))
    return outer


@pytest.fixture(params=[by_blueprint, by_hook, by_nesting])
def app(request: pytest.FixtureRequest) -> Flask:
    app = Flask("application")
    app.register_blueprint(request.param())
    ran.clear()
    return app


def statuses(app: Flask, headers: dict[str, str], scheme: str = "https") -> set[int]:
    found = set()
    client = app.test_client()
    for name in ("http", "post", "sse", "post_sse"):
        method = "POST" if name.startswith("post") else "GET"
        answer = client.open(
            f"/api/{name}", method=method, headers=headers, base_url=f"{scheme}://{HOST}"
        )
        found.add(answer.status_code)
        if answer.status_code == 403:
            assert answer.content_type == "application/problem+json"
    return found


MAY = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": SHOP},
    {"Sec-Fetch-Site": "none"},
    {"Origin": SHOP},
    {"Origin": f"{SHOP}:443"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OTHER},
    {"Sec-Fetch-Site": "same-site", "Origin": OTHER},
    {"Origin": OTHER},
    {"User-Agent": "curl/8", "Cookie": "session=1"},
]
MAY_NOT = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.shop.example"},
    {"Sec-Fetch-Site": "something new"},
    {"Sec-Fetch-Site": ""},
    {"Origin": EVIL},
    {"Origin": f"http://{HOST}"},
    {"Origin": f"{SHOP}:8443"},
    {"Origin": f"{SHOP}.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": f"{OTHER}.evil.example"},
]


def test_who_may_ask(app: Flask) -> None:
    for headers in MAY:
        ran.clear()
        assert statuses(app, headers) == {200}, headers
        assert ran == ["http", "post", "sse", "post_sse"]


def test_who_may_not(app: Flask) -> None:
    for headers in MAY_NOT:
        assert statuses(app, headers) == {403}, headers
        assert ran == []


def test_a_proxy_that_ends_tls_may_leave_the_scheme_unknown(app: Flask) -> None:
    assert statuses(app, {"Origin": SHOP}, "http") == {200}
    assert statuses(app, {"Origin": f"http://{HOST}"}, "http") == {200}
    assert statuses(app, {"Origin": f"ftp://{HOST}"}, "http") == {403}


def test_nothing_is_checked_by_default(make_app: Any) -> None:
    app = make_app(routes())
    assert statuses(app, {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}) == {200}


def test_documents_may_be_linked_to(app: Flask) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}
    for name in ("client.js", "openapi.json"):
        assert app.test_client().get(f"/api/{name}", headers=headers).status_code == 200


def test_a_get_stream_changes_nothing() -> None:
    """A stream that another page opens learns nothing to that page, and appends to no channel."""
    app = Flask("application")
    sse = SSERoutes(app)
    it = define_route(lambda: sse.subscribe("orders"), kind="sse")
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": it}, url_prefix="/api"))
    with app.app_context():
        sse.publish("orders", 1)
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}
    with sse_client(app).open("/api/it", headers=headers) as stream:
        assert next(iter(stream)).event == "ready"
        assert "Access-Control-Allow-Origin" not in stream.headers
        assert "Set-Cookie" not in stream.headers
    with app.app_context():
        assert [each.data for each in sse.history("orders")] == [1]
