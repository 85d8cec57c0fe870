"""Declaring routes: what `define_route` and `compose_routes` give, and each mistake's sentence."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pydantic
import pytest
from flask import Flask

from flask_sse_routes import (
    DeclarationError,
    Route,
    RouteBlueprint,
    compose_routes,
    define_hook,
    define_route,
)

NAME = "broken"
RESERVED_EVENTS = ("ready", "snapshot", "reset", "error", "end")


def hello() -> dict[str, str]:
    return {"hello": "world"}


def ticks() -> Iterator[int]:
    yield 1


class Order(pydantic.BaseModel):
    order_id: int


def register(name: Any, route: Any) -> Flask:
    app = Flask("application")
    app.register_blueprint(RouteBlueprint("api", __name__, {name: route}, url_prefix="/api"))
    return app


async def waits() -> int:
    return 1


async def streams() -> Any:
    yield 1


class Awaits:
    async def __call__(self) -> int:
        return 1


def takes_any(*args: Any) -> Any:
    return args


def takes_named(**kwargs: Any) -> Any:
    return kwargs


def by_position(x: int, /) -> int:
    return x


def takes_input(input: Any) -> Any:
    return input


def takes_two(input: Any, other: int) -> Any:
    return input, other


def from_nowhere(x: Nowhere) -> Any:  # type: ignore[name-defined]  # noqa: F821  # what is tested
    return x


def by_id(order_id: int) -> int:
    return order_id


def sse(handler: Any = ticks, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


# What is declared, and words that its sentence must have beside the route's name.
MISTAKES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "unknown kind": (
        lambda: define_route(hello, kind="websocket"),
        ("'websocket'", "'http'", "'sse'"),
    ),
    "kind that cannot be a key": (lambda: define_route(hello, kind=[]), ("kind=[]", "'sse'")),
    "unknown option": (lambda: define_route(hello, colour="red"), ("'colour'", "'http'")),
    "misspelt option": (lambda: sse(contxt="none"), ("'contxt'", "mean 'context'")),
    "misspelt common option": (lambda: define_route(hello, sumary="x"), ("mean 'summary'",)),
    "option of another kind": (lambda: define_route(hello, context="none"), ("'context'",)),
    "async def": (lambda: define_route(waits), ("async def", "plain function")),
    "async generator": (lambda: sse(streams), ("async def", "plain function")),
    "async call": (lambda: define_route(Awaits()), ("async def",)),
    "partial of async": (lambda: define_route(functools.partial(waits)), ("async def",)),
    "not callable": (
        lambda: define_route(5),  # type: ignore[call-overload]  # wrong on purpose
        ("5", "not callable"),
    ),
    "unknown method": (lambda: define_route(hello, method="FETCH"), ("'FETCH'", "GET", "POST")),
    "method in lower case": (lambda: define_route(hello, method="get"), ("'get'", "GET")),
    "method HEAD": (lambda: define_route(hello, method="HEAD"), ("'HEAD'", "by themselves")),
    "path without a slash": (lambda: define_route(hello, path="hello"), ("'hello'", "'/'")),
    "empty path": (lambda: define_route(hello, path=""), ("''", "'/'")),
    "path of another type": (lambda: define_route(hello, path=5), ("5", "'/'")),
    "path that is cut off": (lambda: define_route(hello, path="/x/<int:"), ("/x/<int:",)),
    "unknown converter": (
        lambda: define_route(by_id, path="/x/<nosuch:order_id>"),
        ("nosuch", "/x/<nosuch:order_id>"),
    ),
    "no route": (lambda: hello, ("define_route",)),
    "no handler": (lambda: define_route(kind="sse"), ("define_route",)),
    "variable that is no parameter": (
        lambda: define_route(hello, path="/orders/<int:order_id>"),
        ("'order_id'", "/orders/<int:order_id>", "add a parameter"),
    ),
    "variable missing from the input": (
        lambda: define_route(takes_input, input=Order, path="/orders/<int:number>"),
        ("'number'", "input"),
    ),
    "parameter that nothing fills": (
        lambda: define_route(takes_two, input=Order),
        ("'other'", "nothing fills", "`input` and `ctx`"),
    ),
    "input without a schema": (lambda: define_route(takes_input), ("`input`", "input=")),
    "*args": (lambda: define_route(takes_any), ("*args", "name its parameters")),
    "**kwargs": (lambda: define_route(takes_named), ("**kwargs", "name its parameters")),
    "positional-only": (lambda: define_route(by_position), ("'x'", "'/'")),
    "no signature": (lambda: define_route(dict), ("signature", "wrap it in a function")),
    "annotation that is not there": (lambda: define_route(from_nowhere), ("Nowhere", "Import")),
    "generator under http": (lambda: define_route(ticks), ("yields", "kind='sse'")),
    "events under http": (lambda: define_route(hello, events={"a": int}), ("events=", "'sse'")),
    "events in a list": (lambda: sse(events=["progress"]), ("events=",)),
    "input that is no type": (lambda: define_route(takes_input, input=5), ("input", "5")),
    "output that is no type": (lambda: define_route(hello, output=5), ("output", "5")),
    "event type that is no type": (lambda: sse(events={"a": 5}), ("'a'", "5")),
    "what is no hook": (lambda: define_route(hello, hooks=[hello]), ("hooks=", "define_hook")),
    "factory that was not called": (
        lambda: define_route(
            hello, hooks=[define_hook(setup=lambda: 1, before=lambda ctx, state: None)]
        ),
        ("factory", "called"),
    ),
    "hook outside a list": (
        lambda: define_route(hello, hooks=define_hook(before=print)),
        ("hooks=",),
    ),
    "unknown context": (lambda: sse(context="request"), ("'request'", "'step'", "'stream'")),
    "unknown on_end": (lambda: sse(on_end="again"), ("'again'", "'stop'", "'reconnect'")),
    "unknown drain": (lambda: sse(drain="later"), ("'later'", "'now'", "'finish'")),
    **{
        f"max_duration of {value!r}": (
            functools.partial(sse, max_duration=value),
            ("max_duration", repr(value), "seconds"),
        )
        for value in (0, -1, "60", True, float("nan"))
    },
    **{
        f"open_timeout of {value!r}": (
            functools.partial(sse, open_timeout=value),
            ("open_timeout", repr(value), "seconds"),
        )
        for value in (-1, "1", True, float("nan"))
    },
    **{
        f"event name {name!r}": (
            functools.partial(sse, events={name: int}),
            ("events=", repr(name)),
        )
        for name in (*RESERVED_EVENTS, "", "a\nb", "a\rb", "a\0b", 5)
    },
}
# Declared before the route has a name, so the sentence names its handler.
BY_HANDLER = {"what is no hook", "factory that was not called", "hook outside a list"}
BY_HANDLER |= {"events in a list"}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_fails_at_registration_and_says_what_to_do(mistake: str) -> None:
    declare, words = MISTAKES[mistake]
    with pytest.raises(DeclarationError) as caught:
        register(NAME, declare())
    sentence = str(caught.value)
    names = ("hello", "ticks", NAME) if mistake in BY_HANDLER else (repr(NAME),)
    assert any(name in sentence for name in names), sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize("name", ["then", "client.js", "openapi.json", "explorer"])
def test_names_of_the_package_are_taken(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"'{name}'.*taken.*choose another"):
        register(name, define_route(hello))


@pytest.mark.parametrize("name", ["", "two words", "a-b", "1st", "a/b", 5, None])
def test_names_are_identifiers(name: Any) -> None:
    with pytest.raises(DeclarationError, match=r"not an identifier.*path="):
        register(name, define_route(hello))


def test_a_declaration_error_is_a_type_error() -> None:
    assert issubclass(DeclarationError, TypeError)


def test_composing_merges_in_order() -> None:
    one, two = define_route(hello), define_route(hello)
    assert list(compose_routes({"b": one}, {}, {"a": two}).items()) == [("b", one), ("a", two)]
    assert compose_routes() == {}


def test_composing_refuses_a_name_that_occurs_twice() -> None:
    route = define_route(hello)
    with pytest.raises(DeclarationError, match="'hello' is defined twice; rename"):
        compose_routes({"hello": route}, {"hello": route})


def test_a_blueprint_refuses_a_name_that_occurs_twice() -> None:
    api = RouteBlueprint("api", __name__, {"hello": define_route(hello)})
    with pytest.raises(DeclarationError, match="'hello' is defined twice; rename"):
        api.http("/elsewhere")(hello)


def test_a_route_is_frozen() -> None:
    route = define_route(hello, tags=["a"], events={})
    with pytest.raises(dataclasses.FrozenInstanceError):
        route.method = "POST"
    with pytest.raises(TypeError):
        route.events["a"] = int
    with pytest.raises(TypeError):
        route.options["a"] = 1
    assert route.tags == ("a",)


def test_defaults() -> None:
    route = define_route(hello)
    assert isinstance(route, Route)
    assert (route.kind, route.method, route.path) == ("http", "GET", None)
    assert (route.hooks, route.tags, route.deprecated) == ((), (), False)


def test_without_a_handler_it_is_a_decorator() -> None:
    @define_route(method="POST", summary="Says hello", tags=("greeting",))
    def greet(name: str) -> str:
        return f"hello {name}"

    assert isinstance(greet, Route)
    assert (greet.method, greet.summary, greet.tags) == ("POST", "Says hello", ("greeting",))
    response = register("greet", greet).test_client().post("/api/greet", json={"name": "you"})
    assert response.json == "hello you"


def test_the_name_is_the_url_unless_path_says_otherwise() -> None:
    app = Flask("application")
    routes = {
        "hello": define_route(hello),
        "one": define_route(by_id, path="/orders/<int:order_id>"),
        "root": define_route(hello, path="/"),
    }
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    client = app.test_client()
    assert client.get("/api/hello").json == {"hello": "world"}
    assert client.get("/api/orders/7").json == 7
    assert client.get("/api/one").status_code == 404
    assert client.get("/api/").json == {"hello": "world"}


class Greeter:
    def __init__(self, word: str) -> None:
        self.word = word

    def greet(self, name: str = "you") -> str:
        return f"{self.word} {name}"

    def __call__(self, name: str = "you") -> str:
        return self.greet(name)


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(lambda name="you": f"hello {name}", id="lambda"),
        pytest.param(Greeter("hello").greet, id="bound method"),
        pytest.param(Greeter("hello"), id="object with __call__"),
        pytest.param(
            functools.partial(lambda word, name="you": f"{word} {name}", "hello"), id="partial"
        ),
        pytest.param(wrapped(Greeter("hello").greet), id="wrapped"),
    ],
)
def test_whatever_can_be_called_by_name_is_a_handler(handler: Any) -> None:
    client = register("hello", define_route(handler)).test_client()
    assert client.get("/api/hello?name=me").json == "hello me"
    assert client.get("/api/hello").json == "hello you"


def test_what_a_partial_has_filled_no_client_can_fill() -> None:
    def visit(name: str, admin: bool, level: int = 0) -> list[Any]:
        return [name, admin, level]

    inner = functools.partial(visit, admin=False)
    for handler in (inner, functools.partial(inner, level=1)):
        level = handler.keywords.get("level", 0)
        client = register("visit", define_route(handler)).test_client()
        assert client.get("/api/visit?name=me&admin=true").json == ["me", False, level]
    assert client.get("/api/visit?name=me&admin=true&level=9").json == ["me", False, 1]


def test_with_an_input_type_a_parameter_with_a_default_is_left_alone() -> None:
    def one(input: Order, ctx: Any, extra: int = 3) -> list[int]:
        return [input.order_id, extra]

    client = register("one", define_route(one, input=Order)).test_client()
    assert client.get("/api/one?order_id=1&extra=9").json == [1, 3]


def test_one_declaration_serves_under_several_names() -> None:
    route = define_route(hello)
    api = RouteBlueprint("api", __name__, {"a": route, "b": route})
    assert (route.name, api.routes["a"].name, api.routes["b"].name) == ("", "a", "b")


def test_a_handler_without_events_of_a_generator_through_wraps_is_a_generator() -> None:
    with pytest.raises(DeclarationError, match="kind='sse'"):
        register(NAME, define_route(wrapped(ticks)))
