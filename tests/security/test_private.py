"""What is made for one user is kept by no cache on the way: a caching nginx shows it to nobody."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from clients.serving import Serving
from docs.proxies import Proxy, free_port
from flask import Flask, Response

from flask_sse_routes import RouteBlueprint, define_hook, define_route

# It keeps whatever may be kept, by nothing but its address.
CACHING = """
proxy_cache_path cache keys_zone=all:1m;
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{backend};
        proxy_cache all;
        proxy_cache_key $request_uri;
        proxy_cache_methods GET HEAD;
        proxy_cache_valid any 1h;
        add_header X-Cache $upstream_cache_status always;
    }}
}}
"""


@pytest.fixture
def cache(
    serve: Callable[..., Serving], program: Callable[[str], str], tmp_path: Any
) -> Iterator[Proxy]:
    port = free_port()
    server = serve("security.sites:app", settings={"SSE_HEARTBEAT": 1})
    configuration = CACHING.format(port=port, backend=server.port)
    proxy = Proxy("nginx", program("nginx"), tmp_path, port, configuration)
    yield proxy
    proxy.stop()


def get(proxy: Proxy, path: str, user: str | None) -> tuple[int, str, bytes]:
    """Return status, what the cache says, and the first bytes of the body."""
    connection = http.client.HTTPConnection(*proxy.address, timeout=10)
    with closing(connection):
        cookie = {} if user is None else {"Cookie": f"user={user}"}
        connection.request("GET", path, headers={"Accept": "text/event-stream", **cookie})
        response = connection.getresponse()
        body = response.read1(4096)
        while response.status == 200 and b"\n\n" not in body and "numbers" in path:
            body += response.read1(4096)
        return response.status, response.headers["X-Cache"], body


def test_two_users_through_a_caching_proxy(cache: Proxy) -> None:
    for turn in range(2):
        # What anybody may see is kept: the cache is one.
        assert get(cache, "/", None)[:2] == (200, "HIT" if turn else "MISS")
        for user in ("ann", "bob"):
            status, said, body = get(cache, "/api/mine", user)
            assert (status, said, json.loads(body)) == (200, "MISS", {"user": user})
            status, said, body = get(cache, "/api/numbers", user)
            assert (status, said) == (200, "MISS")
            assert b'"user":"%s"' % user.encode() in body
        for path in ("/api/mine", "/api/numbers"):
            status, said, _ = get(cache, path, None)
            assert (status, said) == (401, "MISS")


# --- which answers say so


def fails() -> Any:
    raise LookupError


def number(n: int) -> int:
    return n


def own_word() -> Response:
    return Response("1", headers={"Cache-Control": "public, max-age=60"})


HOOK = define_hook(before=lambda ctx: None)
PRIVATE = "private, no-cache"


@pytest.mark.parametrize("owner", ["app", "blueprint", "route", "identify", "check_origin"])
def test_what_hooks_guard_is_private(make_app: Any, owner: str) -> None:
    hooks = [HOOK] if owner == "route" else []
    routes = {
        "it": define_route(lambda: 1, hooks=hooks),
        "say": define_route(number, hooks=hooks),
        "fails": define_route(fails, hooks=hooks),
        "own": define_route(own_word, hooks=hooks),
    }
    app = make_app(
        None,
        app_hooks=[HOOK] if owner == "app" else [],
        identify=(lambda request: "ann") if owner == "identify" else None,
    )
    app.register_blueprint(
        RouteBlueprint(
            "more",
            __name__,
            routes,
            url_prefix="/more",
            hooks=[HOOK] if owner == "blueprint" else [],
            check_origin=owner == "check_origin",
        )
    )
    client = app.test_client()
    for path, status in (("it", 200), ("say?n=x", 422), ("fails", 500)):
        answer = client.get(f"/more/{path}")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (status, PRIVATE)
    assert client.get("/more/own").headers["Cache-Control"] == "public, max-age=60"


def by_default(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "public, max-age=60")
    return response


def for_a_minute(response: Response) -> Response:
    response.cache_control.max_age = 60
    return response


def in_an_envelope(response: Response) -> Response:
    return Response(response.get_data(), response.status, content_type=response.content_type)


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (by_default, PRIVATE),
        (for_a_minute, "private, no-cache, max-age=60"),
        (in_an_envelope, PRIVATE),
    ],
)
@pytest.mark.parametrize("path", ["it", "say?n=x", "fails"])
@pytest.mark.parametrize("late", [True, False])
def test_a_default_of_the_whole_app_does_not_make_it_public(
    default: Any, said: str, path: str, late: bool
) -> None:
    routes = {
        "it": define_route(lambda: 1, hooks=[HOOK]),
        "say": define_route(number, hooks=[HOOK]),
        "fails": define_route(fails, hooks=[HOOK]),
    }
    app = Flask("application")
    if not late:
        app.after_request(default)
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    if late:
        app.after_request(default)
    assert app.test_client().get(f"/api/{path}").headers["Cache-Control"] == said


def test_what_everybody_may_see_is_the_apps_affair(make_app: Any) -> None:
    app = make_app({"it": define_route(lambda: 1)})
    assert "Cache-Control" not in app.test_client().get("/api/it").headers


def test_a_stream_is_never_stored(make_app: Any) -> None:
    def ticks() -> Any:
        yield 1

    app = make_app({"it": define_route(ticks, kind="sse", hooks=[HOOK])}, SSE_MAX_STREAMS=1)
    answer = app.test_client().get("/api/it")
    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    finished = app.test_client().get("/api/it", headers={"Last-Event-ID": "1~end"})
    assert (finished.status_code, finished.headers["Cache-Control"]) == (204, PRIVATE)
