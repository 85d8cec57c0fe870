"""Calls, their input and their answers, by the Python clients; apps are called without a server."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import decimal
import enum
import json
import pickle
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from flask import Flask, Response, abort
from pydantic import BaseModel

from flask_sse_routes import Event, RouteBlueprint, SSERoutes, StreamError, define_route
from flask_sse_routes.client import Client, RouteError, RouteRow, connect, connect_async
from flask_sse_routes.client.calls import make_call
from flask_sse_routes.client.table import table_of

from .python_readers import ROUTES
from .scripted import Answer, Scripted, answer, problem, stream


class Item(BaseModel):
    name: str
    price: decimal.Decimal


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Place:
    x: int
    y: int


def order(order_id: int, tag: list[str] | None = None, note: str = "none") -> list[Any]:
    return [order_id, tag, note]


def add(item: Item, at: datetime.date, ref: uuid.UUID) -> dict[str, Any]:
    return {"item": item, "at": at, "ref": ref}


def broken() -> None:
    raise LookupError("hunter2")


def text() -> Response:
    return Response("plain", mimetype="text/plain")


def picture() -> Response:
    return Response(b"\x89PNG", mimetype="image/png")


def gone() -> None:
    abort(410, "It was sold.")


def file(path: str) -> str:
    return path


def ticks(to: int) -> Iterator[Event]:
    for number in range(to):
        yield Event({"n": number}, event="tick", id=str(number))


def failing() -> Iterator[int]:
    yield 1
    raise StreamError("No disk left.", status=507)


def inner() -> RouteBlueprint:
    return RouteBlueprint("admin", __name__, {"stats": define_route(lambda: 5)}, url_prefix="/in")


@pytest.fixture
def app() -> Flask:
    app = Flask("application")
    SSERoutes(app)
    routes = {
        "order": define_route(order, path="/orders/<int:order_id>"),
        "add": define_route(add, method="POST"),
        "nothing": define_route(lambda: Response(status=204)),
        "null": define_route(lambda: None),
        "broken": define_route(broken),
        "text": define_route(text),
        "picture": define_route(picture),
        "gone": define_route(gone),
        "file": define_route(file, path="/files/<path:path>"),
        "ticks": define_route(ticks, kind="sse"),
        "failing": define_route(failing, kind="sse"),
    }
    api = RouteBlueprint("api", __name__, routes, url_prefix="/api")
    api.register_blueprint(inner())
    app.register_blueprint(api)
    return app


@pytest.fixture
def client(app: Flask) -> Iterator[Client[Any, Any]]:
    with connect("http://app/api", transport=httpx.WSGITransport(app)) as client:
        yield client


def test_answers_are_values(client: Client[Any, Any]) -> None:
    assert client.api.order(order_id=7) == [7, None, "none"]
    assert client.api.nothing() is None
    assert client.api.null() is None
    assert client.api.text() == "plain"
    assert client.api.picture() == b"\x89PNG"
    assert client.api.admin.stats() == 5


def test_input_goes_where_it_belongs(client: Client[Any, Any]) -> None:
    assert client.api.order(order_id=7, tag=["a&b", "c d"], note=None) == [
        7,
        ["a&b", "c d"],
        "none",
    ]
    assert client.api.file(path="a/b c/%2F?#") == "a/b c/%2F?#"
    ref = uuid.UUID(int=5)
    item = Item(name="x", price=decimal.Decimal("1.50"))
    assert client.api.add(item=item, at=datetime.date(2024, 2, 29), ref=ref) == {
        "item": {"name": "x", "price": "1.50"},
        "at": "2024-02-29",
        "ref": str(ref),
    }


def test_faults_of_the_input_are_told(client: Client[Any, Any]) -> None:
    with pytest.raises(RouteError) as caught:
        client.api.add(item={"name": 1}, at="no date")
    error = caught.value
    assert (error.status, error.title) == (422, "Unprocessable Entity")
    places = sorted(".".join(fault["loc"]) for fault in error.errors)
    assert places == ["at", "item.name", "item.price", "ref"]
    assert "item" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.status, again.errors, str(again)) == (422, error.errors, str(error))


def test_failures_are_raised(client: Client[Any, Any]) -> None:
    with pytest.raises(RouteError, match=r"410 Gone: It was sold\."):
        client.api.gone()
    with pytest.raises(RouteError) as caught:
        client.api.broken()
    assert (caught.value.status, len(caught.value.problem["error_id"])) == (500, 32)
    assert "hunter2" not in str(caught.value)


def test_streams_need_no_server_either(client: Client[Any, Any]) -> None:
    got = [(event.event, event.data, event.id) for event in client.sse.ticks(to=2)]
    assert got == [("tick", {"n": 0}, "0"), ("tick", {"n": 1}, "1")]
    failing = client.sse.failing()
    assert next(failing).data == 1
    with pytest.raises(RouteError, match=r"507 .*: No disk left\."):
        next(failing)
    assert list(failing) == []
    with pytest.raises(RouteError) as refused:
        next(client.sse.ticks())
    assert refused.value.status == 422


def test_a_stream_of_an_app_is_read_as_it_is_made(make_app: Callable[..., Flask]) -> None:
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    app = make_app({"endless": define_route(endless, kind="sse")})
    transport = httpx.WSGITransport(app)
    with (
        connect("http://app/api", transport=transport) as client,
        client.sse.endless() as numbers,
    ):
        assert [next(numbers).data for _ in range(3)] == [0, 1, 2]
        assert len(made) < 10_000


# Names


def test_unknown_names_say_what_is_near(client: Client[Any, Any]) -> None:
    with pytest.raises(AttributeError, match=r"no route 'ordre' in api; did you mean 'order'\?"):
        client.api.ordre()
    with pytest.raises(AttributeError, match=r"'ticks' is not in api: write client\.sse\.ticks"):
        client.api.ticks()
    with pytest.raises(AttributeError, match=r"'order' is not in sse: write client\.api\.order"):
        client.sse.order()
    with pytest.raises(AttributeError, match=r"no route 'admin\.stat'.*'admin\.stats'"):
        client.api.admin.stat()
    with pytest.raises(AttributeError, match="no route 'zzz' in sse"):
        client.sse.zzz()


def test_names_can_be_listed(client: Client[Any, Any]) -> None:
    assert dir(client.sse) == ["failing", "ticks"]
    assert {"admin", "order", "text"} <= set(dir(client.api))
    assert dir(client.api.admin) == ["stats"]


def test_input_is_given_by_name(client: Client[Any, Any]) -> None:
    with pytest.raises(TypeError, match=r"order\(\) takes 0 positional arguments"):
        client.api.order(7)
    with pytest.raises(TypeError, match=r"order\(\) needs order_id"):
        client.api.order(note="x")


def test_routes_are_read_once_and_only_when_needed() -> None:
    document = {"paths": {"/hello": {"get": {"operationId": "hello", "responses": {}}}}}
    said = answer(200, json.dumps(document), Content_Type="application/json")
    with (
        Scripted(said, answer(200, "1", Content_Type="application/json")) as server,
        connect(f"{server.url}/api/", headers={"X-Key": "k"}) as client,
    ):
        assert not hasattr(client.api, "__wrapped__")
        assert not server.requests
        assert [client.api.hello(), client.api.hello()] == [1, 1]
    assert [r.target for r in server.requests] == ["/api/openapi.json", "/api/hello", "/api/hello"]
    assert {r.headers["x-key"] for r in server.requests} == {"k"}


def test_a_table_needs_no_document() -> None:
    with (
        Scripted(answer(200, "[1]", Content_Type="application/json")) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        assert client.api.hello(a=1) == [1]
    assert [request.target for request in server.requests] == ["/hello?a=1"]


def test_what_is_no_document_is_refused() -> None:
    with Scripted(problem(404, title="Not Found")) as server, connect(server.url) as client:
        with pytest.raises(RouteError, match="404 Not Found"):
            client.api.hello()
        server.answer_with(answer(200, "[]", Content_Type="application/json"))
        with pytest.raises(ValueError, match=r"/openapi\.json is not an OpenAPI document"):
            client.api.hello()


def test_openapi_tells_what_streams_and_what_may_hold_slashes() -> None:
    streams = {"200": {"content": {"text/event-stream": {}}}}
    path = {"name": "path", "in": "path", "allowReserved": True}
    document = {
        "paths": {
            "/feed/{path}": {
                "parameters": [path],
                "get": {"operationId": "a.feed", "responses": streams},
                "post": {"operationId": "make", "responses": {}},
            }
        }
    }
    said = answer(200, json.dumps(document), Content_Type="application/json")
    with (
        Scripted(said, stream("event: end\nid: 1~end\ndata: 1\n\n")) as server,
        connect(server.url) as client,
    ):
        assert list(client.sse.a.feed(path="x/y")) == []
        assert dir(client.api) == ["make"]
    assert server.requests[1].target == "/feed/x/y"


def test_an_operation_tells_its_own_place_below_the_url() -> None:
    def operation(name: str, path: str, *variables: str) -> dict[str, Any]:
        own = {"path": path, "variables": list(variables)}
        return {"operationId": name, "responses": {}, "x-client": own}

    document = {
        "paths": {
            "/{tenant}/hi": {"get": operation("hi", "/hi")},
            "/{tenant}/orders/{order_id}": {
                "get": operation("order", "/orders/{order_id}", "order_id"),
                "delete": operation("drop", "/orders/{+id}", "id"),
            },
        }
    }
    said = answer(200, json.dumps(document), Content_Type="application/json")
    with (
        Scripted(said, answer(200, "1", Content_Type="application/json")) as server,
        connect(f"{server.url}/api/acme") as client,
    ):
        assert client.api.hi() == client.api.order(order_id=1) == client.api.drop(id="a/b") == 1
    assert [request.target for request in server.requests[1:]] == [
        "/api/acme/hi",
        "/api/acme/orders/1",
        "/api/acme/orders/a/b",
    ]


NAMED = {"operationId": "x", "responses": {}}


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"paths": None},
        {"paths": {"/x": None}},
        {"paths": {"/x": {"get": None}}},
        {"paths": {"/x": {"get": {**NAMED, "operationId": ["x"]}}}},
        {"paths": {"/x": {"get": {**NAMED, "responses": None}}}},
        {"paths": {"/x": {"get": {**NAMED, "responses": {"200": None}}}}},
        {"paths": {"/x": {"get": {**NAMED, "responses": {"200": {"content": None}}}}}},
        {"paths": {"/x": {"get": {**NAMED, "parameters": None}}}},
        {"paths": {"/x": {"get": NAMED, "parameters": [None]}}},
        {"paths": {"/x": {"get": {**NAMED, "x-client": None}}}},
        {"paths": {"/x": {"get": {**NAMED, "x-client": {"path": 1, "variables": []}}}}},
        {"paths": {"/x": {"get": {**NAMED, "x-client": {"path": "/{a}", "variables": []}}}}},
    ],
)
def test_odd_documents_are_refused(document: Any) -> None:
    with pytest.raises(ValueError, match=r"^it is not an OpenAPI document: .*\.$"):
        table_of(document, "it")


def test_what_is_no_path_of_a_document_is_left_out() -> None:
    document = {"paths": {"x-note": None, "/x": {"summary": "a", "get": {"responses": {}}}}}
    assert table_of(document, "it") == {}


# Values


def test_values_of_a_url() -> None:
    row = RouteRow(method="GET", path="/a/{b}", variables=["b"], body=False, streams=False)
    when = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    values = {"b": Color.RED, "yes": True, "at": when, "n": [1, 2.5], "o": None, "self": "\u00e4 &"}
    call = make_call("http://h", "a", row, values)
    query = "yes=true&at=2024-02-29T12%3A00%3A00%2B00%3A00&n=1&n=2.5&self=%C3%A4%20%26"
    assert call.url == f"http://h/a/red?{query}"
    with pytest.raises(TypeError, match="cannot go into a URL"):
        make_call("http://h", "a", row, {"b": "x", "c": {"d": 1}})


@pytest.mark.parametrize("value", [[[1, 2], [3]], [1, None, 2], [()], [{"a": 1}], ({1},)])
def test_lists_of_a_query_hold_single_values(value: Any) -> None:
    row = RouteRow(method="GET", path="/a", variables=[], body=False, streams=False)
    with pytest.raises(TypeError, match=r"^grid=.* cannot go into a URL"):
        make_call("http://h", "a", row, {"grid": value})


@pytest.mark.parametrize("value", ["", ".", ".."])
@pytest.mark.parametrize("path", ["/a/{b}", "/a/{+b}"])
def test_values_that_would_change_the_path(value: str, path: str) -> None:
    row = RouteRow(method="GET", path=path, variables=["b"], body=False, streams=False)
    with pytest.raises(ValueError, match="cannot be a part of a path"):
        make_call("http://h", "a", row, {"b": value})


def test_a_value_cannot_leave_its_place_in_the_path() -> None:
    row = RouteRow(method="GET", path="/a/{b}", variables=["b"], body=False, streams=False)
    assert make_call("http://h", "a", row, {"b": "../x?y#z"}).url == "http://h/a/..%2Fx%3Fy%23z"
    row["path"] = "/a/{+b}"
    with pytest.raises(ValueError, match="cannot be a part of a path"):
        make_call("http://h", "a", row, {"b": "x/../y"})


@pytest.mark.parametrize("path", ["/a/{b}", "/a/{+b}"])
@pytest.mark.parametrize("values", [{"b": "\ud83d"}, {"b": "x", "c": "\ud83d"}])
def test_half_a_character_is_refused(path: str, values: dict[str, str]) -> None:
    row = RouteRow(method="GET", path=path, variables=["b"], body=False, streams=False)
    with pytest.raises(ValueError, match=f"^{[*values][-1]}=.* holds a lone surrogate"):
        make_call("http://h", "a", row, values)


def test_values_of_a_body() -> None:
    row = RouteRow(method="POST", path="/a", variables=[], body=True, streams=False)
    values = {
        "color": Color.RED,
        "place": Place(1, 2),
        "set": {1},
        "none": None,
        "item": Item(name="x", price=decimal.Decimal(1)),
        "long": datetime.timedelta(seconds=90),
    }
    body = make_call("http://h", "a", row, values).body
    assert body is not None
    assert json.loads(body) == {
        "color": "red",
        "place": {"x": 1, "y": 2},
        "set": [1],
        "none": None,
        "item": {"name": "x", "price": "1"},
        "long": 90,
    }
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        make_call("http://h", "a", row, {"x": object()})
    with pytest.raises(ValueError, match="JSON"):
        make_call("http://h", "a", row, {"x": float("nan")})


# Options


@pytest.mark.parametrize("url", ["", "host/api", "ftp://host", "http://", "http://h/a?b=1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        connect(url)


@pytest.mark.parametrize("rest", ["?b=1", "?", "#part", "/?b=1#part"])
@pytest.mark.parametrize("connects", [connect, connect_async])
def test_a_base_url_has_nothing_behind_its_path(connects: Callable[..., Any], rest: str) -> None:
    with pytest.raises(ValueError, match="it has a query or a fragment"):
        connects(f"http://host/api{rest}")


def test_options_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="max_event_bytes"):
        connect("http://h", max_event_bytes=0)
    with httpx.Client() as http, pytest.raises(ValueError, match="transport or http"):
        connect("http://h", http=http, transport=httpx.HTTPTransport())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_call_follows_redirects_as_browsers_do(status: int) -> None:
    said = answer(200, "1", Content_Type="application/json")
    with (
        Scripted(answer(status, Location="/there"), said) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        assert client.api.save(a=1) == 1
    first, second = server.requests
    assert (first.method, second.target) == ("POST", "/there")
    kept = status in (307, 308)
    assert (second.method, second.body) == (("POST", b'{"a": 1}') if kept else ("GET", b""))
    assert ("content-type" in second.headers) is kept


def test_an_answer_that_is_no_json_says_so() -> None:
    with (
        Scripted(answer(200, "{", Content_Type="application/json")) as server,
        connect(server.url, routes=ROUTES) as client,
        pytest.raises(RouteError, match="200 Not JSON"),
    ):
        client.api.hello()


def _failure(url: str, kind: str, **options: Any) -> RouteError:
    async def call() -> None:
        async with connect_async(url, routes=ROUTES, **options) as client:
            await client.api.hello()

    def run() -> None:
        if kind == "asyncio":
            asyncio.run(call())
            return
        with connect(url, routes=ROUTES, **options) as client:
            client.api.hello()

    with pytest.raises(RouteError) as caught:
        run()
    return caught.value


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_a_call_without_an_answer_says_so(kind: str) -> None:
    with Scripted(Answer(b"", hold=True)) as server:
        failure = _failure(server.url, kind, timeout=0.2)
        assert (failure.status, failure.title) == (0, "No answer")
        assert isinstance(failure.__cause__, httpx.ReadTimeout)
    failure = _failure(server.url, kind)
    assert (failure.status, f"GET {server.url}/hello" in str(failure)) == (0, True)
    assert isinstance(failure.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_an_answer_that_cannot_be_decoded_is_none(kind: str) -> None:
    with Scripted(answer(502, "<h1>Bad</h1>", Content_Encoding="gzip")) as server:
        failure = _failure(server.url, kind)
    assert failure.status == 0
    assert isinstance(failure.__cause__, httpx.DecodingError)


def test_asyncio_calls() -> None:
    async def run(url: str) -> list[Any]:
        async def headers() -> dict[str, str]:
            return {"X-Key": "k"}

        async with connect_async(url, routes=ROUTES, headers=headers) as client:
            got = [await client.api.hello(), await client.api.save(a=1)]
            with pytest.raises(RouteError, match="409 Conflict: Twice"):
                await client.api.save(a=1)
        return got

    json_ = {"Content_Type": "application/json"}
    refusal = problem(409, title="Conflict", detail="Twice.")
    with Scripted(answer(200, "1", **json_), answer(200, "2", **json_), refusal) as server:
        assert asyncio.run(run(server.url)) == [1, 2]
    assert {request.headers["x-key"] for request in server.requests} == {"k"}


def test_asyncio_knows_the_routes_once_it_is_entered() -> None:
    async def run(url: str) -> None:
        with pytest.raises(RuntimeError, match="async with"):
            _ = connect_async(url).api.hello
        with pytest.raises(RouteError, match="404"):
            await connect_async(url).__aenter__()

    with Scripted(problem(404, title="Not Found")) as server:
        asyncio.run(run(server.url))
