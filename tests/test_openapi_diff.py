"""What a change of routes breaks for clients."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Union

import pytest
from flask import Flask
from pydantic import BaseModel, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from flask_sse_routes import RouteBlueprint, define_hook, define_route
from flask_sse_routes.codegen.diff import changes
from flask_sse_routes.codegen.openapi import openapi
from flask_sse_routes.documents import catalogue_of


def document(**routes: Any) -> dict[str, Any]:
    app = Flask("application")
    app.register_blueprint(RouteBlueprint("api", __name__, routes))
    return openapi(catalogue_of(app, "api"))


def lines(old: dict[str, Any], new: dict[str, Any], *, breaking: bool = True) -> list[str]:
    return [str(change) for change in changes(old, new) if change.breaking is breaking]


def model(**fields: Any) -> Any:
    """Return a type of fields: a type each, or a type and a default."""
    given = {n: f if isinstance(f, tuple) else (f, ...) for n, f in fields.items()}
    return create_model("Model", **given)


def asked(type_: Any, method: str) -> dict[str, Any]:
    return document(it=define_route(lambda input: 1, input=type_, method=method))


def answered(type_: Any) -> dict[str, Any]:
    return document(it=define_route(lambda: 1, output=type_))


def streamed(message: Any = None, **events: Any) -> dict[str, Any]:
    return document(it=define_route(lambda: iter(()), kind="sse", output=message, events=events))


def test_nothing_has_changed() -> None:
    both = [streamed(model(a=int), b=model(c=str)) for _ in range(2)]
    assert changes(*both) == []


def test_operations() -> None:
    old = document(a=define_route(lambda: 1), b=define_route(lambda: 1))
    new = document(b=define_route(lambda: 1), c=define_route(lambda: 1))
    assert lines(old, new) == ["a: was removed"]
    assert lines(old, new, breaking=False) == ["c: was added"]


def test_method_and_path() -> None:
    def plain(n: int) -> None: ...

    old = document(a=define_route(plain, path="/a/<int:n>"))
    moved = document(a=define_route(plain, path="/b/<int:n>"))
    assert lines(old, moved) == ["a: GET /a/{1} is now GET /b/{1}"]
    put = document(a=define_route(plain, path="/a/<int:n>", method="PUT"))
    assert lines(old, put) == ["a: GET /a/{1} is now PUT /a/{1}"]


def test_a_variable_of_the_path_gets_another_name() -> None:
    def one(n: int) -> None: ...

    def other(m: int) -> None: ...

    old = document(a=define_route(one, path="/a/<int:n>"))
    new = document(a=define_route(other, path="/a/<int:m>"))
    assert lines(old, new) == ["a: input m is new and required", "a: input n was removed"]


def test_the_server() -> None:
    old = {**document(), "servers": [{"url": "/api"}]}
    assert lines(old, {**old, "servers": [{"url": "/v2"}]}) == ["servers: /api is now /v2"]


def test_deprecation_breaks_nothing() -> None:
    old = document(a=define_route(lambda: 1))
    new = document(a=define_route(lambda: 1, deprecated=True))
    assert lines(old, new) == []
    assert lines(old, new, breaking=False) == ["a: is deprecated now"]


def limited(type_: Any, **limits: Any) -> Any:
    return Annotated[type_, Field(**limits)]


Level = Literal["a", "b"]


class Named(enum.Enum):
    a = "a"
    b = "b"


# Old fields, new fields, and what is told: what breaks, and what does not.
INPUTS: list[tuple[Any, Any, list[str], list[str]]] = [
    ({}, {"x": int}, ["x is new and required"], []),
    ({}, {"x": (int, 1)}, [], ["x was added"]),
    ({"x": int}, {}, ["x was removed"], []),
    ({"x": (int, 1)}, {}, ["x was removed"], []),
    ({"x": (int, 1)}, {"x": int}, ["x is now required"], []),
    ({"x": int}, {"x": (int, 1)}, [], ["x is optional now"]),
    ({"x": int}, {"x": str}, ["x no longer takes integer"], ["x now takes string"]),
    ({"x": float}, {"x": int}, ["x no longer takes number"], []),
    ({"x": int}, {"x": float}, [], ["x now takes number"]),
    (
        {"x": Literal["a", "b", "c"]},
        {"x": Level},
        ['x no longer takes "c"'],
        [],
    ),
    ({"x": str}, {"x": Level}, ['x no longer takes all but "a", "b"'], []),
    (
        {"x": int},
        {"x": Annotated[int, Field(le=9)]},
        ["x no longer takes more than 9"],
        [],
    ),
    (
        {"x": Annotated[int, Field(ge=1, le=9)]},
        {"x": Annotated[int, Field(ge=0, le=8)]},
        ["x no longer takes more than 8"],
        ["x now takes less than 1"],
    ),
    (
        {"x": str},
        {"x": Annotated[str, Field(min_length=2, pattern="^a")]},
        ["x no longer takes texts shorter than 2", "x no longer takes texts that do not match ^a"],
        [],
    ),
    ({"x": list[float]}, {"x": list[int]}, ["x[] no longer takes number"], []),
    # The same of integers, in other words.
    ({"x": limited(int, gt=0)}, {"x": limited(int, ge=1)}, [], []),
    ({"x": limited(int, ge=1)}, {"x": limited(int, gt=0)}, [], []),
    ({"x": limited(int, lt=9)}, {"x": limited(int, le=8)}, [], []),
    (
        {"x": limited(int, gt=0)},
        {"x": limited(int, ge=2)},
        ["x no longer takes less than 2"],
        [],
    ),
    ({"x": limited(int, ge=2)}, {"x": limited(int, gt=0)}, [], ["x now takes less than 2"]),
    ({"x": limited(int, le=8)}, {"x": limited(int, lt=8)}, ["x no longer takes 8 or more"], []),
    # But not of numbers.
    ({"x": limited(float, ge=0)}, {"x": limited(float, gt=0)}, ["x no longer takes 0 or less"], []),
    ({"x": limited(float, gt=0)}, {"x": limited(float, ge=0)}, [], ["x now takes 0 or less"]),
    ({"x": limited(float, ge=1)}, {"x": limited(float, gt=0)}, [], ["x now takes less than 1"]),
    (
        {"x": limited(float, gt=0)},
        {"x": limited(float, ge=1)},
        ["x no longer takes less than 1"],
        [],
    ),
    # Multiples of ten are multiples of five.
    (
        {"x": limited(int, multiple_of=10)},
        {"x": limited(int, multiple_of=5)},
        [],
        ["x now takes what is no multiple of 10"],
    ),
    (
        {"x": limited(int, multiple_of=5)},
        {"x": limited(int, multiple_of=10)},
        ["x no longer takes what is no multiple of 10"],
        [],
    ),
    (
        {"x": limited(int, multiple_of=4)},
        {"x": limited(int, multiple_of=6)},
        ["x no longer takes what is no multiple of 6"],
        ["x now takes what is no multiple of 4"],
    ),
    ({"x": int}, {"x": limited(int, multiple_of=1)}, [], []),
    (
        {"x": limited(float, multiple_of=0.3)},
        {"x": limited(float, multiple_of=0.1)},
        [],
        ["x now takes what is no multiple of 0.3"],
    ),
    ({"x": Literal[1, 5]}, {"x": limited(int, ge=2)}, ["x no longer takes 1"], []),
    ({"x": Literal["a", "bc"]}, {"x": limited(str, min_length=2)}, ['x no longer takes "a"'], []),
    # The same values, in other words.
    ({"x": bool}, {"x": Literal[True, False]}, [], []),
    ({"x": Literal[True, False]}, {"x": bool}, [], []),
    ({"x": bool}, {"x": Literal[True]}, ["x no longer takes false"], []),
    ({"x": Level}, {"x": Literal["a"] | Literal["b"]}, [], []),
    ({"x": Named}, {"x": Literal["a"] | Literal["b"]}, [], []),
    ({"x": Literal["a"] | Literal["b"]}, {"x": Named}, [], []),
    ({"x": Level | int}, {"x": Literal["a"] | int}, ['x no longer takes "b"'], []),
    ({"x": bool | Level}, {"x": Level}, ["x no longer takes boolean"], []),
    ({"x": Literal[1, 2]}, {"x": Literal[True, 2]}, ["x no longer takes 1"], []),
]
# As those, but what only a body can carry.
BODIES: list[tuple[Any, Any, list[str], list[str]]] = [
    ({"x": Literal["a"] | None}, {"x": Literal["a", None]}, [], []),
    ({"x": Literal["a", None]}, {"x": Literal["a"] | None}, [], []),
    ({"x": bool | None}, {"x": Literal[True, False, None]}, [], []),
    ({"x": Level | None}, {"x": Level}, ["x no longer takes null"], []),
    (
        {"x": dict[str, int]},
        {"x": limited(dict[str, int], min_length=1)},
        ["x no longer takes fewer than 1 fields"],
        [],
    ),
    (
        {"x": limited(dict[str, int], max_length=3)},
        {"x": limited(dict[str, int], max_length=2)},
        ["x no longer takes more than 2 fields"],
        [],
    ),
    (
        {"x": limited(dict[str, int], min_length=1)},
        {"x": dict[str, int]},
        [],
        ["x now takes fewer than 1 fields"],
    ),
]


def told(lines: list[str], what: str) -> list[str]:
    return [f"it: {what} {line}" for line in lines]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("before", "after", "breaking", "compatible"), INPUTS)
def test_input(
    method: str, before: Any, after: Any, breaking: list[str], compatible: list[str]
) -> None:
    old, new = (asked(model(k=(int, 1), **fields), method) for fields in (before, after))
    assert lines(old, new) == told(breaking, "input")
    found = lines(old, new, breaking=False)
    assert found == told(compatible, "input") or breaking
    assert set(told(compatible, "input")) <= set(found)


@pytest.mark.parametrize(("before", "after", "breaking", "compatible"), BODIES)
def test_input_of_a_body(
    before: Any, after: Any, breaking: list[str], compatible: list[str]
) -> None:
    test_input("POST", before, after, breaking, compatible)


OUTPUTS: list[tuple[Any, Any, list[str]]] = [
    ({"x": int}, {}, ["x was removed"]),
    ({"x": (int, 1)}, {}, ["x was removed"]),
    ({}, {"x": int}, []),
    ({"x": int}, {"x": str}, ["x may now be string"]),
    ({"x": int}, {"x": int | None}, ["x may now be null"]),
    ({"x": int | None}, {"x": int}, []),
    ({"x": Level}, {"x": Literal["a", "b", "c"]}, ['x may now be "c"']),
    ({"x": Literal["a", "b", "c"]}, {"x": Level}, []),
    ({"x": Level}, {"x": str}, ['x may now be all but "a", "b"']),
    ({"x": Any}, {"x": int}, []),
    ({"x": int}, {"x": Any}, ["x may now be all but integer"]),
    ({"x": int}, {"x": float}, ["x may now be number"]),
    ({"x": model(y=int)}, {"x": model(y=str)}, ["x.y may now be string"]),
    ({"x": list[model(y=int)]}, {"x": list[model()]}, ["x[].y was removed"]),
    ({"x": dict[str, int]}, {"x": dict[str, str]}, ["x.* may now be string"]),
    ({"x": tuple[int, str]}, {"x": tuple[int, int]}, ["x[1] may now be integer"]),
    ({"x": int | str}, {"x": str | bool}, ["x may now be boolean"]),
    ({"x": Annotated[int, Field(le=5)]}, {"x": int}, ["x may now be more than 5"]),
    ({"x": limited(int, gt=0)}, {"x": limited(int, ge=1)}, []),
    ({"x": limited(int, gt=0)}, {"x": limited(int, ge=0)}, ["x may now be 0 or less"]),
    ({"x": limited(float, gt=0)}, {"x": limited(float, ge=0)}, ["x may now be 0 or less"]),
    ({"x": limited(float, ge=0)}, {"x": limited(float, gt=0)}, []),
    ({"x": limited(int, multiple_of=5)}, {"x": limited(int, multiple_of=10)}, []),
    (
        {"x": limited(int, multiple_of=10)},
        {"x": limited(int, multiple_of=5)},
        ["x may now be what is no multiple of 10"],
    ),
    ({"x": limited(int, ge=2)}, {"x": Literal[1, 5]}, ["x may now be 1"]),
]


@pytest.mark.parametrize(("before", "after", "breaking"), OUTPUTS)
def test_output(before: Any, after: Any, breaking: list[str]) -> None:
    old, new = (answered(model(k=int, **fields)) for fields in (before, after))
    assert lines(old, new) == told(breaking, "output")


@pytest.mark.parametrize(("before", "after", "breaking"), OUTPUTS)
def test_events_data(before: Any, after: Any, breaking: list[str]) -> None:
    old, new = (streamed(e=model(k=int, **fields)) for fields in (before, after))
    assert lines(old, new) == told(breaking, "event e")


def test_a_field_that_may_be_missing() -> None:
    class Sure(TypedDict):
        x: int

    class Maybe(TypedDict, total=False):
        x: int

    assert lines(answered(Sure), answered(Maybe)) == ["it: output x may now be missing"]
    assert lines(answered(Maybe), answered(Sure), breaking=False) == [
        "it: output x is always there now"
    ]


def test_fields_of_other_names() -> None:
    class Open(BaseModel):
        x: int

    class Closed(Open):
        model_config = ConfigDict(extra="forbid")

    sentence = "it: input no longer takes fields of other names"
    assert lines(asked(Open, "POST"), asked(Closed, "POST")) == [sentence]
    assert lines(answered(Closed), answered(Open)) == []


def test_events() -> None:
    old = streamed(int, progress=model(a=int), done=model(b=int))
    new = streamed(str, progress=model(a=int), ended=model(b=int))
    assert lines(old, new) == [
        "it: event message may now be string",
        "it: event done was removed",
    ]
    assert "it: event ended was added" in lines(old, new, breaking=False)


def test_a_stream_becomes_a_document() -> None:
    (line,) = lines(streamed(int), answered(int))
    assert line == "it: answers application/json instead of text/event-stream"


BEARER = {"type": "http", "scheme": "bearer"}
BASIC = {"type": "http", "scheme": "basic"}


def guarded(*security: Any) -> dict[str, Any]:
    hooks = [define_hook(before=lambda ctx: None, security=each) for each in security]
    return document(it=define_route(lambda: 1, hooks=hooks))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ((), ({"a": BEARER},), "it: security now asks for a"),
        (({"a": BEARER},), ({"a": BEARER}, {"b": BASIC}), "it: security now asks for a and b"),
        (({"a": BEARER, "b": BASIC},), ({"b": BASIC},), "it: security now asks for b"),
        (({"a": BEARER},), ({"a": BASIC},), "it: security now asks for a"),
        (({"a": BEARER},), (), None),
        (({"b": BASIC},), ({"a": BEARER, "b": BASIC},), None),
    ],
)
def test_security(old: Any, new: Any, line: str | None) -> None:
    assert lines(guarded(*old), guarded(*new)) == ([line] if line else [])
    if line is None:
        told = "it: security lets in more clients"
        assert lines(guarded(*old), guarded(*new), breaking=False) == [told]


class Node(BaseModel):
    value: int
    next: Node | None = None


class Longer(BaseModel):
    value: str
    next: Longer | None = None


def test_types_within_themselves() -> None:
    assert lines(answered(Node), answered(Node)) == []
    found = lines(answered(Node), answered(Longer))
    assert "it: output value may now be string" in found


def tagged(kind: str, **fields: Any) -> Any:
    types = {name: (type_, ...) for name, type_ in fields.items()}
    return create_model(kind.title(), kind=(Literal[kind], ...), **types)


def test_members_of_a_union() -> None:
    def union(*members: Any) -> Any:
        return Annotated[Union[members], Field(discriminator="kind")]  # noqa: UP007  # made here

    cat, dog = tagged("cat", lives=int), tagged("dog", name=str)
    old = union(cat, dog)
    assert lines(answered(old), answered(union(cat, dog, tagged("cow")))) == [
        "it: output may now be Cow"
    ]
    assert lines(asked(old, "POST"), asked(union(cat, tagged("cow")), "POST")) == [
        "it: input no longer takes Dog"
    ]
    changed = union(cat, tagged("dog", name=int))
    assert lines(answered(old), answered(changed)) == ["it: output name may now be integer"]


@pytest.mark.parametrize("part", [streamed, answered])
def test_the_order_of_documents_matters(part: Callable[..., dict[str, Any]]) -> None:
    old, new = part(model(a=int, b=int)), part(model(a=int))
    assert len(lines(old, new)) == 1
    assert lines(new, old) == []


def test_a_handler_that_yields_is_compared_by_its_annotation() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    def words() -> Iterator[str]:
        yield "a"

    old, new = (document(it=define_route(each, kind="sse")) for each in (numbers, words))
    assert lines(old, new) == ["it: event message may now be string"]


def connected(count: int, last: Any) -> dict[str, Any]:
    """Return the document of models that all refer to all others."""
    names = [f"Model{number}" for number in range(count)]
    fields: dict[str, Any] = {f"to_{name}": (f"{name} | None", None) for name in names}
    space: dict[str, Any] = {}
    for name in names:
        own = {"value": (last if name == names[-1] else int, ...)}
        space[name] = create_model(name, **own, **fields)  # type: ignore[call-overload]  # fields by computed names
    for name in names:
        space[name].model_rebuild(_types_namespace=space)
    return answered(space[names[0]])


def test_models_that_refer_to_one_another_are_compared_once() -> None:
    old, new = connected(15, int), connected(15, str)
    assert lines(old, connected(15, int)) == []
    assert any(line.endswith("value may now be string") for line in lines(old, new))


def test_a_reference_to_itself_ends() -> None:
    both = [answered(model(a=int)) for _ in range(2)]
    for each in both:
        each["components"]["schemas"]["Model"] = {"$ref": "#/components/schemas/Model"}
    assert changes(*both) == []


def test_a_stream_gets_types() -> None:
    untyped, typed = streamed(), streamed(int, done=str)
    assert lines(untyped, typed) == []
    assert "it: its events are declared now" in lines(untyped, typed, breaking=False)
    assert lines(typed, untyped) == ["it: its events may now have any name and data"]
    assert changes(untyped, streamed()) == []


def test_a_form_is_no_longer_taken() -> None:
    old, new = (asked(model(a=int, b=(type_, None)), "POST") for type_ in (int, dict[str, int]))
    form = "application/x-www-form-urlencoded"
    assert f"it: no longer takes {form}" in lines(old, new)
    assert f"it: now takes {form}" in lines(new, old, breaking=False)


def test_a_body_is_required_now() -> None:
    old, new = (asked(model(a=(int, 1)), "POST") for _ in range(2))
    new["paths"]["/it"]["post"]["requestBody"]["required"] = True
    assert lines(old, new) == ["it: its body is now required"]
    assert lines(new, old) == []


def test_parameters_may_be_references() -> None:
    old, new = (asked(model(a=int), "GET") for _ in range(2))
    operation = new["paths"]["/it"]["get"]
    new["components"] = {
        **new.get("components", {}),
        "parameters": {"a": operation["parameters"][0]},
    }
    operation["parameters"] = [{"$ref": "#/components/parameters/a"}]
    assert changes(old, {**new, "servers": []}) == []
