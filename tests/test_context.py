"""The `Context`: the request and its frozen view, who asks, positions, waiting and URLs."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import flask
import pytest
from flask import Blueprint, Flask, abort, current_app, has_app_context, has_request_context
from werkzeug.wrappers import Request

from flask_sse_routes import (
    Context,
    RouteBlueprint,
    SSERoutes,
    StreamClosed,
    define_hook,
    define_route,
)
from flask_sse_routes.testing import sse_client


def sse(handler: Any, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


def first_json(app: Flask, path: str = "/api/it", **options: Any) -> Any:
    with sse_client(app).open(path, **options) as stream:
        assert stream.status == 200
        return stream.json()


# --- the request


def test_in_http_it_is_the_real_request(make_app: Any) -> None:
    def handler(ctx: Context) -> bool:
        return (
            isinstance(ctx.request, Request) and ctx.request is flask.request._get_current_object()
        )

    assert make_app({"it": define_route(handler)}).test_client().get("/api/it").json is True


def test_hooks_and_plain_functions_of_a_stream_have_the_real_request(make_app: Any) -> None:
    seen: list[Any] = []

    def handler(ctx: Context) -> Iterable[int]:
        seen.append(ctx.request)
        return [1]

    hook = define_hook(before=lambda ctx: seen.append(ctx.request))
    assert first_json(make_app({"it": sse(handler, hooks=[hook])})) == 1
    assert all(isinstance(each, Request) for each in seen)
    assert len(seen) == 2


VIEW = {
    "method": "GET",
    "path": "/api/it/7",
    "url": "http://localhost/api/it/7?a=1&a=2",
    "query_string": b"a=1&a=2",
    "remote_addr": "10.1.2.3",
    "view_args": {"n": 7},
    "endpoint": "api.it",
}


def view_of(make_app: Any, read: Any) -> Any:
    """What `read` returns of the request after the view has returned."""
    got: list[Any] = []

    def handler(ctx: Context, n: int, a: list[int]) -> Iterator[int]:
        yield 1
        ctx.sleep(0.05)
        got.append(read(ctx.request))
        yield 2

    app = make_app({"it": sse(handler, path="/it/<int:n>")})
    client = app.test_client()
    client.set_cookie("theme", "dark")
    with sse_client(client).open(
        "/api/it/7?a=1&a=2",
        headers={"X-Name": "é", "User-Agent": "test"},
        environ_overrides={"REMOTE_ADDR": "10.1.2.3"},
    ) as stream:
        assert len(list(stream)) == 3, stream.received
    return got[0]


def test_a_stream_keeps_a_view_of_the_request(make_app: Any) -> None:
    seen = view_of(make_app, lambda request: {name: getattr(request, name) for name in VIEW})
    assert seen == VIEW


def test_the_view_has_headers_cookies_and_args(make_app: Any) -> None:
    def read(request: Any) -> Any:
        return (
            request.headers["X-Name"],
            request.headers.get("x-name"),
            request.cookies["theme"],
            request.args.getlist("a"),
            request.user_agent.string,
            request.accept_mimetypes.best,
        )

    assert view_of(make_app, read) == ("é", "é", "dark", ["1", "2"], "test", "text/event-stream")


@pytest.mark.parametrize("name", ["form", "json", "data", "files", "stream", "environ", "get_json"])
def test_the_view_has_no_body_and_says_so(make_app: Any, name: str) -> None:
    def read(request: Any) -> str:
        with pytest.raises(AttributeError) as caught:
            getattr(request, name)
        return str(caught.value)

    message = view_of(make_app, read)
    assert f"'{name}'" in message
    assert "ctx.request" in message
    assert "ctx.state" in message


def test_the_view_is_frozen(make_app: Any) -> None:
    def read(request: Any) -> None:
        for name in ("method", "headers", "view_args", "brand_new"):
            with pytest.raises((AttributeError, TypeError)):
                setattr(request, name, "x")
        with pytest.raises(TypeError):
            request.args["a"] = "x"
        with pytest.raises(TypeError):
            request.headers["X-Name"] = "x"

    view_of(make_app, read)


def test_the_view_holds_nothing_of_the_server(make_app: Any, wsgi: Any) -> None:
    """A kept environ would keep the server's socket and buffers for as long as the stream."""
    import gc
    import weakref

    class Wrapper:
        pass

    def handler(ctx: Context) -> Iterator[int]:
        yield 1
        ctx.sleep(3600)

    thing = Wrapper()
    gone = weakref.ref(thing)
    response = wsgi(make_app({"it": sse(handler)}), "/api/it", **{"server.thing": thing})
    response.chunk()
    del thing
    gc.collect()
    held = gone() is not None and [r for r in gc.get_referrers(gone()) if isinstance(r, dict)]
    response.close()
    assert not held


