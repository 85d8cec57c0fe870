"""`RouteBlueprint`: a mapping and decorators, nesting, and everything a Flask blueprint does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from flask import Blueprint, Flask, Response, g

from flask_sse_routes import (
    Context,
    DeclarationError,
    RouteBlueprint,
    SSERoutes,
    define_hook,
    define_route,
    register_kind,
)
from flask_sse_routes.kinds import _KINDS, Call, Kind
from flask_sse_routes.routes import VARIABLE, Route
from flask_sse_routes.testing import sse_client

PROBLEM = "application/problem+json"


def hello() -> str:
    return "hello"


def ticks() -> Iterator[int]:
    yield 1


def app_of(*blueprints: Any, **options: Any) -> Flask:
    app = Flask("application")
    for blueprint in blueprints:
        app.register_blueprint(blueprint, **options)
    return app


def test_a_mapping_is_enough() -> None:
    routes = {"hello": define_route(hello), "ticks": define_route(ticks, kind="sse")}
    app = app_of(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    assert app.test_client().get("/api/hello").json == "hello"
    with sse_client(app).open("/api/ticks") as stream:
        assert [event.event for event in stream] == ["message", "end"]
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == {
        "api.hello",
        "api.ticks",
        "api.client-js",
        "api.openapi-json",
        "api.explorer",
        "api.explorer-slash",
        "api.explorer-file",
        "api.sse-doctor",
        "api.sse-health",
        "static",
    }


def test_decorators() -> None:
    api = RouteBlueprint("api", __name__, url_prefix="/api")

    @api.http("/orders/<int:order_id>", method="POST", summary="Pays an order")
    def pay(order_id: int, amount: float) -> list[float]:
        return [order_id, amount]

    @api.http()
    def plain() -> str:
        return "plain"

    @api.sse("/clock", max_duration=60)
    def clock(n: int = 2) -> Iterator[int]:
        yield from range(n)

    @api.sse(name="other")
    def named() -> Iterator[int]:
        yield 7

    assert plain() == "plain", "the function stays a function"
    assert list(clock(1)) == [0]
    assert list(api.routes) == ["pay", "plain", "clock", "other"]
    assert api.routes["pay"].summary == "Pays an order"
    client = app_of(api).test_client()
    assert client.post("/api/orders/7", json={"amount": 2.5}).json == [7, 2.5]
    assert client.get("/api/plain").json == "plain"
    for path in ("/api/clock", "/api/other"):
        with sse_client(client).open(path) as stream:
            assert stream.status == 200
            assert list(stream)[-1].event == "end"


def test_a_mapping_and_decorators_together() -> None:
    api = RouteBlueprint("api", __name__, {"hello": define_route(hello)}, url_prefix="/api")

    @api.http()
    def more() -> str:
        return "more"

    client = app_of(api).test_client()
    assert [client.get(f"/api/{name}").json for name in ("hello", "more")] == ["hello", "more"]


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_decorator_without_parentheses_says_what_to_do(kind: str) -> None:
    api = RouteBlueprint("api", __name__)
    with pytest.raises(DeclarationError, match=rf"@api\.{kind}\(\)"):
        getattr(api, kind)(hello)


def test_a_decorator_checks_at_once() -> None:
    api = RouteBlueprint("api", __name__)
    with pytest.raises(DeclarationError, match=r"'hello'.*'colour'"):
        api.http(colour="red")(hello)
    with pytest.raises(DeclarationError, match=r"'ticks'.*kind='sse'"):
        api.http()(ticks)


def test_a_name_that_is_taken_or_no_identifier_is_refused() -> None:
    api = RouteBlueprint("api", __name__)
    with pytest.raises(DeclarationError, match=r"'explorer'.*taken"):
        api.http(name="explorer")(hello)
    with pytest.raises(DeclarationError, match=r"'a-b'.*identifier"):
        api.http(name="a-b")(hello)


def test_a_path_that_is_taken_is_refused() -> None:
    api = RouteBlueprint("api", __name__, {"hello": define_route(hello)})
    api.add_route("posted", define_route(hello, path="/hello", method="POST"))
    with pytest.raises(DeclarationError, match=r"'again'.*GET /hello.*'hello'.*path=.*method="):
        api.add_route("again", define_route(hello, path="/hello"))
    with pytest.raises(DeclarationError, match=r"'twice'.*POST /hello.*'posted'"):
        api.http("/hello", method="POST", name="twice")(hello)
    assert list(api.routes) == ["hello", "posted"]


@pytest.mark.parametrize("path", ["//hello", "/of//hello", "/of/hello"])
def test_more_slashes_make_no_other_path(path: str) -> None:
    routes = {"hello": define_route(hello), "of": define_route(hello, path="/of///hello")}
    api = RouteBlueprint("api", __name__, routes)
    with pytest.raises(DeclarationError, match=rf"'again': GET {path} is route '\w+' already"):
        api.add_route("again", define_route(hello, path=path))


@pytest.mark.parametrize("path", ["//client.js", "//explorer", "/explorer//"])
def test_nor_do_they_beside_the_packages_own(path: str) -> None:
    api = RouteBlueprint("api", __name__)
    with pytest.raises(DeclarationError, match=rf"'mine': GET {path} is the package's own"):
        api.add_route("mine", define_route(hello, path=path))


@pytest.mark.parametrize("converter", ["", "int:", "any(one, two):"])
def test_a_path_with_other_names_alone_is_taken(converter: str) -> None:
    api = RouteBlueprint("api", __name__)
    api.add_route("by_name", define_route(named, path=f"/of/<{converter}name>"))
    with pytest.raises(DeclarationError, match=r"'by_code'.*is route 'by_name' already.*path="):
        api.add_route("by_code", define_route(coded, path=f"/of/<{converter}code>"))


def test_paths_whose_variables_differ_in_kind_both_answer() -> None:
    routes = {
        "by_name": define_route(named, path="/of/<name>"),
        "by_code": define_route(coded, path="/of/<int:code>"),
    }
    client = app_of(RouteBlueprint("api", __name__, routes)).test_client()
    assert [client.get(url).json for url in ("/of/one", "/of/1")] == ["one", 1]


def own_paths() -> list[str]:
    """What the package serves below a prefix."""
    rules = app_of(RouteBlueprint("api", __name__, url_prefix="/api")).url_map.iter_rules()
    return sorted(r.rule.removeprefix("/api") for r in rules if r.endpoint.startswith("api."))


def named(name: str) -> str:
    return name


def coded(code: int) -> int:
    return code


def numbered(name: int) -> str:
    return "hello" if name == 7 else "another"


@pytest.mark.parametrize("path", [*own_paths(), '/explorer/<any("hello"):name>'])
def test_a_path_of_the_packages_own_is_refused(path: str) -> None:
    api = RouteBlueprint("api", __name__, url_prefix="/api")
    path = path.replace("explorer_file", "name")
    handler = named if "<" in path else hello
    with pytest.raises(DeclarationError, match=r"'mine': GET /.*package's own.*path=.*method="):
        api.add_route("mine", define_route(handler, path=path))
    posted = api.add_route("posted", define_route(handler, path=path, method="POST"))
    url = f"/api{VARIABLE.sub('hello', posted.rule)}"
    assert app_of(api).test_client().post(url, json={}).json == "hello"


@pytest.mark.parametrize(
    ("path", "handler", "url"),
    [
        ("/sse-health/more", hello, "/sse-health/more"),
        ("/<name>", named, "/hello"),
        ("/explorer/<int:name>", numbered, "/explorer/7"),
    ],
)
def test_a_path_beside_them_is_not(path: str, handler: Any, url: str) -> None:
    api = RouteBlueprint("api", __name__, {"mine": define_route(handler, path=path)})
    assert app_of(api).test_client().get(url).json == "hello"


def test_a_route_that_comes_too_late_is_refused() -> None:
    api = RouteBlueprint("api", __name__, url_prefix="/api")
    app_of(api)
    with pytest.raises((AssertionError, DeclarationError), match=r"api|'late'"):
        api.add_route("late", define_route(hello))
    assert "late" not in api.routes


def test_add_route_returns_the_complete_route() -> None:
    api = RouteBlueprint("api", __name__)
    route = api.add_route("hello", define_route(hello))
    assert (route.name, route.rule) == ("hello", "/hello")
    assert api.routes["hello"] is route


def test_it_is_a_blueprint_like_any_other() -> None:
    api = RouteBlueprint("api", __name__, {"hello": define_route(hello)}, url_prefix="/api")
    seen: list[str] = []

    @api.route("/plain")
    def plain() -> str:
        return f"plain {g.mark}"

    @api.before_request
    def mark() -> None:
        g.mark = "marked"
        seen.append("before")

    @api.after_request
    def header(response: Response) -> Response:
        response.headers["X-Mark"] = g.mark
        return response

    client = app_of(api).test_client()
    assert client.get("/api/plain").text == "plain marked"
    assert client.get("/api/hello").headers["X-Mark"] == "marked"
    assert seen == ["before", "before"]


def test_after_request_and_teardown_run_for_streams_too() -> None:
    seen: list[str] = []
    api = RouteBlueprint("api", __name__, {"ticks": define_route(ticks, kind="sse")})

    @api.after_request
    def header(response: Response) -> Response:
        response.headers["X-Mark"] = "1"
        return response

    @api.teardown_request
    def teardown(error: BaseException | None) -> None:
        seen.append("teardown")

    app = app_of(api)
    with sse_client(app).open("/ticks") as stream:
        assert stream.headers["X-Mark"] == "1"
        assert seen == ["teardown"], "the request is over while the stream goes on"
        list(stream)


def test_the_prefix_may_come_with_the_registration() -> None:
    api = RouteBlueprint("api", __name__, {"hello": define_route(hello)}, url_prefix="/api")
    client = app_of(api, url_prefix="/v2").test_client()
    assert client.get("/v2/hello").json == "hello"
    assert client.get("/v2/nothing").content_type == PROBLEM
    assert client.get("/api/nothing").mimetype == "text/html"


def test_it_registers_twice() -> None:
    seen: list[str] = []
    hook = define_hook(before=lambda ctx: seen.append(ctx.request.blueprint))
    routes = {"hello": define_route(hello), "me": define_route(lambda ctx: ctx.url_for(".hello"))}
    api = RouteBlueprint("api", __name__, routes, hooks=[hook])
    app = Flask("application")
    app.register_blueprint(api, url_prefix="/one")
    app.register_blueprint(api, url_prefix="/two", name="second")
    client = app.test_client()
    assert client.get("/one/hello").json == client.get("/two/hello").json == "hello"
    assert [client.get(f"/{each}/me").json for each in ("one", "two")] == [
        "/one/hello",
        "/two/hello",
    ]
    assert client.get("/two/nothing").content_type == PROBLEM
    assert seen == ["api", "second", "api", "second"]


def test_it_serves_several_apps() -> None:
    api = RouteBlueprint("api", __name__, {"hello": define_route(hello)}, url_prefix="/api")
    for app in (app_of(api), app_of(api)):
        assert app.test_client().get("/api/hello").json == "hello"


def nested(outer: Blueprint, inner: Blueprint, **options: Any) -> Any:
    outer.register_blueprint(inner, **options)
    return app_of(outer).test_client()


@pytest.mark.parametrize("outer_type", [RouteBlueprint, Blueprint])
def test_it_nests(outer_type: Any) -> None:
    inner = RouteBlueprint("inner", __name__, {"hello": define_route(hello)}, url_prefix="/inner")
    client = nested(outer_type("outer", __name__, url_prefix="/outer"), inner)
    assert client.get("/outer/inner/hello").json == "hello"
    assert client.get("/outer/inner/nothing").content_type == PROBLEM
    assert client.get("/inner/hello").status_code == 404
    ours = outer_type is RouteBlueprint
    assert (client.get("/outer/nothing").content_type == PROBLEM) == ours


def test_it_nests_with_another_prefix() -> None:
    inner = RouteBlueprint("inner", __name__, {"hello": define_route(hello)}, url_prefix="/inner")
    outer = RouteBlueprint("outer", __name__, url_prefix="/outer")
    client = nested(outer, inner, url_prefix="/deep/<int:n>")
    response = client.get("/outer/deep/5/nothing")
    assert (response.status_code, response.content_type) == (404, PROBLEM)


def test_a_plain_blueprint_nests_in_it() -> None:
    inner = Blueprint("inner", __name__, url_prefix="/inner")
    inner.get("/plain")(lambda: "plain")
    client = nested(RouteBlueprint("outer", __name__, url_prefix="/outer"), inner)
    assert client.get("/outer/inner/plain").text == "plain"


def test_hooks_reach_nested_blueprints_and_no_others() -> None:
    seen: list[str] = []

    def marking(name: str) -> Any:
        return define_hook(before=lambda ctx: seen.append(name))

    def blueprint(name: str) -> RouteBlueprint:
        routes = {"hello": define_route(hello)}
        return RouteBlueprint(name, __name__, routes, hooks=[marking(name)], url_prefix=f"/{name}")

    outer, inner, other = blueprint("outer"), blueprint("inner"), blueprint("other")
    between = Blueprint("between", __name__, url_prefix="/between")
    between.register_blueprint(inner)
    outer.register_blueprint(between)
    client = app_of(outer, other).test_client()
    for path, names in (
        ("/outer/hello", ["outer"]),
        ("/outer/between/inner/hello", ["outer", "inner"]),
        ("/other/hello", ["other"]),
    ):
        seen.clear()
        assert client.get(path).status_code == 200
        assert seen == names


def test_blueprints_whose_names_begin_alike_do_not_share_hooks() -> None:
    seen: list[str] = []
    hook = define_hook(before=lambda ctx: seen.append("api"))
    api = RouteBlueprint(
        "api", __name__, {"hello": define_route(hello)}, hooks=[hook], url_prefix="/a"
    )
    api2 = RouteBlueprint("api2", __name__, {"hello": define_route(hello)}, url_prefix="/b")
    client = app_of(api, api2).test_client()
    client.get("/b/hello")
    assert seen == []
    client.get("/a/hello")
    assert seen == ["api"]


# --- a kind of one's own


class TextKind(Kind):
    """Answers with plain text."""

    options: ClassVar[Mapping[str, Any]] = {"shout": False}

    def respond(self, call: Call) -> Response:
        ctx: Context = call.context()
        call.read_input(ctx)
        text = str(call.route.call(ctx))
        return Response(
            text.upper() if call.route.options["shout"] else text, mimetype="text/plain"
        )


@pytest.fixture(name="text_kind")
def registered_kind() -> Iterator[None]:
    register_kind("text", TextKind())
    yield
    del _KINDS["text"]


def test_a_third_kind_is_one_object(text_kind: None) -> None:
    def greet(name: str) -> str:
        return f"hello {name}"

    routes = {
        "greet": define_route(greet, kind="text"),
        "shout": define_route(greet, kind="text", shout=True),
    }
    client = app_of(RouteBlueprint("api", __name__, routes, url_prefix="/api")).test_client()
    assert client.get("/api/greet?name=you").text == "hello you"
    assert client.get("/api/shout?name=you").text == "HELLO YOU"
    assert client.get("/api/greet").status_code == 422


def test_a_third_kind_has_options_of_its_own(text_kind: None) -> None:
    with pytest.raises(DeclarationError, match=r"'hello'.*'shoud'.*mean 'shout'"):
        RouteBlueprint("api", __name__, {"hello": define_route(hello, kind="text", shoud=True)})


def test_a_kind_can_look_at_its_routes(text_kind: None) -> None:
    class Picky(TextKind):
        def check(self, route: Route) -> Route:
            route = super().check(route)
            raise DeclarationError(f"{route.owner} is not to my taste.")

    register_kind("picky", Picky())
    try:
        with pytest.raises(DeclarationError, match="'hello' is not to my taste"):
            RouteBlueprint("api", __name__, {"hello": define_route(hello, kind="picky")})
    finally:
        del _KINDS["picky"]


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("http", TextKind(), "'http' is registered already"),
        ("text2", TextKind, "'text2' must be an instance"),
        ("text2", object(), "'text2' must be an instance"),
    ],
)
def test_a_kind_that_cannot_be_registered(name: str, kind: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        register_kind(name, kind)
    assert set(_KINDS) == {"http", "sse"}


def test_app_hooks_run_whichever_comes_first() -> None:
    """The blueprint sets the app up when nobody has; the extension may come after it."""
    seen: list[str] = []
    hook = define_hook(before=lambda ctx: seen.append("app"))
    app = app_of(RouteBlueprint("api", __name__, {"hello": define_route(hello)}, url_prefix="/api"))
    SSERoutes(app, hooks=[hook])
    assert json.loads(app.test_client().get("/api/hello").data) == "hello"
    assert seen == ["app"]


def test_a_route_named_like_a_blueprint_beside_it_is_refused() -> None:
    outer = RouteBlueprint("outer", __name__, {"inner": define_route(hello)}, url_prefix="/outer")
    outer.register_blueprint(RouteBlueprint("inner", __name__, {"hello": define_route(hello)}))
    with pytest.raises(DeclarationError, match=r"'outer\.inner'.*the same name.*rename"):
        Flask("app").register_blueprint(outer)


@pytest.mark.parametrize("path", ["/a{b}", "/100%25", "/<name>}"])
def test_what_no_client_can_tell_from_a_variable_is_refused(path: str) -> None:
    with pytest.raises(DeclarationError, match="could not tell from a variable"):
        RouteBlueprint("api", __name__, {"a": define_route(hello, path=path)})


def test_a_converter_may_have_braces() -> None:
    def word(name: str) -> str:
        return name

    app = app_of(
        RouteBlueprint("api", __name__, {"w": define_route(word, path='/<any("a{2}", b):name>')})
    )
    assert app.test_client().get("/b").json == "b"
