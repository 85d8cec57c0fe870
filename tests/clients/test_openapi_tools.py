"""OpenAPI documents in the hands of public tools: validators, a tester and a generator."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from flask import Flask
from pydantic import BaseModel, Field

from app import create_app
from flask_sse_routes import RouteBlueprint, define_hook, define_route
from flask_sse_routes.codegen.openapi import openapi
from flask_sse_routes.documents import catalogue_of

from . import typed_app
from .conftest import NODE_MODULES, missing
from .serving import Serving

LINT = NODE_MODULES.parent / "lint_openapi.mjs"
# An endless stream is left after so many events, or seconds; operations are tried side by side,
# since most of the time goes into waiting for those.
SCHEMATHESIS = "max-stream-events = 1\n"
STREAM_SECONDS = "3"
SIDE_BY_SIDE = "4"
START = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
# What a generated client has to have, and what it must not let pass.
TYPES = """
import { task } from "./api/sdk.gen";
import type { TaskEvent, TaskResponses } from "./api/types.gen";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2)
  ? true
  : false;
export const typed: Same<TaskResponses[200], TaskEvent> = true;
export const names: TaskEvent["event"][] = ["progress", "done", "ready", "end", "error"];
// @ts-expect-error  // no such event
export const other: TaskEvent = { event: "other", data: "" };

export async function last(): Promise<string | undefined> {
  const { stream } = await task({ query: { limit: 10_000 } });
  for await (const event of stream) {
    if (event && event.event === "done") return event.data;
  }
  return undefined;
}
// @ts-expect-error  // the limit is a number
export const wrong = task({ query: { limit: "many" } });
"""


class Event(BaseModel):
    at: float


class Tree(BaseModel):
    """A tree of names."""

    name: str
    children: list[Tree] = []


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class Cash(BaseModel):
    kind: Literal["cash"]


def rich_app() -> Flask:
    """An app whose document has some of everything that OpenAPI knows."""
    signed_in = define_hook(
        before=lambda ctx: None,
        security={
            "token": {"type": "http", "scheme": "bearer"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
        },
    )

    def search(text: str, tags: list[str], tenant: int, limit: int | None = None) -> list[Tree]:
        """Find trees.

        By their names.
        """
        return []

    def replace(tree_id: int, tenant: int, name: str, note: str | None = None) -> Tree:
        return Tree(name=name)

    def watch(tenant: int, tree_id: int) -> Iterator[Event | Tree]:
        yield Event(at=0)

    payment = Annotated[Card | Cash, Field(discriminator="kind")]
    routes = {
        "search": define_route(search, tags=["trees"], hooks=[signed_in]),
        "replace": define_route(replace, method="PUT", path="/trees/<int:tree_id>"),
        "watch": define_route(
            watch, kind="sse", path="/trees/<int:tree_id>/events", events={"at": Event}
        ),
        "pay": define_route(lambda input: input, input=payment, method="POST", deprecated=True),
        "ask": define_route(lambda text: iter([text]), kind="sse", method="POST"),
        "any": define_route(lambda input: 1, input=dict[str, int]),
    }
    inner = RouteBlueprint("inner", __name__, {"any": define_route(lambda: 1)})
    api = RouteBlueprint("api", __name__, routes, url_prefix="/v1/<int:tenant>/api")
    api.register_blueprint(inner, url_prefix="/in/<store>")
    app = Flask(__name__)
    app.register_blueprint(api)
    return app


def demo() -> Flask:
    return create_app({"SSE_BROKER_URL": "memory://"})


def document_of(app: Flask, format: str = "3.2") -> dict[str, Any]:
    return {**openapi(catalogue_of(app, "api"), format), "servers": [{"url": "/api"}]}


APPS = {"demo": demo, "rich": rich_app, "typed": lambda: typed_app.app}
FORMATS = ("3.2", "3.1")


@pytest.fixture(name="lint")
def lint(program: Any, node_modules: Any, tmp_path: Path) -> Callable[..., list[str]]:
    node_modules("@redocly/openapi-core")
    node = program("node")

    def run(*documents: dict[str, Any]) -> list[str]:
        files = []
        for number, document in enumerate(documents):
            files.append(tmp_path / f"{number}.json")
            files[-1].write_text(json.dumps(document))
        return output_of([node, str(LINT), *map(str, files)]).splitlines()

    return run


def output_of(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def spoilt() -> dict[str, Any]:
    """Return the demo's document with a word that OpenAPI does not know."""
    document = copy.deepcopy(document_of(demo()))
    media = document["paths"]["/task"]["get"]["responses"]["200"]["content"]
    media["text/event-stream"]["itemsSchema"] = media["text/event-stream"].pop("itemSchema")
    return document