# --- who asks


def test_without_identify_there_is_no_user(make_app: Any) -> None:
    app = make_app({"it": define_route(lambda ctx: ctx.user)})
    assert app.test_client().get("/api/it").json is None


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_identify_tells_who_asks_once_per_request(make_app: Any, kind: str) -> None:
    asked: list[str] = []

    def identify(request: Request) -> str:
        asked.append(request.args["who"])
        return request.args["who"]

    def one(ctx: Context) -> Any:
        return [ctx.user, ctx.user]

    def many(ctx: Context) -> Iterator[Any]:
        yield [ctx.user, ctx.user]

    seen: list[Any] = []
    hook = define_hook(
        before=lambda ctx: seen.append(ctx.user), cleanup=lambda ctx: seen.append(ctx.user)
    )
    route = define_route(one if kind == "http" else many, kind=kind, hooks=[hook])
    app = make_app({"it": route}, identify=identify)
    if kind == "http":
        assert app.test_client().get("/api/it?who=a").json == ["a", "a"]
    else:
        with sse_client(app).open("/api/it?who=a") as stream:
            assert next(e.data for e in stream) == '["a","a"]'
    assert asked == ["a"]
    assert seen == ["a", "a"]


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_identify_may_refuse(make_app: Any, kind: str) -> None:
    def handler(ctx: Context) -> Iterable[Any]:
        return [ctx.user]

    app = make_app({"it": define_route(handler, kind=kind)}, identify=lambda request: abort(401))
    assert app.test_client().get("/api/it").status_code == 401


# --- the position a client resumes from


def position(ctx: Context) -> Iterator[Any]:
    yield ctx.last_event_id


def test_the_position_comes_by_header_or_query(make_app: Any) -> None:
    app = make_app({"it": sse(position), "one": define_route(lambda ctx: ctx.last_event_id)})
    assert first_json(app) is None
    assert first_json(app, last_event_id="k3f9-7") == "k3f9-7"
    assert first_json(app, "/api/it?last_event_id=k3f9-8") == "k3f9-8"
    assert first_json(app, "/api/it?last_event_id=k3f9-8", last_event_id="k3f9-9") == "k3f9-9"
    assert first_json(app, "/api/it?last_event_id=k3f9-8", last_event_id="") == "k3f9-8"
    client = app.test_client()
    assert client.get("/api/one", headers={"Last-Event-ID": "5"}).json == "5"


def hostile_ids() -> list[str]:
    """Ids as a server may hand them to an application: text in latin-1."""
    rng = random.Random(8)
    fixed = [
        "x" * 65_536,
        "\0",
        "a\0b",
        "a\r\nSet-Cookie: a=b",
        "a\nb",
        "-1",
        "-" * 260,
        "é",
        "\xff",
    ]
    fixed += [
        "~",
        "end",
        "~END",
        "~end ",
        " ~end",
        "%7Eend",
        "7~end~end",
        "9" * 300,
        "k3f9--1",
        "\t",
    ]
    fixed += [
        "\x7f",
        "\x85",
        "'\"<script>",
        "k3f9-99999999999999999999",
        "../../etc/passwd",
        "null",
    ]
    rest = [
        "".join(chr(rng.randrange(256)) for _ in range(rng.choice((1, 3, 20, 300))))
        for _ in range(1000 - len(fixed))
    ]
    return fixed + rest


