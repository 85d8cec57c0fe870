"""An app whose names are those that a generator trips over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask
from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model
from typing_extensions import TypeAliasType, TypedDict

from flask_sse_routes import RouteBlueprint, define_route

# They mean something else in JavaScript, in TypeScript, in Python, or in what is generated.
TYPE_NAMES = """
    Api AdminApi Any AsyncStream Client Connection Error Event Extract Headers Literal Names Node
    Promise Protocol Record Response RouteError RouteRow Source Sse SseEvent Stream StreamEvent
    TypedDict URL Unpack any bool class_ connect declare dict export float int interface key list
    map namespace never number object order print routes str string symbol type undefined unknown
    Größe Progress AdminProgressEvent
""".split()  # noqa: SIM905  # a column of words reads better
FIELD_NAMES = """
    a-b class None self input __proto__ __private constructor int str list dict Any Literal
    NotRequired 2d $ größe get set readonly new "quoted" back\\slash 'single' */ {brace} 😀
""".split()  # noqa: SIM905  # a column of words reads better
ROUTE_NAMES = """
    new constructor toString prototype list str dict int any größe async await_ type
    function delete_ default in_ None class import property Stream hasOwnProperty valueOf length
    apply name arguments options input self api sse close
""".split()  # noqa: SIM905  # a column of words reads better

Json = TypeAliasType("Json", "str | int | list[Json] | dict[str, Json] | None")  # type: ignore[misc]  # it means itself


class Tree(RootModel[dict[str, "Tree"]]):
    pass


class Empty(BaseModel):
    """Nothing: \\ " ''' \"\"\" */ // # `${1}`

    More.
    """


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int] = Field(init=False)

    name: str


class Wide(BaseModel):
    name: str
    more: int = 0


def models() -> list[Any]:
    """Return a type of each name, which refers to the one before it."""
    made: list[Any] = [Json, Tree, Empty, Open]
    for name in TYPE_NAMES:
        fields: dict[str, Any] = {"before": (made[-1], ...), "maybe": (list[made[-1]] | None, None)}
        made.append(create_model(name, **fields))
    return made


Fields = TypedDict("Fields", dict.fromkeys(FIELD_NAMES, int))  # type: ignore[misc]  # made here
Answer = TypedDict("Answer", {f"x{n}": m for n, m in enumerate(models())})  # type: ignore[misc]  # likewise


def blueprint(name: str, *inner: RouteBlueprint) -> RouteBlueprint:
    made = RouteBlueprint(name, __name__, url_prefix=f"/{name}")
    for number, route in enumerate(ROUTE_NAMES):
        if number % 2:
            made.add_route(route, define_route(kind="sse", handler=streaming, output=list[Tree]))
        else:
            made.add_route(route, define_route(handler=answering, output=dict[str, int]))
    made.add_route("fields", define_route(handler=taking, input=Fields, method="POST"))
    made.add_route("either", define_route(handler=taking, input=Empty | Open | Wide, method="PUT"))
    made.add_route("anything", define_route(handler=taking, input=Json, method="PATCH"))
    made.add_route("counts", define_route(handler=taking, input=dict[str, int]))
    made.add_route("models", define_route(handler=answering, output=Answer))
    made.add_route(
        "progress",
        define_route(
            kind="sse", handler=streaming, events={"a-b": Tree, "__proto__": int, "x y": Json}
        ),
    )
    for each in inner:
        made.register_blueprint(each)
    return made


def answering(of: int = 1) -> Any:
    return {"of": of}


def streaming(of: int, self: str = "") -> Iterator[Any]:
    yield [of, self]


def taking(input: Any) -> Any:
    return input


app = Flask(__name__)
app.register_blueprint(blueprint("odd", blueprint("admin", blueprint("get")), blueprint("lists")))
