"""What a query string can carry, and what is refused because it cannot."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any, Literal, NamedTuple, Optional

import pytest
from flask import Flask
from pydantic import BaseModel, BeforeValidator, ConfigDict, Json, RootModel, TypeAdapter
from typing_extensions import NotRequired, TypedDict
from werkzeug.routing import BaseConverter

from flask_sse_routes import (
    Call,
    DeclarationError,
    Kind,
    Route,
    RouteBlueprint,
    define_route,
    kinds,
)
from flask_sse_routes.queries import carried
from flask_sse_routes.schema import InputSchema


class Point(BaseModel):
    x: int


class Points(BaseModel):
    points: list[Point]


class Word(BaseModel):
    word: str


class Places(RootModel[list[Point]]):
    pass


class Maybe(TypedDict):
    point: NotRequired[Point]


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (int, int),
        (int | None, int),
        (list[int], list[int]),
        (list[int | None], list[int]),
        (tuple[int, str], tuple[int, str]),
        (set[Literal["a"]], set[Literal["a"]]),
        (Literal["a", "b"] | None, Literal["a", "b"]),
        (list[list[int]], None),
        (list[list[int]] | int, int),
        (dict[str, int], None),
        (Point, None),
        (list[Point], None),
        (tuple[int, Point], None),
        (None, None),
        (Json[list[int]], Json[list[int]]),
        (Any, Any),
    ],
)
def test_what_a_field_can_be(type_: Any, expected: Any) -> None:
    schema = TypeAdapter(type_).json_schema()
    found = carried(schema, schema.get("$defs", {}))
    assert found == (None if expected is None else TypeAdapter(expected).json_schema())


def test_null_may_be_among_the_values_of_an_enumeration() -> None:
    assert carried({"enum": ["a", None]}, {}) == {"enum": ["a"]}
    assert carried({"const": None}, {}) is None


def test_null_may_be_kept_as_another_word_for_nothing() -> None:
    schema = TypeAdapter(Optional[list[int | None]]).json_schema()  # noqa: UP045  # a type, not an annotation
    kept = carried(schema, {}, null=True)
    assert kept == TypeAdapter(Optional[list[int]]).json_schema()  # noqa: UP045  # likewise


def declare(method: str = "GET", handler: Any = None, **options: Any) -> None:
    route = define_route(handler or (lambda input: 1), method=method, **options)
    Flask(__name__).register_blueprint(RouteBlueprint("api", __name__, {"it": route}))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("type_", [list[int], Places, int, Literal["a"], list[int] | None])
def test_the_whole_of_an_input_has_fields(method: str, type_: Any) -> None:
    with pytest.raises(DeclarationError, match=rf"'it'.*{method} route.*field of a model.*POST"):
        declare(method, input=type_)
    declare("POST", input=type_)


@pytest.mark.parametrize(
    "type_", [Point, list[Point], list[list[int]], dict[str, int], None, Point | None]
)
def test_a_required_field_can_be_sent(type_: Any) -> None:
    def handler(word: str, thing: Any) -> None: ...

    handler.__annotations__["thing"] = type_
    with pytest.raises(DeclarationError, match=r"'it'.*cannot carry 'thing'.*default.*POST"):
        declare(handler=handler)
    declare("POST", handler)
    handler.__defaults__ = (None,)
    declare(handler=handler)


@pytest.mark.parametrize(
    "type_",
    [
        Any,
        dict[str, int],
        Word,
        Word | None,
        Word | Points,
        Maybe,
        Annotated[Points, "note"] | Word,
    ],
)
def test_what_can_be_sent_one_way_or_another_is_taken(type_: Any) -> None:
    declare(input=type_)


def test_a_union_of_what_cannot_be_sent() -> None:
    with pytest.raises(DeclarationError, match="cannot carry 'points'"):
        declare(input=Points | list[int])


def test_a_variable_of_the_path_is_not_in_the_query() -> None:
    def handler(where: dict[str, int]) -> None: ...

    declare(handler=handler, path="/<where>")


def parsed(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text


def test_a_function_may_make_more_of_a_text() -> None:
    def handler(point: Annotated[Point, BeforeValidator(parsed)]) -> int:
        return point.x

    app = Flask(__name__)
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": define_route(handler)}))
    assert app.test_client().get("/it", query_string={"point": '{"x": 3}'}).json == 3


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: str = ""


def test_variables_of_a_prefix_are_no_input_unless_it_has_them() -> None:
    def strict(input: Strict) -> str:
        return input.word

    def counts(input: dict[str, int]) -> dict[str, int]:
        return input

    def org(org: str) -> str:
        return org

    routes = {
        "strict": define_route(strict, input=Strict),
        "counts": define_route(counts, input=dict[str, int]),
        "org": define_route(org),
    }
    app = Flask(__name__)
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/<org>"))
    client = app.test_client()
    assert client.get("/acme/strict?word=a").json == "a"
    assert client.get("/acme/counts?a=1").json == {"a": 1}
    assert client.get("/acme/org").json == "acme"


class TenantConverter(BaseConverter):
    def to_python(self, value: str) -> Any:
        return Point(x=len(value))


def of_tenant(tenant: Point) -> int:
    return tenant.x


def tenants() -> Flask:
    app = Flask(__name__)
    app.url_map.converters["tenant"] = TenantConverter
    return app


def test_a_prefix_fills_what_no_query_can() -> None:
    app = tenants()
    blueprint = RouteBlueprint("api", __name__, {"it": define_route(of_tenant)})
    app.register_blueprint(blueprint, url_prefix="/<tenant:tenant>")
    assert app.test_client().get("/acme/it").json == 4


def test_a_prefix_around_a_nested_blueprint_fills_it_too() -> None:
    app = tenants()
    outer = RouteBlueprint("outer", __name__, url_prefix="/<tenant:tenant>")
    outer.register_blueprint(RouteBlueprint("api", __name__, {"it": define_route(of_tenant)}))
    app.register_blueprint(outer)
    assert app.test_client().get("/acme/it").json == 4


def test_url_defaults_fill_it_too() -> None:
    app = Flask(__name__)
    blueprint = RouteBlueprint("api", __name__, {"it": define_route(of_tenant)})
    app.register_blueprint(blueprint, url_defaults={"tenant": Point(x=3)})
    assert app.test_client().get("/it").json == 3


def test_another_prefix_does_not() -> None:
    blueprint = RouteBlueprint("api", __name__, {"it": define_route(of_tenant)})
    with pytest.raises(DeclarationError, match="cannot carry 'tenant'"):
        tenants().register_blueprint(blueprint, url_prefix="/<tenant:other>")


class Corner(enum.Enum):
    north = (0, 1)
    south = (0, -1)

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.__members__.get(str(value))


class Side(enum.Enum):
    left = (0, 1)


def test_an_enumeration_may_read_a_text_itself() -> None:
    def handler(corner: Corner) -> str:
        return corner.name

    app = Flask(__name__)
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": define_route(handler)}))
    assert app.test_client().get("/it?corner=south").json == "south"

    def other(side: Side) -> str:
        return side.name

    with pytest.raises(DeclarationError, match="cannot carry 'side'"):
        declare(handler=other)


class Pair(NamedTuple):
    a: int
    b: str = "none"


def test_a_named_tuple_is_described_by_its_fields() -> None:
    schema = InputSchema.of_type("it", Pair).document
    assert schema["type"] == "object"
    assert list(schema["properties"]) == ["a", "b"]
    assert schema["required"] == ["a"]
    assert schema["properties"]["b"]["default"] == "none"
    assert InputSchema.of_type("it", Pair).fields == {"a", "b"}


class Ears(Kind):
    """A kind that does not read the query."""

    def check_place(self, route: Route, variables: frozenset[str]) -> None: ...

    def respond(self, call: Call) -> Any:
        return call.app.response_class("heard")


def test_a_kind_that_reads_no_query_takes_any_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds._KINDS, "ears", Ears())
    declare(input=Points, kind="ears")