def test_a_thousand_hostile_ids_do_no_harm(make_app: Any, wsgi: Any) -> None:
    seen: list[Any] = []

    def handler(ctx: Context) -> Iterator[int]:
        seen.append(ctx.last_event_id)
        yield 1

    app = make_app({"it": sse(handler)})
    for index, text in enumerate(hostile_ids()):
        if index % 2:
            response = wsgi(app, "/api/it", HTTP_LAST_EVENT_ID=text)
        else:
            query = f"last_event_id={quote(text, encoding='latin-1')}"
            response = wsgi(app, "/api/it", QUERY_STRING=query)
        body = response.rest()
        response.close()
        assert response.status == (204 if text.endswith("~end") else 200), text
        assert (b"data: 1\n\n" in body) == (response.status == 200)
        assert "Set-Cookie" not in response.headers
    for each in seen:
        assert each is None or (0 < len(each) <= 260 and each.isascii() and each.isprintable())
        assert each is None or " " not in each
    assert None in seen
    assert "-1" in seen


# --- waiting


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_sleep_waits(make_app: Any, kind: str) -> None:
    def handler(ctx: Context) -> Any:
        begun = time.monotonic()
        ctx.sleep(0.05)
        return [time.monotonic() - begun]

    def generator(ctx: Context) -> Iterator[Any]:
        yield handler(ctx)

    route = define_route(handler if kind == "http" else generator, kind=kind)
    app = make_app({"it": route})
    got = first_json(app) if kind == "sse" else app.test_client().get("/api/it").json
    assert 0.045 <= got[0] < 10


def test_sleep_ends_with_the_stream(make_app: Any, eventually: Any) -> None:
    seen: list[Any] = []

    def handler(ctx: Context) -> Iterator[int]:
        yield 1
        try:
            ctx.sleep(3600)
        except Exception:
            seen.append("swallowed")
        except StreamClosed as closed:
            seen.append(closed.reason)
            raise
        finally:
            seen.append(ctx.connected)

    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        stream.next()
        left = time.monotonic()
    eventually(lambda: len(seen) == 2)
    assert seen == ["disconnected", False]
    assert time.monotonic() - left < 10


def test_connected_turns_false(make_app: Any, eventually: Any) -> None:
    turns: list[bool] = []

    def handler(ctx: Context) -> Iterator[int]:
        turns.append(ctx.connected)
        yield 1
        try:
            while ctx.connected:
                time.sleep(0.005)
        finally:
            turns.append(ctx.connected)

    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        stream.next()
    eventually(lambda: len(turns) == 2)
    assert turns == [True, False]


