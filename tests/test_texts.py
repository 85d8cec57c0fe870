"""What the texts of a query, a form and a path become where a type lists its values."""

from __future__ import annotations

import dataclasses
import enum
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from flask import Flask
from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, Field
from typing_extensions import TypeAliasType, TypedDict

from flask_sse_routes import RouteBlueprint, define_route


class Level(enum.Enum):
    low = 1
    high = 2.5


class Either(enum.Enum):
    text = "1"
    number = 1


class One(BaseModel):
    kind: Literal[1]
    a: int


class Two(BaseModel):
    kind: Literal[2]
    b: int


class Mapped(TypedDict):
    f: Literal[1, 2]


def asked(type_: Any, query: str, **options: Any) -> Any:
    """Return what a route gets for its field `f`."""
    got: list[Any] = []

    def handler(f: Any) -> None:
        got.append(f)

    handler.__annotations__["f"] = type_
    app = Flask(__name__)
    routes = {"it": define_route(handler, **options)}
    app.register_blueprint(RouteBlueprint("api", __name__, routes))
    client = app.test_client()
    if options.get("method") == "POST":
        response = client.post("/it", data=query, content_type="application/x-www-form-urlencoded")
    else:
        response = client.open(f"/it{query}", method=options.get("method", "GET"))
    return got[0] if response.status_code == 200 else response.status_code


Tree = TypeAliasType("Tree", "Literal[1] | list[Tree]")  # type: ignore[misc]  # as pydantic's docs
CASES: list[tuple[Any, str, Any]] = [
    (Literal[1, 2], "f=1", 1),
    (Literal[1, 2], "f=3", 422),
    (Literal[1, 2], "f=true", 422),
    (Literal[1, 2], f"f={'[' * 3000}", 422),
    (Literal[True], "f=true", True),
    (Literal[True], "f=1", 422),
    (Literal[True, 1], "f=1", 1),
    (Literal[-1], "f=-1", -1),
    (Literal[1] | None, "f=1", 1),
    (Literal[1] | bool, "f=1", 1),
    (Literal[1] | bool, "f=true", True),
    (Literal[1] | int, "f=7", 7),
    (list[Literal[1, 2]], "f=2&f=1", [2, 1]),
    (list[Literal[1] | None], "f=1", [1]),
    (Tree, "f=1&f=1", [1, 1]),
    (tuple[Literal[1], str], "f=1&f=1", (1, "1")),
    (tuple[str, Literal[1]], "f=1&f=1", ("1", 1)),
    (set[Level], "f=1&f=2.5", {Level.low, Level.high}),
    (Level, "f=1", Level.low),
    (Level, "f=2.5", Level.high),
    (Level, "f=2.50", Level.high),
    # A text that is one of the values is no other.
    (Either, "f=1", Either.text),
    (Literal["1", 1], "f=1", "1"),
    (Literal[1] | str, "f=1", "1"),
    (Literal["a", 1], "f=a", "a"),
    # What a function reads is left to it.
    (Annotated[Literal[1], BeforeValidator(lambda text: int(text.strip("n")))], "f=1n", 1),
    (Annotated[Literal[1], BeforeValidator(lambda text: len(text))], "f=7", 1),
]


@pytest.mark.parametrize(("type_", "query", "value"), CASES)
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_text_is_the_listed_value_whose_json_it_is(
    method: str, type_: Any, query: str, value: Any
) -> None:
    got = asked(type_, query if method == "POST" else f"?{query}", method=method)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(("path", "value"), [("/1", 1), ("/2.5", 2.5), ("/true", 422)])
def test_a_variable_of_the_path(path: str, value: Any) -> None:
    app = Flask(__name__)

    def handler(f: Literal[1, 2.5]) -> float:  # type: ignore[valid-type]  # pydantic takes it
        return f

    handler.__annotations__["f"] = Literal[1, 2.5]
    route = define_route(handler, path="/<f>")
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": route}))
    response = app.test_client().get(path)
    assert (response.json if response.status_code == 200 else response.status_code) == value


class FirstOf(BaseModel):
    x: int = Field(validation_alias=AliasPath("a", 0))
    y: Literal[2] | None = Field(None, validation_alias=AliasPath("a", 1))


@dataclasses.dataclass
class Chosen:
    x: int = Field(validation_alias=AliasChoices("z", AliasPath("a", 1)))


class Pair(NamedTuple):
    a: int
    b: Literal[1, 2] = 1


def echoed(type_: Any, query: str, **options: Any) -> Any:
    app = Flask(__name__)
    route = define_route(lambda input: input, input=type_, **options)
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": route}))
    response = app.test_client().open(f"/it?{query}", method=options.get("method", "GET"))
    return response.json if response.status_code == 200 else response.status_code


@pytest.mark.parametrize(
    ("type_", "query", "value"),
    [
        (One, "kind=1&a=5", {"kind": 1, "a": 5}),
        (One | Two, "kind=1&a=5", {"kind": 1, "a": 5}),
        (One | Two, "kind=2&b=5", {"kind": 2, "b": 5}),
        (Annotated[One | Two, Field(discriminator="kind")], "kind=1&a=5", {"kind": 1, "a": 5}),
        (Mapped, "f=2", {"f": 2}),
        (dict[str, Literal[1, 2]], "x=2", {"x": 2}),
        (FirstOf, "a=1", {"x": 1, "y": None}),
        (FirstOf, "a=1&a=2", {"x": 1, "y": 2}),
        (FirstOf, "a=1&a=3", 422),
        (Chosen, "a=1&a=2", {"x": 2}),
        (Chosen, "z=3&z=4", {"x": 3}),
        (Pair, "a=1&b=2", [1, 2]),
        (Pair, "b=2", 422),
        (Pair, "a=1&c=2", 422),
        (Pair | One, "a=1&b=2", [1, 2]),
        (Pair | One, "a=1&kind=1", {"kind": 1, "a": 1}),
    ],
)
def test_the_fields_of_a_type(type_: Any, query: str, value: Any) -> None:
    assert echoed(type_, query) == value