def test_redocly_finds_no_fault(lint: Any) -> None:
    assert lint(*(document_of(make(), form) for make in APPS.values() for form in FORMATS)) == []
    assert "itemsSchema" in "\n".join(lint(spoilt()))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", APPS)
def test_openapi_spec_validator_finds_no_fault(name: str, format: str) -> None:
    if importlib.util.find_spec("openapi_spec_validator") is None:
        missing("openapi-spec-validator")
    from openapi_spec_validator import validate
    from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

    document = document_of(APPS[name](), format)
    validate(document)
    document["paths"]["/spoilt"] = {"get": {"responses": {"200": {"content": 1}}}}
    with pytest.raises(OpenAPIValidationError):
        validate(document)


def schemathesis(folder: Path, document: str, *options: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("schemathesis") is None:
        missing("schemathesis")
    (folder / "schemathesis.toml").write_text(SCHEMATHESIS)
    limits = ["--request-timeout", STREAM_SECONDS, "--max-examples", "3", "--seed", "1"]
    limits += ["--workers", SIDE_BY_SIDE]
    command = [sys.executable, "-c", START, "run", document, *limits, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)


def test_schemathesis_finds_no_fault(serve: Callable[..., Serving], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    settings = {"SSE_BROKER_URL": url, "DATA_FOLDER": tmp_path, "OPEN_TO_ALL": "yes"}
    serving = serve("app:create_app()", settings=settings)
    done = schemathesis(tmp_path, f"{serving.url}/api/openapi.json")
    assert done.returncode == 0, done.stdout
    routes = sum(map(len, document_of(demo())["paths"].values()))
    assert f"Tested: {routes}\n" in done.stdout
    assert "Traceback" not in serving.log


def test_schemathesis_would_find_one(serve: Callable[..., Serving], tmp_path: Path) -> None:
    settings = {"SSE_BROKER_URL": f"sqlite:///{tmp_path}/e.db", "OPEN_TO_ALL": "yes"}
    serving = serve("app:create_app()", settings=settings)
    document = document_of(demo())
    document["paths"] = {path: document["paths"][path] for path in ("/history", "/activity")}
    limit = document["paths"]["/history"]["get"]["parameters"][0]["schema"]
    limit["maximum"] = 1000
    event = document["components"]["schemas"]["ActivityEvent"]["oneOf"][0]
    event["properties"]["event"]["const"] = "activity"
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document))
    done = schemathesis(tmp_path, str(path), "--url", f"{serving.url}/api")
    assert done.returncode == 1, done.stdout
    assert "/history" in done.stdout
    assert "/activity" in done.stdout


def test_a_public_generator_types_the_stream(
    program: Any, node_modules: Any, tmp_path: Path
) -> None:
    """No generator reads `itemSchema` yet; for such the form 3.1 tells the type of events."""
    generator = node_modules("@hey-api/openapi-ts") / "bin" / "run.js"
    compiler = node_modules("typescript") / "bin" / "tsc"
    node = program("node")
    (tmp_path / "openapi.json").write_text(json.dumps(document_of(demo(), "3.1")))
    plugins = ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch"]
    command = [node, str(generator), "-i", "openapi.json", "-o", "api", "-p", *plugins]
    output_of([*command, "--no-log-file"], tmp_path)
    (tmp_path / "use.ts").write_text(TYPES)
    options = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2022"]
    options += [
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--lib",
        "es2022,dom,dom.iterable",
    ]
    assert output_of([node, str(compiler), *options, "use.ts"], tmp_path) == ""