def test_connected_in_an_http_handler_asks_the_socket(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": define_route(lambda ctx: ctx.connected)})
    client, server = socket.socketpair()
    assert wsgi(app, "/api/it", **{"werkzeug.socket": server}).rest() == b"true"
    client.close()
    assert wsgi(app, "/api/it", **{"werkzeug.socket": server}).rest() == b"false"
    server.close()
    assert wsgi(app, "/api/it").rest() == b"true"


def test_run_returns_the_result_and_raises_the_error(make_app: Any) -> None:
    def divide(a: int, b: int) -> list[Any]:
        return [a / b, current_app.name, has_request_context()]

    def handler(ctx: Context, b: int) -> Iterator[Any]:
        try:
            yield ctx.run(divide, 6, b)
        except ZeroDivisionError:
            yield "caught"

    app = make_app({"it": sse(handler)})
    assert first_json(app, "/api/it?b=2") == [3.0, "application", False]
    assert first_json(app, "/api/it?b=0") == "caught"


@pytest.mark.gevent
def test_run_computes_beside_the_hub(make_app: Any) -> None:
    from gevent import monkey

    identify = monkey.get_original("_thread", "get_ident")
    real_sleep = monkey.get_original("time", "sleep")
    here = identify()

    def compute() -> Any:
        real_sleep(0.5)  # blocks whatever thread it is in
        return identify() != here

    def handler(ctx: Context) -> Iterator[Any]:
        yield 0
        yield ctx.run(compute)

    with sse_client(make_app({"it": sse(handler)}, SSE_HEARTBEAT=0.05)).open("/api/it") as stream:
        assert [stream.json(), stream.json()] == [0, True]
        assert stream.heartbeats >= 3


def test_app_context_for_a_handler_that_runs_bare(make_app: Any) -> None:
    def handler(ctx: Context) -> Iterator[Any]:
        bare = has_app_context()
        with ctx.app_context():
            name = current_app.name
        yield [bare, name, has_app_context()]

    app = make_app({"it": sse(handler, context="none")})
    assert first_json(app) == [False, "application", False]


# --- state


def test_state_is_shared_by_hooks_and_handler(make_app: Any) -> None:
    def before(ctx: Context) -> None:
        ctx.state.seen = ["before"]

    def handler(ctx: Context) -> Iterator[Any]:
        ctx.state.seen.append("handler")
        yield ctx.state.seen

    seen: list[Any] = []
    hook = define_hook(before=before, cleanup=lambda ctx: seen.extend(ctx.state.seen))
    with sse_client(make_app({"it": sse(handler, hooks=[hook])})).open("/api/it") as stream:
        list(stream)
    assert seen == ["before", "handler"]


# --- URLs

TARGETS: list[tuple[str, dict[str, Any]]] = [
    ("api.it", {}),
    (".it", {}),
    (".item", {"n": 7}),
    ("plain", {"q": "a b", "page": [1, 2]}),
    ("other.page", {}),
    ("static", {"filename": "a/b.js"}),
    (".item", {"n": 7, "_external": True}),
    ("plain", {"_anchor": "part 1"}),
    ("plain", {"_scheme": "https", "_external": True}),
]


def app_with_urls(handler: Any, asked: list[str]) -> Flask:
    """An app whose one stream has a before hook that asks Flask itself for the same URLs."""

    def before(ctx: Context) -> None:
        asked.extend(flask.url_for(name, **values) for name, values in TARGETS)

    app = Flask("application")
    SSERoutes(app)
    routes = {
        "it": sse(handler, hooks=[define_hook(before=before)]),
        "item": define_route(lambda n: n, path="/items/<int:n>"),
    }
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    app.add_url_rule("/plain", "plain", lambda: "")
    other = Blueprint("other", __name__)
    other.add_url_rule("/other/<lang>", "page", lambda lang: lang)

    @app.url_defaults
    def language(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "other.page":
            values.setdefault("lang", "en")

    app.register_blueprint(other)
    return app


@pytest.mark.parametrize(
    ("config", "environ"),
    [
        ({}, {}),
        ({}, {"base_url": "https://example.org:8443/below"}),
        ({"APPLICATION_ROOT": "/below"}, {}),
        ({"SERVER_NAME": "example.org"}, {"base_url": "http://example.org"}),
    ],
)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_url_for_builds_what_flask_builds_in_the_request(
    config: Any, environ: Any, when: str
) -> None:
    def handler(ctx: Context) -> Iterator[Any]:
        if when == "later":
            yield "begun"
            ctx.sleep(0.02)
        yield [ctx.url_for(name, **values) for name, values in TARGETS]

    asked: list[str] = []
    app = app_with_urls(handler, asked)
    app.config.update(config)
    with sse_client(app).open("/api/it", **environ) as stream:
        got = stream.json()
        assert (got if when == "at once" else stream.json()) == asked


def test_url_for_in_http_and_in_nested_blueprints(make_app: Any) -> None:
    def handler(ctx: Context) -> Any:
        return [ctx.url_for(".it"), flask.url_for(".it")]

    inner = RouteBlueprint("inner", __name__, {"it": define_route(handler)}, url_prefix="/inner")
    outer = RouteBlueprint("outer", __name__, url_prefix="/outer")
    outer.register_blueprint(inner)
    app = make_app()
    app.register_blueprint(outer)
    assert app.test_client().get("/outer/inner/it").json == ["/outer/inner/it"] * 2


def test_url_for_of_an_unknown_endpoint_raises_as_flask_does(make_app: Any) -> None:
    def handler(ctx: Context) -> Iterator[Any]:
        yield ctx.url_for("nothing")

    app = make_app({"it": sse(handler)}, TESTING=True)
    with pytest.raises(Exception, match="nothing"):
        app.test_client().get("/api/it")


def test_threads_that_handlers_start_end_with_the_test(make_app: Any) -> None:
    """What `ctx.run` gives back has no thread left behind it that the leak check would see."""
    before = threading.active_count()
    app = make_app({"it": sse(lambda ctx: iter([ctx.run(max, 1, 2)]))})
    assert first_json(app) == 2
    assert threading.active_count() <= before + 3
