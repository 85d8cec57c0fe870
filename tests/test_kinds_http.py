"""The `http` kind: what a request's input becomes, and what a handler's value becomes."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
from flask import Flask, Response, jsonify
from flask.json.provider import DefaultJSONProvider
from typing_extensions import NotRequired, TypedDict

from flask_sse_routes import Context, OutputError, define_route

PROBLEM = "application/problem+json"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Query(TypedDict):
    words: list[str]
    page: NotRequired[int]


class Search(pydantic.BaseModel):
    text: str = pydantic.Field(alias="q", max_length=5)
    tags: list[str] = []


def echo(input: Any) -> Any:
    return input


def echo_all(a: int, b: str = "b", c: list[int] | None = None, d: bool = False) -> list[Any]:
    return [a, b, c, d]


MakeRoutes = dict[str, Any]


@pytest.fixture(name="client")
def make_client(make_app: Any) -> Any:
    def make(handler: Any, **options: Any) -> Any:
        return make_app({"it": define_route(handler, **options)}).test_client()

    return make


# --- input from the query


@pytest.mark.parametrize(
    ("query", "got"),
    [
        ("a=1", [1, "b", None, False]),
        ("a=1&b=x&c=1&c=2&d=true", [1, "x", [1, 2], True]),
        ("a=1&a=2", [1, "b", None, False]),
        ("a=1&c=7", [1, "b", [7], False]),
        ("a=1&d=0&unknown=1", [1, "b", None, False]),
        ("a=-5&b=", [-5, "", None, False]),
        ("a=1&b=%C3%A9%20%26", [1, "é &", None, False]),
        ("a=" + "9" * 40, [int("9" * 40), "b", None, False]),
    ],
)
def test_the_query_fills_parameters(client: Any, query: str, got: list[Any]) -> None:
    assert client(echo_all).get(f"/api/it?{query}").json == got


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_these_methods_take_input_from_the_query(client: Any, method: str) -> None:
    seen: list[Any] = []

    def handler(a: int) -> None:
        seen.append(a)

    it = client(handler, method="GET" if method == "HEAD" else method)
    response = it.open("/api/it?a=3", method=method, json={"a": 4})
    assert response.status_code == 200
    assert seen == [3]


def test_optional_and_literal_parameters(client: Any) -> None:
    def handler(order: Literal["up", "down"] = "up", limit: int | None = None) -> list[Any]:
        return [order, limit]

    it = client(handler)
    assert it.get("/api/it").json == ["up", None]
    assert it.get("/api/it?order=down&limit=3").json == ["down", 3]
    assert it.get("/api/it?order=left").status_code == 422


@pytest.mark.parametrize(
    ("type_", "query", "got"),
    [
        (Point, "x=1", {"x": 1, "y": 0}),
        (Query, "words=a&words=b&page=2", {"words": ["a", "b"], "page": 2}),
        (Query, "words=a&more=b", {"words": ["a"]}),
        (Search, "q=a&tags=x", {"q": "a", "tags": ["x"]}),
    ],
)
def test_the_query_fills_a_type(client: Any, type_: Any, query: str, got: Any) -> None:
    assert client(echo, input=type_).get(f"/api/it?{query}").json == got


class Doubled(dict[str, int]):
    """A class may be a handler; what it is called with is not what it has."""

    n: str

    def __init__(self, n: int) -> None:
        super().__init__(n=2 * n)


def test_the_annotations_of_a_class_are_those_of_its_init(client: Any) -> None:
    it = client(Doubled)
    assert it.get("/api/it?n=2").json == {"n": 4}
    response = it.get("/api/it?n=abc")
    assert (response.status_code, response.json["errors"][0]["loc"]) == (422, ["n"])


def test_a_default_may_be_an_object_that_changes(client: Any) -> None:
    def handler(point: Point = Point(1), add: int = 0) -> list[int]:  # noqa: B008  # what is tested
        point.x += add
        return [point.x, point.y]

    it = client(handler, method="POST")
    for _ in range(2):
        assert it.post("/api/it", json={"add": 5}).json == [6, 0]
    assert it.post("/api/it", json={"point": {"x": "7"}}).json == [7, 0]


class Many(pydantic.BaseModel):
    kind: Literal["many"]
    tags: list[str]


class One(pydantic.BaseModel):
    kind: Literal["one"]
    tag: str


class Aliased(pydantic.BaseModel):
    tags: list[str] = pydantic.Field(validation_alias=pydantic.AliasChoices("t", "tag"))


@pytest.mark.parametrize(
    ("type_", "query", "got"),
    [
        (One | Many, "kind=many&tags=1&tags=2", {"kind": "many", "tags": ["1", "2"]}),
        (One | Many, "kind=many&tags=1", {"kind": "many", "tags": ["1"]}),
        (One | Many, "kind=one&tag=1&tag=2", {"kind": "one", "tag": "1"}),
        (
            Annotated[One | Many, pydantic.Field(discriminator="kind")],
            "kind=many&tags=1&tags=2",
            {"kind": "many", "tags": ["1", "2"]},
        ),
        (Many | None, "kind=many&tags=1", {"kind": "many", "tags": ["1"]}),
        (Aliased, "t=1&t=2", {"tags": ["1", "2"]}),
        (Aliased, "tag=1&tag=2", {"tags": ["1", "2"]}),
    ],
)
def test_lists_are_found_wherever_a_type_has_them(
    client: Any, type_: Any, query: str, got: Any
) -> None:
    response = client(echo, input=type_).get(f"/api/it?{query}")
    assert (response.status_code, response.json) == (200, got)


class Open(pydantic.BaseModel, extra="allow"):
    a: int


@pytest.mark.parametrize("type_", [dict[str, int], Open])
def test_where_nothing_streams_no_key_is_the_transports(client: Any, type_: Any) -> None:
    it = client(echo, input=type_)
    answer = it.get("/api/it?a=1&last_event_id=5").json
    assert {name: int(value) for name, value in answer.items()} == {"a": 1, "last_event_id": 5}


def test_last_event_id_can_be_a_field(client: Any) -> None:
    def handler(last_event_id: str = "") -> str:
        return last_event_id

    assert client(handler).get("/api/it?last_event_id=7").json == "7"


def test_a_field_can_have_constraints_and_an_alias(client: Any) -> None:
    def handler(
        size: Annotated[int, pydantic.Field(ge=1, le=3)] = 1,
        from_: str = pydantic.Field(default="x", alias="from"),
    ) -> list[Any]:
        return [size, from_]

    it = client(handler)
    assert it.get("/api/it?size=2&from=here").json == [2, "here"]
    assert it.get("/api/it?size=4").json["errors"][0]["loc"] == ["size"]


# --- path variables


def test_path_variables_are_input_fields(client: Any) -> None:
    def handler(order_id: int, part: str, full: bool = False) -> list[Any]:
        return [order_id, part, full]

    it = client(handler, path="/orders/<int:order_id>/<path:part>")
    assert it.get("/api/orders/7/a/b?full=1").json == [7, "a/b", True]
    assert it.get("/api/orders/x/a").status_code == 404


def test_path_variables_win_over_the_query_and_the_body(client: Any) -> None:
    it = client(echo, input=Point, path="/points/<int:x>")
    assert it.get("/api/points/1?x=2&y=3").json == {"x": 1, "y": 3}
    it = client(echo, input=Point, path="/points/<int:x>", method="PUT")
    assert it.put("/api/points/1", json={"x": 2, "y": 3}).json == {"x": 1, "y": 3}


def test_a_path_variable_is_validated(client: Any) -> None:
    def handler(day: datetime.date) -> str:
        return day.isoformat()

    it = client(handler, path="/days/<day>")
    assert it.get("/api/days/2026-01-02").json == "2026-01-02"
    response = it.get("/api/days/never")
    assert (response.status_code, response.json["errors"][0]["loc"]) == (422, ["day"])


# --- input from the body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("body", ["json", "form", "multipart", "vendor"])
def test_these_methods_take_input_from_the_body(client: Any, method: str, body: str) -> None:
    fields = {"a": "1", "b": "x", "c": ["1", "2"]}
    options: dict[str, Any] = {
        "json": {"json": fields},
        "form": {"data": fields},
        "multipart": {"data": fields, "content_type": "multipart/form-data"},
        "vendor": {"data": json.dumps(fields), "content_type": "application/vnd.it+json"},
    }[body]
    response = client(echo_all, method=method).open("/api/it?a=9", method=method, **options)
    assert response.json == [1, "x", [1, 2], False]


def test_a_body_may_be_a_list_where_the_type_is_one(client: Any) -> None:
    it = client(echo, input=list[Point], method="POST")
    assert it.post("/api/it", json=[{"x": 1}]).json == [{"x": 1, "y": 0}]
    assert it.post("/api/it", json={"x": 1}).status_code == 422


def test_without_a_body_defaults_count(client: Any) -> None:
    def handler(a: int = 5) -> int:
        return a

    assert client(handler, method="POST").post("/api/it").json == 5


def test_a_missing_body_is_a_missing_field(client: Any) -> None:
    response = client(echo_all, method="POST").post("/api/it")
    assert response.status_code == 422
    assert response.json["errors"][0]["loc"] == ["a"]


def test_a_route_without_input_takes_any_body(client: Any) -> None:
    def handler() -> str:
        return "ok"

    response = client(handler, method="POST").post(
        "/api/it", data=b"\xff", content_type="image/png"
    )
    assert response.json == "ok"


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "image/png"])
def test_another_kind_of_body_is_415(client: Any, content_type: str) -> None:
    response = client(echo_all, method="POST").post(
        "/api/it", data="a=1", content_type=content_type
    )
    assert (response.status_code, response.content_type) == (415, PROBLEM)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": 1,}',
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b"nope",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_broken_json_is_400(client: Any, body: bytes) -> None:
    response = client(echo_all, method="POST").post(
        "/api/it", data=body, content_type="application/json"
    )
    assert (response.status_code, response.content_type) == (400, PROBLEM)
    assert response.json["title"] == "Bad Request"


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": 1, "b": "\ud800"}',
        rb'{"a": 1, "b": "\uDC00\uD800"}',
        rb'{"a": 1, "b": "x", "\ud800": 1}',
        b'{"a": 1, "b": "\xed\xa0\x80"}',
        r'{"a": 1, "b": "\ud800"}'.encode("utf-16"),
        r'{"a": 1, "b": "\ud800"}'.encode("utf-16-le"),
        r'{"a": 1, "b": "\ud800"}'.encode("utf-32"),
    ],
    ids=["low", "pair", "key", "bytes", "utf-16", "utf-16-le", "utf-32"],
)
def test_half_a_character_is_400(client: Any, body: bytes) -> None:
    """A handler that answers with it would fail."""
    it = client(echo, method="POST", input=dict[str, Any])
    response = it.post("/api/it", data=body, content_type="application/json")
    assert (response.status_code, response.content_type) == (400, PROBLEM)


def test_a_pair_that_makes_a_character_is_one(client: Any) -> None:
    body = rb'{"a": 1, "b": "\ud83d\ude00"}'
    it = client(echo_all, method="POST")
    response = it.post("/api/it", data=body, content_type="application/json")
    assert response.json == [1, "\N{GRINNING FACE}", None, False]


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b'{"a": [[[[[[]]]]]]}',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": null}',
        b'{"A": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "' + b"9" * 5000 + b'"}',
        b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_hostile_json_is_never_a_server_error(client: Any, body: bytes) -> None:
    response = client(echo_all, method="POST").post(
        "/api/it", data=body, content_type="application/json"
    )
    assert response.status_code in (400, 422)
    assert response.content_type == PROBLEM


@pytest.mark.parametrize("query", ["a=" + "9" * 5000, "a=1&b=%ff", "a=%00", "a", "&&=&a=", "a[]=1"])
def test_hostile_queries_are_never_a_server_error(client: Any, query: str) -> None:
    assert client(echo_all).get(f"/api/it?{query}").status_code in (200, 422)


def test_a_422_lists_every_fault(client: Any) -> None:
    response = client(echo_all).get("/api/it?a=secret&c=1&c=two")
    assert (response.status_code, response.content_type) == (422, PROBLEM)
    document = response.json
    assert (document["status"], document["title"]) == (422, "Unprocessable Entity")
    assert [error["loc"] for error in document["errors"]] == [["a"], ["c", 1]]
    assert all({*error} == {"loc", "msg", "type"} for error in document["errors"])
    assert "secret" not in response.text


def test_a_body_over_the_apps_limit_is_413(make_app: Any) -> None:
    app = make_app({"it": define_route(echo_all, method="POST")}, MAX_CONTENT_LENGTH=10)
    response = app.test_client().post("/api/it", json={"a": 1, "b": "x" * 50})
    assert (response.status_code, response.content_type) == (413, PROBLEM)


# --- output


def answer(make_app: Any, value: Any, **options: Any) -> Any:
    config = {key: options.pop(key) for key in list(options) if key.isupper()}
    route = define_route(lambda: value, **options)
    return make_app({"it": route}, **config).test_client().get("/api/it")


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        (None, None),
        ("text", "text"),
        ({"a": [1, 2.5, True]}, {"a": [1, 2.5, True]}),
        ([1], [1]),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (decimal.Decimal("1.10"), "1.10"),
        ({"a": math.nan}, {"a": None}),
        (Point(1), {"x": 1, "y": 0}),
        (Search(q="a"), {"q": "a", "tags": []}),
    ],
)
def test_any_value_is_a_json_document(make_app: Any, value: Any, parsed: Any) -> None:
    response = answer(make_app, value)
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert json.loads(response.data) == parsed


@pytest.mark.parametrize("by", ["output", "annotation"])
def test_output_is_validated_and_serialised(make_app: Any, by: str) -> None:
    def handler(bad: bool = False):  # type: ignore[no-untyped-def]  # annotated below, or not
        return {"x": "one" if bad else "1"}

    if by == "annotation":
        handler.__annotations__["return"] = Point
    app = make_app({"it": define_route(handler, output=Point if by == "output" else None)})
    assert app.test_client().get("/api/it").json == {"x": 1, "y": 0}
    response = app.test_client().get("/api/it?bad=1")
    assert (response.status_code, response.content_type) == (500, PROBLEM)
    assert "one" not in response.text
    app.testing = True
    with pytest.raises(OutputError, match=r"'it'.*x: "):
        app.test_client().get("/api/it?bad=1")


def test_validation_of_output_can_be_off(make_app: Any) -> None:
    response = answer(make_app, {"x": "one"}, output=Point, SSE_VALIDATE_OUTPUT=False)
    assert response.json == {"x": "one"}


def test_output_drops_what_the_model_does_not_have(make_app: Any) -> None:
    assert answer(make_app, {"x": 1, "password": "secret"}, output=Point).json == {"x": 1, "y": 0}


class Unknown:
    pass


def test_the_apps_json_provider_is_the_fallback(make_app: Any) -> None:
    class Provider(DefaultJSONProvider):
        @staticmethod
        def default(value: Any) -> Any:
            if isinstance(value, Unknown):
                return "known here"
            return DefaultJSONProvider.default(value)

    app = make_app({"it": define_route(lambda: {"a": Unknown()})})
    app.json = Provider(app)
    assert app.test_client().get("/api/it").json == {"a": "known here"}


def test_what_nobody_can_serialise_is_500(make_app: Any) -> None:
    response = answer(make_app, {"a": Unknown()})
    assert (response.status_code, response.content_type) == (500, PROBLEM)


@pytest.mark.parametrize(
    ("value", "status", "header"),
    [
        (({"a": 1}, 201), 201, None),
        (({"a": 1}, {"X-A": "1"}), 200, "1"),
        (({"a": 1}, [("X-A", "1")]), 200, "1"),
        (({"a": 1}, 202, {"X-A": "1"}), 202, "1"),
        (({"a": 1}, "203 Fine", [("X-A", "1")]), 203, "1"),
    ],
)
def test_status_and_headers_as_in_flask(
    make_app: Any, value: Any, status: int, header: str | None
) -> None:
    response = answer(make_app, value)
    assert (response.status_code, response.json) == (status, {"a": 1})
    assert response.headers.get("X-A") == header


def test_the_body_of_a_tuple_is_validated_too(make_app: Any) -> None:
    def handler() -> Any:
        return {"x": "1"}, 201

    app = make_app({"it": define_route(handler)})
    assert app.test_client().get("/api/it").json == {"x": "1"}


@pytest.mark.parametrize("output", [Point, None])
def test_an_empty_204(make_app: Any, output: Any) -> None:
    response = answer(make_app, ("", 204))
    assert (response.status_code, response.data) == (204, b"")


def test_with_an_output_type_status_and_headers_still_work(make_app: Any) -> None:
    response = answer(make_app, ({"x": "1"}, 201, {"X-A": "1"}), output=Point)
    assert (response.status_code, response.json) == (201, {"x": 1, "y": 0})
    assert response.headers["X-A"] == "1"


def test_a_tuple_of_an_output_type_is_a_value(make_app: Any) -> None:
    response = answer(make_app, (1, 2), output=tuple[int, int])
    assert (response.status_code, response.json) == (200, [1, 2])


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize("output", [None, Pair, tuple[int, int]])
def test_a_named_tuple_is_a_value(make_app: Any, output: Any) -> None:
    response = answer(make_app, Pair(1, 2), output=output)
    assert (response.status_code, response.json) == (200, [1, 2])


@pytest.mark.parametrize(
    "output", [Annotated[tuple[int, int], "a pair"], tuple[int, int] | None, tuple[int, int] | str]
)
def test_a_tuple_is_found_within_an_output_type(make_app: Any, output: Any) -> None:
    response = answer(make_app, (1, 2), output=output)
    assert (response.status_code, response.json) == (200, [1, 2])


@pytest.mark.parametrize("status", ["abc", 0, 42, 600, -1])
def test_a_status_that_is_none_is_an_error(make_app: Any, status: Any) -> None:
    with pytest.raises(ValueError, match=f"'it'.*status.*{status}"):
        answer(make_app, ({}, status), TESTING=True)


def test_a_response_is_sent_as_it_is(make_app: Any) -> None:
    response = answer(make_app, Response("a,b", mimetype="text/csv"))
    assert (response.data, response.mimetype) == (b"a,b", "text/csv")
    response = answer(make_app, (Response("a,b", mimetype="text/csv"), 201, {"X-A": "1"}))
    assert (response.data, response.status_code, response.headers["X-A"]) == (b"a,b", 201, "1")


def test_a_response_annotation_needs_no_schema(make_app: Any) -> None:
    def handler() -> Response:
        return jsonify(a=1)

    def either(plain: bool = False) -> Response | dict[str, int]:
        return {"b": 2} if plain else jsonify(a=1)

    client = make_app({"it": define_route(handler), "either": define_route(either)}).test_client()
    assert client.get("/api/it").json == {"a": 1}
    assert client.get("/api/either").json == {"a": 1}
    assert client.get("/api/either?plain=1").json == {"b": 2}


def test_a_tuple_of_another_size_says_what_to_do(make_app: Any) -> None:
    with pytest.raises(TypeError, match=r"'it'.*tuple of 4.*\(body, status, headers\)"):
        answer(make_app, (1, 2, 3, 4), TESTING=True)


def test_an_iterator_is_read_to_its_end(make_app: Any) -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)

    assert answer(make_app, numbers()).json == [0, 1, 2]


# --- methods


def test_head_runs_the_handler_and_sends_no_body(client: Any) -> None:
    response = client(echo_all).head("/api/it?a=1")
    assert (response.status_code, response.data) == (200, b"")
    assert response.content_type == "application/json"


def test_options_names_the_methods(client: Any) -> None:
    response = client(echo_all, method="POST").options("/api/it")
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_routes_with_one_path_and_two_methods(make_app: Any) -> None:
    def show(n: int) -> str:
        return f"show {n}"

    def drop(n: int) -> str:
        return f"drop {n}"

    app: Flask = make_app(
        {
            "show": define_route(show, path="/items/<int:n>"),
            "drop": define_route(drop, path="/items/<int:n>", method="DELETE"),
        }
    )
    assert app.test_client().get("/api/items/1").json == "show 1"
    assert app.test_client().delete("/api/items/1").json == "drop 1"


def test_a_handler_gets_what_it_names(make_app: Any) -> None:
    def handler(ctx: Context, n: int) -> list[Any]:
        return [ctx.route.name, ctx.input.n == n, ctx.request.path]

    app = make_app({"it": define_route(handler)})
    assert app.test_client().get("/api/it?n=1").json == ["it", True, "/api/it"]
