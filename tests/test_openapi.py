"""The OpenAPI document of a blueprint."""

from __future__ import annotations

import datetime
import functools
import json
import math
import uuid
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import pytest
from flask import Flask, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from flask_sse_routes import RouteBlueprint, define_hook, define_route, documents, hook
from flask_sse_routes.codegen.openapi import openapi
from flask_sse_routes.documents import catalogue_of


class Progress(BaseModel):
    percent: float


class Address(BaseModel):
    street: str


class Person(BaseModel):
    """Somebody."""

    name: str
    address: Address | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


def document_of(*blueprints: RouteBlueprint, format: str = "3.2") -> dict[str, Any]:
    app = Flask("application")
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    document = openapi(catalogue_of(app, blueprints[0].name), format)
    assert json.loads(json.dumps(document)) == document
    return document


def document(prefix: str = "/api", format: str = "3.2", **routes: Any) -> dict[str, Any]:
    blueprint = RouteBlueprint("api", __name__, routes, url_prefix=prefix)
    return document_of(blueprint, format=format)


def operation(handler: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """Return the operation of a document with one route."""
    paths = document(it=define_route(handler, **options))["paths"]
    ((_, methods),) = paths.items()
    ((_, found),) = methods.items()
    assert isinstance(found, dict)
    return found


def parameters(handler: Callable[..., Any], **options: Any) -> dict[str, dict[str, Any]]:
    found = operation(handler, **options).get("parameters", [])
    return {each["name"]: each for each in found}


def resolved(document: dict[str, Any], part: dict[str, Any]) -> Any:
    while "$ref" in part:
        found: Any = document
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        part = found
    return part


def events(document: dict[str, Any], path: str = "/it", method: str = "get") -> dict[str, Any]:
    """Return a stream's events by name; the unnamed one is called as clients call it."""
    content = document["paths"][path][method]["responses"]["200"]["content"]
    schema = resolved(document, content["text/event-stream"]["itemSchema"])
    found = {}
    for member in schema["oneOf"]:
        event = resolved(document, member)
        found[event["properties"]["event"].get("const")] = event
    return found


def test_info_and_tags() -> None:
    routes = {
        "a": define_route(lambda: 1, tags=["x", "y"]),
        "b": define_route(lambda: 1, tags=["y"], deprecated=True),
    }
    found = document_of(RouteBlueprint("api", __name__, routes, title="Shop", version="3.1"))
    assert found["openapi"] == "3.2.0"
    assert found["info"] == {"title": "Shop", "version": "3.1"}
    assert found["tags"] == [{"name": "x"}, {"name": "y"}]
    assert found["paths"]["/a"]["get"]["tags"] == ["x", "y"]
    assert found["paths"]["/b"]["get"]["deprecated"] is True
    assert "deprecated" not in found["paths"]["/a"]["get"]


def documented() -> int:
    """Count the sheep.

    One by one,
    all night.
    """
    return 1


@pytest.mark.parametrize(
    ("handler", "options", "summary", "description"),
    [
        (documented, {}, "Count the sheep.", "One by one,\nall night."),
        (functools.partial(documented), {}, "Count the sheep.", "One by one,\nall night."),
        (
            documented,
            {"summary": "Mine"},
            "Mine",
            "Count the sheep.\n\nOne by one,\nall night.",
        ),
        (documented, {"summary": "Mine", "description": "Too"}, "Mine", "Too"),
        (lambda: 1, {}, None, None),
    ],
)
def test_texts(handler: Any, options: Any, summary: str | None, description: str | None) -> None:
    found = operation(handler, **options)
    assert (found.get("summary"), found.get("description")) == (summary, description)
    assert found["operationId"] == "it"


def test_head_is_not_listed() -> None:
    assert document(it=define_route(lambda: 1))["paths"].keys() == {"/it"}
    assert document(it=define_route(lambda: 1))["paths"]["/it"].keys() == {"get"}


def test_query_parameters() -> None:
    def it(
        word: str,
        limit: Annotated[int, Field(ge=1, le=9, description="How many.", deprecated=True)] = 5,
        tags: list[str] | None = None,
        ids: list[int] = [],  # noqa: B006  # a default as people write it
        since: datetime.date | None = None,
        level: Literal["a", "b", None] = None,
    ) -> None: ...

    found = parameters(it)
    assert [each["in"] for each in found.values()] == ["query"] * 6
    assert [name for name, each in found.items() if each["required"]] == ["word"]
    assert found["limit"]["description"] == "How many."
    assert found["limit"]["deprecated"] is True
    limits = {"type": "integer", "minimum": 1, "maximum": 9, "default": 5}
    assert found["limit"]["schema"].items() >= limits.items()
    assert (found["tags"]["style"], found["tags"]["explode"]) == ("form", True)
    assert found["tags"]["schema"]["items"] == {"type": "string"}
    # Text knows no null: a field without a value is left out.
    assert "anyOf" not in found["since"]["schema"]
    assert found["since"]["schema"].items() >= {"type": "string", "format": "date"}.items()
    assert "default" not in found["since"]["schema"]
    assert found["level"]["schema"]["enum"] == ["a", "b"]


def test_a_list_that_must_be_there_is_not_empty() -> None:
    def it(ids: list[int]) -> None: ...

    assert parameters(it)["ids"]["schema"]["minItems"] == 1


def test_fields_of_models_and_unions() -> None:
    class Search(BaseModel):
        model_config = ConfigDict(populate_by_name=True)

        text: str = Field(alias="q")
        page: int = Field(1, validation_alias=AliasChoices("page", "p"))
        animal: Literal["cat", "dog"] = "cat"

    found = parameters(lambda input: 1, input=Search)
    assert {name: each["required"] for name, each in found.items()} == {
        "q": True,
        "page": False,
        "animal": False,
    }
    union = parameters(lambda input: 1, input=Cat | Dog)
    assert {name: each["required"] for name, each in union.items()} == {
        "kind": True,
        "lives": False,
        "name": False,
    }
    kinds = union["kind"]["schema"]["anyOf"]
    assert [each["const"] for each in kinds] == ["cat", "dog"]


def test_keys_that_are_not_known() -> None:
    found = parameters(lambda input: 1, input=dict[str, int])
    (whole,) = found.values()
    assert (whole["style"], whole["explode"], whole["required"]) == ("form", True, False)
    assert whole["schema"]["additionalProperties"] == {"type": "integer"}


def test_path_variables() -> None:
    def it(number: int, name: str, key: uuid.UUID, rest: str, free: float = 1) -> None: ...

    found = operation(it, path="/<int:number>/<name>/<uuid:key>/<path:rest>")
    by_name = {each["name"]: each for each in found["parameters"]}
    assert {name: each["in"] for name, each in by_name.items()} == {
        "number": "path",
        "name": "path",
        "key": "path",
        "rest": "path",
        "free": "query",
    }
    assert all(by_name[name]["required"] for name in ("number", "name", "key", "rest"))
    assert by_name["number"]["schema"]["minimum"] == 0
    assert by_name["name"]["schema"]["minLength"] == 1
    assert by_name["key"]["schema"]["format"] == "uuid"


def test_a_path_variable_with_a_default_has_none_in_the_document() -> None:
    def it(number: int = 3) -> None: ...

    assert "default" not in parameters(it, path="/x/<int:number>")["number"]["schema"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_body(method: str) -> None:
    def it(person_id: int, name: str, tags: list[str] | None = None) -> None: ...

    route = define_route(it, method=method, path="/people/<int:person_id>")
    found = document(it=route)["paths"]["/people/{person_id}"][method.lower()]
    assert [each["name"] for each in found["parameters"]] == ["person_id"]
    body = found["requestBody"]
    assert body["required"] is True
    json_schema = body["content"]["application/json"]["schema"]
    form = body["content"]["application/x-www-form-urlencoded"]["schema"]
    for schema in (json_schema, form):
        assert schema["properties"].keys() == {"name", "tags"}
        assert schema["required"] == ["name"]
    # Only JSON knows null.
    assert {"type": "null"} in json_schema["properties"]["tags"]["anyOf"]
    assert form["properties"]["tags"]["type"] == "array"


def test_a_body_of_a_model_refers_to_it() -> None:
    found = document(it=define_route(lambda input: 1, input=Person, method="POST"))
    content = found["paths"]["/it"]["post"]["requestBody"]["content"]
    assert content.keys() == {"application/json"}, "a form cannot hold an address"
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Person"}
    assert found["components"]["schemas"].keys() >= {"Person", "Address"}


def test_a_union_in_the_body_less_a_path_variable() -> None:
    route = define_route(lambda input: 1, input=Cat | Dog, method="POST", path="/<kind>")
    found = document(it=route)
    schema = found["paths"]["/{kind}"]["post"]["requestBody"]["content"]["application/json"]
    members = schema["schema"]["anyOf"]
    assert [list(each["properties"]) for each in members] == [["lives"], ["name"]]
    assert found["components"]["schemas"].keys().isdisjoint({"Cat", "Dog"}), "nothing refers to it"


def test_a_form_keeps_the_members_of_a_union() -> None:
    body = operation(lambda input: 1, input=Cat | Dog, method="POST")["requestBody"]
    form = body["content"]["application/x-www-form-urlencoded"]["schema"]
    assert [each["required"] for each in form["anyOf"]] == [["kind"], ["kind", "name"]]
    kinds = [each["properties"]["kind"]["const"] for each in form["anyOf"]]
    assert kinds == ["cat", "dog"]


def test_a_form_has_no_null() -> None:
    def it(name: str, nothing: None) -> None: ...

    body = operation(it, method="POST")["requestBody"]
    assert body["content"].keys() == {"application/json"}


def test_a_body_that_may_be_left_out() -> None:
    def it(name: str = "x") -> None: ...

    assert operation(it, method="POST")["requestBody"]["required"] is False
    assert "requestBody" not in operation(lambda: 1, method="POST")

    def only_path(name: str) -> None: ...

    assert "requestBody" not in operation(only_path, method="POST", path="/<name>")


def test_a_body_that_is_no_object() -> None:
    body = operation(lambda input: 1, input=list[int], method="POST")["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert (schema["type"], body["required"]) == ("array", True)


def test_responses_of_http() -> None:
    def it(limit: int = 1) -> list[Person]: ...

    found = document(it=define_route(it), free=define_route(lambda: 1))
    responses = found["paths"]["/it"]["get"]["responses"]
    assert list(responses) == ["200", "422", "default"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    assert schema == {"type": "array", "items": {"$ref": "#/components/schemas/Person"}}
    for status, name in (("422", "InvalidInput"), ("default", "Problem")):
        response = resolved(found, responses[status])
        problem = response["content"]["application/problem+json"]["schema"]
        assert problem == {"$ref": f"#/components/schemas/{name}"}
    free = found["paths"]["/free"]["get"]["responses"]
    assert list(free) == ["200", "default"]
    assert free["200"]["content"] == {"application/json": {"schema": {}}}


def test_a_response_of_the_apps_own_may_be_anything() -> None:
    def it() -> Response: ...

    assert operation(it)["responses"]["200"]["content"] == {"*/*": {"schema": {}}}


def test_types_of_the_app_keep_their_names() -> None:
    class Problem(BaseModel):
        where: str

    found = document(it=define_route(lambda: 1, output=Problem))
    schemas = found["components"]["schemas"]
    assert "where" in schemas["Problem"]["properties"]
    assert "status" in schemas["Problem_"]["properties"]
    problem = found["components"]["responses"]["Problem"]["content"]
    assert problem["application/problem+json"]["schema"]["$ref"].endswith("/Problem_")


def test_events_of_a_stream() -> None:
    def it() -> Iterator[Person | Progress]: ...

    found = document(it=define_route(it, kind="sse", events={"progress": Progress}))
    by_name = events(found)
    assert by_name.keys() == {
        "message",
        "progress",
        "ready",
        "snapshot",
        "reset",
        "error",
        "end",
    }
    for name, event in by_name.items():
        data = event["properties"]["data"]
        assert data["contentMediaType"] == "application/json"
        assert data["type"] == "string"
        assert event["properties"].keys() == {"event", "data", "id", "retry"}
        assert ("event" in event["required"]) is (name != "message")
        assert "data" in event["required"]
    content = {n: e["properties"]["data"].get("contentSchema") for n, e in by_name.items()}
    assert content["message"] == {"$ref": "#/components/schemas/Person"}
    assert content["progress"] == {"$ref": "#/components/schemas/Progress"}
    assert content["error"] == {"$ref": "#/components/schemas/Problem"}
    assert content["reset"]["properties"]["reason"]["enum"] == ["trimmed", "epoch"]
    schema = found["paths"]["/it"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert schema == {"itemSchema": {"$ref": "#/components/schemas/ItEvent"}}


def test_a_stream_that_declares_nothing_may_send_any_event() -> None:
    def it() -> Iterator[Any]: ...

    named = events(document(it=define_route(it, kind="sse")))
    assert named[None]["properties"]["event"] == {
        "type": "string",
        "not": {"enum": ["end", "error", "ready", "reset", "snapshot"]},
    }
    assert named[None]["required"] == ["data"]


def test_the_head_of_a_stream() -> None:
    def it(last: int = 0) -> Iterator[int]: ...

    found = document(it=define_route(it, kind="sse"))["paths"]["/it"]["get"]
    assert found["responses"].keys() == {"200", "204", "422", "503", "default"}
    assert found["responses"]["200"]["headers"].keys() == {"SSE-Heartbeat", "SSE-Refused"}
    places = {each["name"]: each["in"] for each in found["parameters"]}
    assert places == {"last": "query", "Last-Event-ID": "header", "last_event_id": "query"}
    whole = document(it=define_route(it, kind="sse"))
    unavailable = whole["components"]["responses"]["Unavailable"]
    assert unavailable["headers"].keys() == {"Retry-After"}


def test_a_stream_that_does_not_stay_finished() -> None:
    def it() -> Iterator[int]: ...

    found = document(it=define_route(it, kind="sse", on_end="reconnect"))
    assert "204" not in found["paths"]["/it"]["get"]["responses"]
    assert "end" not in events(found)


def test_a_stream_whose_input_has_a_last_event_id() -> None:
    def it(last_event_id: int = 0) -> Iterator[int]: ...

    found = [p for p in operation(it, kind="sse")["parameters"] if p["in"] == "query"]
    assert [p["schema"]["type"] for p in found] == ["integer"]


def test_a_posted_stream_has_a_body() -> None:
    def it(text: str) -> Iterator[int]: ...

    found = operation(it, kind="sse", method="POST")
    assert "requestBody" in found
    assert [p["name"] for p in found["parameters"]] == ["Last-Event-ID", "last_event_id"]


def test_format_3_1() -> None:
    def it() -> Iterator[int]: ...

    found = document(it=define_route(it, kind="sse"), format="3.1")
    assert found["openapi"] == "3.1.0"
    assert "itemSchema" not in json.dumps(found)
    content = found["paths"]["/it"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert content == {"schema": {"$ref": "#/components/schemas/ItEvent"}}
    newer = document(it=define_route(it, kind="sse"))
    assert found["components"] == newer["components"]


BEARER = {"type": "http", "scheme": "bearer"}
COOKIE = {"type": "apiKey", "in": "cookie", "name": "session"}


def test_security() -> None:
    signed_in = define_hook(
        before=lambda ctx: None, security={"token": BEARER, "the cookie": COOKIE}
    )

    @hook(security={"admin": {**BEARER, "description": "Of an admin."}})
    def admin(ctx: Any) -> Iterator[None]:
        yield

    counted = define_hook("counted", cleanup=lambda ctx: None)
    routes = {
        "open": define_route(lambda: 1, hooks=[counted]),
        "mine": define_route(lambda: 1, hooks=[signed_in, counted]),
        "ours": define_route(lambda: 1, hooks=[signed_in, admin]),
    }
    found = document(**routes)
    assert found["components"]["securitySchemes"] == {
        "token": BEARER,
        "the_cookie": COOKIE,
        "admin": {**BEARER, "description": "Of an admin."},
    }
    paths = {name: found["paths"][f"/{name}"]["get"] for name in routes}
    assert "security" not in paths["open"]
    assert paths["mine"]["security"] == [{"token": []}, {"the_cookie": []}]
    assert paths["ours"]["security"] == [
        {"token": [], "admin": []},
        {"the_cookie": [], "admin": []},
    ]
    assert paths["open"]["responses"].keys() == {"200", "default"}
    assert paths["mine"]["responses"].keys() == {"200", "401", "403", "default"}


def test_two_schemes_of_one_name() -> None:
    def asks(scheme: Any) -> Any:
        return define_hook(before=lambda ctx: None, security={"token": scheme})

    found = document(
        a=define_route(lambda: 1, hooks=[asks(BEARER)]),
        b=define_route(lambda: 1, hooks=[asks(COOKIE)]),
        c=define_route(lambda: 1, hooks=[asks(BEARER)]),
    )
    assert found["components"]["securitySchemes"] == {"token": BEARER, "token_": COOKIE}
    asked = [found["paths"][f"/{name}"]["get"]["security"] for name in "abc"]
    assert asked == [[{"token": []}], [{"token_": []}], [{"token": []}]]


def test_nested_blueprints() -> None:
    def it() -> Iterator[int]: ...

    inner = RouteBlueprint("admin", __name__, url_prefix="/admin/<tenant>")
    inner.add_route("stats", define_route(it, kind="sse"))
    outer = RouteBlueprint("api", __name__, {"it": define_route(it, kind="sse")}, url_prefix="/api")
    outer.register_blueprint(inner)
    found = document_of(outer)
    assert found["paths"].keys() == {"/it", "/admin/{tenant}/stats"}
    stats = found["paths"]["/admin/{tenant}/stats"]["get"]
    assert stats["operationId"] == "admin.stats"
    assert stats["parameters"][0] == {
        "name": "tenant",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    assert {"ItEvent", "AdminStatsEvent"} <= found["components"]["schemas"].keys()


def test_a_prefix_with_variables() -> None:
    def it(tenant: int) -> int:
        return tenant

    routes = {"it": define_route(it), "other": define_route(lambda: 1)}
    app = Flask("application")
    prefix = "/v1/<int:tenant>/api"
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix=prefix))
    served = app.test_client().get("/v1/7/api/openapi.json").json
    assert served is not None
    assert served["servers"] == [{"url": "/v1"}]
    assert served["paths"].keys() == {"/{tenant}/api/it", "/{tenant}/api/other"}
    for methods in served["paths"].values():
        (tenant,) = methods["get"]["parameters"]
        assert (tenant["name"], tenant["in"], tenant["required"]) == ("tenant", "path", True)
        assert tenant["schema"].items() >= {"type": "integer", "minimum": 0}.items()
    assert app.test_client().get("/v1/7/api/it").json == 7


def test_the_server_is_where_the_app_is_mounted() -> None:
    app = Flask("application")
    app.register_blueprint(RouteBlueprint("api", __name__, url_prefix="/api"))
    served = app.test_client().get("/api/openapi.json", base_url="http://x/mounted/").json
    assert served is not None
    assert served["servers"] == [{"url": "/mounted/api"}]


def test_paths_that_differ_in_the_names_of_variables() -> None:
    def get(order_id: int) -> int: ...

    def delete(number: int) -> int: ...

    found = document(
        get=define_route(get, path="/orders/<int:order_id>"),
        delete=define_route(delete, path="/orders/<int:number>", method="DELETE"),
    )["paths"]
    assert found.keys() == {"/orders/{order_id}"}
    assert found["/orders/{order_id}"].keys() == {"get", "delete"}
    (parameter,) = found["/orders/{order_id}"]["delete"]["parameters"]
    assert parameter["name"] == "order_id"


def test_a_type_within_itself() -> None:
    found = document(it=define_route(lambda input: 1, input=Tree, method="POST"))
    assert "Tree" in found["components"]["schemas"]
    assert parameters(lambda input: 1, input=Tree).keys() == {"name", "children"}


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


def test_types_of_one_name_are_told_apart() -> None:
    def make(type_: Any) -> Any:
        class Same(BaseModel):
            value: type_

        return Same

    found = document(
        a=define_route(lambda: 1, output=make(int)),
        b=define_route(lambda: 1, output=make(str)),
    )
    paths = found["paths"]
    schemas = [
        resolved(
            found, paths[p]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        )
        for p in ("/a", "/b")
    ]
    assert [schema["properties"]["value"]["type"] for schema in schemas] == ["integer", "string"]


Twigs = TypeAliasType("Twigs", "str | list[Twigs]")  # type: ignore[misc]  # within itself


class Grove(BaseModel):
    twigs: Twigs  # type: ignore[valid-type]  # an alias made at run time


def test_no_form_holds_a_type_within_itself() -> None:
    body = operation(lambda input: 1, input=Grove, method="POST")["requestBody"]
    assert list(body["content"]) == ["application/json"]


@pytest.mark.parametrize(
    "rule", ['/<any("a(b)", c):x>', '/<any("<b>", "{c}"):x>/', "/<any(a, b):x>", "/<x>"]
)
def test_arguments_of_converters_may_hold_anything(rule: str) -> None:
    def one(x: str) -> None: ...

    path, methods = next(iter(document(it=define_route(one, path=rule))["paths"].items()))
    assert path.rstrip("/") == "/{x}"
    assert [(p["name"], p["in"]) for p in methods["get"]["parameters"]] == [("x", "path")]


class Limits(BaseModel):
    limit: float = math.inf
    default: float = math.nan
    few: float = 1.5


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_defaults_that_json_has_no_word_for_are_left_out(method: str) -> None:
    found = document(it=define_route(lambda input: 1, input=Limits, output=Limits, method=method))
    json.dumps(found, allow_nan=False)
    fields = found["components"]["schemas"]["Limits"]["properties"]
    assert list(fields) == ["limit", "default", "few"]
    assert [fields[name].get("default") for name in fields] == [None, None, 1.5]


class Fish(BaseModel):
    kind: Literal["fish"]
    depth: int


Pet = Annotated[Dog | Fish, Field(discriminator="kind")]
Being = Annotated[Cat | Fish, Field(discriminator="kind")]


@pytest.mark.parametrize(("type_", "required"), [(Pet, True), (Being, False)])
def test_the_tag_of_a_union_in_the_path(type_: Any, required: bool) -> None:
    options = {"input": type_, "method": "POST", "path": "/<kind>"}
    body = operation(lambda input: 1, **options)["requestBody"]
    assert body["required"] is required
    schema = body["content"]["application/json"]["schema"]
    assert len(schema["anyOf"]) == 2
    assert not schema.keys() & {"oneOf", "discriminator"}


class Cow(BaseModel):
    kind: Literal["cow"] = "cow"


@pytest.mark.parametrize(("member", "kept"), [(Dog, True), (Cow, False)])
def test_a_discriminator_names_a_field_that_is_always_there(member: Any, kept: bool) -> None:
    """OpenAPI 3.2, section 4.26: an optional one asks for a `defaultMapping`."""
    body = operation(
        lambda input: 1, input=Annotated[member | Fish, Field(discriminator="kind")], method="POST"
    )["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert len(schema["oneOf"]) == 2
    assert ("discriminator" in schema) is kept


def test_documents_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for name in ("catalogue_of", "openapi", "client_module"):
        real = getattr(documents, name)

        def counting(*given: Any, name: str = name, real: Any = real) -> Any:
            made.append(name)
            return real(*given)

        monkeypatch.setattr(documents, name, counting)
    app = Flask("application")
    app.config["SSE_EXPLORER"] = True
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": define_route(lambda: 1)}))
    client = app.test_client()
    assert client.get("/explorer/explorer.js").status_code == 200
    assert made == []
    for path in ["/client.js", "/openapi.json", "/explorer/routes.json"] * 2:
        assert client.get(path).status_code == 200
    mounted = client.get("/openapi.json", base_url="http://localhost/mounted").get_json()
    assert mounted["servers"] == [{"url": "/mounted"}]
    assert client.get("/openapi.json").get_json()["servers"] == [{"url": "/"}]
    assert sorted(made) == ["catalogue_of", "client_module", "openapi"]
